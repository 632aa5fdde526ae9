"""WildChat: chats of the public with ChatGPT, in Parquet files or JSON Lines.

A row of WildChat-1M, shortened (the older WildChat has `conversation_id` and no addresses):

    {"conversation_hash": "cf1267ca6b2f6fccc9c36652a00059a1", "model": "gpt-4-0314",
     "timestamp": "2023-04-09T00:02:53+00:00", "turn": 2, "language": "English",
     "conversation": [
       {"role": "user", "content": "Hey there! …", "language": "English", "redacted": false,
        "toxic": false, "country": "…", "state": "…", "hashed_ip": "…",
        "header": {"accept-language": "…", "user-agent": "…"}, "turn_identifier": 101}, …],
     "openai_moderation": […], "toxic": false, "redacted": false}

`hashed_ip`, `header`, `country` and `state` say who and where the person is. They are never taken
over, and of Parquet files their columns are not even read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from imitation_data.readers import raw
from imitation_data.readers.chat_log import holds_turns, logged_turns
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.roles import ToolPolicy, role_words
from imitation_data.readers.shape import Row, convert, kept_meta, short_text

_KEPT = ("language", "timestamp", "toxic", "redacted")


@dataclass(frozen=True)
class WildChat:
    """Reads WildChat and WildChat-1M.

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
        """Yield one record per chat.

        Its origin is `conversation_hash` or `conversation_id`, its teacher `model`; its `meta`
        has the language's name, the time, and whether it was found toxic or was redacted.
        """
        words = role_words(self.roles)

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            turns = logged_turns(row, words, self.tools)
            teacher = short_text(row, "model")
            return turns.record(at, origin, teacher=teacher, meta=kept_meta(at, row, _KEPT))

        keys = ("conversation_hash", "conversation_id")
        wanted = frozenset((*keys, *_KEPT, "model"))
        return convert(
            raw.read_raw(files, lambda path: path in wanted or holds_turns(path)), keys, make
        )
