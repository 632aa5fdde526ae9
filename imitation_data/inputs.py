"""Rows from wherever they lie: a version, a file, a folder, a saved dataset, the Hub.

What a recipe says in words is told here from the first record of each file: commands that only look
at rows take any dataset without one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import SCHEMA, Conversation, from_batch
from imitation_data.errors import SourceError, StoreError
from imitation_data.readers import READERS, BadRecord, Reader, SourceFile, find_files
from imitation_data.readers.hub import fetch
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.raw import read_raw
from imitation_data.versions.store import MANIFEST, Store, split_of

BATCH = 4096  # rows
HEAD = 1 << 16  # bytes in which a channel of Discord says that it is one

# Fields that only records of one form have, and what reads it. The first that fits is taken.
FORMS: tuple[tuple[tuple[str, ...], str, Mapping[str, str]], ...] = (
    (("messages",), "messages", {}),
    (("conversations",), "sharegpt", {}),
    (("items",), "sharegpt", {}),
    (("conversation_hash",), "wildchat", {}),
    (("conversation_id", "conversation"), "lmsys", {}),
    (("message_tree_id",), "oasst", {}),
    (("message_id", "parent_id"), "oasst", {}),
    (("message_id", "replies"), "oasst", {}),
    (("mapping",), "chatgpt_export", {}),
    (("chatgpt_answers",), "hc3", {}),
    (
        ("instruction", "context", "response"),
        "columns",
        {"prompt": "instruction", "input": "context", "answer": "response"},
    ),
    (("instruction",), "alpaca", {}),
    (
        ("system_prompt", "question", "response"),
        "columns",
        {"system": "system_prompt", "prompt": "question", "answer": "response"},
    ),
    *(
        ((prompt, answer), "columns", {"prompt": prompt, "answer": answer})
        for prompt in ("prompt", "question", "query")
        for answer in ("completion", "response", "answer")
    ),
)
_NEEDED = ("messages", "source", "origin", "part")
_DEFAULTS = {"license": "", "meta": "{}"}
_READ = SCHEMA.remove(SCHEMA.get_field_index("id"))  # it follows from the messages
_ON_THE_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@(.+))?")
_DISCORD = re.compile(rb'^\s*\{\s*"guild"\s*:.*"channel"\s*:', re.DOTALL)


class UnknownFormError(SourceError):
    """The records of a file have no form that can be told."""


@dataclass(frozen=True)
class Input:
    """Files with rows in them, by the form they have.

    Attributes:
        name: what rows of other forms than our own get as their source.
        forms: files by what reads them: a reader, or None for rows of this project.
        left_out: files in which no known form was found, and what was found.
    """

    name: str
    forms: list[tuple[Reader | None, list[SourceFile]]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, reader: Reader | None, file: SourceFile) -> None:
        """Add a file to those of its form; a reader may need to see them together."""
        for known, files in self.forms:
            if known == reader:
                files.append(file)
                return
        self.forms.append((reader, [file]))

    def rows(self) -> Iterator[tuple[str, Conversation]]:
        """Yield rows, each with its split ("" where there is none), in file order.

        Raises:
            SourceError: a record cannot be read.
        """
        for reader, files in self.forms:
            if reader is None:
                yield from (row for file in files for row in own_rows(file))
                continue
            for record in reader.read(files):
                if isinstance(record, BadRecord):
                    raise SourceError(f"{record}\n(read by the reader of {_form_of(reader)})")
                for row in record.rows:
                    yield "", row._replace(source=self.name, origin=record.origin)


def open_input(reference: str, store: Store, *, told: bool = True) -> Input:
    """Find what a reference names.

    Args:
        reference: `NAME[@VERSION]` of the store, or a path (the folder of a version, a file or
            folder that a reader knows, a saved `datasets` folder), or `org/name[@revision]` of the
            Hub; taken for the first of them that is there.
        store: looked into for names.
        told: whether to tell what form each file has; else their records are taken as they are.

    Raises:
        StoreError: there is nothing of that name.
        SourceError: what is there cannot be read, or has no form that can be told.
    """
    name = reference.partition("@")[0]
    path = Path(reference).expanduser()
    if store.versions(name) and not (path.exists() and name != reference):
        return _files(store.find(reference).path / "data", name, told)
    if reference and path.exists():
        return _files(_data_of(path), path.absolute().name, told)
    match = _ON_THE_HUB.fullmatch(reference)
    if match and not reference.startswith((".", "~")) and not _looks_like_a_file(path):
        folder, _ = _fetched(reference, match[1], match[2] or "main")
        try:
            return _files(_data_of(folder), match[1], told)
        except SourceError as error:
            raise type(error)(str(error).replace(str(folder), reference)) from error
    if "/" in reference or _looks_like_a_file(path):
        raise StoreError(f"{reference}: no such file or folder")
    try:
        store.find(reference)  # says which names there are
    except StoreError as error:
        raise StoreError(f"{reference!r} is no file or folder, and: {error}") from error
    raise StoreError(
        f"{reference!r} names no dataset; expected NAME[@VERSION] of the store, a file, a folder, "
        "or org/name[@revision] of the Hub"
    )


def _fetched(reference: str, repo: str, revision: str) -> tuple[Path, str]:
    try:
        return fetch(repo, revision)
    except SourceError as error:
        raise SourceError(f"{reference}: no such file or folder; on the Hub: {error}") from error


def _looks_like_a_file(path: Path) -> bool:
    suffixes = {*READERS["columns"].SUFFIXES, ".gz", ".zst", ".zip"}
    return path.suffix.lower() in suffixes


def _data_of(path: Path) -> Path:
    """The files to read: of a version its data, of a dataset in a store its latest version's."""
    if (path / MANIFEST).is_file() and (path / "data").is_dir():
        return path / "data"
    if versions := Store(path.absolute().parent).versions(path.absolute().name):
        return versions[-1].path / "data"
    return path


