"""Divide long conversations between rounds, under a limit in tokens, without losing a round.

FastChat's `split_long_conversation` does this too, but loses the last round when that one
overflows, all of a conversation with one over-long round, and lets other over-long rounds through.
Here every round ends up in a piece or in the ledger.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit, Kept, Outcome
from imitation_data.rows import tokens


class _Round(NamedTuple):
    messages: tuple[Message, ...]
    size: int  # tokens


@dataclass(frozen=True)
class Divide:
    """Cut a row into the fewest pieces of whole rounds that stay within `max_tokens`.

    A round begins at a user turn that follows an assistant turn. Pieces are filled in order, each
    as far as it goes. All have the row's source, origin and part; the runner numbers the parts.

    Attributes:
        max_tokens: of a piece, with its system turn and `per_turn` for each turn.
        encoding: a name tiktoken knows, or `bytes`.
        per_turn: tokens that a chat template adds to a turn.
        system: `repeat` the row's system turn in every piece, or keep it on the `first` only.
        oversize: a round that alone exceeds the limit becomes a piece over the limit (`keep`,
            counted as `oversize_round`) or is left out (`drop`, counted as
            `oversize_round_dropped`), and the conversation is cut there. A row with no other
            rounds is dropped, reason `oversize_round`.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ("tiktoken",)

    max_tokens: int = 2048
    encoding: str = "cl100k_base"
    per_turn: int = 6
    system: Literal["repeat", "first"] = "repeat"
    oversize: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens: found {self.max_tokens}; expected 1 or more")
        if self.per_turn < 0:
            raise ValueError(f"per_turn: found {self.per_turn}; expected 0 or more")

    def __call__(self, row: Conversation, /) -> Outcome:
        size = sum(len(text.encode()) + self.per_turn for text in row.texts())
        if size <= self.max_tokens:  # a token is at least one byte
            return Kept((row,))
        head, turns = _split_system(row.messages)
        rounds = [_Round(messages, self._size(messages)) for messages in split_rounds(turns)]
        pieces, oversize = self._pieces(rounds, self._size(head))
        if not pieces:
            largest = max((each.size for each in rounds), default=0) + self._size(head)
            return Drop("oversize_round", f"{largest} tokens", self.max_tokens)
        edits = []
        if len(pieces) > 1:
            edits.append(Edit("divided", len(pieces)))
        if oversize:
            kind = "oversize_round" if self.oversize == "keep" else "oversize_round_dropped"
            edits.append(Edit(kind, oversize))
        if len(pieces) == 1 and len(pieces[0]) == len(turns):
            return Kept((row,), tuple(edits))
        rows = (
            row.with_messages((*head, *piece) if self.system == "repeat" or not index else piece)
            for index, piece in enumerate(pieces)
        )
        return Kept(tuple(rows), tuple(edits))

    def _pieces(self, rounds: Iterable[_Round], head: int) -> tuple[list[list[Message]], int]:
        """Fill pieces in order; return them with how many rounds exceed the limit by themselves."""
        pieces: list[list[Message]] = []
        piece: list[Message] = []
        used = oversize = 0
        for messages, size in rounds:
            top = head if self.system == "repeat" or not (pieces or piece) else 0
            alone = top + size > self.max_tokens
            if piece and (alone or used + size > self.max_tokens):
                pieces.append(piece)
                piece = []
            if alone:
                oversize += 1
                pieces += [list(messages)] if self.oversize == "keep" else []
                continue
            used = used + size if piece else top + size
            piece += messages
        return pieces + [piece] * bool(piece), oversize

    def _size(self, messages: Iterable[Message]) -> int:
        counter = tokens.load(self.encoding)
        return sum(counter(message.content) + self.per_turn for message in messages)


def split_rounds(turns: Sequence[Message]) -> Iterator[tuple[Message, ...]]:
    """Yield the rounds of a conversation without its system turns, in order, none left out."""
    start = 0
    for index in range(1, len(turns)):
        if turns[index].role == "user" and turns[index - 1].role == "assistant":
            yield tuple(turns[start:index])
            start = index
    if turns:
        yield tuple(turns[start:])


def _split_system(
    messages: tuple[Message, ...],
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    count = next((i for i, turn in enumerate(messages) if turn.role != "system"), len(messages))
    return messages[:count], messages[count:]
