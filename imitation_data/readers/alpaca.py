"""Alpaca and Self-Instruct: an instruction, perhaps an input, and an answer.

A row of `alpaca_data.json`:

    {"instruction": "Identify the odd one out.", "input": "Twitter, Instagram, Telegram",
     "output": "Telegram"}

GPTeacher calls the answer `response`. The seeds of Self-Instruct hold several cases of one
instruction: `{"id", "name", "instruction", "instances": [{"input", "output"}], …}`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import ClassVar

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Edit
from imitation_data.readers import raw
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.roles import WORDS, Turns
from imitation_data.readers.shape import (
    Row,
    Unfit,
    convert,
    kept_meta,
    list_in,
    object_in,
    short_text,
)

_ANSWERS = ("output", "response")
_WRAPPING = " \t\r\n<>()[]{}\"'`\\.,:;?!-"
_LONGEST_MARKER = 40  # characters


_READ = {"id", "instruction", "input", "output", "response", "instances", "model"}


def _others(row: Row) -> tuple[str, ...]:
    """Fields that make no turn; they are kept in `meta`."""
    return tuple(name for name in row if name not in _READ)


@dataclass(frozen=True)
class Alpaca:
    """Reads instruction files: one row per instruction, or per instance of it.

    Attributes:
        with_input: how instruction and input make the user turn.
        no_input: inputs that say there is none, without regard to case, brackets and quotes; such
            an input is left out (edit `no_input_marker_removed`).
    """

    with_input: str = "{instruction}\n\n{input}"
    no_input: tuple[str, ...] = (
        "noinput",
        "no input",
        "no input required",
        "no input needed",
        "no input necessary",
        "none",
        "n/a",
    )

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = raw.SUFFIXES
    TOGETHER: ClassVar[bool] = False

    def __post_init__(self) -> None:
        try:
            names = [name for _, name, _, _ in Formatter().parse(self.with_input) if name]
        except ValueError as error:
            raise ValueError(f"with_input: {error}; write {{{{ for a brace") from error
        if sorted(names) != ["input", "instruction"]:
            raise ValueError(
                f"with_input: found {self.with_input!r}; expected {{instruction}} and {{input}}, "
                "each once"
            )

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield one record per instruction; its origin is `id`, else the digest of its bytes."""
        markers = frozenset(marker.lower() for marker in self.no_input)

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            if "instances" in row:
                return self._instances(row, origin, at, markers)
            return self._turns(row, row, markers).record(
                at, origin, teacher=short_text(row, "model"), meta=kept_meta(at, row, _others(row))
            )

        return convert(raw.read_raw(files), ("id",), make)

    def _instances(self, row: Row, origin: str, at: RawRecord, markers: frozenset[str]) -> Record:
        rows: list[Conversation] = []
        edits: dict[str, int] = {edit.kind: edit.count for edit in at.edits}
        meta = kept_meta(at, row, _others(row))
        for part, value in enumerate(list_in(row["instances"], "instances")):
            instance = object_in(value, f"instance {part + 1}")
            made = self._turns(row, instance, markers).record(at, origin, meta=meta)
            rows += (
                Conversation(one.messages, origin=origin, part=part, meta=meta) for one in made.rows
            )
            for edit in made.edits[len(at.edits) :]:
                edits[edit.kind] = edits.get(edit.kind, 0) + edit.count
        drops = () if rows else (Drop("no_instances", found=0, limit=1),)
        return Record(origin, tuple(rows), drops, tuple(Edit(*edit) for edit in edits.items()))

    def _turns(self, row: Row, instance: Row, markers: frozenset[str]) -> Turns:
        turns = Turns(WORDS)
        prompt = _text(row, "instruction", turns)
        given = _text(instance, "input", turns) if instance.get("input") is not None else ""
        if len(given) <= _LONGEST_MARKER and given.strip(_WRAPPING).lower() in markers:
            turns.count("no_input_marker_removed")
            given = ""
        if given and not given.isspace():
            prompt = self.with_input.format(instruction=prompt, input=given)
        turns.add("user", prompt)
        turns.add("assistant", _text(instance, _answer_field(instance), turns))
        return turns


def _answer_field(instance: Row) -> str:
    for name in _ANSWERS:
        if name in instance:
            return name
    raise Unfit(f"the fields {names_of(instance)}", f"an answer in {' or '.join(_ANSWERS)}")


def _text(row: Row, name: str, turns: Turns) -> str:
    if name not in row:
        raise Unfit(f"the fields {names_of(row)}", f"a field {name}")
    value = row[name]
    if isinstance(value, list):
        raise Unfit(f"{kind(value)} as {name}", "a text")
    return turns.text(value)
