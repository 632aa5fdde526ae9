"""Backslashes, as few as possible, for text that would otherwise read back as markup.

The page showed this text as text, so there the model must have escaped it as well (CommonMark
0.31); `my_var * 2` it wrote plainly, and it stays so.
"""

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from typing import NamedTuple
from unicodedata import category

_PUNCTUATION = r"!-/:-@\[-`{-~"
_MAYBE_RISKY = re.compile(r"[*_`~\\&\]<]")
# Text in which a backslash may be needed. An underscore inside a word never is one.
_RISKY = re.compile(
    rf"\*|(?<!\w)_|_(?!\w)|`|~~|\\(?=[{_PUNCTUATION}\n]|\Z)|&(?=#?\w{{1,31}};)|\]\("
    r"|<(?=[\w.+-]++[:@])"
)
_RUN = re.compile(r"\*+|_+|`+|~~+")
_REFERENCE = re.compile(r"&#?\w{1,31};")
_PLAIN_ESCAPE = re.compile(
    rf"\\(?=[{_PUNCTUATION}\n]|\Z)|{_REFERENCE.pattern}"
    r"|<(?=[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>|[\w.+-]+@[\w.-]+>)"
    r"|\](?=\(\s*(?:<[^<>\n]*>|[^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+)"
    r"""(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\))"""
)
_WINDOW = 64  # openers of emphasis that a closer is compared with
# What opens a block at the start of a line: heading, list item, quote, fence, rule; in the first
# line also a link definition, in the others what underlines a heading or a table's header.
_OPENING = (
    r"(#{1,6}|[-+*])(?=[ \t\n]|\Z)|(\d{1,9})(?=[.)](?:[ \t\n]|\Z))|>"
    r"|~{3,}|`{3,}(?=[^`\n]*(?:\n|\Z))"
    r"|(?:\*[ \t]*+){3,}(?=\n|\Z)|(?:-[ \t]*+){3,}(?=\n|\Z)|(?:_[ \t]*+){3,}(?=\n|\Z)"
)
_DEFINITION = r"\[[^\]]{1,999}\]:(?=[ \t]*\n?[ \t]*\S+[ \t]*(?:\n|\Z|[\"'(]))"
_FIRST_LINE = re.compile(f"{_OPENING}|{_DEFINITION}")
_TABLE_RULE = r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*+\|?"
_NEXT_LINE = re.compile(rf"\n {{0,3}}(?:{_OPENING}|(?:=+|{_TABLE_RULE})[ \t]*(?=\n|\Z))")
_ITEM_TEXT = re.compile(r"[.)]?[ \t]+\S")


class TextPiece(NamedTuple):
    """Where a piece of text stands among the pieces of a paragraph that may need a backslash.

    Attributes:
        place: its index among them.
        inside: whether it stands in an emphasis.
    """

    place: int
    inside: bool


class _Run(NamedTuple):
    """Delimiters of one kind in a row, in a text piece."""

    piece: int
    start: int
    end: int
    character: str
    opens: bool
    closes: bool
    inside: bool  # of an emphasis that came from a tag
    touches: bool  # a marker of the same character that came from a tag


def is_risky(text: str) -> bool:
    """Whether some of a text may need a backslash."""
    return bool(_MAYBE_RISKY.search(text) and _RISKY.search(text) and not is_raw(text))


def escape_pieces(pieces: list[str], risky: Sequence[TextPiece], spans: Sequence[int]) -> None:
    """Put backslashes into the text pieces of a paragraph, in place.

    Args:
        pieces: text and markup of the paragraph, in order.
        risky: the text pieces to look at.
        spans: lengths of the backtick runs in the code spans among the pieces.
    """
    places = {piece.place: _plain_places(pieces, piece.place) for piece in risky}
    runs = _runs(pieces, risky)
    for run in (*_misread(runs), *_misread_ticks(runs, spans)):
        places[run.piece].update(range(run.start, run.end))
    for index, positions in places.items():
        piece, last, escaped = pieces[index], 0, []
        for position in sorted(positions):
            escaped += [piece[last:position], "\\"]
            last = position
        pieces[index] = "".join(escaped) + piece[last:]


def _plain_places(pieces: Sequence[str], index: int) -> set[int]:
    """Where a backslash, a character reference, an address or a link would be read."""
    piece = pieces[index]
    places = set()
    for match in _PLAIN_ESCAPE.finditer(piece):
        found = match[0]
        at_the_end = match.end() == len(piece) and index == len(pieces) - 1
        if unescape(found) != found if found[0] == "&" else not (found == "\\" and at_the_end):
            places.add(match.start())
    return places


