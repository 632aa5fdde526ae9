"""Tags and character references of serialised HTML.

A browser's serialisation (`outerHTML`, HTML Standard 13.3) is regular: attributes stand in double
quotes and text has its `<`, `>` and `&` escaped. One pass over its tags is enough, and what is not
such a tag stays text. Every scan here is linear, whatever the input.
"""

import re
from collections.abc import Iterator
from html import unescape as unescape_reference

# The closing bracket is optional: a broken tag is consumed once, as text, and never rescanned.
TAG = re.compile(r"""<(/?[A-Za-z][A-Za-z0-9-]*+)((?:[^<>"']|"[^"]*"|'[^']*')*+)(>?)""")
_SPECIAL = re.compile(r"<!")
_DECLARATION = re.compile(r"<![A-Za-z][^<>]*>")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_RARE_REFERENCE = re.compile(r"&(?!(?:lt|gt|amp|quot|nbsp);)[#A-Za-z]")
_ATTRIBUTE = re.compile(
    r"""(?<![A-Za-z-])([A-Za-z-]++)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))"""
)

# Name with a leading slash if it closes; attributes; ">" or "" if the tag is broken; text behind.
Tag = tuple[str, str, str, str]

# Elements that end a paragraph and have no Markdown of their own.
BLOCK_ELEMENTS = (
    *("address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "html", "legend"),
    *("main", "menu", "nav", "option", "pre", "search", "section", "summary"),
)
# HTML, SVG and MathML; any other name between angle brackets is text that was not escaped.
ELEMENTS = frozenset(
    (
        *BLOCK_ELEMENTS,
        *("a", "abbr", "area", "audio", "b", "base", "bdi", "bdo", "big", "blockquote", "br"),
        *("button", "canvas", "cite", "code", "col", "colgroup", "data", "datalist", "del", "dfn"),
        *("div", "em", "embed", "font", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hgroup"),
        *("hr", "i", "iframe", "img", "input", "ins", "kbd", "label", "li", "link", "map", "mark"),
        *("math", "meta", "meter", "nobr", "noscript", "object", "ol", "optgroup", "output", "p"),
        *("param", "picture", "progress", "q", "rp", "rt", "ruby", "s", "samp", "script"),
        *("select", "slot", "small", "source", "span", "strike", "strong", "style", "sub", "sup"),
        *("svg", "table", "tbody", "td", "template", "textarea", "tfoot", "th", "thead", "time"),
        *("title", "tr", "track", "tt", "u", "ul", "var", "video", "wbr"),
        *("circle", "defs", "ellipse", "g", "line", "path", "polygon", "polyline", "rect", "use"),
        *("annotation", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom"),
        *("mroot", "mrow", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable"),
        *("mtd", "mtext", "mtr", "munder", "munderover", "semantics"),
    )
)


def split_tags(html: str) -> tuple[str, Iterator[Tag]]:
    """Return the text before the first tag, and every tag with the text behind it."""
    pieces = iter(TAG.split(html))
    return next(pieces), zip(pieces, pieces, pieces, pieces, strict=False)


def read_inside(name: str, first: str, tags: Iterator[Tag]) -> tuple[str, list[Tag], str | None]:
    """Read on to the closing tag of an element.

    Args:
        name: the element's, in lower case.
        first: the text behind its opening tag.
        tags: where it is read from.

    Returns:
        The text inside, references not replaced; the tags inside; the text behind the closing
        tag, or None if there is no closing tag: then everything left is inside.
    """
    texts, depth = [first], 1
    inside: list[Tag] = []
    for tag in tags:
        found = tag[0].lower()
        if found == "/" + name:
            depth -= 1
            if not depth:
                return "".join(texts), inside, tag[3]
        elif found == name:
            depth += 1
        texts.append(tag[3] if is_element(tag) else "<" + "".join(tag))
        inside.append(tag)
    return "".join(texts), inside, None


def is_element(tag: Tag) -> bool:
    """Whether a tag is one of HTML, or of a custom element; otherwise it is unescaped text."""
    name = tag[0].lstrip("/").lower()
    return bool(tag[2]) and (name in ELEMENTS or "-" in name)


def without_comments(html: str) -> str:
    """Leave out comments and declarations; an unclosed comment stays, as text."""
    if _SPECIAL.search(html) is None:
        return html
    head, *rest = html.split("<!--")
    kept = [head]
    for piece in rest:
        _, end, tail = piece.partition("-->")
        kept.append(tail if end else "&lt;!--" + piece)
    return _DECLARATION.sub("", "".join(kept))


def unescape(text: str) -> str:
    """Replace the character references that end in a semicolon; a bare `&` stays."""
    if "&" not in text:
        return text
    if _RARE_REFERENCE.search(text):
        return _REFERENCE.sub(_character, text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return text.replace("&nbsp;", "\u00a0").replace("&amp;", "&")


def _character(match: re.Match[str]) -> str:
    # A reference to a control character has no text of its own: it stays as written.
    return unescape_reference(match[0]) or match[0]


def attribute(attributes: str, name: str) -> str | None:
    """Value of one attribute, its references replaced; None if the tag has no such attribute."""
    for key, double, single, bare in _ATTRIBUTE.findall(attributes):
        if key.lower() == name:
            return unescape(double or single or bare)
    return None
