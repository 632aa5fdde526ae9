"""Diversity of any files, without a recipe."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imitation_data.atomic import whole_folder
from imitation_data.dedup.near_report import differences
from imitation_data.diversity.measure import Diversity, measure
from imitation_data.diversity.options import DiversityOptions
from imitation_data.diversity.report import summary
from imitation_data.errors import StoreError
from imitation_data.file_rows import FileRows, Names, Wanted, luck_of, read_rows
from imitation_data.readers.files import utf8
from imitation_data.versions.store import Store

PAIRS = 10  # most similar ones that are told


@dataclass(frozen=True)
class Measured:
    """How alike rows are.

    Attributes:
        wanted: what of them was compared.
        inputs: where they were looked for.
        rows: those that were read.
        names: what they are called.
        diversity: what was found.
    """

    wanted: Wanted
    inputs: tuple[str, ...]
    rows: FileRows
    names: Names
    diversity: Diversity

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts, figures and settings as plain values."""
        dropped = Counter(one.drop.reason for one in self.rows.reader_drops)
        return {
            "read": len(self.rows) + len(self.rows.reader_drops),
            "kept": len(self.rows),
            "dropped": dict(sorted(dropped.items())),
            "on": self.wanted.on,
            **summary(self.diversity),
            "most_similar": [
                {"id": self.names.ids[row], "other": self.names.ids[other]}
                | {"bleu": round(score, 4), "difference": span}
                for row, other, score, span in self.most_similar
            ],
            "left_out": list(self.rows.left_out),
            "inputs": [utf8(reference) for reference in self.inputs],
            "version": version("imitation-data"),
        }

    @cached_property
    def most_similar(self) -> list[tuple[int, int, float, str]]:
        """Pairs of different words: the rows, BLEU, and where they differ."""
        pairs = list(self.diversity.most_similar(PAIRS))
        other = np.full(len(self.rows), -1, np.int64)
        for row, with_, _ in pairs:
            other[row] = with_
        roles = not self.wanted.column
        spans = differences(np.flatnonzero(other >= 0), other, self.rows.texts, roles=roles)
        return [(row, with_, score, spans[row]) for row, with_, score in pairs]

    def nearest(self) -> pa.Table:
        """Each compared row: its id, the most similar other, BLEU, and how many are above."""
        found, ids = self.diversity, self.names.ids
        others = [ids[row] if row >= 0 else None for row in found.others.tolist()]
        return pa.table(
            {
                "id": pa.array([ids[row] for row in found.compared.tolist()], pa.string()),
                "other": pa.array(others, pa.string()),
                "bleu": pa.array(found.scores),
                "above": pa.array(found.above),
            }
        )


def measure_diversity(
    inputs: Sequence[str],
    wanted: Wanted,
    options: DiversityOptions,
    store: Store,
    threads: int = 1,
) -> Measured:
    """Measure how alike rows of files, folders, versions or datasets of the Hub are.

    Args:
        inputs: references, as `open_input` takes them.
        wanted: what of a row is compared.
        options: what is measured.
        store: looked into for names.
        threads: how many to use; the answer does not depend on it.

    Raises:
        SourceError: a record cannot be read.
        StoreError: there is nothing of a name.
    """
    rows = read_rows(inputs, wanted, store)
    names = Names.of((), rows)
    found = measure(
        rows.texts, options, luck_of(rows, options.seed), _sources(rows, names), threads
    )
    return Measured(wanted, tuple(inputs), rows, names, found)


def write(done: Measured, folder: Path) -> None:
    """Write the figures and the table of nearest rows, all or nothing.

    Raises:
        StoreError: the folder cannot be written.
    """
    with whole_folder(folder, StoreError) as made:
        pq.write_table(done.nearest(), made / "nearest.parquet")
        text = orjson.dumps(done.summary, option=orjson.OPT_INDENT_2)
        (made / "diversity.json").write_bytes(text)


def _sources(rows: FileRows, names: Names) -> tuple[NDArray[np.int16], list[str]]:
    """What each row comes from: the source of our own rows, else the file."""
    files = names.labels[-1]
    called: dict[str, int] = {}
    found = np.zeros(len(rows), np.int16)
    for place, at in enumerate(rows.at):
        _, reader = rows.files[at.file]
        own = reader is None and not rows.wanted.column and at.id is not None
        name = str(at.id).partition("/")[0] if own else files[at.file]
        found[place] = called.setdefault(name, len(called))
    return found, list(called)
