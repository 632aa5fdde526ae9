"""Rows from wherever they lie: a version, a file, a folder, a saved dataset, the Hub.

What a recipe says in words is told here from the first record of a file: commands that only look at
rows take any dataset without one.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import SCHEMA, Conversation, from_batch
from imitation_data.errors import SourceError, StoreError
from imitation_data.readers import READERS, BadRecord, Reader, SourceFile, find_files
from imitation_data.readers.hub import fetch
from imitation_data.readers.quoting import names_of
from imitation_data.readers.raw import read_raw
from imitation_data.versions.store import MANIFEST, Store

BATCH = 4096  # rows

# Fields that only records of one form have, and what reads it. The first that fits is taken.
FORMS: tuple[tuple[tuple[str, ...], str, Mapping[str, str]], ...] = (
    (("guild", "channel", "messages"), "discord", {}),
    (("messages",), "messages", {}),
    (("conversations",), "sharegpt", {}),
    (("items",), "sharegpt", {}),
    (("conversation_hash",), "wildchat", {}),
    (("conversation_id", "conversation"), "lmsys", {}),
    (("message_tree_id",), "oasst", {}),
    (("message_id", "parent_id"), "oasst", {}),
    (("mapping",), "chatgpt_export", {}),
    (("chatgpt_answers",), "hc3", {}),
    (("instruction",), "alpaca", {}),
    *(
        ((prompt, answer), "columns", {"prompt": prompt, "answer": answer})
        for prompt in ("prompt", "question", "query")
        for answer in ("completion", "response", "answer")
    ),
)
_ON_THE_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@(.+))?")


def rows_in(reference: str, store: Store) -> Iterator[tuple[str, Conversation]]:
    """Yield rows, each with its split ("" where there is none), in file order.

    Args:
        reference: `NAME[@VERSION]` of the store; else a path: the folder of a version, a file or
            folder that a reader knows, a saved `datasets` folder; else `org/name[@revision]`.
        store: looked into first.

    Raises:
        StoreError: there is nothing of that name.
        SourceError: what is there cannot be read.
    """
    name = reference.partition("@")[0]
    path = Path(reference)
    if store.versions(name):
        yield from _stored(store.find(reference).data_files())
    elif path.exists():
        yield from _lying_at(path, path.name)
    elif match := _ON_THE_HUB.fullmatch(reference):
        yield from _lying_at(fetch(match[1], match[2] or "main")[0], match[1])
    else:
        store.find(reference)  # says which names there are


def _lying_at(path: Path, name: str) -> Iterator[tuple[str, Conversation]]:
    if (path / MANIFEST).is_file():
        path /= "data"
    files = find_files(path, READERS["columns"].SUFFIXES)
    if all(_in_our_schema(file) for file in files):
        splits: dict[str, list[Path]] = {}
        for file in files:
            splits.setdefault(file.path.name.split("-", 1)[0] if path.is_dir() else "", []).append(
                file.path
            )
        yield from _stored(splits)
        return
    for record in reader_for(files).read(files):
        if isinstance(record, BadRecord):
            raise SourceError(str(record))
        for row in record.rows:
            yield "", row._replace(source=name, origin=record.origin)


def _in_our_schema(file: SourceFile) -> bool:
    if file.suffix != ".parquet" or file.packed:
        return False
    try:
        return bool(pq.read_schema(file.path).equals(SCHEMA))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file.name}: not readable as Parquet ({error})") from error


def _stored(splits: Mapping[str, list[Path]]) -> Iterator[tuple[str, Conversation]]:
    for split, paths in splits.items():
        for path in paths:
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(BATCH):
                        yield from ((split, row) for row in from_batch(batch))
            except (OSError, pa.ArrowException, KeyError) as error:
                raise StoreError(f"{path}: not readable as rows ({error})") from error


def reader_for(files: list[SourceFile]) -> Reader:
    """Choose the reader by the fields of the first record.

    Raises:
        SourceError: it has none of the forms that can be told.
    """
    first = next(chain(read_raw(files)))
    if isinstance(first, BadRecord):
        raise SourceError(str(first))
    fields = first.value if isinstance(first.value, dict) else {}
    for names, reader, options in FORMS:
        if all(name in fields for name in names):
            return READERS[reader](**options)
    known = "; ".join(dict.fromkeys(" and ".join(names) for names, _, _ in FORMS))
    raise SourceError(
        f"{first.where}: found the fields {names_of(fields)}; expected one of: {known}. "
        "A recipe with the reader `columns` can name others"
    )
