"""A version's rows in a form that trainers load: looked through first, then written whole.

No row is changed or left out on the way: a row that the form cannot hold stops the export before
anything is written.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from filecmp import cmp
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from shutil import copyfile, rmtree

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.atomic import refuse_taken, whole_folder
from imitation_data.conversation import SCHEMA, Conversation, from_batch
from imitation_data.errors import ExportError, StoreError
from imitation_data.publish.form import MENDED_BY_ROLES, MISFITS, Form, file_name
from imitation_data.publish.forms import FORMS
from imitation_data.versions.store import StoredVersion

FILE_BYTES = 256 << 20
SHOWN = 3  # keys named for each reason

# JSON leaves these as they are, and readers that cut text into lines do not; as UTF-8, to escapes.
_LINE_ENDS = (
    (b"\xc2\x85", rb"\u0085"),
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
)


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written, its split and its number of rows."""

    path: Path
    split: str
    rows: int


@dataclass
class _Found:
    """What a look at the rows found.

    Attributes:
        rows: how many there are.
        misfits: by reason, how many rows the form cannot hold.
        keys: by reason, the first of them.
        holding: other forms that can hold all of those.
        first: by split, the row that is to be written first, and its place.
    """

    holding: list[Form]
    rows: int = 0
    misfits: dict[str, int] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    first: dict[str, tuple[int, Conversation]] = field(default_factory=dict)

    def misfit(self, reason: str, row: Conversation) -> None:
        """Note a row that the form cannot hold."""
        self.misfits[reason] = self.misfits.get(reason, 0) + 1
        keys = self.keys.setdefault(reason, [])
        if len(keys) < SHOWN:
            keys.append(row.key)
        self.holding = [form for form in self.holding if not form.misfit(row.messages)]


def export(
    stored: StoredVersion,
    form: Form,
    folder: Path,
    splits: Sequence[str] = (),
    file_bytes: int = FILE_BYTES,
) -> list[ExportedFile]:
    """Write the rows of a version in a form: `data/<split>-00000-of-0000N.jsonl`, or `.parquet`.

    Rows keep their order, but for one of a split that `Lines.leads` may send to the front. Equal
    rows give equal bytes. A folder that holds the same export already is left as it is.

    Args:
        stored: the version.
        form: one of `FORMS`.
        folder: where the files go; new, empty, or an earlier export of the same.
        splits: those that are wanted; all when empty.
        file_bytes: size above which JSON Lines go on in a new file; one line may be longer.

    Returns:
        The files, by split and number.

    Raises:
        ExportError: the form cannot hold some rows; nothing is written.
        StoreError: the version has no such split or cannot be read, or the folder cannot be written
            or holds something else.
    """
    files = _wanted(stored, splits)
    again = _looks_exported(folder, form)
    if not again:
        refuse_taken(folder, [str(stored.path)])
    found = _look(stored, form, files)
    if found.misfits:
        raise ExportError(_refusal(stored, form, found))
    target = folder.resolve()
    aside = target.with_name(f".{target.name}.again") if again else folder
    if again:
        rmtree(aside, ignore_errors=True)  # of an export that was killed
    with whole_folder(aside, StoreError) as partial:
        (partial / "data").mkdir()
        written = _write(stored, form, files, found, partial / "data", file_bytes)
        if again and not _same(partial / "data", target / "data"):
            raise StoreError(
                f"{folder}: holds another export; name a new folder for --out, or remove it"
            )
    if again:
        rmtree(aside, ignore_errors=True)
    return [ExportedFile(folder / "data" / name, split, rows) for name, split, rows in written]


def _wanted(stored: StoredVersion, splits: Sequence[str]) -> dict[str, list[Path]]:
    files = stored.data_files()
    for split in splits:
        if split not in files:
            raise StoreError(f"{stored} has no split {split!r}; it has {', '.join(files)}")
    if not files:
        raise StoreError(f"{stored} has no rows to export")
    return {split: files[split] for split in files if split in splits or not splits}


def _looks_exported(folder: Path, form: Form) -> bool:
    """Whether a folder holds data files of a form, and nothing else."""
    if not folder.is_dir():
        return False
    entries = list(folder.iterdir())
    if [entry.name for entry in entries] != ["data"] or not entries[0].is_dir():
        return False
    return all(path.suffix == form.suffix and path.is_file() for path in entries[0].iterdir())


def _same(one: Path, two: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in two.iterdir()) and all(
        cmp(one / name, two / name, shallow=False) for name in names
    )


