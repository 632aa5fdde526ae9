"""This package, journal on: python -m tests.bench.peers.ours_run BASE_URL MODEL PROMPTS."""

import sys
from importlib.metadata import version

from tests.bench.generate import ours
from tests.bench.peers.line import read, tell

if __name__ == "__main__":
    url, _, path = sys.argv[1:]
    prompts = read(path)
    seconds = ours(prompts, url)  # checks that each was answered
    tell("ours", version("imitation-data"), seconds, len(prompts))
