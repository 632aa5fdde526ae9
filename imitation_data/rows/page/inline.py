"""The text of one paragraph as Markdown: emphasis, code spans, links and line breaks."""

import re
from dataclasses import dataclass

from imitation_data.rows.page.escape import TextPiece, escape_pieces, is_risky

SPACE = " \t\r\n\f"  # what HTML calls white space; a no-break space is text

_BARE_BREAK = "\\\n"  # two spaces on a line of their own would be a blank line
_MARKERS = {"strong": "**", "em": "*", "del": "~~"}
_TRAILING = re.compile(r"(?<! ) ++\n")
_MAX_MARKS = 8  # emphasis in emphasis; deeper ones keep their text only


@dataclass(slots=True)
class _Mark:
    """An opened link or emphasis: the piece that holds its opening marker."""

    kind: str
    index: int
    href: str | None = None
    title: str = ""


class Inline:
    """Collects the pieces of one paragraph, heading or cell, and writes them as Markdown.

    Attributes:
        pieces: text and markers so far, in order.
    """

    __slots__ = ("_closed", "_marks", "_nested", "_risky", "_skip_space", "_spans", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._risky: list[TextPiece] = []
        self._marks: list[_Mark] = []
        self._nested: dict[str, int] = {}
        self._spans: list[int] = []  # lengths of the backtick runs that code spans brought in
        self._skip_space = False
        self._closed = 0  # number of pieces when a marker was closed last

    def text(self, text: str) -> None:
        """Add text as a browser shows it, references replaced."""
        if " \n" in text:
            text = _TRAILING.sub("\n", text)  # two spaces would be a line break
        if self._skip_space:
            text = text.lstrip(SPACE)
            self._skip_space = not text
        if not text:
            return
        if is_risky(text):
            inside = any(mark.kind != "a" for mark in self._marks)
            self._risky.append(TextPiece(len(self.pieces), inside))
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
                self._risky = [piece for piece in self._risky if piece.place < mark.index]
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
            escape_pieces(self.pieces, self._risky, self._spans)
        self._marks.clear()
        self._risky.clear()
        self._spans.clear()
        self._nested.clear()


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
    quotable = title.replace('"', r"\"")
    return f'{href} "{quotable}"' if title else href
