"""The text of one paragraph as Markdown: emphasis, code, links, and as few backslashes as possible.

The rule for backslashes: text is escaped where it would otherwise read back as markup (CommonMark
0.31), and nowhere else. The page showed the text as text, so there the model must have escaped it
as well; `my_var * 2` it wrote plainly, and it stays so.
"""

import re
from collections import Counter
from dataclasses import dataclass
from html import unescape
from typing import NamedTuple
from unicodedata import category

SPACE = " \t\r\n\f"  # what HTML calls white space; a no-break space is text

_BARE_BREAK = "\\\n"  # two spaces on a line of their own would be a blank line
_MARKERS = {"strong": "**", "em": "*", "del": "~~"}
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
_BREAKS = re.compile(r"(?<! ) *+\n[ \t\r\f]*+")
_WINDOW = 64  # openers of emphasis that a closer is compared with
_MAX_MARKS = 8  # emphasis in emphasis; deeper ones keep their text only
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
_NEXT_LINE = re.compile(rf"\n(?:{_OPENING}|(?:=+|{_TABLE_RULE})[ \t]*(?=\n|\Z))")
_ITEM_TEXT = re.compile(r"[.)]?[ \t]+\S")


@dataclass(slots=True)
class _Mark:
    """An opened link or emphasis: the piece that holds its opening marker."""

    kind: str
    index: int
    href: str | None = None
    title: str = ""


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


