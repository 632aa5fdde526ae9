"""Highest sentence BLEU of all others: seconds on one core, and how many times sacrebleu that is.

    make bench NAME=bleu

Time is from an Arrow column to scores, tokenisation included. sacrebleu is timed on random pairs of
the same texts and extrapolated to all of them, with a 95 % interval. Targets: 30,000 prompts of up
to 80 words under 8 s, 50,000 mixed prompts under 40 s, 50,000 answers of 300 tokens under 300 s,
each at least 5,000 times sacrebleu; 255 x 100,000 under 10 s; 100,000 x 100,000 under 6 GiB.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from sacrebleu.metrics.bleu import BLEU

from imitation_data.bleu import Bleu
from tests.bench.machine import PeakMemory, best_of, calibration

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PAIRS = 3000  # of which sacrebleu is timed
ANSWER_WORDS = 255  # about 300 tokens
SIZES = (10_000, 20_000, 50_000, 100_000)


def alpaca() -> Iterator[tuple[str, str]]:
    """Prompts and answers."""
    with (DATA / "alpaca" / "alpaca_data.json").open(encoding="utf-8") as file:
        for row in json.load(file):
            yield "\n".join(filter(None, (row["instruction"], row["input"]))), row["output"]


def p3() -> Iterator[tuple[str, str]]:
    """Prompts and answers."""
    with (DATA / "p3.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            yield row["prompt"], row["completion"]


def gpteacher() -> Iterator[str]:
    """Answers."""
    for path in sorted((DATA / "gpteacher").glob("*.json")):
        yield from (str(row["response"]) for row in json.loads(path.read_text(encoding="utf-8")))


def shuffled(texts: list[str]) -> list[str]:
    random.Random(5).shuffle(texts)
    return texts


def prompts() -> list[str]:
    """All prompts, mixed."""
    return shuffled([prompt for prompt, _ in (*alpaca(), *p3())])


def sets() -> Iterator[tuple[str, list[str]]]:
    """The texts of each target."""
    yield "30,000 prompts", [one for one in prompts() if len(one.split()) <= 80][:30_000]
    yield "50,000 mixed", [prompt for prompt, _ in p3()][:50_000]
    answers = [text for pair in (*alpaca(), *p3()) for text in pair] + list(gpteacher())
    words = " ".join(shuffled(answers)).split()
    cuts = range(0, len(words) - ANSWER_WORDS, ANSWER_WORDS)
    yield "50,000 answers", [" ".join(words[at : at + ANSWER_WORDS]) for at in cuts][:50_000]


def theirs(texts: list[str]) -> tuple[float, float]:
    """Seconds of sacrebleu a pair, and half its 95 % interval."""
    draw, metric = random.Random(9), BLEU(effective_order=True)
    times = []
    for _ in range(PAIRS):
        one, two = draw.sample(texts, 2)
        started = time.perf_counter()
        metric.sentence_score(one, [two])
        times.append(time.perf_counter() - started)
    return float(np.mean(times)), float(1.96 * np.std(times) / np.sqrt(PAIRS))


def measure() -> None:
    """Everything that one core can tell."""
    os.sched_setaffinity(0, {0})
    Bleu(pa.array(["a b c d e f", "a b c d e g"])).nearest()  # compiled before the clock starts
    print(f"calibration loop: {calibration():.2f} s")
    for name, texts in sets():
        column = pa.array(texts, pa.large_string())
        seconds = best_of(3, lambda column=column: Bleu(column).nearest())
        mean = float(Bleu(column).nearest().scores.mean())
        a_pair, half = theirs(texts)
        pairs = len(texts) * (len(texts) - 1)
        times = [pairs * value / seconds for value in (a_pair - half, a_pair, a_pair + half)]
        words = np.mean([len(text.split()) for text in texts])
        print(
            f"{name} ({len(texts):,} of {words:.0f} words): {seconds:.2f} s, mean {mean:.1f}; "
            f"sacrebleu {1e6 * a_pair:.0f} us a pair; {times[1]:,.0f} times "
            f"({times[0]:,.0f} to {times[2]:,.0f})"
        )
    every = prompts()
    for size in SIZES:
        column = pa.array(every[:size], pa.large_string())
        print(f"growth: {size:,} in {best_of(1, lambda c=column: Bleu(c).nearest()):.2f} s")
    few = pa.array([answer for _, answer in alpaca()][:255])
    corpus = pa.array(every[:100_000], pa.large_string())
    print(f"255 x 100,000: {best_of(3, lambda: Bleu(corpus, few).nearest()):.2f} s")
    print(f"calibration loop: {calibration():.2f} s")


def square() -> None:
    """100,000 x 100,000 in a process of its own."""
    every = prompts()
    answers = [answer for _, answer in alpaca()] + [prompt for prompt, _ in p3()][::-1]
    corpus, queries = (pa.array(texts[:100_000], pa.large_string()) for texts in (every, answers))
    del every, answers
    with PeakMemory(os.getpid()) as peak:
        print(f"100,000 x 100,000: {best_of(1, lambda: Bleu(corpus, queries).nearest()):.1f} s")
    print(f"peak memory {peak.bytes / 2**30:.2f} GiB")


def main() -> None:
    """Run everything."""
    if sys.argv[1:]:
        {"measure": measure, "square": square}[sys.argv[1]]()
        return
    for part in ("measure", "square"):
        subprocess.run([sys.executable, "-m", __spec__.name, part], check=True)


if __name__ == "__main__":
    main()
