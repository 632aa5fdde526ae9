"""JSON records out of arrays, JSON Lines and single objects, streaming in constant memory.

Only one record is held at a time, whatever the size of the file. A broken record costs that record,
not the file: reading goes on at the next line, or at the next element of the array.
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO, NoReturn

import orjson

from imitation_data.errors import SourceError
from imitation_data.ledger import Edit
from imitation_data.readers.broken_json import Borders, broken_end
from imitation_data.readers.files import SourceFile
from imitation_data.readers.quoting import shown
from imitation_data.readers.record import BadRecord

MAX_DEPTH = 100  # a ChatGPT export nests 9 deep
MAX_RECORD = 128 << 20  # characters; bytes in JSON Lines
BLOCK = 1 << 18  # bytes
LINES = (".jsonl", ".ndjson")

_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CAREFUL = 1 << 12  # characters; an error of json counts all line feeds of the text before it
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_CUT_WORD = 12  # characters: the longest literal, -Infinity, and some


@dataclass(frozen=True, slots=True)
class RawRecord:
    r"""One parsed JSON value and where it stood.

    Attributes:
        value: the parsed value; no lone surrogates, no duplicate keys, at most `MAX_DEPTH` deep.
        file: name of the source file.
        number: from 1, counting what `unit` names.
        unit: `line` (JSON Lines), `record` (element of an array, or value) or `row` (table).
        raw: the record's bytes in the file; None for a row of a table.
        edits: `lone_surrogate_replaced` when unpaired `\ud83d` escapes became U+FFFD.
    """

    value: object
    file: str
    number: int
    unit: str
    raw: bytes | None = None
    edits: tuple[Edit, ...] = ()

    @property
    def digest(self) -> str:
        """The origin of records without a key: BLAKE2b-128 in hex, 32 digits.

        Of the raw bytes; for a row of a table, of its canonical JSON (sorted keys).
        """
        if self.raw is not None:
            return _digest(self.raw)
        return _digest(orjson.dumps(self.value, default=_plain, option=_CANONICAL))

    @property
    def place(self) -> str:
        """`line 12`, `record 12` or `row 12`."""
        return f"{self.unit} {self.number:,}"

    @property
    def where(self) -> str:
        return f"{self.file}, {self.place}"

    def bad(self, found: str, expected: str, *, origin: str = "") -> BadRecord:
        """Report this record as not having the form its reader expects."""
        return BadRecord(self.where, found, expected, origin or self.digest)


def _digest(raw: bytes) -> str:
    return blake2b(raw, digest_size=16).hexdigest()


def _plain(value: object) -> str:
    """Write what JSON has no form for: bytes as hex, decimals and durations in their own words."""
    return value.hex() if isinstance(value, bytes) else str(value)


class _RefusedError(ValueError):
    """A value that parses but must not be used."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found, expected)
        self.found, self.expected = found, expected


def read_json(file: SourceFile) -> Iterator[RawRecord | BadRecord]:
    """Yield the records of a file: lines of JSON Lines, elements of an array, or whole values.

    The form is told from the suffix and the first character: `.jsonl` and `.ndjson` are read by
    line; otherwise `[` starts an array and anything else a sequence of values, so that a single
    object and JSON Lines under the name `.json` both work. A byte-order mark is ignored, and so are
    missing and additional commas between the elements of an array.

    A stream that breaks off (a damaged archive) ends in a `BadRecord` after the last whole record;
    an empty file is a `BadRecord`, an empty array is not.

    Raises:
        SourceError: the file cannot be opened.
    """
    with file.open() as stream:
        read = _lines if file.suffix in LINES else _values
        yield from until_damage(read(stream, file.name), file.name)


def until_damage(
    records: Iterator[RawRecord | BadRecord], name: str
) -> Iterator[RawRecord | BadRecord]:
    """Yield the records of a file; where the file breaks off, a `BadRecord` that says so."""
    last: RawRecord | BadRecord | None = None
    try:
        for last in records:
            yield last
    except SourceError as error:
        # The message names the file; what follows it is what was found.
        found = str(error).removeprefix(f"{name}: ")
        after = f"{name}, after {last.place}" if isinstance(last, RawRecord) else ""
        where = after or (f"{last.where}, after it" if last else f"{name}, at its start")
        yield BadRecord(where, found, "a file that can be read to its end", where)


