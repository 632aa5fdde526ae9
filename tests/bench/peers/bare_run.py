"""A loop over the `openai` client: python -m tests.bench.peers.bare_run BASE_URL MODEL PROMPTS."""

import asyncio
import sys

import openai

from tests.bench.generate import bare
from tests.bench.peers.line import read, tell

if __name__ == "__main__":
    url, _, path = sys.argv[1:]
    prompts = read(path)
    seconds = asyncio.run(bare(prompts, url))
    tell("bare loop", f"openai {openai.__version__}", seconds, len(prompts))
