"""Leakage as a step of a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.dataset_step import Decision, Masks, Pair, Shown
from imitation_data.identity import Identity, scrambled
from imitation_data.leakage.known import KNOWN, Columns
from imitation_data.text.compared import On, compared

if TYPE_CHECKING:
    from imitation_data.leakage.benchmarks import Benchmark

Action = Literal["drop", "mask", "report"]
SCORES = ("word_for_word", "coverage", "bleu")
SHOWN = 20  # items that stay, in the report


@dataclass(frozen=True)
class CheckLeakage:
    """Drop, mask or report rows that hold items of benchmarks; measure what such a look can see.

    Each item is looked for by the weight of its words that a conversation covers, in runs whose
    length follows the item's; templates that many items share weigh nothing. Version and card get
    a certificate: recall of every item planted into rows of this dataset in several ways, and false
    flags on other items. `leakage.json` lists the items that stand in rows that stay.

    Attributes:
        against: benchmarks: `koala`, `vicuna` and `human_eval` come with the package; `mmlu`,
            `nq_open`, `gsm8k`, `mgsm`, `mt_bench` and `truthful_qa` are read from the Hub, at a
            revision as `mmlu@REVISION`, or from files as `mmlu=PATH`, as any other name is.
        action: `drop` the rows, `mask` what was found in them, or `report` it only.
        actions: the same for some, by benchmark (`nq_open`), by score (`word_for_word`, `coverage`,
            `bleu`) or by both (`nq_open/coverage`); what says more goes first.
        instead: what stands where something is masked.
        on: what is looked at. `conversation`: all turns. `prompt`: the first user turn. `user`,
            `assistant`: all turns of that role.
        bleu: BLEU of the first user turn with an item, 0 to 100, above which a row counts, too; 0
            for not looking.
        certificate: whether recall and false flags are measured.
        seed: of what is planted where.
        columns: for benchmarks of your own which fields hold what, by name: `question`, `choices`
            and `answers` (lists of fields), and `id`.
    """

    against: tuple[str, ...]
    action: Action = "drop"
    actions: Mapping[str, Action] = field(default_factory=dict)
    instead: str = "[removed]"
    on: On = "conversation"
    bleu: float = 0.0
    certificate: bool = True
    seed: int = 0
    columns: Mapping[str, Columns] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, known in (("on", get_args(On)), ("action", get_args(Action))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {known}")
        names = [_name(one) for one in self.against]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"against is {list(self.against)}; expected benchmarks, each once")
        if odd := [one for one in self.columns if one not in names]:
            raise ValueError(f"columns names {odd[0]!r}, which is not in against: {names}")
        keys = {*names, *SCORES, *(f"{name}/{score}" for name in names for score in SCORES)}
        if unknown := [one for one in self.actions if one not in keys]:
            raise ValueError(
                f"actions names {unknown[0]!r}; expected one of {names}, of {list(SCORES)}, or "
                "both as NAME/SCORE"
            )
        if wrong := [one for one in self.actions.values() if one not in get_args(Action)]:
            raise ValueError(f"actions has {wrong[0]!r}; expected one of {get_args(Action)}")
        if self.bleu and any(self.action_of(name, "bleu") == "mask" for name in names):
            raise ValueError("bleu cannot be masked: it is of whole turns; drop or report it")
        if not 0 <= self.bleu < 100:  # noqa: PLR2004 - percent
            raise ValueError(f"bleu is {self.bleu}; expected 0 (not looked at) to 100")

    def problems(self) -> list[str]:
        """Benchmarks that are not known, and files that are not there, as sentences."""
        from imitation_data.leakage.benchmarks import unknown  # noqa: PLC0415 - loads readers

        found = []
        for reference in self.against:
            name, path = _name(reference), self.paths.get(_name(reference), "")
            if path and not Path(path).exists():
                found.append(f"against: {reference}: there is nothing at {path}")
            elif not path and name not in KNOWN:
                found.append(f"against: {unknown(name)}")
        return found

    def action_of(self, benchmark: str, score: str) -> Action:
        """What becomes of rows for a find of a benchmark by a score."""
        for key in (f"{benchmark}/{score}", benchmark, score):
            if key in self.actions:
                return self.actions[key]
        return self.action

    def at(self, folder: Path) -> "CheckLeakage":
        """The same step, its paths found from the recipe's folder, and portable in what it says."""
        portable, paths = [], {}
        for reference in self.against:
            name, equals, path = reference.partition("=")
            paths[_name(reference)] = str(folder / path) if equals else ""
            portable.append(f"{name}={Path(path).name}" if Path(path).is_absolute() else reference)
        made = replace(self, against=tuple(portable))
        object.__setattr__(made, "paths", paths)
        return made

    def depends(self) -> list[list[str]]:
        """What the decision follows from beside rows and options: the benchmarks' checksums."""
        return [[one.name, one.origin, one.checksum] for one in self._benchmarks()]

    def _benchmarks(self) -> "tuple[Benchmark, ...]":
        from imitation_data.leakage.benchmarks import load_all  # noqa: PLC0415 - reads files

        given = (
            f"{_name(one)}={path}" if (path := self.paths.get(_name(one), "")) else one
            for one in self.against
        )
        return tuple(load_all(list(given), self.columns))

    def texts(self, table: pa.Table) -> pa.ChunkedArray:
        """The text of each row that is looked at, null where there is none."""
        return compared(table.column("messages"), self.on)

    def sketch(self, table: pa.Table) -> dict[str, NDArray[Any]]:
        """Nothing: texts are read when all of them are there."""
        del table
        return {}

    def match(
        self,
        rows: Identity,
        sketches: Mapping[str, NDArray[Any]],
        texts: Iterable[pa.ChunkedArray],
        sources: Sequence[str],
        threads: int,
    ) -> Decision:
        """Drop or report every row that holds an item."""
        from imitation_data.leakage.checked import Check  # noqa: PLC0415 - loads the compiler
        from imitation_data.leakage.find import Leakage  # noqa: PLC0415

        del sketches, sources
        luck = scrambled(rows, f"{self.seed}/leakage")
        leakage = Leakage(self._benchmarks())
        check = Check(self.bleu, self.certificate, self.seed)
        checked = check.run(leakage, texts, luck, threads)
        acts = {
            score: np.array([self.action_of(_name(one), score) for one in self.against])
            for score in SCORES
        }
        drop, words, spans = checked.told({score: acts[score] == "drop" for score in SCORES})
        covered = {score: acts[score] == "mask" for score in SCORES}
        masks = tuple(checked.masks(covered, drop))
        kept = [leak for leak in range(len(checked.leaks)) if not drop[checked.leaks.row[leak]]]
        pairs = [
            Pair(row, row, checked.found(leak), checked.spans[leak])
            for leak in kept[:SHOWN]
            for row in [int(checked.leaks.row[leak])]
        ]
        return Decision(
            reason="leakage",
            limit=f"no item of {', '.join(_name(one) for one in self.against)}",
            drop=drop,
            other=np.full(len(rows), -1, np.int64),
            found=words,
            evidence=spans,
            masks=Masks("leakage_masked", self.on, self.instead, masks) if masks else None,
            note=checked.note(),
            tables=tuple(checked.tables()),
            shown=(Shown("Items that stand in rows that stay", tuple(pairs)),),
            files={
                "leakage.json": checked.touched_json(~drop, {one.row for one in masks}),
            },
        )


def _name(reference: str) -> str:
    return reference.partition("=")[0].partition("@")[0]
