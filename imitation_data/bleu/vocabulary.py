"""Columns of texts as numbered words."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imitation_data.bleu.tokenizers import Tokenizer, rules
from imitation_data.bleu.words import Words, cut, marked, place
from imitation_data.text.column import Buffers, Column, buffers_of, pieces, strings

_ROOM = 1 << 12


class Numbered(NamedTuple):
    """Texts as the numbers of their words.

    Attributes:
        ids: of all texts one after the other, int32; -1 for words that are not known.
        starts: where each text begins, and the last ends; int64, (n + 1,).
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]


class Vocabulary:
    """Words by number, as one tokenizer of sacrebleu cuts them.

    Args:
        tokenizer: its name there.

    Raises:
        ValueError: there is none of that name.
    """

    def __init__(self, tokenizer: Tokenizer = "13a") -> None:
        self.tokenizer = tokenizer
        self._rules = rules(tokenizer)
        self._words = Words(
            np.full(2 * _ROOM, -1, np.int32),
            np.empty(_ROOM, np.uint64),
            np.zeros(_ROOM + 1, np.int64),
            np.empty(8 * _ROOM, np.uint8),
            np.zeros(1, np.int64),
        )

    def __len__(self) -> int:
        return int(self._words.count[0])

    def __getitem__(self, number: int) -> str:
        first, last = self._words.starts[number : number + 2]
        return self._words.bytes[first:last].tobytes().decode(errors="replace")

    def numbered(self, texts: Iterable[pa.Array], *, grow: bool = True) -> Numbered:
        """Cut texts and number their words.

        Args:
            texts: arrays of strings; nulls count as empty.
            grow: whether words that are not known get a number, or -1.

        Raises:
            TypeError: something else than strings is among them.
            StepError: a text is not UTF-8.
        """
        ids, counts = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        for array in Column(texts):
            buffers = buffers_of(self._prepared(array))
            for rows in pieces(buffers.offsets):
                piece = Buffers(buffers.text, buffers.offsets[rows.start : rows.stop + 1])
                found = self._cut(piece, grow)
                ids.append(found.ids)
                counts.append(np.diff(found.starts))
        starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
        return Numbered(np.concatenate(ids), starts)

    def words(self, text: str) -> list[str]:
        """The words of one text."""
        return [self[number] for number in self.numbered([pa.array([text])]).ids.tolist()]

    def _prepared(self, texts: pa.Array) -> pa.Array:
        """What 13a replaces before it cuts; few texts hold any of it."""
        if self.tokenizer != "13a":
            return texts
        hit = np.empty(len(texts), bool)
        marked(*buffers_of(texts), hit)
        rows = np.flatnonzero(hit)
        if not len(rows):
            return texts
        mended = pa.array([_replaced(text or "") for text in strings(texts, rows)])
        return pc.replace_with_mask(texts, pa.array(hit), mended.cast(texts.type))

    def _cut(self, piece: Buffers, grow: bool) -> Numbered:  # noqa: FBT001
        ids = np.empty(int(piece.offsets[-1] - piece.offsets[0]), np.int32)
        ends = np.zeros(len(piece.offsets), np.int64)
        row = 0
        while True:
            row = cut(*piece, row, self._rules, self._words, grow, ids, ends)
            if row + 1 >= len(ends):
                return Numbered(ids[: ends[-1]].copy(), ends)
            self._grow(int(piece.offsets[row + 1] - piece.offsets[row]))

    def _grow(self, room: int) -> None:
        """Make room for twice as much, and for so many words and bytes more."""
        old = self._words
        count, used = len(self), int(old.starts[len(self)])
        most = max(2 * len(old.hashes), count + room)
        hashes, starts = np.empty(most, np.uint64), np.zeros(most + 1, np.int64)
        text = np.empty(max(2 * len(old.bytes), used + room), np.uint8)
        hashes[:count], starts[: count + 1] = old.hashes[:count], old.starts[: count + 1]
        text[:used] = old.bytes[:used]
        slots = np.full(1 << (2 * most - 1).bit_length(), -1, np.int32)
        self._words = Words(slots, hashes, starts, text, old.count)
        place(slots, hashes[:count])


def _replaced(text: str) -> str:
    """Text as sacrebleu's 13a has it before cutting; see `Tokenizer13a` there."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, character)
    return text