def _lines(stream: BinaryIO, name: str) -> Iterator[RawRecord | BadRecord]:
    number, blank = 0, True
    while line := stream.readline(MAX_RECORD):
        number += 1
        if len(line) >= MAX_RECORD and not line.endswith(b"\n"):
            blank = False
            while (rest := stream.readline(BLOCK)) and not rest.endswith(b"\n"):
                pass
            yield _too_long(f"{name}, line {number:,}", "shorter lines")
            continue
        if number == 1:
            if line.startswith(_UTF16):
                yield _in_utf16(name)
                return
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line := line.strip(b" \t\r\n"):
            blank = False
            yield parse_record(line, name, number, "line")
    if blank:
        yield _empty(name)


def parse_record(raw: bytes, file: str, number: int, unit: str) -> RawRecord | BadRecord:
    """Parse one record's bytes; `file`, `number` and `unit` as in `RawRecord`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x} at byte {error.start + 1:,} of the record"
        advice = "UTF-8 text; convert the file (iconv -f … -t utf-8) or mend the record"
        return BadRecord(f"{file}, {unit} {number:,}", found, advice, _digest(raw))
    try:
        value, end = _DECODER.raw_decode(text)
        if end != len(text):
            raise _RefusedError("more text after the JSON value", "nothing after it")
        return _finish(value, text, (file, number, unit, raw))
    except (RecursionError, ValueError) as error:
        return BadRecord(f"{file}, {unit} {number:,}", *_unparsed(error), _digest(raw))


def _finish(value: object, text: str, place: tuple[str, int, str, bytes]) -> RawRecord:
    """Make a record of a parsed value; raises `_RefusedError` for what only parses."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise RecursionError
    if "\\ud" in text or "\\uD" in text:
        counts = [0]
        value = _mend(value, counts)
        if counts[0]:
            return RawRecord(value, *place, (Edit("lone_surrogate_replaced", counts[0]),))
    return RawRecord(value, *place)


def _unparsed(error: RecursionError | ValueError) -> tuple[str, str]:
    """Put into words what was found and what was expected."""
    if isinstance(error, _RefusedError):
        return error.found, error.expected
    if isinstance(error, RecursionError):
        return "brackets nested too deep", f"at most {MAX_DEPTH} levels"
    if isinstance(error, json.JSONDecodeError):
        said = error.msg[0].lower() + error.msg[1:]
        found = f"broken JSON ({said}, at character {error.pos + 1:,} of the record)"
        return found, "valid JSON; is the file cut off?"
    return f"a number that cannot be read ({str(error).split(';')[0]})", "a number of fewer digits"


def _too_long(where: str, expected: str) -> BadRecord:
    return BadRecord(where, f"a record of more than {MAX_RECORD:,} characters", expected, where)


def _empty(name: str) -> BadRecord:
    return BadRecord(name, "an empty file", "at least one record; was it fetched whole?", name)


def _in_utf16(name: str) -> BadRecord:
    return BadRecord(name, "UTF-16 text", "UTF-8 text; convert it (iconv -f utf-16 -t utf-8)", name)


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(f"the key {shown(key)} twice in one object", "each key once")
            seen.add(key)
    return value


def _constant(word: str) -> NoReturn:
    raise _RefusedError(f"{word}, which is not JSON", "a number or null")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _depth(value: object) -> int:
    """Count the levels of brackets, up to one more than allowed."""
    level, depth = [value], 0
    while depth <= MAX_DEPTH:
        lists = [
            item if isinstance(item, list) else list(item.values())
            for item in level
            if isinstance(item, dict | list)
        ]
        if not lists:
            break
        level = [child for items in lists for child in items]
        depth += 1
    return depth


def _mend(value: object, counts: list[int]) -> object:
    """Replace lone surrogates by U+FFFD; Arrow and Parquet hold UTF-8 only."""
    if isinstance(value, str):
        if value.isascii():
            return value
        mended, count = _SURROGATE.subn("\ufffd", value)
        counts[0] += count
        return mended
    if isinstance(value, list):
        return [_mend(item, counts) for item in value]
    if isinstance(value, dict):
        return _pairs([(str(_mend(key, counts)), _mend(value[key], counts)) for key in value])
    return value


def _values(stream: BinaryIO, name: str) -> Iterator[RawRecord | BadRecord]:
    return Values(stream, name).read()


