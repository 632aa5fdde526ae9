"""The messages of one Discord channel, narrow in memory, their text in a temporary file."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from tempfile import SpooledTemporaryFile
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

_IN_MEMORY = 32 << 20  # bytes of text; more goes to a file in the temporary folder
_RECORD = Struct("<qqqqqqiiiiHB")
_KEYS = np.dtype(
    {
        "names": ["id", "edited"],
        "formats": ["<i8", "<i8"],
        "offsets": [0, 16],
        "itemsize": _RECORD.size,
    }
)

NOBODY, ANY_BOT, UNKNOWN = -1, -2, -3


class Fate(IntEnum):
    """Why a message is in no conversation; the slug is the name in lower case."""

    NONE = 0
    SYSTEM_MESSAGE = 1
    FORWARD = 2
    ATTACHMENT_ONLY = 3
    BLANK_CONTENT = 4
    PLACEHOLDER = 5
    RATE_LIMIT_OR_ERROR = 6
    HELP_TEXT = 7
    OTHER_BOT = 8
    STARTER_MISSING = 9
    PROMPT_NOT_RECOVERABLE = 10
    TARGET_MISSING = 11
    TARGET_IN_OTHER_CHANNEL = 12
    TARGET_IS_BOT = 13
    TARGET_WITHOUT_TEXT = 14
    BOT_CHATTER = 15
    LOW_CONFIDENCE = 16
    NOT_ADDRESSED = 17
    UNANSWERED = 18
    STARTS_THREAD = 19
    REGENERATED = 20
    BRANCH_LEFT_OUT = 21
    REPEATED_MESSAGE = 22

    @property
    def slug(self) -> str:
        return self.name.lower()


class Mark:
    """What is known of a message besides its text: bits of `Post.marks`.

    Plain numbers: combining `enum.IntFlag` took a third of the reading time.
    """

    BOT: Final = 1  # by a bot whose answers are wanted
    COMMAND: Final = 2  # answers a slash command or a menu command
    REPLY: Final = 4  # refers to another message
    ELSEWHERE: Final = 8  # … in another channel
    LONG: Final = 16  # about as long as Discord allows


EDITS: Mapping[str, int] = MappingProxyType(
    {
        "mention_stripped": 32,
        "prefix_stripped": 64,
        "embed_as_text": 128,
        "embed_left_out": 256,
        "attachment_left_out": 512,
        "lone_surrogate_replaced": 1024,
        "prompt_from_echo": 2048,
    }
)


class Post(NamedTuple):
    """One message without its text.

    Attributes:
        id: the snowflake.
        time: when it was written, milliseconds since 1970.
        edited: when it was last edited, or 0.
        target: snowflake of the message it refers to, or 0.
        digest: 64 bits of the prompt's text.
        start: where its text starts in the temporary file.
        prompt: bytes of the prompt that a bot echoes; they come before the text.
        size: bytes of the text.
        author: number of the author in this channel.
        to: whom a person addresses (a bot's number, `ANY_BOT` or `NOBODY`); who used the command
            that a bot answers.
        marks: bits of `Mark` and `EDITS`.
        fate: the `Fate` that its text alone decides, or 0.
    """

    id: int
    time: int
    edited: int
    target: int
    digest: int
    start: int
    prompt: int
    size: int
    author: int
    to: int
    marks: int
    fate: int


class Log:
    """The messages of one channel: 67 bytes each and 8 for their order, plus text on disk."""

    def __init__(self) -> None:
        self._added = bytearray()
        self._records: bytearray | memoryview = self._added
        self._ids = array("q")
        self._texts = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._end = 0

    def __len__(self) -> int:
        return len(self._records) // _RECORD.size

    def __getitem__(self, at: int) -> Post:
        return Post._make(_RECORD.unpack_from(self._records, at * _RECORD.size))

    def add(self, post: Post, prompt: str, text: str) -> None:
        """Add a message, before `sort`; its `start`, `prompt` and `size` are filled in."""
        asked, said = prompt.encode(), text.encode()
        self._texts.write(asked)
        self._texts.write(said)
        filled = post._replace(start=self._end, prompt=len(asked), size=len(said))
        self._added += _RECORD.pack(*filled)
        self._end += len(asked) + len(said)

    def sort(self) -> list[int]:
        """Put the messages in the order of their snowflakes, each once. Called once.

        Of several copies the one edited last stays, of equals the one added last.

        Returns:
            The snowflakes of the copies that were taken out.
        """
        keys = np.frombuffer(self._records, _KEYS)
        order = np.lexsort((keys["edited"], keys["id"]))
        ids = keys["id"][order]
        stays = np.append(ids[1:] != ids[:-1], [True])[: len(ids)]
        records = np.frombuffer(self._records, f"V{_RECORD.size}")[order[stays]]
        self._records, self._added = records.view(np.uint8).data, bytearray()
        self._ids = array("q", ids[stays].tobytes())
        repeated: list[int] = ids[~stays].tolist()
        return repeated

    def find(self, snowflake: int) -> int:
        """Return the place of a message, or -1."""
        at = bisect_left(self._ids, snowflake)
        return at if at < len(self._ids) and self._ids[at] == snowflake else -1

    def texts(self, post: Post) -> tuple[str, str]:
        """Return the echoed prompt, or an empty text, and the text."""
        self._texts.seek(post.start)
        asked = self._texts.read(post.prompt).decode()
        return asked, self._texts.read(post.size).decode()

    def close(self) -> None:
        self._texts.close()
