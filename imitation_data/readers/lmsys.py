"""LMSYS-Chat-1M: chats of the public with 25 models, in Parquet files or JSON Lines.

A row, shortened:

    {"conversation_id": "33f01939a744455c869cb234afca47f1", "model": "wizardlm-13b",
     "conversation": [{"role": "user", "content": "how can identity protection services help …"},
                      {"role": "assistant", "content": "Identity protection services can help …"}],
     "turn": 1, "language": "English", "openai_moderation": […], "redacted": false}
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

_KEPT = ("language", "redacted")


@dataclass(frozen=True)
class Lmsys:
    """Reads LMSYS-Chat-1M.

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

        Its origin is `conversation_id`, its teacher `model`; its `meta` has the language's name
        and whether the chat was redacted.
        """
        words = role_words(self.roles)

        def make(row: Row, origin: str, at: RawRecord) -> Record:
            turns = logged_turns(row, words, self.tools)
            teacher = short_text(row, "model")
            return turns.record(at, origin, teacher=teacher, meta=kept_meta(at, row, _KEPT))

        wanted = frozenset(("conversation_id", "model", *_KEPT))
        return convert(
            raw.read_raw(files, lambda path: path in wanted or holds_turns(path)),
            ("conversation_id",),
            make,
        )
