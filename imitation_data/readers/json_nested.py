"""JSON whose records lie under one key of a single root object, streaming in constant memory.

`{"guild": {…}, "channel": {…}, "messages": [{…}, {…}, …], "messageCount": 2}` is such a file: read
as one record it would be held whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imitation_data.errors import SourceError
from imitation_data.readers.broken_json import Borders
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord, Values
from imitation_data.readers.quoting import kind, shown
from imitation_data.readers.record import BadRecord


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the root object.

    Attributes:
        name: its key.
        value: its value; an empty list for the array whose elements follow.
    """

    name: str
    value: object


def read_under(file: SourceFile, key: str) -> Iterator[Member | RawRecord | BadRecord]:
    """Yield the members of a file's root object, and the elements of the array under `key`.

    In the order of the file: a `Member` for each member, and behind the one named `key` a
    `RawRecord` or `BadRecord` for each element of its array. A broken element or member costs
    itself; where no key follows, reading ends in a `BadRecord`.

    Raises:
        SourceError: the file cannot be opened.
    """
    last = "its start"
    with file.open() as stream:
        try:
            for item in _Root(Values(stream, file.name), file.name, key).members():
                if isinstance(item, RawRecord):
                    last = item.place
                yield item
        except SourceError as error:
            found = str(error).removeprefix(f"{file.name}: ")
            where = f"{file.name}, after {last}"
            yield BadRecord(where, found, "a file that can be read to its end", where)


@dataclass(frozen=True, slots=True)
class _Root:
    """The root object of one file, read member by member."""

    values: Values
    name: str
    key: str

    def members(self) -> Iterator[Member | RawRecord | BadRecord]:
        values, seen = self.values, set()
        if values.next_mark() != "{":
            yield self.bad("at its start", "no object", f"an object with a list {self.key!r}")
            return
        values.at += 1
        values.array = True  # what follows a value is a comma or a closing bracket
        while (mark := values.next_mark()) != "}":
            if mark == ",":
                values.at += 1
                continue
            name = self.member_name(mark)
            if isinstance(name, BadRecord):
                yield name
                return
            if name in seen:
                where = f"before record {values.number:,}"
                yield self.bad(where, f"the key {shown(name)} twice", "each key once")
            seen.add(name)
            if values.next_mark() == "[" and name == self.key:
                yield Member(name, [])
                yield from self.elements()
                if values.next_mark() != "]":
                    return
                values.at += 1
                continue
            values.borders = Borders(array=True)
            value = values.element()
            if isinstance(value, BadRecord):
                yield self.bad(f"key {shown(name)}", value.found, value.expected)
            else:
                yield Member(name, value.value)
        values.at += 1
        if values.next_mark():
            yield self.bad("after the object", "more text", "one object and nothing after it")

    def member_name(self, mark: str) -> str | BadRecord:
        """Read a key and its colon."""
        values = self.values
        where = f"after record {values.number:,}" if values.number else "in the root object"
        if not mark:
            return self.bad(where, "the end of the file", "a closing }; is the file cut off?")
        if mark != '"':
            return self.bad(where, "broken JSON", "a key in quotes; is the file cut off?")
        values.borders = Borders(array=True)
        value = values.element()
        if isinstance(value, BadRecord) or not isinstance(value.value, str):
            return self.bad(where, "a broken key", "a key in quotes; is the file cut off?")
        if values.next_mark() == ":":
            values.at += 1
            if values.next_mark():
                return value.value
        return self.bad(where, "a key without a value", "a colon and a value; is the file cut off?")

    def elements(self) -> Iterator[RawRecord | BadRecord]:
        """Read the elements of the array that starts here, up to its closing bracket."""
        values = self.values
        values.at += 1
        values.number, values.borders = 0, Borders(array=True)
        record: RawRecord | BadRecord | None = None
        while (mark := values.next_mark()) not in ("", "]"):
            if mark == ",":
                values.at += 1
            else:
                yield (record := values.element())
        if not mark and not isinstance(record, BadRecord):
            where = f"after record {values.number:,}"
            yield self.bad(where, "the end of the file inside the list", "a closing ]; cut off?")

    def bad(self, place: str, found: str, expected: str) -> BadRecord:
        where = f"{self.name}, {place}"
        return BadRecord(where, found, expected, where)


def missing(file: SourceFile, name: str, value: object, expected: str) -> BadRecord:
    """Report that a member of the root object is not there or of the wrong kind."""
    found = f"no {name}" if value is None else f"{kind(value)} as {name}"
    return BadRecord(file.name, found, expected, file.name)
