"""How report and card break a version down: its steps one by one, and its rows by group."""

from collections.abc import Mapping
from dataclasses import dataclass

from imitation_data.report.facts import Facts, Tally
from imitation_data.report.summary import StepCount

GROUPS = 15  # groups shown by name; the rest are added up


@dataclass(frozen=True, slots=True)
class Stage:
    """A step as the flow shows it.

    Attributes:
        count: the step's books.
        pieces: of its bar: percent of the widest step's rows, style, label.
        drops: reasons and counts, most frequent first.
        edits: kinds and counts, most frequent first.
    """

    count: StepCount
    pieces: tuple[tuple[float, str, str], ...]
    drops: list[tuple[str, int]]
    edits: list[tuple[str, int]]


def flow(steps: tuple[StepCount, ...]) -> list[Stage]:
    """Scale the steps' bars to the widest of them."""
    most = max((step.rows_in + step.created for step in steps), default=0) or 1
    return [
        Stage(step, _pieces(step, most), ranked(step.drops), ranked(step.edits)) for step in steps
    ]


def _pieces(step: StepCount, most: int) -> tuple[tuple[float, str, str], ...]:
    # What is dropped may have been created by the same step; the bar shows it as dropped.
    made = min(step.created, step.rows_out)
    return tuple(
        (max(100 * rows / most, 0.2) if rows else 0.0, kind, f"{rows:,} {label}")
        for rows, kind, label in (
            (step.rows_out - made, "kept", "kept"),
            (made, "made", "created"),
            (step.dropped, "lost", "dropped"),
        )
    )


def holdings(facts: Facts) -> list[tuple[str, list[tuple[str, Tally]]]]:
    """Return each way of grouping the rows, with its largest groups first."""
    return [
        ("Split", split_order(facts.splits)),
        ("Source", _largest(facts.sources)),
        ("Language", _largest(facts.languages)),
        ("Licence", _largest(facts.licenses)),
        ("Teacher", _largest(facts.teachers)),
    ]


def split_order(splits: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """Sort splits as people name them: train, validation, test, then the others by name."""
    usual = {"train": 0, "validation": 1, "test": 2}
    return sorted(splits.items(), key=lambda split: (usual.get(split[0], len(usual)), split[0]))


def _largest(groups: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    order = sorted(groups.items(), key=lambda group: (-group[1].rows, group[0]))
    shown, rest = order[:GROUPS], order[GROUPS:]
    if rest:
        shown.append((f"{len(rest):,} more", sum((tally for _, tally in rest), Tally())))
    return shown


def ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort counts: most frequent first, then by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