def _runs(pieces: Sequence[str], risky: Sequence[TextPiece]) -> list[_Run]:
    before, after = [""] * len(pieces), [""] * len(pieces)
    for i in range(1, len(pieces)):
        before[i] = pieces[i - 1][-1:] or before[i - 1]
    for i in range(len(pieces) - 2, -1, -1):
        after[i] = pieces[i + 1][:1] or after[i + 1]
    runs = []
    for index, inside in risky:
        piece = pieces[index]
        for match in _RUN.finditer(piece):
            start, end = match.span()
            left = piece[start - 1] if start else before[index]
            right = piece[end] if end < len(piece) else after[index]
            character = piece[start]
            opens, closes = _flanks(left, right, character)
            touches = character in (left, right)
            runs.append(_Run(index, start, end, character, opens, closes, inside, touches))
    return runs


def _misread_ticks(runs: Sequence[_Run], spans: Sequence[int]) -> list[_Run]:
    ticks = [run for run in runs if run.character == "`"]
    lengths = Counter(spans) + Counter(run.end - run.start for run in ticks)
    if any(run.touches or lengths[run.end - run.start] > 1 for run in ticks):
        return ticks  # an escaped run is many of length one, which the others might pair with
    return []


def _misread(runs: Sequence[_Run]) -> list[_Run]:
    """Runs of `*`, `_` or `~~` that would pair with each other or with the markers of tags.

    They pair as in CommonMark 6.2, with its lower bounds that keep the search linear.
    """
    misread: list[_Run] = []
    waiting: dict[str, list[_Run]] = {"*": [], "_": [], "~": []}
    searched: dict[tuple[str, bool, int], int] = {}
    for run in runs:
        if run.character == "`":
            continue
        if run.touches or (run.inside and (run.opens or run.closes)):
            misread.append(run)
            continue
        openers = waiting[run.character]
        if run.closes:
            kind = (run.character, run.opens, (run.end - run.start) % 3)
            lowest = min(searched.get(kind, 0), len(openers))
            window = range(len(openers) - 1, max(lowest, len(openers) - _WINDOW) - 1, -1)
            place = next((i for i in window if _pair(openers[i], run)), None)
            if place is not None:
                misread += (openers.pop(place), run)
                searched = {
                    key: bound - (key[0] == run.character and bound > place)
                    for key, bound in searched.items()
                }
                continue
            if len(window) < len(openers) - lowest:
                misread.append(run)  # too many to look through: a backslash is always safe
                continue
            searched[kind] = len(openers)
        if run.opens:
            openers.append(run)
    return misread


def _pair(opener: _Run, closer: _Run) -> bool:
    """Whether two runs can pair: the rule of three of CommonMark 6.2."""
    first, second = opener.end - opener.start, closer.end - closer.start
    both = opener.closes or closer.opens
    return not both or (first + second) % 3 != 0 or (first % 3 == 0 and second % 3 == 0)


def _flanks(left: str, right: str, character: str) -> tuple[bool, bool]:
    """Whether a run between two characters can open and can close emphasis (CommonMark 6.2)."""
    space_left, space_right = not left or left.isspace(), not right or right.isspace()
    mark_left, mark_right = _is_punctuation(left), _is_punctuation(right)
    opens = not space_right and (not mark_right or space_left or mark_left)
    closes = not space_left and (not mark_left or space_right or mark_right)
    if character == "_":
        return opens and (not closes or mark_left), closes and (not opens or mark_right)
    return opens, closes


def _is_punctuation(character: str) -> bool:
    return bool(character) and category(character)[0] in "PS"


def is_raw(text: str) -> bool:
    """Whether a text holds a blank line: then the page showed it as it was, not as Markdown."""
    return "\n\n" in text


def guard_lines(paragraph: str) -> str:
    """Keep the lines of a paragraph from reading as blocks of another kind.

    The first line gets a backslash. The others are indented, as code without a fence is: four
    spaces keep any line in its paragraph.
    """
    if is_raw(paragraph):
        return paragraph
    if "\n" in paragraph:
        paragraph = _NEXT_LINE.sub(_indented, paragraph)
    if paragraph[:1].isalpha():  # as nearly all do
        return paragraph
    opening = _FIRST_LINE.match(paragraph)
    if not opening:
        return paragraph
    if opening[0][0] == "`":
        return "\\`" * opening.end() + paragraph[opening.end() :]
    number = opening[2] or ""
    return f"{number}\\{paragraph[len(number) :]}"


def _indented(match: re.Match[str]) -> str:
    found, marker, number = match[0], match[1], match[2]
    # An item interrupts a paragraph only if it has text, and a number only if it is 1.
    if number or (marker and marker in "-+*"):
        item = _ITEM_TEXT.match(match.string, match.end()) is not None
        active = (item and number in {None, "1"}) or marker == "-"
    else:
        active = True
    return f"\n    {found[1:]}" if active else found
