"""What teachers write, read with patience: JSON in prose, numbered lists, question-answer lines."""

import json
import re
from typing import Any

import orjson

_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)```", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_NUMBERED = re.compile(
    r"^[ \t]*(?:#+[ \t]*)?(?:Task[ \t]+)?\(?(\d{1,3})[.):]\)?[ \t]*", re.MULTILINE
)
_LONGEST = 1 << 20  # characters in which JSON is looked for
_QUESTION = re.compile(
    r"^[\s>*_#-]*(?:\d+\s*[.):]\s*)?[*_]*(?:q|question)[*_]*\s*\d*\s*[.:：)][*_]*[ \t]*(.*)$",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"^[\s>*_#-]*(?:\d+\s*[.):]\s*)?[*_]*(?:a|answer)[*_]*\s*\d*\s*[.:：)][*_]*[ \t]*(.*)$",
    re.IGNORECASE,
)


def json_in(text: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON value in a text: all of it, in a code fence, or the first object or list.

    Raises:
        ValueError: there is none.
    """
    for piece in (text, *_FENCE.findall(text[:_LONGEST])):
        found = _whole(piece.strip())
        if found is not None:
            return found
    decoder = json.JSONDecoder()
    head = text[:_LONGEST]
    for match in list(re.finditer(r"[{\[]", head))[:64]:
        for attempt in (head[match.start() :], _TRAILING_COMMA.sub(r"\1", head[match.start() :])):
            try:
                value, _ = decoder.raw_decode(attempt)
            except (ValueError, RecursionError):
                continue
            if value:
                return value
    raise ValueError("no JSON")


def objects_in(text: str) -> list[dict[str, Any]]:
    """Every JSON object of a text that stands in no other, at most 64 of them."""
    decoder, found, place = json.JSONDecoder(), list[dict[str, Any]](), 0
    for _ in range(64):
        place = text.find("{", place, _LONGEST)
        if place < 0:
            break
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        found.append(value)
    return found


def _whole(text: str) -> Any:  # noqa: ANN401 - JSON
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            return orjson.loads(attempt)
        except orjson.JSONDecodeError:
            continue
    return None


def numbered_items(text: str, first: int) -> list[str]:
    """Items of a numbered list, of which the first number stood in the prompt.

    Only numbers that count on from the one before open an item, so that years, versions and lists
    inside an item do not. A number or two may be missing.

    Args:
        text: of the answer.
        first: number of the first item.
    """
    starts = [(0, 0)]
    expected = first
    for match in _NUMBERED.finditer(text):
        number = int(match[1])
        if not text[: match.start()].strip() and number == first:
            starts = [(match.start(), match.end())]
        elif expected < number <= expected + 2:
            starts.append((match.start(), match.end()))
            expected = number
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return [text[begin:end].strip() for (_, begin), end in zip(starts, ends, strict=True)]


def pairs_in(text: str) -> list[tuple[str, str]]:
    """Question-answer pairs: `Q:` and `A:` lines, with whatever marks a teacher puts around them.

    A question without an answer, or an answer without a question, is a pair with an empty side.
    """
    pairs: list[tuple[str, str]] = []
    side = 0
    for line in text.splitlines():
        if question := _QUESTION.match(line):
            pairs.append((question[1].strip(), ""))
            side = 1
        elif answer := _ANSWER.match(line):
            if pairs and side == 1:
                pairs[-1] = (pairs[-1][0], answer[1].strip())
            else:
                pairs.append(("", answer[1].strip()))
            side = 2
        elif line.strip() and pairs and side:
            ask, told = pairs[-1]
            more = line.strip()
            pairs[-1] = (
                (f"{ask} {more}".strip(), told) if side == 1 else (ask, f"{told} {more}".strip())
            )
        elif not line.strip() and side == 2:  # noqa: PLR2004 - the answer's side
            side = 0
    return [(_plain(ask), _plain(told)) for ask, told in pairs]


def _plain(text: str) -> str:
    """Without the marks of bold and italics that stand around all of it."""
    stripped = text.strip()
    for mark in ("**", "__", "*", "_", '"'):
        inner = stripped[len(mark) : -len(mark)]
        if (
            len(stripped) > 2 * len(mark)
            and stripped == f"{mark}{inner}{mark}"
            and mark not in inner
        ):
            return inner.strip()
    return stripped
