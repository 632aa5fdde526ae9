"""Token counts under a named encoding, loaded once in a process, never waiting for ever."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import ClassVar

import tiktoken

from imitation_data.conversation import Conversation
from imitation_data.errors import StepError
from imitation_data.ledger import Kept, Outcome

BYTES = "bytes"
DOWNLOAD_SECONDS = 60.0
# Characters encoded at once: tiktoken 0.14 panics on runs of white space between 400,000 and
# 1,000,000 characters, and its time per character grows with the length of a run.
PIECE = 20_000

Counter = Callable[[str], int]


@dataclass(frozen=True)
class Tokens:
    """Fill in `tokens`: the sum over the row's turns, without roles or special tokens.

    Attributes:
        encoding: a name tiktoken knows (`cl100k_base`, `o200k_base`, …), or `bytes`.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ("tiktoken",)

    encoding: str = "cl100k_base"

    def __call__(self, row: Conversation, /) -> Outcome:
        counter = load(self.encoding)
        return Kept((row._replace(tokens=sum(map(counter, row.texts()))),))


def count(text: str, encoding: str) -> int:
    """Count the tokens of a text; `<|endoftext|>` and its like are encoded as plain text.

    Texts over `PIECE` characters are encoded in pieces. They are cut where a word begins, which
    changes no count; only a run of `PIECE` characters without a space is cut inside, which may
    add a token or two.

    Raises:
        StepError: the encoding cannot be loaded.
    """
    return load(encoding)(text)


@cache
def load(name: str) -> Counter:
    """Load an encoding and return the function that counts its tokens.

    `bytes` needs no file: one token for each byte of UTF-8, as byte-level models see text.

    Raises:
        StepError: the name is unknown, or its ranks are not at hand and cannot be downloaded
            within `DOWNLOAD_SECONDS`; the message says what to do.
    """
    if name == BYTES:
        return lambda text: len(text.encode())

    known = tiktoken.list_encoding_names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(sorted([*known, BYTES]))
        raise StepError(f"no encoding {name!r}{hint} (known: {names})")
    encode = _within(DOWNLOAD_SECONDS, lambda: tiktoken.get_encoding(name), name).encode_ordinary

    def counter(text: str) -> int:
        if len(text) <= PIECE:
            return len(encode(text))
        return sum(len(encode(piece)) for piece in pieces(text))

    return counter


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Cut a text into pieces of at most `size` characters, where a space follows a visible one.

    The pre-tokenisers of tiktoken begin a new token there, so the counts of the pieces add up to
    the count of the text. A stretch of `size` characters without such a space is cut anywhere.
    """
    start = 0
    while len(text) - start > size:
        cut = text.rfind(" ", start + 1, start + size)
        while cut > 0 and text[cut - 1].isspace():
            cut = text.rfind(" ", start + 1, cut)
        if cut < 0:
            cut = start + size
        yield text[start:cut]
        start = cut
    yield text[start:]


def _within(seconds: float, get: Callable[[], tiktoken.Encoding], name: str) -> tiktoken.Encoding:
    """Run tiktoken's loader in a thread of its own: it downloads without a time limit."""
    done: list[tiktoken.Encoding] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            done.append(get())
        except Exception as error:  # noqa: BLE001  whatever it was, it is told in a StepError
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True, name=f"load {name}")
    thread.start()
    thread.join(seconds)
    if done:
        return done[0]
    reason = f"nothing came for {seconds:g} s"
    if failed:
        lines = str(failed[0]).splitlines() or [""]
        reason = f"{type(failed[0]).__name__}: {lines[0][:200]}"
    raise StepError(
        f"the encoding {name!r} cannot be loaded ({reason}). tiktoken downloads its ranks once "
        "and keeps them: run the build once with a network, or set TIKTOKEN_CACHE_DIR to a folder "
        "that holds them, or write `tokens: none` in the recipe to leave tokens uncounted"
    )
