"""Any table (Parquet, Arrow, CSV) or JSON file with a row per conversation, by its columns' names.

Two rows such a mapping reads, `messages: dialog` with `roles: {client: user, counselor: assistant}`
and `prompt: prompt, answer: completion`:

    {"file": "data/0.json", "dialog": [
      {"role": "client", "content": "高考前的恐惧，能给我一些建议么？"},
      {"role": "counselor", "content": "看到你的提问感觉你很焦虑，…"}]}
    {"prompt": "Given the following passage …", "completion": "subjective idealism<|endoftext|>",
     "template": "{{context}} …"}
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from imitation_data.readers import csv_rows, raw
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind, names_of
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


@dataclass(frozen=True)
class Columns:
    """Reads rows through a mapping: a list of messages, or a prompt and its answer.

    A column is a field of the row, or a path into it (`markdown.answer`) when no field has that
    very name.

    Attributes:
        messages: column with the list of messages; then `prompt` and `answer` stay empty.
        role: field of a message with the word for who speaks.
        content: field of a message with its text.
        roles: further role words and what they stand for: system, user, assistant or tool.
        tools: what tool messages do; see `imitation_data.readers.roles`.
        prompt: column with the user's turn.
        answer: column with the assistant's turn; left out for prompts that a teacher is to answer.
        input: column with text that follows the prompt after an empty line; may be blank, or
            missing.
        system: column with the system's turn; may be missing from rows.
        origin: column with the record's own key; without one it is the digest of the row.
        teacher: column with the model's name; may be missing from rows.
        strip_suffix: text to remove from the end of assistant turns (edit `suffix_stripped`).
        keep: columns to keep in `meta`.
    """

    messages: str = ""
    role: str = "role"
    content: str = "content"
    roles: Mapping[str, str] = field(default_factory=dict)
    tools: ToolPolicy = "drop_messages"
    prompt: str = ""
    answer: str = ""
    input: str = ""
    system: str = ""
    origin: str = ""
    teacher: str = ""
    strip_suffix: str = ""
    keep: tuple[str, ...] = ()

    REVISION: ClassVar[int] = 2
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = (*raw.SUFFIXES, *csv_rows.SUFFIXES)
    TOGETHER: ClassVar[bool] = False

    def __post_init__(self) -> None:
        role_words(self.roles)
        if self.messages and (self.prompt or self.answer or self.input):
            raise ValueError(
                "messages names a column of whole chats, so prompt, answer and input must be left "
                "out; name one or the other"
            )
        if not self.messages and not self.prompt:
            raise ValueError(
                "no columns named; expected messages, or both prompt and answer (prompt alone "
                "where a teacher is to answer)"
            )
        if self.messages and not (self.role and self.content):
            raise ValueError("role and content name the fields of a message; they cannot be empty")

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield one record per row."""
        keys = (self.origin,) if self.origin else ()
        return convert(raw.read_raw(files, self._wanted()), keys, self._maker())

    def _maker(self) -> Callable[[Row, str, RawRecord], Record]:
        words = role_words(self.roles)
        gather = self._add_messages if self.messages else self._add_pair

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            turns = Turns(words, self.tools)
            if self.system and (text := value_at(row, self.system)) is not None:
                turns.add("system", text)
            gather(row, turns)
            teacher = short_text(row, self.teacher) if self.teacher else None
            return turns.record(at, origin, teacher=teacher, meta=kept_meta(at, row, self.keep))

        return make

    def _add_messages(self, row: Row, turns: Turns) -> None:
        role, content, suffix = self.role, self.content, self.strip_suffix
        for message in list_in(_must(row, self.messages), self.messages):
            if not isinstance(message, dict):
                object_in(message, f"message {turns.number}")
                continue
            if content not in message:
                found = f"message {turns.number} with the fields {names_of(message)}"
                raise Unfit(found, f"its text in {content}")
            turns.add(message.get(role), message[content])
        if suffix:
            for index, turn in enumerate(turns.messages):
                if turn.role == "assistant" and turn.content.endswith(suffix):
                    text = turn.content.removesuffix(suffix)
                    turns.messages[index] = turn._replace(content=text)
                    turns.count("suffix_stripped")

    def _add_pair(self, row: Row, turns: Turns) -> None:
        prompt = _text(row, self.prompt, turns)
        given = value_at(row, self.input) if self.input else None
        if given is not None and not (isinstance(given, str) and not given.strip()):
            prompt = f"{prompt}\n\n{_text(row, self.input, turns)}"
        answer = _text(row, self.answer, turns) if self.answer else ""
        if self.strip_suffix and answer.endswith(self.strip_suffix):
            answer = answer.removesuffix(self.strip_suffix)
            turns.count("suffix_stripped")
        turns.add("user", prompt)
        if self.answer:
            turns.add("assistant", answer)

    def _wanted(self) -> Callable[[str], bool]:
        named = (self.messages, self.prompt, self.answer, self.input, self.system)
        tops = frozenset(
            part
            for name in (*named, self.origin, self.teacher, *self.keep)
            for part in (name, name.partition(".")[0])
        )
        return lambda path: path in tops or path.partition(".")[0] in tops


def value_at(row: Row, path: str) -> object:
    """Return the field of that name, else what the path's parts lead to; None if nothing."""
    if path in row or "." not in path:
        return row.get(path)
    value: object = row
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _must(row: Row, path: str) -> object:
    value = value_at(row, path)
    if value is None and path not in row:
        raise Unfit(f"the fields {names_of(row)}", f"a column {path}")
    return value


def _text(row: Row, path: str, turns: Turns) -> str:
    value = row.get(path)
    if isinstance(value, str):
        return value
    value = _must(row, path)
    if isinstance(value, list):
        raise Unfit(f"{kind(value)} as {path}", "a text")
    return turns.text(value)