def _files(path: Path, name: str, told: bool) -> Input:  # noqa: FBT001 - of `open_input`
    if not told:
        return Input(name, [(None, list(find_files(path, READERS["columns"].SUFFIXES)))])
    found, problems = Input(name), list[SourceError]()
    for file in find_files(path, READERS["columns"].SUFFIXES):
        try:
            reader = _reader_of(file)
        except SourceError as error:
            problems.append(error)
        else:
            found.add(reader, file)
    if not found.forms:
        more = f" (and {len(problems) - 1:,} more files)" if problems[1:] else ""
        raise type(problems[0])(f"{problems[0]}{more}")
    found.left_out.extend(str(problem).partition("; ")[0] for problem in problems)
    return found


def _reader_of(file: SourceFile) -> Reader | None:
    """What reads a file, by the fields of its first record; None for rows of this project."""
    if file.suffix == ".parquet" and not file.packed and _is_own(file):
        return None
    if file.suffix == ".json":
        with file.open() as stream:
            if _DISCORD.match(stream.read(HEAD)):
                return READERS["discord"]()
    first = next(iter(read_raw([file])), None)
    if first is None:
        return READERS["messages"]()  # no record, no row
    if isinstance(first, BadRecord):
        raise SourceError(str(first))
    row = first.value
    if not isinstance(row, dict):
        raise SourceError(f"{first.where}: found {kind(row)}; expected an object with named fields")
    inner = row.get("conversations")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict) and "mapping" in inner[0]:
        return READERS["chatgpt_export"]()
    for names, reader, options in FORMS:
        if all(name in row for name in names):
            return READERS[reader](**options)
    known = ", ".join(dict.fromkeys(names[0] for names, _, _ in FORMS))
    raise UnknownFormError(
        f"{first.where}: found the fields {names_of(row)}; the form can be told from one of: "
        f"{known}. A recipe with the reader `columns` can name any field"
    )


def _form_of(reader: Reader) -> str:
    return next(name for name, one in READERS.items() if isinstance(reader, one))


def _is_own(file: SourceFile) -> bool:
    try:
        schema = pq.read_schema(file.path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file.name}: not readable as Parquet ({error})") from error
    return set(_NEEDED) <= set(schema.names)


def own_rows(file: SourceFile) -> Iterator[tuple[str, Conversation]]:
    """Rows of a file of ours, or of one that another tool wrote of it."""
    split = split_of(file.path)
    try:
        with pq.ParquetFile(file.path) as parquet:
            for batch in parquet.iter_batches(BATCH):
                yield from ((split, row) for row in from_batch(in_our_order(batch)))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise SourceError(f"{file.name}: not readable as rows of this project ({error})") from error


def in_our_order(batch: pa.RecordBatch) -> pa.Table:
    """Rows under our schema without `id`; columns that another tool left out are blank."""
    columns = [
        batch.column(one.name)
        if one.name in batch.schema.names
        else pa.array([_DEFAULTS.get(one.name)] * len(batch), one.type)
        for one in _READ
    ]
    return pa.table(columns, _READ.names).cast(_READ)


def sample(
    rows: Iterable[tuple[str, Conversation]], count: int, seed: int
) -> tuple[list[tuple[str, Conversation]], int]:
    """Draw rows at random in one pass (Vitter 1985, algorithm R); they keep their order.

    Args:
        rows: each with its split.
        count: how many; all rows when there are fewer.
        seed: equal seeds draw equal rows.

    Returns:
        The rows drawn, and how many there were.
    """
    draw = Random(f"{seed}/sample")
    drawn: list[tuple[int, tuple[str, Conversation]]] = []
    total = 0
    for row in rows:
        if total < count:
            drawn.append((total, row))
        elif (place := draw.randrange(total + 1)) < count:
            drawn[place] = (total, row)
        total += 1
    return [row for _, row in sorted(drawn, key=itemgetter(0))], total