class Values:
    """JSON values one after the other, or the elements of one array, from a window of text."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.stream, self.name = stream, name
        self.text = ""  # the window
        self.at = 0  # next character of it to look at
        self.number = 0
        self.ended = False
        self.array = False
        self.failure: SourceError | None = None
        self.decode = getincrementaldecoder("utf-8")("surrogateescape").decode
        self.borders = Borders(array=False)
        self.careful = False  # the last record was broken

    def read(self) -> Iterator[RawRecord | BadRecord]:
        self.more()
        if self.text.encode("utf-8", "surrogateescape").startswith(_UTF16):
            yield _in_utf16(self.name)
            return
        record: RawRecord | BadRecord | None = None
        mark = self.next_mark()
        if not mark:
            yield _empty(self.name)
        elif mark == "[":
            self.array, self.borders = True, Borders(array=True)
            self.at += 1
        while mark := self.next_mark():
            if self.array and mark == ",":
                self.at += 1
            elif self.array and mark == "]":
                self.at += 1
                yield from self.after_array()
                return
            else:
                yield (record := self.element())
        if self.array and not isinstance(record, BadRecord):
            where = f"{self.name}, after record {self.number:,}"
            expected = "a closing ]; is the file cut off?"
            yield BadRecord(where, "the end of the file inside the array", expected, where)

    def after_array(self) -> Iterator[BadRecord]:
        if self.next_mark():
            where = f"{self.name}, after record {self.number:,}"
            yield BadRecord(
                where, "more text after the array", "one JSON array and nothing after it", where
            )

    def element(self) -> RawRecord | BadRecord:
        self.number += 1
        self.borders.learn(self.text, self.at)
        while True:
            text, at = self.text, self.at
            if self.careful:
                text, at = text[at : at + _CAREFUL], 0
            final = self.ended and len(text) - at == len(self.text) - self.at
            try:
                value, end = _DECODER.raw_decode(text, at)
                # Close to the end, a number may go on in the next block.
                if final or end < len(text) - _CUT_WORD:
                    self.careful = False
                    return self.whole(value, self.at + end - at)
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated")
                if final or not (unterminated or error.pos >= len(text) - _CUT_WORD):
                    break
            except (RecursionError, ValueError):
                break
            if self.careful:
                self.careful = False
            elif len(self.text) - self.at > MAX_RECORD:
                return self.give_up()
            else:
                self.more()
        self.careful = True
        return self.broken()

    def whole(self, value: object, end: int) -> RawRecord | BadRecord:
        start, self.at = self.at, end
        text = self.text[start:end]
        try:
            raw = text.encode()
            return _finish(value, text, (self.name, self.number, "record", raw))
        except (UnicodeEncodeError, _RefusedError, RecursionError):
            return self.parsed(text)

    def parsed(self, text: str) -> RawRecord | BadRecord:
        raw = text.encode("utf-8", "surrogateescape")
        return parse_record(raw, self.name, self.number, "record")

    def broken(self) -> RawRecord | BadRecord:
        """Step over a broken value."""
        while (end := broken_end(self.text, self.at, self.borders, final=self.ended)) is None:
            if len(self.text) - self.at > MAX_RECORD:
                return self.give_up()
            self.more()
        start, self.at = self.at, end
        return self.parsed(self.text[start:end].rstrip(" \t\r\n,"))

    def give_up(self) -> BadRecord:
        self.text, self.at, self.ended = "", 0, True
        where = f"{self.name}, record {self.number:,}"
        return _too_long(where, "shorter records; the rest of the file was not read")

    def next_mark(self) -> str:
        """Step over white space; return the character there, or nothing at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def more(self) -> None:
        """Widen the window by at least what it holds, so that long records stay linear."""
        wanted = max(BLOCK, len(self.text) - self.at)
        blocks: list[bytes] = []
        while wanted > 0 and self.failure is None:
            try:
                # One piece at a time: what was read before damage is found is still read.
                block = self.stream.read1(wanted)  # type: ignore[attr-defined]
            except SourceError as error:
                self.failure = error
                break
            if not block:
                self.ended = True
                break
            blocks.append(block)
            wanted -= len(block)
        if self.failure and not blocks:
            raise self.failure
        self.text = self.text[self.at :] + self.decode(b"".join(blocks), self.ended)
        self.at = 0
        self.borders.forget()