class Inline:
    """Collects the pieces of one paragraph, heading or cell, and writes them as Markdown.

    Attributes:
        pieces: text and markers so far, in order.
    """

    __slots__ = ("_closed", "_marks", "_nested", "_risky", "_skip_space", "_spans", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._risky: list[tuple[int, bool]] = []  # text pieces to check; inside of emphasis?
        self._marks: list[_Mark] = []
        self._nested: dict[str, int] = {}
        self._spans: list[int] = []  # lengths of the backtick runs that code spans brought in
        self._skip_space = False
        self._closed = 0  # number of pieces when a marker was closed last

    def text(self, text: str) -> None:
        """Add text as a browser shows it, references replaced."""
        if "\n" in text:
            text = _BREAKS.sub("\n", text)
        if self._skip_space:
            text = text.lstrip(SPACE)
            self._skip_space = not text
        if not text:
            return
        if _MAYBE_RISKY.search(text) and _RISKY.search(text):
            self._risky.append((len(self.pieces), any(m.kind != "a" for m in self._marks)))
        self.pieces.append(text)

    def markup(self, piece: str) -> None:
        """Add Markdown as it is."""
        self._skip_space = False
        self.pieces.append(piece)

    def line_break(self) -> None:
        """Add a hard line break; the white space behind it is dropped."""
        at_line_start = bool(self.pieces) and self.pieces[-1].endswith("\n")
        self.pieces.append(_BARE_BREAK if at_line_start else "  \n")
        self._skip_space = True

    def joint(self, piece: str) -> None:
        """Add what stands for a line break where there can be only one line."""
        self.pieces.append(piece)
        self._skip_space = True

    def checkbox(self, *, checked: bool) -> None:
        """Add the box of a task list's item."""
        self.pieces.append("[x] " if checked else "[ ] ")
        self._skip_space = True

    def code(self, code: str) -> None:
        """Add a code span, fenced by more backticks than the code holds in a row."""
        code = code.replace("\n", " ")
        if not code:
            return
        lengths = set(map(len, re.findall("`+", code))) if "`" in code else set()
        fence = next(n for n in range(1, len(lengths) + 2) if n not in lengths)
        self._spans += (fence, fence, *lengths)
        padded = "`" in (code[0], code[-1]) or code[0] == code[-1] == " "
        pad = " " if padded and code.strip(" ") else ""
        self.markup("`" * fence + pad + code + pad + "`" * fence)

    def open(self, kind: str, href: str | None = None, title: str = "") -> None:
        """Open an emphasis (`strong`, `em`, `del`) or a link (`a`)."""
        if self._marks and self._is_open(kind) and not self._may_nest(kind):
            self._nested[kind] = self._nested.get(kind, 0) + 1
            return
        self._marks.append(_Mark(kind, len(self.pieces), href, title))
        self.markup(self._opening(kind))

    def _opening(self, kind: str) -> str:
        if kind == "a":
            return "["
        marker = _MARKERS[kind]
        if marker[0] == "*" and self.pieces and self.pieces[-1].endswith("*"):
            # Asterisks in a row read as one run: `***` opens em around strong, and `****` nothing.
            behind_closing = self._closed == len(self.pieces)
            return marker.replace("*", "_") if behind_closing or kind == "em" else marker
        return marker

    def _is_open(self, kind: str) -> bool:
        return any(mark.kind == kind for mark in self._marks)

    def _may_nest(self, kind: str) -> bool:
        adjacent = self.pieces[-1].endswith(("*", "_", "~"))
        return kind != "a" and not adjacent and len(self._marks) < _MAX_MARKS

    def close(self, kind: str) -> None:
        """Close what `open` opened; a close without an open is ignored."""
        if self._nested.get(kind):
            self._nested[kind] -= 1
            return
        if not self._is_open(kind):
            return
        while (mark := self._marks.pop()).kind != kind:
            self.pieces[mark.index] = ""
            self._nested[mark.kind] = 0
        if self._move_space_out(mark):
            if kind == "a":
                self._close_link(mark)
            else:
                self._close_emphasis(mark)
            self._closed = len(self.pieces)

    def _move_space_out(self, mark: _Mark) -> bool:
        """Move white space at both ends to outside of the marker; False if nothing else is there.

        Afterwards the last piece is the white space that stood at the end, or empty.
        """
        pieces, start, end = self.pieces, mark.index, len(self.pieces)
        if start + 1 < end and _is_tight(pieces[start + 1], pieces[-1]):
            pieces.append("")
            return True
        first = next((i for i in range(start + 1, end) if pieces[i].strip(SPACE)), None)
        if first is None:
            pieces[start] = ""
            return False
        last = next(i for i in range(end - 1, start, -1) if pieces[i].strip(SPACE))
        head = pieces[first].lstrip(SPACE)
        before = "".join(pieces[start + 1 : first]) + pieces[first][: -len(head)]
        pieces[start + 1 : first] = [""] * (first - start - 1)
        pieces[first] = head
        tail = pieces[last].rstrip(SPACE)
        after = pieces[last][len(tail) :] + "".join(pieces[last + 1 :])
        pieces[last] = tail
        pieces[last + 1 :] = [""] * (end - last - 1)
        pieces[start] = before + pieces[start]
        pieces.append(after)
        return True

    def _close_emphasis(self, mark: _Mark) -> None:
        pieces = self.pieces
        pieces[-1] = pieces[mark.index].lstrip(SPACE) + pieces[-1]

    def _close_link(self, mark: _Mark) -> None:
        pieces = self.pieces
        inside = range(mark.index + 1, len(pieces) - 1)
        shown = "".join(pieces[i] for i in inside)
        space = pieces[mark.index].removesuffix("[")
        if mark.href is None or _is_bare(mark.href, shown):
            # The page links bare addresses itself; their underscores are no emphasis.
            pieces[mark.index] = space
            if mark.href is not None:
                self._risky = [risk for risk in self._risky if risk[0] < mark.index]
            return
        if shown.count("[") != shown.count("]"):
            for i in inside:
                if pieces[i][:1] != "`":
                    pieces[i] = re.sub(r"[\[\]]", r"\\\g<0>", pieces[i])
        pieces[-1] = f"]({destination(mark.href, mark.title)})" + pieces[-1]

    def take(self) -> str:
        """Return the Markdown, without white space around it, and begin anew."""
        pieces = self.pieces
        if self._marks or self._risky or self._spans or self._nested:
            self._settle()
        while pieces and (pieces[-1] == _BARE_BREAK or not pieces[-1].strip(SPACE)):
            pieces.pop()
        text = "".join(pieces).strip(SPACE)
        pieces.clear()
        self._skip_space = False
        self._closed = 0
        return text

    def _settle(self) -> None:
        """Drop markers that were never closed, and escape what needs it."""
        for mark in self._marks:
            self.pieces[mark.index] = ""
        if self._risky:
            self._escape()
        self._marks.clear()
        self._risky.clear()
        self._spans.clear()
        self._nested.clear()

    def _escape(self) -> None:
        pieces = self.pieces
        places: dict[int, set[int]] = {}
        for index, _ in self._risky:
            final = index == len(pieces) - 1 and len(pieces[index]) - 1
            places[index] = {
                match.start()
                for match in _PLAIN_ESCAPE.finditer(pieces[index])
                if (
                    unescape(match[0]) != match[0] if match[0][0] == "&" else match.start() != final
                )
            }
        runs = self._runs()
        for run in (*_misread(runs), *self._misread_ticks(runs)):
            places[run.piece].update(range(run.start, run.end))
        for index, positions in places.items():
            piece, last, escaped = pieces[index], 0, []
            for position in sorted(positions):
                escaped += [piece[last:position], "\\"]
                last = position
            pieces[index] = "".join(escaped) + piece[last:]

    def _runs(self) -> list[_Run]:
        pieces = self.pieces
        before, after = [""] * len(pieces), [""] * len(pieces)
        for i in range(1, len(pieces)):
            before[i] = pieces[i - 1][-1:] or before[i - 1]
        for i in range(len(pieces) - 2, -1, -1):
            after[i] = pieces[i + 1][:1] or after[i + 1]
        runs = []
        for index, inside in self._risky:
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

    def _misread_ticks(self, runs: list[_Run]) -> list[_Run]:
        ticks = [run for run in runs if run.character == "`"]
        lengths = Counter(self._spans) + Counter(run.end - run.start for run in ticks)
        if any(run.touches or lengths[run.end - run.start] > 1 for run in ticks):
            return ticks  # an escaped run is many of length one, which the others might pair with
        return []


def _misread(runs: list[_Run]) -> list[_Run]:
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
                searched = {key: bound - (bound > place) for key, bound in searched.items()}
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


def _is_tight(first: str, last: str) -> bool:
    """Whether content that begins and ends with these pieces has no white space at its ends."""
    return bool(first and last) and first[0] not in SPACE and last[-1] not in SPACE


def _is_bare(href: str, shown: str) -> bool:
    """Whether a link is an address in the text that the page made a link of."""
    if shown.startswith(("http://", "https://")):
        return href == shown
    return (shown.startswith("www.") and href == f"http://{shown}") or href == f"mailto:{shown}"


def destination(href: str, title: str) -> str:
    """The part of a link or image that stands in parentheses."""
    if re.search(r"[\s<>()]", href):
        quoted = href.replace("\n", "%0A").replace("<", "%3C").replace(">", "%3E")
        href = f"<{quoted}>"
    return f'{href} "{title.replace(chr(34), chr(92) + chr(34))}"' if title else href


def guard_lines(paragraph: str) -> str:
    """Keep the lines of a paragraph from reading as blocks of another kind.

    The first line gets a backslash. The others are indented, as code without a fence is: four
    spaces keep any line in its paragraph.
    """
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
