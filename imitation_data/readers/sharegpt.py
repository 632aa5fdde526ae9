r"""ShareGPT: conversations that users shared, as raw HTML or cleaned.

A row of `sg_90k_part1.json`, shortened:

    {"id": "QWJhYvA", "conversations": [
      {"from": "human", "value": "Summarize the main ideas of this book"},
      {"from": "gpt", "value": "<div class=\"markdown prose w-full break-words\"><p>Here are …"}]}

The browser extension's own files hold one conversation each: `{"title", "avatarUrl", "model",
"items": [{"from", "value"}]}`. Values are kept as they are; turning HTML into Markdown is a row
step. The picture's address is left out: it identifies the person.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from imitation_data.readers import raw
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import names_of
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.roles import ToolPolicy, Turns, role_words
from imitation_data.readers.shape import (
    Row,
    Unfit,
    convert,
    kept_meta,
    list_in,
    object_in,
    short_text,
)

_LISTS = ("conversations", "items", "conversation")
_TEXTS = ("value", "text", "markdown.answer", "content")


@dataclass(frozen=True)
class ShareGPT:
    """Reads ShareGPT in its raw and cleaned forms.

    Attributes:
        roles: further role words and what they stand for: system, user, assistant or tool.
        tools: what tool messages do; see `imitation_data.readers.roles`.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    tools: ToolPolicy = "drop_messages"

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = raw.SUFFIXES
    TOGETHER: ClassVar[bool] = False

    def __post_init__(self) -> None:
        role_words(self.roles)

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield one record per conversation; its origin is `id`, else the digest of its bytes."""
        words = role_words(self.roles)

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            turns = Turns(words, self.tools)
            _gather(row, turns)
            teacher = short_text(row, "model")
            return turns.record(at, origin, teacher=teacher, meta=kept_meta(at, row, ("title",)))

        return convert(raw.read_raw(files), ("id",), make)


def _gather(row: Row, turns: Turns) -> None:
    for name in _LISTS:
        if row.get(name) is not None:
            break
    else:
        raise Unfit(f"the fields {names_of(row)}", f"a list in one of {', '.join(_LISTS)}")
    for turn in list_in(row[name], name):
        if not isinstance(turn, dict):
            object_in(turn, f"turn {turns.number}")
            continue
        word = turn.get("from")
        turns.add(turn.get("role") if word is None else word, _content(turn, turns))


def _content(turn: Row, turns: Turns) -> object:
    text = turn.get("value")
    if text is not None:
        return text
    known = False
    for name in _TEXTS:
        if name in turn:
            known = True
            if turn[name] is not None:
                return turn[name]
    nested = turn.get("markdown")
    if isinstance(nested, dict) and "answer" in nested:
        return nested["answer"]
    if not known:
        found = f"turn {turns.number} with the fields {names_of(turn)}"
        raise Unfit(found, f"its text in one of {', '.join(_TEXTS)}")
    return None
