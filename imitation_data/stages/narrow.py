"""Narrowing: the few fixed-width columns of a shard that a dataset step decides on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.conversation import Conversation, Message, messages_in
from imitation_data.dataset_step import DatasetStep
from imitation_data.identity import IDENTITY_COLUMNS, Identity, Keys, identity, keys_of
from imitation_data.recipe_parts import StepUse
from imitation_data.stages.shards import Shard, load
from imitation_data.stages.stage import write_file


@dataclass(frozen=True)
class NarrowTask:
    """One shard to be narrowed for a dataset step."""

    shard: Shard
    use: StepUse
    folder: Path

    @property
    def path(self) -> Path:
        """The npz file with the narrow columns."""
        return self.folder / f"{self.shard.name}.narrow.npz"


def narrow(task: NarrowTask) -> str:
    """Write the identity and keys of a shard's rows, unless they are there; return the path."""
    if not task.path.exists():
        table = load(task.shard, IDENTITY_COLUMNS)
        write_narrow(task, table, messages_in(table))
    return str(task.path)


def write_narrow(
    task: NarrowTask, table: pa.Table, messages: Sequence[tuple[Message, ...]]
) -> None:
    """Write the narrow columns of rows that are in memory already.

    Args:
        task: whose file to write.
        table: the rows under the conversation schema.
        messages: the same rows' turns.
    """
    who = identity(table, task.shard.source)
    step = cast("DatasetStep", task.use.step)
    keys = keys_of([step.key_texts(Conversation(turns)) for turns in messages])
    arrays = {field.name: getattr(who, field.name) for field in fields(who)}
    arrays |= {f"key_{field.name}": getattr(keys, field.name) for field in fields(keys)}
    write_file(task.path, packed(arrays))


def joined(narrowed: Sequence[str]) -> tuple[Identity, Keys]:
    """Join the narrow columns of all shards, in row order."""
    columns: dict[str, list[NDArray[np.generic]]] = {}
    before = 0
    for path in narrowed:
        with np.load(path) as arrays:
            for name in arrays.files:
                values = arrays[name]
                if name == "key_row":
                    values = values + before
                columns.setdefault(name, []).append(values)
            before += len(arrays["source"])
    joined = {name: np.concatenate(columns.pop(name)) for name in list(columns)}
    who = Identity(**{field.name: joined[field.name] for field in fields(Identity)})
    keys = Keys(**{field.name: joined[f"key_{field.name}"] for field in fields(Keys)})
    return who, keys


def packed(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an npz file."""
    sink = BytesIO()
    np.savez(sink, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()
