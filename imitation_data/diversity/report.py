"""Diversity in words and tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from imitation_data.dataset_step import Table
from imitation_data.diversity.measure import BINS, Diversity, Spread
from imitation_data.diversity.openings import most_common

MOST = 10  # openings and verbs shown
DIGITS = 4  # of numbers that machines read
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def summary(found: Diversity) -> dict[str, Any]:
    """The figures as plain values; without texts, None stands for what cannot be said."""
    spread, options = found.spread, found.options
    low, high = spread.interval
    return {
        "compared": len(found.compared),
        "texts": spread.texts,
        "without_words": found.rows - spread.texts,
        "exact": found.exact,
        "mean": _number(spread.mean),
        "interval": [_number(low), _number(high)],
        "median": _number(spread.median),
        "quantiles": {f"{share:g}": _number(spread.quantile(share)) for share in QUANTILES},
        "histogram": spread.histogram(),
        "limit": options.limit,
        "texts_above": int((found.above > 0).sum()),
        "pairs_above": found.pairs_above,
        "pairs": found.pairs,
        "within_source": [
            {"name": one.name, "texts": one.texts, "compared": len(one.scores)}
            | {"mean": _number(one.mean), "median": _number(one.median)}
            for one in found.within
        ],
        "distinct": [_number(_share(one, all_)) for one, all_ in found.distinct],
        "openings": most_common(found.openings.words, MOST),
        "verbs": most_common(found.openings.verbs, MOST),
        "tokenizer": options.tokenizer,
        "direction": options.direction,
        "copies": options.copies,
        "sample": options.sample,
        "seed": options.seed,
    }


def note(found: Diversity, what: str) -> str:
    """The figures on one line."""
    spread, options = found.spread, found.options
    if not spread.texts:
        return f"no {what} has a word"
    sure = ""
    if not found.exact:
        low, high = spread.interval
        sure = f" (95 % confidence {low:.1f} to {high:.1f}, from {len(found.compared):,})"
    about = "" if found.exact else "about "
    return (
        f"mean BLEU of {spread.texts:,} with the most similar other {what}: {spread.mean:.1f}{sure}"
        f", median {spread.median:.1f}; {about}{found.pairs_above:,} of {found.pairs:,} pairs "
        f"above {options.limit:g}"
    )


def tables(found: Diversity, what: str) -> Iterator[Table]:
    """What a report shows."""
    spread, count = found.spread, max(1, len(found.compared))
    yield Table(
        f"BLEU of each {what} with the most similar other",
        ("BLEU", "Texts", "Share"),
        [
            (name, f"{texts:,}", f"{100 * texts / count:.1f} %")
            for name, texts in zip(_bins(), spread.histogram(), strict=True)
        ],
        tuple(round(100 * texts / count, 2) for texts in spread.histogram()),
        card=True,
    )
    if found.within:
        yield Table(
            "The same, each source for itself",
            ("Source", "Texts", "Mean", "Median"),
            [_line(one) for one in found.within],
            card=True,
        )
    yield Table(
        "Distinct n-grams",
        ("Order", "Distinct", "All", "Share"),
        [
            (str(order), f"{one:,}", f"{all_:,}", f"{100 * _share(one, all_):.1f} %")
            for order, (one, all_) in enumerate(found.distinct, start=1)
        ],
    )
    texts = max(1, found.openings.texts)
    for title, header, counts in (
        ("Most common first words", "Words", found.openings.words),
        ("Most common opening verbs, in English", "Verb", found.openings.verbs),
    ):
        some = most_common(counts, MOST)
        rows = [(name, f"{one:,}", f"{100 * one / texts:.1f} %") for name, one in some]
        if rows:
            yield Table(
                title,
                (header, "Texts", "Share"),
                rows,
                tuple(round(100 * one / texts, 2) for _, one in some),
            )


def _bins() -> list[str]:
    wide = 100 // BINS
    return [*(f"{at} to {at + wide}" for at in range(0, 100, wide)), "100, the same words"]


def _line(one: Spread) -> tuple[str, ...]:
    return one.name, f"{one.texts:,}", f"{one.mean:.1f}", f"{one.median:.1f}"


def _share(one: int, all_: int) -> float:
    return one / all_ if all_ else np.nan


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, DIGITS)
