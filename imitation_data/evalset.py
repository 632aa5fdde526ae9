"""A held-out set of prompts from a pool, apart from what a model was trained on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
from imitation_data.bleu.find import Bleu
from imitation_data.bleu.options import BleuOptions
from imitation_data.conversation import Conversation, Message
from imitation_data.dedup.near import find
from imitation_data.dedup.sketch import NearOptions
from imitation_data.errors import StoreError
from imitation_data.file_rows import FileRows, Names, Wanted, luck_of, read_rows
from imitation_data.ledger import Drop
from imitation_data.readers.files import utf8
from imitation_data.rows.code import Code
from imitation_data.rows.language import Language
from imitation_data.rows.pii import mask
from imitation_data.versions.store import Store

SHOWN = 120  # characters of evidence


@dataclass(frozen=True)
class EvalsetOptions:
    """What is wanted, as the paper made its 255 prompts by default.

    Attributes:
        count: prompts wanted; 0 for all that are left.
        bleu: BLEU with a training prompt, 0 to 100, above which a prompt goes.
        language: the language that stays, ISO 639-1; empty for any.
        code: whether prompts about code stay.
        threshold: least Jaccard similarity of shingles of near copies among the prompts.
        seed: of the draw.

    Raises:
        ValueError: one of them cannot be.
    """

    count: int = 255
    bleu: float = 20.0
    language: str = "en"
    code: bool = False
    threshold: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}; expected 0 (all that are left) or more")
        if not 0 <= self.bleu <= 100:  # noqa: PLR2004 - percent
            raise ValueError(f"bleu is {self.bleu}; expected 0 to 100")
        _ = NearOptions(self.threshold)
        _ = Language((self.language,) if self.language else ())


@dataclass
class Evalset:
    """Prompts, and why the others went.

    Attributes:
        options: what was asked.
        inputs, against: the pool, and what it is held against.
        rows: of the pool.
        names: what they are called, training rows behind them.
        texts: of the rows, "" where there is none.
        drops: of each row that went, by row.
        others: the row that each of them lost to, among `names`.
    """

    options: EvalsetOptions
    inputs: tuple[str, ...]
    against: tuple[str, ...]
    rows: FileRows
    names: Names
    texts: list[str]
    drops: dict[int, Drop] = field(default_factory=dict)
    others: dict[int, int] = field(default_factory=dict)

    def left(self) -> NDArray[np.int64]:
        """Rows that are still there, ascending."""
        return np.setdiff1d(np.arange(len(self.texts)), list(self.drops))

    def drop(self, row: int, drop: Drop, other: int = -1) -> None:
        """Let a row go."""
        self.drops[row] = drop
        if other >= 0:
            self.others[row] = other

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts and settings as plain values."""
        reasons = Counter(one.reason for one in self.drops.values())
        reasons.update(one.drop.reason for one in self.rows.reader_drops)
        return {
            "read": len(self.rows) + len(self.rows.reader_drops),
            "kept": len(self.left()),
            "dropped": dict(sorted(reasons.items())),
            "wanted": self.options.count,
            "on": self.rows.wanted.on,
            "bleu": self.options.bleu,
            "language": self.options.language,
            "code": self.options.code,
            "threshold": self.options.threshold,
            "seed": self.options.seed,
            "inputs": [utf8(reference) for reference in self.inputs],
            "against": [utf8(reference) for reference in self.against],
            "left_out": list(self.rows.left_out),
            "version": version("imitation-data"),
        }

    def prompts(self) -> Iterator[dict[str, str]]:
        """The prompts that stay, in the pool's order, each with its id."""
        for row in self.left().tolist():
            yield {"id": self.names.ids[row], "prompt": self.texts[row]}

    def ledger(self) -> pa.Table:
        """Every prompt that went, and why; also rows that a reader left out."""
        gone = sorted(self.drops)
        told = [
            (
                self.names.ids[row],
                self.names.files[row],
                self.names.numbers[row],
                self.drops[row],
                self.names.ids[self.others[row]] if row in self.others else "",
            )
            for row in gone
        ]
        files = self.names.labels[0]
        told += [
            (one.id, files[one.file], one.number or None, one.drop, "")
            for one in self.rows.reader_drops
        ]
        return pa.table(
            {
                "id": pa.array([one[0] for one in told], pa.string()),
                "file": pa.array([one[1] for one in told], pa.string()),
                "row": pa.array([one[2] for one in told], pa.int64()),
                "reason": pa.array([one[3].reason for one in told], pa.string()),
                "found": pa.array([str(one[3].found) for one in told], pa.string()),
                "limit": pa.array([str(one[3].limit) for one in told], pa.string()),
                "other": pa.array([one[4] for one in told], pa.string()),
                "evidence": pa.array([mask(one[3].evidence)[0] for one in told], pa.string()),
            }
        )


