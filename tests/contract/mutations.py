"""Seeded damage to a source: to its bytes, its JSON text or its values."""

import gzip
import json
import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from random import Random

_TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\n",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
]
_TOKENS += [
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b"\\ud83d",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"  ",
    b'{"a":1}',
]
_NESTED: object = "x"
for _ in range(150):
    _NESTED = [_NESTED]
_VALUES: list[object] = [None, True, 0, -1.5, 10**40, "", "7", "x" * 5_000, [], {}, ["x"]]
_VALUES += [{"a": {"b": [1]}}, "\ud83d", "\x00\x1b[31m", _NESTED, [None, 1, {}], [[[]]]]


def mutate(records: list[object], write: Callable[[list[object]], bytes], rng: Random) -> bytes:
    """Damage a source in one to three ways."""
    content = write(records)
    if rng.random() < 0.5:
        # A table cannot hold every value: then only the bytes are damaged.
        with suppress(ValueError, TypeError, AttributeError, ArithmeticError, NotImplementedError):
            content = write(_of_values(records, rng))
    if rng.random() < 0.25:
        content = _of_text(content, rng)
    if rng.random() < 0.6:
        for _ in range(rng.randint(1, 3)):
            content = _of_bytes(content, rng)
    return content


def damaged_gzip(content: bytes, rng: Random) -> bytes:
    """Pack, then damage the packed bytes."""
    return _of_bytes(gzip.compress(content, mtime=0), rng)


def _of_bytes(content: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    stop = min(len(content), start + rng.choice([1, 1, 2, 10, 200]))
    match rng.randrange(6):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + content[stop:]
        case 2:
            return content[:start] + rng.choice(_TOKENS) + content[start:]
        case 3:
            return content[:start] + rng.choice(_TOKENS) + content[stop:]
        case 4:
            return content[:stop] + content[start:]
        case _:
            return content[:start] + rng.randbytes(stop - start) + content[stop:]


def _of_text(content: bytes, rng: Random) -> bytes:
    """Write a key twice, or a number as a text."""
    keys = list(re.finditer(rb'"[a-z_]+"\s*:', content))
    if not keys:
        return content
    key = rng.choice(keys)
    return content[: key.end()] + b"1, " + key[0] + content[key.end() :]


def _of_values(records: list[object], rng: Random) -> list[object]:
    copy = json.loads(json.dumps(records))
    for _ in range(rng.randint(1, 2)):
        holder: object = copy
        key: object = rng.randrange(len(copy))
        while rng.random() < 0.75 and isinstance(inner := holder[key], dict | list) and inner:
            holder = inner
            key = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
        change = rng.randrange(4)
        if change == 0 and isinstance(holder, dict):
            holder[f"{key}_"] = holder.pop(key)
        elif change == 1 and holder is not copy:
            del holder[key]
        else:
            holder[key] = deepcopy(rng.choice(_VALUES))
    return copy
