"""Leakage as a step of a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.dataset_step import Decision, Pair, Shown
from imitation_data.identity import Identity, scrambled
from imitation_data.text.compared import On, compared

if TYPE_CHECKING:
    from imitation_data.leakage.benchmarks import Benchmark

SHOWN = 20  # items that stay, in the report


@dataclass(frozen=True)
class CheckLeakage:
    """Drop, or report, rows that hold items of benchmarks; measure what such a look can see.

    Each item is looked for by the weight of its words that a conversation covers, in runs whose
    length follows the item's; templates that many items share weigh nothing. Version and card get
    a certificate: recall of every item planted into rows of this dataset in several ways, and false
    flags on other items. `leakage.json` lists the items that stand in rows that stay.

    Attributes:
        against: benchmarks: `koala`, `vicuna` and `human_eval` come with the package; `mmlu`,
            `nq_open`, `gsm8k`, `mgsm`, `mt_bench` and `truthful_qa` are read from the Hub, at a
            revision as `mmlu@REVISION`, or from files as `mmlu=PATH`, as any other name is.
        action: `drop` the rows, or `report` them only.
        report: benchmarks for which rows are only reported, whatever the action.
        on: what is looked at. `conversation`: all turns. `prompt`: the first user turn. `user`,
            `assistant`: all turns of that role.
        bleu: BLEU of the first user turn with an item, 0 to 100, above which a row counts, too; 0
            for not looking.
        certificate: whether recall and false flags are measured.
        seed: of what is planted where.
    """

    against: tuple[str, ...]
    action: Literal["drop", "report"] = "drop"
    report: tuple[str, ...] = ()
    on: On = "conversation"
    bleu: float = 0.0
    certificate: bool = True
    seed: int = 0
    paths: Mapping[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, known in (("on", get_args(On)), ("action", ("drop", "report"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {known}")
        names = [_name(one) for one in self.against]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"against is {list(self.against)}; expected benchmarks, each once")
        if unknown := [one for one in self.report if one not in names]:
            raise ValueError(f"report names {unknown[0]!r}, which is not in against: {names}")
        if not 0 <= self.bleu < 100:  # noqa: PLR2004 - percent
            raise ValueError(f"bleu is {self.bleu}; expected 0 (not looked at) to 100")

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
        return tuple(load_all(list(given)))

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
        dropping = np.array(
            [self.action == "drop" and _name(one) not in self.report for one in self.against]
        )
        drop = (checked.flagged & dropping).any(axis=1)
        words, spans = checked.told(dropping)
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
            note=checked.note(),
            tables=tuple(checked.tables()),
            shown=(Shown("Items that stand in rows that stay", tuple(pairs)),),
            files={
                "leakage.json": orjson.dumps(
                    checked.touched_json(~drop), option=orjson.OPT_INDENT_2
                )
            },
        )


def _name(reference: str) -> str:
    return reference.partition("=")[0].partition("@")[0]
