"""Chats in the form of OpenAI's fine-tuning files: a list of messages with role and content.

A row:

    {"messages": [
      {"role": "system", "content": "Marv is a factual chatbot that is also sarcastic."},
      {"role": "user", "content": "What's the capital of France?"},
      {"role": "assistant", "content": "Paris, as if everyone doesn't know that already."}]}

Content may also be null beside `tool_calls`, or a list of parts `{"type": "text", "text": "…"}`.
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

_CALLS = ("tool_calls", "function_call")


@dataclass(frozen=True)
class Messages:
    """Reads `messages` files.

    A message that only calls a tool counts as a tool message; of one that also says something, the
    text is kept and the call left out (edit `tool_call_removed`).

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
        """Yield one record per chat; its origin is `id`, else the digest of its bytes."""
        words = role_words(self.roles)

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            turns = Turns(words, self.tools)
            if "messages" not in row:
                raise Unfit(f"the fields {names_of(row)}", "a list in messages")
            for value in list_in(row["messages"], "messages"):
                _add(object_in(value, f"message {turns.number}"), turns)
            teacher = short_text(row, "model")
            return turns.record(at, origin, teacher=teacher, meta=kept_meta(at, row))

        return convert(raw.read_raw(files), ("id",), make)


def _add(message: Row, turns: Turns) -> None:
    content = message.get("content")
    if any(message.get(name) for name in _CALLS):
        if not content:
            turns.count("tool_message_dropped")
            return
        turns.count("tool_call_removed")
    elif "content" not in message:
        found = f"message {turns.number} with the fields {names_of(message)}"
        raise Unfit(found, "its text in content")
    turns.add(message.get("role"), content)
