"""A journal as JSON Lines, to look at, to keep, and to give to somebody else.

A line holds `key`, `endpoint`, `sample`, `request` (the body as sent), and the answer: `text`,
`outcome`, `model`, `input_tokens`, `output_tokens`, `batch`. Lines stand in
the order of their keys.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from imitation_data.errors import StoreError
from imitation_data.generate.journal import Journal
from imitation_data.generate.request import OUTCOMES, Request

_TEXTS = ("text", "outcome", "model")
MOST_TOKENS = 1 << 31
_COUNTS = ("input_tokens", "output_tokens")


def lines_of(journal: Journal) -> Iterator[bytes]:
    """Every answer as a line; the same answers give the same lines."""
    for row in journal.rows():
        row["request"] = orjson.loads(row["request"])
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def add_lines(journal: Journal, lines: Iterable[bytes], name: str) -> tuple[int, int]:
    """Add answers that the journal does not have.

    Args:
        journal: held by this process.
        lines: as `lines_of` gives them.
        name: of the file, for messages.

    Returns:
        How many were added, and how many were there.

    Raises:
        StoreError: a line is none of a journal, or its key is not that of its request; nothing is
            added then.
    """
    rows = [_row(line, f"{name}, line {place}") for place, line in enumerate(lines, 1)]
    added = journal.add(rows)
    return added, len(rows) - added


def _row(line: bytes, where: str) -> tuple[Any, ...]:
    try:
        value = orjson.loads(line)
        request = Request.of(value["endpoint"], value["request"], value["sample"], 0)
        texts = [value[key] for key in _TEXTS]
        counts = [value[key] for key in _COUNTS]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{where}: is no answer of a journal ({error!r})") from error
    kinds = all(type(one) is str for one in texts) and all(type(one) is int for one in counts)
    if any(not -1 <= one <= MOST_TOKENS for one in counts if type(one) is int):
        raise StoreError(f"{where}: a count of tokens is out of reach")
    if not kinds or value["outcome"] not in OUTCOMES or value.get("key") != request.key:
        raise StoreError(
            f"{where}: its key is not that of its request, or a field has another type; expected a "
            "line of `imitation-data journal export`, unchanged"
        )
    endpoint, sample = value["endpoint"], value["sample"]
    batch = value.get("batch") is True
    return (request.key, endpoint, request.body, *texts, *counts, sample, batch)