def make_evalset(
    inputs: Sequence[str],
    against: Sequence[str],
    wanted: Wanted,
    options: EvalsetOptions,
    store: Store,
    threads: int = 1,
) -> Evalset:
    """Make a set of prompts to evaluate with, apart from training data.

    In this order, prompts go that: have no text; are not in the language; are about code; are
    copies or near copies of another one that stays; have a BLEU above the limit with a training
    prompt, in either direction; were not drawn.

    Args:
        inputs: the pool, as `open_input` takes references.
        against: training data, the same.
        wanted: what of a row is the prompt, in both.
        options: what is wanted.
        store: looked into for names.
        threads: how many to use; the answer does not depend on it.

    Raises:
        SourceError: a record cannot be read.
        StoreError: there is nothing of a name.
    """
    rows = read_rows(inputs, wanted, store)
    known = read_rows(against, Wanted(wanted.on, id=wanted.id, known=True), store)
    texts = [text or "" for piece in rows.texts for text in piece.to_pylist()]
    made = Evalset(options, tuple(inputs), tuple(against), rows, Names.of((), rows, known), texts)
    for row, text in enumerate(texts):
        if not text.strip():
            made.drop(row, Drop("no_text", limit=f"text in {wanted.on}"))
    _by_steps(made)
    luck = luck_of(rows, options.seed)
    _near_copies(made, luck, threads)
    _like_training(made, known, threads)
    _draw(made, luck)
    return made


def write(made: Evalset, folder: Path) -> None:
    """Write the prompts, the ledger and the figures, all or nothing.

    Raises:
        StoreError: the folder cannot be written.
    """
    with whole_folder(folder, StoreError) as aside:
        lines = (orjson.dumps(one) + b"\n" for one in made.prompts())
        (aside / "prompts.jsonl").write_bytes(b"".join(lines))
        pq.write_table(made.ledger(), aside / "ledger.parquet", compression="zstd")
        text = orjson.dumps(made.summary, option=orjson.OPT_INDENT_2)
        (aside / "report.json").write_bytes(text)


def _by_steps(made: Evalset) -> None:
    """Let prompts go that are in another language, or about code."""
    steps: list[Language | Code] = []
    if made.options.language:
        steps.append(Language((made.options.language,)))
    if not made.options.code:
        steps.append(Code())
    for row in made.left().tolist():
        conversation = Conversation((Message("user", made.texts[row]),))
        for step in steps:
            decided = step(conversation)
            if isinstance(decided, Drop):
                made.drop(row, decided)
                break


def _near_copies(made: Evalset, luck: NDArray[np.uint64], threads: int) -> None:
    """Let copies and near copies go, in the order in which prompts are drawn."""
    rows = made.left()
    column = pa.array([made.texts[row] for row in rows.tolist()], pa.large_string())
    order = np.argsort(luck[rows], kind="stable").astype(np.int64)
    options = NearOptions(made.options.threshold)
    found = find([column], options, order=order, threads=threads)
    for place in found.removed.tolist():
        same = found.similarity[place] == 1
        drop = Drop(
            "duplicate" if same else "near_duplicate",
            found=f"similarity {found.similarity[place]:.3f}",
            limit=f"similarity {made.options.threshold:g}",
            evidence=made.texts[int(rows[place])][:SHOWN],
        )
        made.drop(int(rows[place]), drop, int(rows[found.other[place]]))


def _like_training(made: Evalset, known: FileRows, threads: int) -> None:
    """Let prompts go that are too much like one that a model was trained on."""
    rows = made.left()
    column = pa.array([made.texts[row] for row in rows.tolist()], pa.large_string())
    found = Bleu(known.texts, column, BleuOptions(direction="both")).nearest(threads)
    for place in np.flatnonzero(found.scores > made.options.bleu).tolist():
        row = int(rows[place])
        drop = Drop(
            "like_training",
            found=f"BLEU {found.scores[place]:.1f}",
            limit=f"BLEU {made.options.bleu:g}",
            evidence=made.texts[row][:SHOWN],
        )
        made.drop(row, drop, len(made.rows) + int(found.others[place]))


def _draw(made: Evalset, luck: NDArray[np.uint64]) -> None:
    """Let those go that were not drawn."""
    rows = made.left()
    if not made.options.count:
        return
    for row in rows[np.argsort(luck[rows], kind="stable")][made.options.count :].tolist():
        made.drop(row, Drop("not_drawn", limit=f"{made.options.count:,} prompts"))
