"""Leakage of benchmarks into any files, without a recipe."""

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

from imitation_data.atomic import whole_folder
from imitation_data.conversation import ROLES
from imitation_data.errors import StoreError
from imitation_data.file_rows import FileRows, Names, Wanted, luck_of, read_rows
from imitation_data.kept_files import write_kept
from imitation_data.leakage.benchmarks import Benchmark
from imitation_data.leakage.checked import Check, Checked
from imitation_data.leakage.find import Leakage
from imitation_data.readers.files import utf8
from imitation_data.versions.store import Store


@dataclass(frozen=True)
class LeakageReport:
    """What was found in files.

    Attributes:
        wanted: what of a row was looked at.
        inputs: where rows were looked for.
        rows: those that were read.
        names: what they are called.
        checked: what was found.
    """

    wanted: Wanted
    inputs: tuple[str, ...]
    rows: FileRows
    names: Names
    checked: Checked

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts and figures as plain values."""
        flagged = int(self.checked.flagged.any(axis=1).sum())
        dropped = Counter(one.drop.reason for one in self.rows.reader_drops)
        if flagged:
            dropped["leakage"] = flagged
        return {
            "read": len(self.rows) + len(self.rows.reader_drops),
            "kept": len(self.rows) - flagged,
            "dropped": dict(sorted(dropped.items())),
            "on": self.wanted.on,
            "benchmarks": self.checked.summary(),
            "left_out": list(self.rows.left_out),
            "inputs": [utf8(reference) for reference in self.inputs],
            "version": version("imitation-data"),
        }

    def leaks(self) -> pa.Table:
        """Every item in every row: where, how, and what stands there."""
        checked, names = self.checked, self.names
        leaks, rows = checked.leaks, checked.leaks.row.tolist()
        items = [checked.leakage.items[item] for item in leaks.item.tolist()]
        benchmarks = checked.leakage.of[leaks.item].tolist()
        roles = ("", *ROLES)
        return pa.table(
            {
                "id": pa.array([names.ids[row] for row in rows], pa.string()),
                "file": pa.array([names.files[row] for row in rows], pa.string()),
                "row": pa.array([names.numbers[row] for row in rows], pa.int64()),
                "benchmark": pa.array(
                    [checked.leakage.benchmarks[one].name for one in benchmarks], pa.string()
                ),
                "item": pa.array([item.id for item in items], pa.string()),
                "score": pa.array(leaks.score),
                "coverage": pa.array(leaks.coverage),
                "word_for_word": pa.array(leaks.whole),
                "answer_words": pa.array(leaks.answer),
                "role": pa.array([roles[role] for role in leaks.role.tolist()], pa.string()),
                "found": pa.array(checked.spans, pa.string()),
                "question": pa.array([item.question for item in items], pa.string()),
            }
        )


def check_leakage(
    inputs: Sequence[str],
    wanted: Wanted,
    benchmarks: Sequence[Benchmark],
    check: Check,
    store: Store,
    threads: int = 1,
) -> LeakageReport:
    """Look for benchmark items in files, folders, versions or datasets of the Hub.

    Args:
        inputs: references, as `open_input` takes them.
        wanted: what of a row is looked at.
        benchmarks: what is looked for.
        check: how.
        store: looked into for names.
        threads: how many to use; the answer does not depend on it.

    Raises:
        SourceError: a record cannot be read.
        StoreError: there is nothing of a name.
    """
    rows = read_rows(inputs, wanted, store)
    found = check.run(Leakage(benchmarks), rows.texts, luck_of(rows, check.seed), threads)
    return LeakageReport(wanted, tuple(inputs), rows, Names.of((), rows), found)


def write(done: LeakageReport, folder: Path) -> None:
    """Write what was found, and the inputs without the rows it was found in, all or nothing.

    Raises:
        StoreError: the folder cannot be written.
    """
    stays = ~done.checked.flagged.any(axis=1)
    with whole_folder(folder, StoreError) as aside:
        (aside / "kept").mkdir()
        write_kept(done.rows, np.asarray(stays), aside / "kept")
        pq.write_table(done.leaks(), aside / "leaks.parquet", compression="zstd")
        for name, value in (("leakage", done.checked.touched_json()), ("report", done.summary)):
            text = orjson.dumps(value, option=orjson.OPT_INDENT_2)
            (aside / f"{name}.json").write_bytes(text)
