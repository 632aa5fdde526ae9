r"""Text from data, shown safely on a terminal, in HTML and in Markdown.

Every character that a reader cannot see, or that can move the cursor, the direction of the text
or the end of the line, is shown as its Python escape (`\x1b`, `\u202e`, `\U000e0041`): controls,
line and paragraph separators, lone surrogates, and what Unicode calls default ignorable (bidi
controls, zero-width characters, fillers, tags), except the two emoji variation selectors. Newline
and tab stay where the place allows them. A backslash in the text stays as it is, so what is shown
is for eyes; it is not meant to be read back.
"""

import re

from markupsafe import Markup, escape

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
# Default_Ignorable_Code_Point of Unicode 16 without U+FE0E and U+FE0F, then separators,
# interlinear annotations, controls of hieroglyphs, and surrogates.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u2028\u2029\ufff9-\ufffb\U00013430-\U0001343f\ud800-\udfff"
)
_HIDDEN = re.compile(f"[{_CONTROLS}{_UNSEEN}]")
_HIDDEN_IN_LINE = re.compile(f"[\t\n{_CONTROLS}{_UNSEEN}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}

_BACKTICKS = re.compile("`+")
_INLINE_MARKUP = re.compile(r"[\\`*_\[\]<>&|~$]|:(?=//)|(?<=www)\.")
_BLOCK_START = re.compile(r"[-+#=:]|\d+(?=[.)])")


def terminal(text: str, limit: int | None = None, *, line: bool = False) -> str:
    """Make text safe to print.

    Rich markup is not touched: print the result plainly, or hand it to Rich as a `Text`.

    Args:
        text: any string.
        limit: code points of the text to show; a longer text ends in `…`.
        line: show newlines and tabs as escapes too.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + "…"
    return (_HIDDEN_IN_LINE if line else _HIDDEN).sub(_escaped, text)


def html(text: str, limit: int | None = None) -> Markup:
    """Return text for the inside of an HTML element, in a `<bdi>` that keeps its direction in.

    Newlines and tabs stay; whether they show is the style sheet's business.
    """
    return Markup("<bdi>{}</bdi>").format(terminal(text, limit))


def markdown(text: str, limit: int | None = None, *, cell: bool = False) -> Markup:
    """Return text as a Markdown code span on one line; no text gives no span.

    Args:
        text: any string.
        limit: code points to show.
        cell: for a table cell, where GFM wants pipes escaped even in code. A pipe after a
            backslash becomes an escape, since renderers do not agree on that pair.
    """
    shown = terminal(text, limit, line=True)
    if cell:
        shown = shown.replace("\\|", "\\\\x7c").replace("|", "\\|")
    fence = "`" * (1 + _longest_run(shown))
    if shown.strip(" ") and (shown[0] in " `" or shown[-1] in " `"):
        shown = f" {shown} "  # CommonMark takes one space away on both sides
    return Markup(f"{fence}{shown}{fence}") if shown else Markup()  # noqa: S704 - a code span


def markdown_prose(text: str, limit: int | None = None) -> Markup:
    """Return text as Markdown that renders as the same words and nothing else.

    Blank lines still part paragraphs; all other white space becomes one space. Fit for a
    paragraph, a list item, a heading or (without blank lines) a table cell.
    """
    shown = terminal(text, limit)
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", shown))
    escaped = (_INLINE_MARKUP.sub(r"\\\g<0>", block) for block in blocks if block)
    return Markup("\n\n".join(map(_as_paragraph, escaped)))  # noqa: S704 - escaped for Markdown


def markdown_block(text: str, language: str = "") -> Markup:
    """Return text as a fenced code block; `language` is the caller's own word, not data."""
    shown = terminal(text)
    fence = "`" * max(3, 1 + _longest_run(shown))
    ending = "" if shown.endswith("\n") else "\n"
    return Markup(f"{fence}{language}\n{shown}{ending}{fence}")  # noqa: S704 - a fenced block


def html_attribute(text: str, limit: int | None = None) -> Markup:
    """Return text for a quoted HTML attribute, where no `<bdi>` can stand."""
    return escape(terminal(text, limit, line=True))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code <= 0xFF:  # noqa: PLR2004 - two hex digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _as_paragraph(block: str) -> str:
    """Keep a paragraph's first characters from starting a list, a heading or a rule."""
    start = _BLOCK_START.match(block)
    if not start:
        return block
    return f"{start[0]}\\{block[start.end() :]}" if start[0].isdigit() else f"\\{block}"