def _rows(stored: StoredVersion, files: Iterable[Path]) -> Iterator[Conversation]:
    """Read rows, a row group at a time: a group is small, whatever its rows hold."""
    for path in files:
        try:
            with pq.ParquetFile(path) as parquet:
                for group in range(parquet.num_row_groups):
                    table = parquet.read_row_group(group, columns=SCHEMA.names[1:])
                    yield from from_batch(table)
        except (OSError, KeyError, UnicodeDecodeError, pa.ArrowException) as error:
            raise StoreError(
                f"{stored}: {path.name} cannot be read ({error}); its manifest has the checksum it "
                "had when it was built"
            ) from error


def _look(stored: StoredVersion, form: Form, files: Mapping[str, list[Path]]) -> _Found:
    found = _Found([other for other in FORMS.values() if other != form])
    if form.lines is None:
        return found
    leads = form.lines.leads
    for split, paths in files.items():
        for place, row in enumerate(_rows(stored, paths)):
            found.rows += 1
            reason = form.misfit(row.messages)
            if reason:
                found.misfit(reason, row)
            elif leads and split not in found.first and leads(row.messages):
                found.first[split] = (place, row)
    return found


def _refusal(stored: StoredVersion, form: Form, found: _Found) -> str:
    """Say which rows cannot be held, and what can be done."""
    total = sum(found.misfits.values())
    what = f"{total:,} of {found.rows:,} rows do not fit. It holds {form.holds}; found:"
    lines = [f"{stored} cannot be exported as {form.name}, and nothing was written: {what}"]
    for reason, count in sorted(found.misfits.items(), key=lambda one: (-one[1], one[0])):
        more = ", …" if count > SHOWN else ""
        lines.append(
            f"  - {reason}: {count:,} {MISFITS[reason]} ({', '.join(found.keys[reason])}{more})"
        )
    names = " or ".join(other.name for other in found.holding)
    if set(found.misfits) <= MENDED_BY_ROLES:
        lines.append(
            "Add the step `roles` to the recipe and build again: it makes turns alternate, and "
            f"counts what it does. Or take --format {names}, which holds them as they are"
        )
    else:
        lines.append(f"Take --format {names}, which holds them as they are")
    return "\n".join(lines)


def _write(
    stored: StoredVersion,
    form: Form,
    files: Mapping[str, list[Path]],
    found: _Found,
    data: Path,
    file_bytes: int,
) -> list[tuple[str, str, int]]:
    """Write all splits; return each file's name, split and rows."""
    written = []
    for split, paths in files.items():
        if form.lines is None:
            counts = [_copy(stored, path, data / f"{place}") for place, path in enumerate(paths)]
        else:
            rows = _in_order(_rows(stored, paths), found.first.get(split))
            counts = _write_lines(map(form.lines.record, rows), data, file_bytes)
        for number, count in enumerate(counts):
            name = file_name(split, number, len(counts), form.suffix)
            (data / f"{number}").rename(data / name)
            written.append((name, split, count))
    return written


def _copy(stored: StoredVersion, source: Path, target: Path) -> int:
    try:
        copyfile(source, target)
        rows: int = pq.read_metadata(target).num_rows
    except pa.ArrowException as error:
        raise StoreError(f"{stored}: {source.name} cannot be read ({error})") from error
    return rows


def _in_order(
    rows: Iterable[Conversation], first: tuple[int, Conversation] | None
) -> Iterator[Conversation]:
    if first is None:
        return iter(rows)
    others = (row for place, row in enumerate(rows) if place != first[0])
    return chain([first[1]], others)


def _write_lines(records: Iterable[Mapping[str, object]], data: Path, most: int) -> list[int]:
    """Write lines to files named by number; return the rows of each."""
    counts = []
    for number, lines in groupby(_numbered(map(_line, records), most), key=itemgetter(0)):
        with (data / f"{number}").open("wb") as out:
            counts.append(0)
            for _, line in lines:
                out.write(line)
                counts[-1] += 1
    return counts


def _numbered(lines: Iterable[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    """Give each line the number of its file."""
    number = size = 0
    for line in lines:
        if size and size + len(line) > most:
            number, size = number + 1, 0
        size += len(line)
        yield number, line


def _line(record: Mapping[str, object]) -> bytes:
    line = orjson.dumps(record)
    for end, escape in _LINE_ENDS:
        line = line.replace(end, escape)
    return line + b"\n"
