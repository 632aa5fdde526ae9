"""Throughput beside Bespoke Curator, distilabel and a bare loop, in turns, on one loopback teacher.

    python -m tests.bench.peers_generate --curator PYTHON --distilabel PYTHON

PYTHON is the interpreter of an environment that holds the peer, or stands in CURATOR_PYTHON and
DISTILABEL_PYTHON. Each run is a process of its own: the whole of it, imports included, is timed
from outside, generation by what the tool itself notes (see `tests/bench/peers`).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.generate import COUNT, ROOT, sample
from tests.bench.machine import calibration
from tests.bench.peers.line import CONCURRENCY

RUNS = 3
LATENCY = 0.05  # seconds an answer takes, and up to twice that
PEERS = Path(__file__).parent / "peers"
OWN = [sys.executable, "-m"]
INSTALL = {
    "curator": "bespokelabs-curator",
    "distilabel": "'distilabel[openai]' requests",
}


@dataclass
class Tool:
    """What runs, and how long it took each time.

    Attributes:
        command: takes base URL, model and a file of prompts.
        generation: seconds from the first request to the last answer.
        whole: seconds of the process.
    """

    command: list[str]
    name: str = ""
    version: str = ""
    generation: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def run(self, url: str, prompts: Path) -> None:
        began = time.perf_counter()
        words = [*self.command, url, "m", str(prompts)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        self.whole.append(time.perf_counter() - began)
        if done.returncode:
            sys.exit(
                f"{' '.join(self.command)} failed:\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
            )
        found = json.loads(done.stdout.strip().splitlines()[-1])
        if found["answers"] != COUNT:
            sys.exit(f"{found['tool']} answered {found['answers']:,} of {COUNT:,} prompts")
        self.name, self.version = found["tool"], found["version"]
        self.generation.append(found["seconds"])


@contextmanager
def teacher() -> Iterator[str]:
    """The URL of a teacher that runs in a process of its own."""
    words = ["tests.servers.teacher", "--seed", "1", "--quiet", "--latency", str(LATENCY)]
    with subprocess.Popen([*OWN, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip().partition("=")[2]
        finally:
            server.terminate()
            server.communicate()


def peers() -> list[Tool]:
    parser = ArgumentParser(description="Throughput beside other tools.")
    for name in INSTALL:
        given = os.environ.get(f"{name.upper()}_PYTHON")
        parser.add_argument(f"--{name}", metavar="PYTHON", default=given)
    found = []
    for name, python in vars(parser.parse_args()).items():
        if python and Path(python).is_file():
            found.append(Tool([python, str(PEERS / f"{name}_run.py")]))
            continue
        print(
            f"{name} is not installed{f' at {python}' if python else ''}: python -m venv DIR && "
            f"DIR/bin/pip install {INSTALL[name]}, then --{name} DIR/bin/python"
        )
    return found


def report(tools: list[Tool]) -> None:
    mine = next(tool for tool in tools if tool.name == "ours")
    print(
        f"{'':28}{'generation':>12}{'times ours':>12}{'process':>10}{'times ours':>12}   each run"
    )
    for tool in tools:
        generation, whole = min(tool.generation), min(tool.whole)
        print(
            f"{tool.name + ' ' + tool.version:28}"
            f"{generation:10.2f} s{generation / min(mine.generation):12.2f}"
            f"{whole:8.2f} s{whole / min(mine.whole):12.2f}   "
            f"{' '.join(f'{one:.2f}' for one in tool.generation)}"
        )


def main() -> None:
    tools = [Tool([*OWN, f"tests.bench.peers.{name}_run"]) for name in ("bare", "ours")] + peers()
    print(f"calibration loop: {calibration():.2f} s")
    print(
        f"{COUNT:,} prompts, {CONCURRENCY} at once, {LATENCY * 1e3:g} to {LATENCY * 2e3:g} ms each"
    )
    with tempfile.TemporaryDirectory() as folder, teacher() as url:
        prompts = Path(folder) / "prompts.jsonl"
        prompts.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in sample()))
        for _ in range(RUNS):
            for tool in tools:
                tool.run(url, prompts)
    report(tools)
    print(f"calibration loop: {calibration():.2f} s")


if __name__ == "__main__":
    main()
