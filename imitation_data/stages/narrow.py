"""Narrowing: the few fixed-width columns of a shard that a dataset step decides on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.conversation import SCHEMA, Conversation, Message, messages_in
from imitation_data.dataset_step import KeyStep, TextStep
from imitation_data.identity import IDENTITY_COLUMNS, Identity, identity, keys_of
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
        whole = isinstance(task.use.step, TextStep)
        table = load(task.shard, SCHEMA.names if whole else IDENTITY_COLUMNS)
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
    step = cast("KeyStep | TextStep", task.use.step)
    arrays = {field.name: getattr(who, field.name) for field in fields(who)}
    if isinstance(step, TextStep):
        arrays |= {f"sketch_{name}": array for name, array in step.sketch(table).items()}
    else:
        keys = keys_of([step.key_texts(Conversation(turns)) for turns in messages])
        arrays |= {f"key_{field.name}": getattr(keys, field.name) for field in fields(keys)}
    write_file(task.path, packed(arrays))


def joined(narrowed: Sequence[str]) -> tuple[Identity, dict[str, NDArray[Any]]]:
    """Join the narrow columns of all shards, in row order; those that are not identity by name."""
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
    whole = {name: np.concatenate(columns.pop(name), axis=-1) for name in list(columns)}
    who = Identity(**{field.name: whole.pop(field.name) for field in fields(Identity)})
    return who, {name.partition("_")[2]: array for name, array in whole.items()}


def packed(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an npz file."""
    sink = BytesIO()
    np.savez(sink, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()
