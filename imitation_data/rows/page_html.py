"""Reading the HTML that ChatGPT's page serialised: tags, entities and code blocks.

A browser's serialisation (`outerHTML`, HTML Standard 13.3) is regular: attributes stand in double
quotes and text has its `<`, `>` and `&` escaped. One pass over its tags is enough, and what is not
such a tag stays text. Every scan here is linear, whatever the input.
"""

import re
from collections.abc import Iterator
from html import unescape as unescape_reference
from typing import NamedTuple

# The closing bracket is optional: a broken tag is consumed once, as text, and never rescanned.
_TAG = re.compile(r"""<(/?[A-Za-z][A-Za-z0-9-]*+)((?:[^<>"']|"[^"]*"|'[^']*')*+)(>?)""")
_DECLARATION = re.compile(r"<[!?][A-Za-z][^<>]*>")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ATTRIBUTE = re.compile(
    r"""(?<![A-Za-z-])([A-Za-z-]++)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))"""
)

# Inside code only these are markup; `<windows.h>` that the page failed to escape is code.
_CODE_MARKUP = re.compile(r"</?(?:a|br|code|div|font|mark|span|wbr)(?:\s[^<>]*+)?/?>")
_BUTTON = re.compile(r"</?button\b[^<>]*>")
_LANGUAGE = re.compile(r"(?:^|\s)lang(?:uage)?-(\S+)")
_LABEL = re.compile(r"[\w+#.-]{1,30}")

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

# The label of a code block's button, in the languages of ChatGPT's page.
COPY_LABELS = (
    "Copy code",
    "Code kopieren",
    "Copia codice",
    "Copiar código",
    "Copier le code",
    "Kodu kopyala",
    "Kopiuj kod",
    "Salin kode",
    "Sao chép mã",
    "Копировать код",
    "코드 복사",
    "コードをコピーする",
    "复制代码",
    "複製程式碼",
)


class Tag(NamedTuple):
    """One tag and the text behind it; `name` of a closing tag begins with a slash."""

    name: str
    attributes: str
    end: str
    text: str

    @property
    def source(self) -> str:
        """The tag as it stood in the HTML."""
        return f"<{self.name}{self.attributes}{self.end}"


TagFields = tuple[str, str, str, str]


class CodeBlock(NamedTuple):
    """What one `<pre>` of the page holds.

    Attributes:
        language: from the class of `<code>`, else from the label; "" if the page names none.
        code: the text, byte for byte.
        before: text of the header that is neither the language nor a button.
        after: text behind the code.
        labels: copy buttons and labels left out.
    """

    language: str
    code: str
    before: str
    after: str
    labels: int


def split_tags(html: str) -> tuple[str, Iterator[TagFields]]:
    """Return the text before the first tag, and the fields of every `Tag` in order."""
    pieces = iter(_TAG.split(html))
    return next(pieces), zip(pieces, pieces, pieces, pieces, strict=False)


def without_comments(html: str) -> str:
    """Leave out comments and declarations; an unclosed comment stays, as text."""
    if "<!" not in html and "<?" not in html:
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
    return _REFERENCE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    reference = match[0]
    known = _FREQUENT.get(reference)
    # A reference to a control character has no text of its own: it stays as written.
    return known if known is not None else unescape_reference(reference) or reference


_FREQUENT = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&#x27;": "'",
    "&nbsp;": "\u00a0",
}


def attribute(attributes: str, name: str) -> str | None:
    """Value of one attribute, its references replaced; None if the tag has no such attribute."""
    for key, double, single, bare in _ATTRIBUTE.findall(attributes):
        if key.lower() == name:
            return unescape(double or single or bare)
    return None


def read_code_block(html: str) -> CodeBlock:
    """Read what stands between `<pre` and `</pre>`, the attributes of `<pre>` included.

    The page wrapped code in several ways over the years: a header with a label and a button, the
    button alone, a label as bare text of a `<div>`, the button in a footer, or nothing at all.
    In each of them the code is what stands in `<code>`.
    """
    opening = _TAG.match("<pre" + html)
    body = html[opening.end() - 4 :] if opening and opening[3] else html
    start = body.find("<code")
    tag = _TAG.match(body, start) if start >= 0 else None
    if tag is None:
        return CodeBlock("", _code_text(body.removeprefix("\n")), "", "", 0)
    end = body.rfind("</code>")
    if end < tag.end():
        end = len(body)
    header, labels = _furniture(body[:start])
    footer, more = _furniture(body[end:])
    named = _LANGUAGE.search(attribute(tag[2], "class") or "")
    language = named[1].replace("`", "") if named else ""
    if _LABEL.fullmatch(header):
        language, header = language or header, ""
    return CodeBlock(language, _code_text(body[tag.end() : end]), header, footer, labels + more)


def _code_text(html: str) -> str:
    if "<br" in html:
        html = re.sub(r"<br\s*/?>", "\n", html)
    return unescape(_CODE_MARKUP.sub("", html))


def _furniture(html: str) -> tuple[str, int]:
    """Split header or footer into the text that counts and the number of copy labels."""
    pieces = _BUTTON.split(html)
    labels = 0
    texts = []
    for index, piece in enumerate(pieces):
        text = unescape(_TAG.sub(" ", piece)).strip()
        inside_button = index % 2 == 1 and index + 1 < len(pieces)
        if inside_button:
            labels += bool(text)
        elif text:
            texts.append(text)
    text, cut = cut_copy_labels(" ".join(texts))
    return text, labels + cut


def cut_copy_labels(text: str) -> tuple[str, int]:
    """Cut the labels of copy buttons off the end of a text, and count them."""
    count = 0
    while text.endswith(COPY_LABELS):
        text = next(text.removesuffix(label) for label in COPY_LABELS if text.endswith(label))
        text, count = text.rstrip(), count + 1
    return text, count
