"""What of a conversation is compared, as one Arrow column."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from imitation_data.conversation import ROLES, Message

On = Literal["conversation", "prompt", "user", "assistant"]

# A turn begins with a control character that stands for its role: a border between tokens, and
# short conversations are equal only where the same was said by the same.
_MARKS = pa.array([chr(place + 1) for place in range(len(ROLES))])
_SAID = tuple((chr(place + 1), f" {role}: ") for place, role in enumerate(ROLES))


def readable(text: str) -> str:
    """A compared text, or a piece of it, with roles in words."""
    for mark, words in _SAID:
        text = text.replace(mark, words)
    return text


def replaced(
    messages: Sequence[Message], on: On, spans: Sequence[tuple[int, int]], instead: str
) -> tuple[Message, ...]:
    """Turns with some spans of their compared text replaced.

    Args:
        messages: the turns of one row.
        on: what was compared.
        spans: from and before, in characters of the compared text.
        instead: what stands there then.
    """
    found, before, done = [], 0, False
    for turn in messages:
        mine = turn.role == {"prompt": "user", "conversation": turn.role}.get(on, on) and not done
        done |= mine and on == "prompt"
        start = before + (mine and on != "prompt")  # behind the mark
        content = turn.content
        for first, last in sorted(spans, reverse=True) if mine else ():
            low, high = max(first - start, 0), min(last - start, len(turn.content))
            if low < high:
                content = content[:low] + instead + content[high:]
        found.append(turn._replace(content=content))
        before = start + len(turn.content) if mine else before
    return tuple(found)


def compared(messages: pa.Array | pa.ChunkedArray, on: On) -> pa.ChunkedArray:
    """The compared text of each row; null where a row has no such turn, and is not compared.

    Args:
        messages: the column `messages` under the conversation schema.
        on: `conversation`: all turns. `prompt`: the first user turn. `user`, `assistant`: all
            turns of that role.
    """
    chunks = messages.chunks if isinstance(messages, pa.ChunkedArray) else [messages]
    return pa.chunked_array([_compared(chunk, on) for chunk in chunks], pa.large_string())


def _compared(nested: pa.ListArray, on: On) -> pa.Array:
    roles, texts = nested.values.field("role"), nested.values.field("content")
    bounds = nested.offsets.to_numpy().astype(np.int64)
    if on == "prompt":
        users = np.flatnonzero(pc.equal(roles, "user").to_numpy(zero_copy_only=False))
        place = np.searchsorted(users, bounds[:-1])
        first = users[np.minimum(place, len(users) - 1)] if len(users) else bounds[:-1]
        there = (place < len(users)) & (first < bounds[1:])
        return texts.take(pa.array(first, mask=~there)).cast(pa.large_string())
    if on != "conversation":
        mine = pc.equal(roles, on).to_numpy(zero_copy_only=False)
        bounds = np.concatenate([[0], np.cumsum(mine)])[bounds]
        roles, texts = roles.filter(pa.array(mine)), texts.filter(pa.array(mine))
    if not len(roles):
        return pa.nulls(len(nested), pa.large_string())
    marks = _MARKS.take(pc.index_in(roles, pa.array(ROLES)))
    turns = pc.binary_join_element_wise(marks, texts, "").cast(pa.large_string())
    ends = np.frombuffer(turns.buffers()[1], np.int64)[turns.offset :][: len(turns) + 1]
    spoken = np.packbits(np.diff(bounds) > 0, bitorder="little")
    joined = [pa.py_buffer(spoken), pa.py_buffer(ends[bounds]), turns.buffers()[2]]
    return pa.Array.from_buffers(pa.large_string(), len(nested), joined)
