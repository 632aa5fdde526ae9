"""The novelty gate: seconds on one core to grow a pool, and how many times rouge_score that is.

    make bench NAME=novelty

Time is from strings to verdicts, tokens included. rouge_score is timed on random pairs of a text
and an accepted one, both cut into tokens beforehand, and extrapolated to the pairs it takes to
compare each text with all that were accepted before it. Targets: 52,002 instructions of Alpaca
after 175 seeds under 5 s, 52,000 prompts of P3 under 30 s.
"""

import json
import os
import random
import time
from pathlib import Path

import numpy as np
from rouge_score.rouge_scorer import _score_lcs
from rouge_score.tokenize import tokenize

from imitation_data.generate.novelty import Novelty, Verdict
from tests.bench.machine import best_of, calibration

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PAIRS = 2000  # of which rouge_score is timed
PORTION = 8  # texts in a call, as a teacher's answer holds them


def seeds() -> list[str]:
    """The seed instructions of Self-Instruct."""
    with (DATA / "self_instruct" / "seed_tasks.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["instruction"] for line in file]


def alpaca() -> list[str]:
    """All instructions."""
    with (DATA / "alpaca" / "alpaca_data.json").open(encoding="utf-8") as file:
        return [row["instruction"] for row in json.load(file)]


def p3() -> list[str]:
    """Prompts."""
    with (DATA / "p3.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["prompt"] for line in file][:52_000]


def grow(first: list[str], texts: list[str], limit: float, portion: int) -> list[Verdict]:
    """Verdicts on texts offered in portions after some seeds."""
    gate = Novelty(limit)
    gate.add(first)
    found: list[Verdict] = []
    for at in range(0, len(texts), portion):
        found += gate.offer(texts[at : at + portion])
    return found


def theirs(texts: list[str], accepted: list[str]) -> tuple[float, float]:
    """Seconds of rouge_score a pair, and half its 95 % interval."""
    draw, times = random.Random(9), []
    for _ in range(PAIRS):
        one, two = (tokenize(draw.choice(some), None) for some in (texts, accepted))
        started = time.perf_counter()
        _score_lcs(one, two)
        times.append(time.perf_counter() - started)
    return float(np.mean(times)), float(1.96 * np.std(times) / np.sqrt(PAIRS))


def compare(name: str, first: list[str], texts: list[str], limit: float) -> None:
    """Both, on the same texts."""
    seconds = best_of(3, lambda: grow(first, texts, limit, len(texts)))
    verdicts = grow(first, texts, limit, len(texts))
    kept = np.array([verdict.accepted for verdict in verdicts])
    pairs = int(np.sum(len(first) + np.cumsum(kept) - kept))
    accepted = first + [text for text, one in zip(texts, kept, strict=True) if one]
    a_pair, half = theirs(texts, accepted)
    words = np.mean([len(tokenize(text, None)) for text in texts])
    print(
        f"{name} at {limit} ({len(texts):,} of {words:.0f} tokens, {kept.sum():,} accepted): "
        f"{seconds:.2f} s, {pairs / seconds:,.0f} pairs/s; rouge_score {1e6 * a_pair:.0f} ± "
        f"{1e6 * half:.0f} us a pair, {pairs * a_pair / 3600:.1f} h; "
        f"{pairs * a_pair / seconds:,.0f} times"
    )


def main() -> None:
    """Run everything."""
    os.sched_setaffinity(0, {0})
    grow(["a b"], ["a b c " * 30, "a b " * 30] * 99, 0.7, 9)  # compiled before the clock starts
    print(f"calibration loop: {calibration():.2f} s")
    first, instructions, prompts = seeds(), alpaca(), p3()
    compare("Alpaca", first, instructions, 0.7)
    compare("P3", [], prompts, 0.7)
    for limit in (0.3, 0.5, 0.9):
        for name, texts in (("Alpaca", instructions), ("P3", prompts)):
            seconds = best_of(1, lambda t=texts, limit=limit: grow([], t, limit, len(t)))
            print(f"{name} at {limit}: {seconds:.2f} s")
    for portion in (PORTION, 1):
        seconds = best_of(1, lambda portion=portion: grow(first, instructions, 0.7, portion))
        print(f"Alpaca at 0.7 in portions of {portion}: {seconds:.2f} s")
    print(f"calibration loop: {calibration():.2f} s")


if __name__ == "__main__":
    main()
