"""The row: one conversation, its identity and its Arrow schema."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

import orjson
import pyarrow as pa

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")

MESSAGE = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
    ]
)

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("messages", pa.list_(pa.field("item", MESSAGE, nullable=False)), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("teacher", pa.string()),
        pa.field("language", pa.string()),
        pa.field("license", pa.string(), nullable=False),
        pa.field("tokens", pa.int32()),
        pa.field("meta", pa.string(), nullable=False),
    ]
)


class Message(NamedTuple):
    """One turn: who spoke and what was said."""

    role: str
    content: str


class Conversation(NamedTuple):
    """One row of a dataset: a value, compared by its fields; `row._replace(…)` copies.

    Attributes:
        messages: the turns, in order; every role is one of `ROLES`.
        source: the recipe's name of the source.
        origin: the record's identity, stable across builds and cleaning; never a line number.
        part: 0, or the piece number when one record became several rows.
        teacher: the model that wrote the assistant turns, when known.
        language: ISO 639-1 as detected, ISO 639-3 for languages without such a code.
        license: SPDX, or the source's own words.
        tokens: count under the recipe's encoding; None before counting and under `tokens: none`.
        meta: a JSON object of what the reader kept.
    """

    messages: tuple[Message, ...]
    source: str = ""
    origin: str = ""
    part: int = 0
    teacher: str | None = None
    language: str | None = None
    license: str = ""
    tokens: int | None = None
    meta: str = "{}"

    @property
    def id(self) -> str:
        """Content identity: equal messages, equal id."""
        return content_id(self.messages)

    @property
    def key(self) -> str:
        """`source/origin#part`, as ledger and reports print it."""
        return f"{self.source}/{self.origin}:{self.part}"

    def texts(self, *roles: str) -> list[str]:
        """Return the contents of the turns, of the named roles or of all."""
        if not roles:
            return [text for _, text in self.messages]
        return [text for role, text in self.messages if role in roles]

    def with_messages(self, messages: Iterable[Message]) -> "Conversation":
        """Copy with other turns; the token count is forgotten, since it no longer holds."""
        return self._replace(messages=tuple(messages), tokens=None)


def content_id(messages: Sequence[Message]) -> str:
    """Return 32 hex digits: BLAKE2b-128 of the messages as canonical JSON (RFC 8785).

    Raises:
        TypeError: a text holds a lone surrogate; readers replace those before rows are made.
    """
    plain = [{"content": text, "role": role} for role, text in messages]
    return blake2b(orjson.dumps(plain), digest_size=16).hexdigest()


def to_batch(rows: Sequence[Conversation], ids: Sequence[str] | None = None) -> pa.RecordBatch:
    """Lay rows out under `SCHEMA`: one record batch of `len(rows)` rows.

    Args:
        rows: any number.
        ids: the rows' ids where they are known already, to spare hashing the texts again.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA.names[1:])
    messages = [message for turns in columns[0] for message in turns]
    roles, texts = zip(*messages, strict=True) if messages else ((), ())
    offsets = [0, *accumulate(map(len, columns[0]))]
    turns = pa.StructArray.from_arrays(
        [pa.array(roles, pa.string()), pa.array(texts, pa.string())], fields=list(MESSAGE)
    )
    nested = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), turns, type=SCHEMA.field("messages").type
    )
    names = [row.id for row in rows] if ids is None else ids
    rest = [
        pa.array(values, field.type)
        for values, field in zip(columns[1:], list(SCHEMA)[2:], strict=True)
    ]
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string()), nested, *rest], schema=SCHEMA)


def from_batch(batch: pa.RecordBatch | pa.Table) -> list[Conversation]:
    """Read rows back; the `id` column is not read, it follows from the messages."""
    if isinstance(batch, pa.Table):
        return [row for piece in batch.to_batches() for row in from_batch(piece)]
    rest = [batch.column(name).to_pylist() for name in SCHEMA.names[2:]]
    return list(map(Conversation, messages_in(batch), *rest))


def messages_in(batch: pa.RecordBatch | pa.Table) -> list[tuple[Message, ...]]:
    """Read the `messages` column alone: one tuple of turns a row."""
    if isinstance(batch, pa.Table):
        return [turns for piece in batch.to_batches() for turns in messages_in(piece)]
    nested = batch.column("messages")
    turns = nested.values
    coded = turns.field("role").dictionary_encode()  # one string object per role, not one per turn
    roles = map(coded.dictionary.to_pylist().__getitem__, coded.indices.to_pylist())
    messages = tuple(map(Message, roles, turns.field("content").to_pylist()))
    return [messages[start:stop] for start, stop in pairwise(nested.offsets.to_pylist())]
