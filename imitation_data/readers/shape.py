"""Asking a raw record for what a reader needs, and saying what stands there instead."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import orjson

from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind
from imitation_data.readers.record import BadRecord, Record

MAX_KEY = 200  # characters; a longer "key" is text that got into the wrong field
_SAFE_INTEGER = 2**53

Row = dict[str, object]


class Unfit(ValueError):  # noqa: N818 - not an error of the program: `convert` makes a BadRecord of it
    """A record does not have the form its reader expects.

    Args:
        found: what stands there, in a few words; never personal data.
        expected: what should stand there, and what the user can do.
    """

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found, expected)
        self.found, self.expected = found, expected


def convert(
    raws: Iterable[RawRecord | BadRecord],
    keys: tuple[str, ...],
    make: Callable[[Row, str, RawRecord], Record],
) -> Iterator[Record | BadRecord]:
    """Turn raw records, each a JSON object, into what a reader yields.

    Args:
        raws: what `read_json` or `read_parquet` yields; bad records pass through.
        keys: fields that may hold the record's own key, best first.
        make: called with the object, its origin and the raw record; may raise `Unfit`.
    """
    for raw in raws:
        if isinstance(raw, BadRecord):
            yield raw
            continue
        row = raw.value
        if not isinstance(row, dict):
            yield raw.bad(kind(row), "an object with named fields")
            continue
        origin = own_key(row, keys) or raw.digest
        try:
            record = make(row, origin, raw)
        except Unfit as unfit:
            yield raw.bad(unfit.found, unfit.expected, origin=origin)
        else:
            yield record


def own_key(row: Row, names: tuple[str, ...]) -> str:
    """Return the record's own key: the first field that holds a usable one, else an empty text.

    Usable are whole numbers and texts of 1 to `MAX_KEY` characters that are not all white space.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            if 0 < len(value) <= MAX_KEY and not value.isspace():
                return value
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
            return str(value)
    return ""


def object_in(value: object, what: str) -> Row:
    """Return the value, which must be an object; `what` names it in the message."""
    if isinstance(value, dict):
        return value
    raise Unfit(f"{kind(value)} as {what}", "an object with named fields")


def list_in(value: object, what: str) -> list[object]:
    """Return the value, which must be a list; `what` names it in the message."""
    if isinstance(value, list):
        return value
    raise Unfit(f"{kind(value)} as {what}", "a list")


def text_in(row: Row, name: str) -> str:
    """Return the text of a field that must be there."""
    value = row.get(name)
    if isinstance(value, str):
        return value
    found = f"{kind(value)} as {name}" if name in row else f"no field {name}"
    raise Unfit(found, f"a text in the field {name}")


def short_text(row: Row, name: str) -> str | None:
    """Return a field that holds a name or a label: 1 to `MAX_KEY` characters, else None."""
    value = row.get(name)
    if isinstance(value, str) and 0 < len(value) <= MAX_KEY and not value.isspace():
        return value
    return None


def kept_meta(raw: RawRecord, row: Mapping[str, object], names: tuple[str, ...] = ()) -> str:
    """Write a row's `meta`: where the record stood, and those of the named fields that are plain.

    Plain are texts, true and false, moments, and numbers that any JSON reader can hold.
    """
    meta: dict[str, object] = {"file": raw.file, raw.unit: raw.number}
    for name in names:
        value = row.get(name)
        if isinstance(value, str | bool | float | datetime) or (
            isinstance(value, int) and abs(value) < _SAFE_INTEGER
        ):
            meta[name] = value
    return orjson.dumps(meta).decode()
