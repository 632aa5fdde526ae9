"""JSON records out of arrays, JSON Lines and single objects, streaming in constant memory.

Only one record is held at a time, whatever the size of the file. A broken record costs that record,
not the file: reading goes on at the next line, or after the broken element's closing bracket.
"""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import BinaryIO, NoReturn

from imitation_data.errors import SourceError
from imitation_data.ledger import Edit
from imitation_data.readers.files import SourceFile
from imitation_data.readers.record import BadRecord

MAX_DEPTH = 100  # a ChatGPT export nests 9 deep
MAX_RECORD = 128 << 20  # characters
BLOCK = 1 << 18  # bytes
LINES = (".jsonl", ".ndjson")

_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]|"', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEXT_OBJECT = re.compile(r"\n[ \t\r]*(?=\{)")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One parsed JSON value and where it stood.

    Attributes:
        value: the parsed value; no lone surrogates, no duplicate keys, at most `MAX_DEPTH` deep.
        file: name of the source file.
        number: 1-based line (JSON Lines) or element number.
        place: `line 12` or `record 12`.
        digest: BLAKE2b-128 of the raw bytes, 32 hex digits: the origin of records without a key.
        edits: `lone_surrogate_replaced` when unpaired `\\ud83d` escapes became U+FFFD.
    """

    value: object
    file: str
    number: int
    place: str
    digest: str
    edits: tuple[Edit, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.file}, {self.place}"

    def bad(self, found: str, expected: str, *, origin: str = "") -> BadRecord:
        """Report this record as not having the form its reader expects."""
        return BadRecord(self.where, found, expected, origin or self.digest)


class _Refused(ValueError):
    """A value that parses but must not be used."""


def read_json(file: SourceFile) -> Iterator[RawRecord | BadRecord]:
    """Yield the records of a file: lines of JSON Lines, elements of an array, or whole objects.

    The form is told from the suffix and the first character: `.jsonl` and `.ndjson` are read by
    line; otherwise `[` starts an array and anything else a sequence of values, so that a single
    object and JSON Lines under the name `.json` both work. A byte-order mark is ignored.

    A stream that breaks off (a damaged archive) ends in a `BadRecord` after the last whole record.

    Raises:
        SourceError: the file cannot be opened.
    """
    last = "before the first record"
    with file.open() as stream:
        records = (
            _lines(stream, file.name) if file.suffix in LINES else _Values(stream, file.name).read()
        )
        try:
            for record in records:
                last = (
                    f"after {record.place}"
                    if isinstance(record, RawRecord)
                    else f"after {record.where}"
                )
                yield record
        except SourceError as error:
            where = f"{file.name}, {last}"
            yield BadRecord(where, str(error), "a whole file", where)


def _lines(stream: BinaryIO, name: str) -> Iterator[RawRecord | BadRecord]:
    number = 0
    while line := stream.readline(MAX_RECORD):
        number += 1
        place = f"line {number:,}"
        if len(line) >= MAX_RECORD and not line.endswith(b"\n"):
            while (rest := stream.readline(BLOCK)) and not rest.endswith(b"\n"):
                pass
            yield _too_long(name, place)
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield parse_record(
                line.strip(b" \t\r\n").decode("utf-8", "surrogateescape"), name, number, place
            )


def parse_record(text: str, file: str, number: int, place: str) -> RawRecord | BadRecord:
    """Parse one record's text (invalid bytes decoded with `surrogateescape`)."""
    raw = text.encode("utf-8", "surrogateescape")
    digest = blake2b(raw, digest_size=16).hexdigest()
    where = f"{file}, {place}"
    if not text.isascii() and (bad := _SURROGATE.search(text)):
        byte, offset = ord(bad[0]) & 0xFF, len(text[: bad.start()].encode())
        found = f"byte 0x{byte:02x} at byte {offset:,} of the record"
        return BadRecord(
            where,
            found,
            "UTF-8 text; convert the file (iconv -f … -t utf-8) or mend the record",
            digest,
        )
    try:
        value, end = _DECODER.raw_decode(text)
        if text[end:].strip():
            found = f"more text after the JSON value, at character {end + 1:,}"
            return BadRecord(where, found, "one JSON value on the line", digest)
    except RecursionError:
        return BadRecord(
            where, "brackets nested too deep to parse", f"at most {MAX_DEPTH} levels", digest
        )
    except ValueError as error:
        return _unparsed(error, where, digest)
    return _finish(value, text, file, number, place, digest)


def _finish(
    value: object, text: str, file: str, number: int, place: str, digest: str
) -> RawRecord | BadRecord:
    deep = text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH
    if deep:
        return BadRecord(
            f"{file}, {place}", "brackets nested too deep", f"at most {MAX_DEPTH} levels", digest
        )
    edits: tuple[Edit, ...] = ()
    if "\\ud" in text or "\\uD" in text:
        counts = [0]
        value = _mend(value, counts)
        edits = (Edit("lone_surrogate_replaced", counts[0]),) if counts[0] else ()
    return RawRecord(value, file, number, place, digest, edits)


def _unparsed(error: ValueError, where: str, digest: str) -> BadRecord:
    if isinstance(error, _Refused):
        return BadRecord(where, str(error), "a value that can be used without guessing", digest)
    if isinstance(error, json.JSONDecodeError):
        found = (
            f"{error.msg[0].lower()}{error.msg[1:]} at character {error.pos + 1:,} of the record"
        )
        return BadRecord(
            where, f"broken JSON ({found})", "valid JSON; is the file cut off?", digest
        )
    return BadRecord(where, f"a value that cannot be read ({error})"[:200], "valid JSON", digest)


def _too_long(name: str, place: str) -> BadRecord:
    where = f"{name}, {place}"
    return BadRecord(
        where, f"a record of more than {MAX_RECORD:,} characters", "shorter records", where
    )


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Refused(f"the key {twice[:40]!r} twice in one object")
    return value


def _constant(word: str) -> NoReturn:
    raise _Refused(f"{word}, which is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
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
        return {_mend(key, counts): _mend(item, counts) for key, item in value.items()}
    return value


@dataclass
class _Values:
    """JSON values one after the other, or the elements of one array, from a growing window of text."""

    stream: BinaryIO
    name: str
    text: str = ""
    at: int = 0  # next character to look at
    number: int = 0
    ended: bool = False
    decode: Callable[..., str] = field(
        default_factory=lambda: getincrementaldecoder("utf-8")("surrogateescape").decode
    )

    def read(self) -> Iterator[RawRecord | BadRecord]:
        self.skip()
        array = self.peek() == "["
        if array:
            self.at += 1
        while True:
            self.skip()
            mark = self.peek()
            if array and mark == ",":
                self.at += 1
                continue
            if not mark or (array and mark == "]"):
                break
            yield self.element(array=array)
        if array:
            yield from self.close()

    def close(self) -> Iterator[BadRecord]:
        where = f"{self.name}, after record {self.number:,}"
        if not self.peek():
            yield BadRecord(
                where,
                "the end of the file inside the array",
                "a closing ]; is the file cut off?",
                where,
            )
            return
        self.at += 1
        self.skip()
        if self.peek():
            yield BadRecord(
                where, "more text after the array", "one JSON array and nothing after it", where
            )

    def element(self, *, array: bool) -> RawRecord | BadRecord:
        self.number += 1
        place = f"record {self.number:,}"
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self.ended and self._incomplete(error):
                    if len(self.text) - self.at <= MAX_RECORD:
                        self.more()
                        continue
                    self.text, self.ended = "", True
                    self.at = 0
                    return _too_long(self.name, place)
            except (RecursionError, ValueError):
                pass
            else:
                if end == len(self.text) and not self.ended:
                    self.more()  # a number may go on in the next block
                    continue
                raw, self.at = self.text[self.at : end], end
                if self._clean(raw):
                    digest = blake2b(raw.encode(), digest_size=16).hexdigest()
                    return _finish(value, raw, self.name, self.number, place, digest)
                return parse_record(raw, self.name, self.number, place)
            return parse_record(self.skip_broken(array=array), self.name, self.number, place)

    def _clean(self, raw: str) -> bool:
        return raw.isascii() or not _SURROGATE.search(raw)

    def _incomplete(self, error: json.JSONDecodeError) -> bool:
        # A string, or a literal of at most 12 characters, that the window's end cuts in two.
        return error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - 12

    def skip_broken(self, *, array: bool) -> str:
        """Step over a broken value and return its text: up to its closing bracket, else the rest."""
        start, depth, position = self.at, 0, self.at
        while True:
            match = _STRUCTURE.search(self.text, position)
            if match is None or match[0] == '"':  # nothing left, or a string that the window cuts
                if not self.ended and len(self.text) - start <= MAX_RECORD:
                    position -= start
                    self.more()
                    start = self.at
                    position += start
                    continue
                position = len(self.text)
                break
            position = match.end()
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
            if depth <= 0:
                if depth < 0:
                    position -= 1  # the array's own bracket
                break
        if not array and (line := _NEXT_OBJECT.search(self.text, start)) and line.end() < position:
            position = line.end()
        self.at = max(position, start + 1)
        return self.text[start : self.at]

    def skip(self) -> None:
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text) or self.ended:
                return
            self.more()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def more(self) -> None:
        """Widen the window by at least what it already holds, so that long records stay linear."""
        wanted = max(BLOCK, len(self.text) - self.at)
        try:
            block = self.stream.read(wanted)
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(f"{self.name}: cannot be read ({error.strerror})") from error
        self.ended = not block
        self.text = self.text[self.at :] + self.decode(block, self.ended)
        self.at = 0
