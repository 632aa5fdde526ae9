"""What asking costs: the client against a bare loop, the ceiling, both cards.

    make bench NAME=generate

The teacher is on the loopback, in a process of its own, on the same cores.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from urllib.request import urlopen

import openai

from imitation_data import build
from imitation_data.conversation import Message
from imitation_data.generate.budget import Ceiling
from imitation_data.generate.journal import Journal
from imitation_data.generate.procedure import Ask, Candidate
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.run import Job, Run
from imitation_data.generate.teacher import Teacher
from imitation_data.generation import Orders
from imitation_data.recipe import load_recipe
from tests.bench.machine import calibration

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
PORT = 8799
URL = f"http://127.0.0.1:{PORT}/v1"
COUNT = 2000
TOKENS = 512


class Prompts:
    """The smallest procedure: each prompt once."""

    given = False

    def __init__(self, prompts: list[str], teacher: Teacher) -> None:
        from collections import deque  # noqa: PLC0415

        self.left, self.teacher = deque(prompts), teacher
        self.wanted, self.made, self.texts = len(prompts), deque[Candidate](), list[str]()

    def pull(self) -> Ask | None:
        if not self.left:
            return None
        turns = [Message("user", self.left.popleft())]
        return Ask(self.teacher.request(turns, Sampling(TOKENS, 1.0)))

    def take(self, ask: Ask, answer: Answer) -> None:
        del ask
        self.texts.append(answer.text)

    def close(self) -> None:
        pass


async def bare(prompts: list[str], url: str = URL) -> float:
    """A loop over the openai client, 256 requests at once."""
    gate = asyncio.Semaphore(256)
    async with openai.AsyncOpenAI(base_url=url, api_key="x") as client:

        async def one(prompt: str) -> str | None:
            async with gate:
                found = await client.chat.completions.create(
                    model="m",
                    messages=[{"role": "user", "content": prompt}],
                    max_tokens=TOKENS,
                    temperature=1.0,
                )
                return found.choices[0].message.content

        began = time.perf_counter()
        await asyncio.gather(*map(one, prompts))
        return time.perf_counter() - began


def ours(prompts: list[str], url: str = URL) -> float:
    """The same through the run, with the journal on."""
    teacher = Teacher("m", url, key="")
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "j.sqlite") as journal:
        machine = Prompts(prompts, teacher)
        job = Job("bench", "bench", teacher, Ceiling(requests=10**9))
        run = Run(job, machine, journal, lambda _: None)
        began = time.perf_counter()
        run.replay()
        asyncio.run(run.go_on())
        seconds = time.perf_counter() - began
        assert len(machine.texts) == len(prompts)
        return seconds


def client() -> None:
    prompts = sample()
    bares, mine = [], []
    for _ in range(3):
        bares.append(asyncio.run(bare(prompts)))
        mine.append(ours(prompts))
    ratio = min(bares) / min(mine)
    print(f"bare loop, {COUNT} prompts at 256: {[round(one, 2) for one in bares]} s")
    print(f"ours, journal on: {[round(one, 2) for one in mine]} s: {ratio:.2f} times the bare loop")


def sample() -> list[str]:
    """Prompts that are all different."""
    prompts = sorted({row["instruction"] for row in alpaca()})
    return Random(0).sample(prompts, COUNT)


def alpaca() -> list[dict[str, str]]:
    return json.loads((SHARED / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8"))


def cards() -> None:
    for name, count in (("nq-synthetic", 6000), ("self-instruct", 6000)):
        recipe = load_recipe(ROOT / "cards" / name, endpoint=URL)
        with tempfile.TemporaryDirectory() as store:
            orders = Orders(ceiling=Ceiling(requests=10**9), limit=count)
            began = time.perf_counter()
            built = build(recipe, store=store, workers=2, orders=orders)
            first = time.perf_counter() - began
            facts = built.stored.manifest["generation"][name]
            began = time.perf_counter()
            build(recipe, store=store, workers=2, orders=Orders(limit=count))
            again = time.perf_counter() - began
        words = f"{facts['requests']:,} requests, {built.kept:,} rows kept"
        print(f"{name}: {words} in {first:.1f} s; built again in {again:.1f} s")


def batch() -> None:
    """Answers of the card in batches; what the teacher waits is its own."""
    recipe = load_recipe(ROOT / "cards" / "nq-synthetic", endpoint=URL)
    with tempfile.TemporaryDirectory() as store:
        orders = Orders(ceiling=Ceiling(requests=10**9), limit=6000, batch=True)
        began = time.perf_counter()
        built = build(recipe, store=store, workers=2, orders=orders)
        seconds = time.perf_counter() - began
        facts = built.stored.manifest["generation"]["nq-synthetic"]
    words = f"{facts['requests']:,} requests, {built.kept:,} rows kept"
    print(f"nq-synthetic in batches: {words} in {seconds:.1f} s")


def ceiling() -> None:
    for tokens in (100_000, 200_000):
        recipe = load_recipe(ROOT / "cards" / "nq-synthetic", endpoint=URL)
        with tempfile.TemporaryDirectory() as store:
            before = charged()
            build(recipe, store=store, workers=1, orders=Orders(ceiling=Ceiling(tokens=tokens)))
            used = charged() - before
        print(f"ceiling of {tokens:,} tokens: the teacher counts {used:,} ({used / tokens:.1%})")


def charged() -> int:
    with urlopen(URL.removesuffix("/v1") + "/stats", timeout=10) as answer:
        stats = json.loads(answer.read())
    return int(stats["input_tokens"]) + int(stats["output_tokens"])


PARTS = {
    "client": (client, ["--latency", "0.05"]),
    "cards": (cards, ["--faults", "0.2"]),
    "batch": (batch, ["--batch-seconds", "0.1"]),
    "ceiling": (ceiling, []),
    "ceiling_with_faults": (ceiling, ["--faults", "0.2"]),
}


def main() -> None:
    os.environ["OPENAI_API_KEY"] = "x"
    print(f"calibration loop: {calibration():.2f} s")
    wanted = sys.argv[1:] or list(PARTS)
    words = ["-m", "tests.servers.teacher", "--port", str(PORT), "--seed", "1", "--quiet"]
    for name in wanted:
        part, more = PARTS[name]
        print(f"-- {name} {' '.join(more)}", flush=True)
        server = subprocess.Popen(
            [sys.executable, *words, *more], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        try:
            time.sleep(1.5)
            if server.poll() is not None:
                sys.exit(f"the teacher did not start; is port {PORT} taken?")
            part()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
