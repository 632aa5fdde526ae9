"""Candidates on disk, one a line, and the reader that makes records of them.

A line:

    {"origin": "…", "rows": [{"messages": [["user", "…"], ["assistant", "…"]], "meta": {…},
     "teacher": "…", "part": 0, "license": "", "language": null}],
     "drops": [{"reason": "…", "found": …, "limit": …, "evidence": "…", "other": "…"}],
     "edits": [{"kind": "…", "count": 1}], "text": "…"}
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import orjson

from imitation_data.conversation import Conversation, Message
from imitation_data.errors import SourceError
from imitation_data.generate.procedure import Candidate
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.files import SourceFile
from imitation_data.readers.record import BadRecord, Record

FILE = "candidates.jsonl"


def line_of(candidate: Candidate, source: str) -> bytes:
    """A candidate as a line; rows it lost to are named as the ledger names rows."""
    rows = [
        {
            "messages": [list(turn) for turn in row.messages],
            "meta": row.meta,
            "teacher": row.teacher,
            "part": row.part,
            "license": row.license,
            "language": row.language,
        }
        for row in candidate.rows
    ]
    drops = [asdict(drop) | {"other": _key(drop.other, source)} for drop in candidate.drops]
    value = {
        "origin": candidate.origin,
        "rows": rows,
        "drops": drops,
        "text": candidate.text,
        "edits": [asdict(edit) for edit in candidate.edits],
    }
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def _key(other: str, source: str) -> str:
    """`source/origin:0` for an origin; a seed keeps its name."""
    return other if not other or other.startswith("seed ") else f"{source}/{other}:0"


@dataclass(frozen=True)
class Candidates:
    """Reads what a procedure made; not for recipes to name."""

    REVISION: ClassVar[int] = 2
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = (".jsonl",)
    TOGETHER: ClassVar[bool] = False

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield a record a candidate."""
        for file in files:
            with file.open() as stream:
                for line in stream:
                    try:
                        value = cast("dict[str, Any]", orjson.loads(line))
                    except orjson.JSONDecodeError as error:
                        raise SourceError(
                            f"{file.name}: is damaged ({error}); remove {file.path.parent} and run "
                            "again: answers are in the journal"
                        ) from error
                    yield _record(value)


def _record(value: dict[str, Any]) -> Record:
    rows = tuple(
        Conversation(
            tuple(Message(*turn) for turn in row["messages"]),
            origin=value["origin"],
            part=row["part"],
            teacher=row["teacher"] or None,
            language=row["language"],
            license=row["license"],
            meta=orjson.dumps(row["meta"], option=orjson.OPT_SORT_KEYS).decode(),
        )
        for row in value["rows"]
    )
    drops = tuple(Drop(**drop) for drop in value["drops"])
    edits = tuple(Edit(**edit) for edit in value["edits"])
    return Record(value["origin"], rows, drops, edits)
