"""Code blocks of ChatGPT's page: the code, its language, and the furniture around it."""

import re
from functools import lru_cache
from typing import NamedTuple

from imitation_data.rows.page.tags import TAG, attribute, unescape

_ATTRIBUTES = re.compile(r"""(?:[^<>"']|"[^"]*"|'[^']*')*+>""")
_HIGHLIGHT = re.compile(r'<span class="hljs-[^"<>]*+">')
# Inside code only these are markup; `<windows.h>` that the page failed to escape is code.
_MARKUP = re.compile(r"</?(?:a|br|code|div|font|mark|span|wbr)(?:\s[^<>]*+)?/?>")
_BREAK = re.compile(r"<br\s*/?>")
_BUTTON = re.compile(r"</?button\b[^<>]*>")
_LANGUAGE = re.compile(r"(?:^|\s)lang(?:uage)?-([^\s`]+)")
_LABEL = re.compile(r"[\w+#.-]{1,30}")
_USUAL = 4096  # characters; the same few headers come again and again, and are read once

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


def read_code_block(html: str) -> CodeBlock:
    """Read what stands between `<pre` and `</pre>`, the attributes of `<pre>` included.

    The page wrapped code in several ways over the years: a header with a label and a button, the
    button alone, a label as bare text of a `<div>`, the button in a footer, or nothing at all.
    In each of them the code is what stands in `<code>`.
    """
    opening = _ATTRIBUTES.match(html)
    body = html[opening.end() :] if opening else html
    start = body.find("<code")
    tag = TAG.match(body, start) if start >= 0 else None
    if tag is None or not tag[3]:
        return CodeBlock("", code_text(body.removeprefix("\n")), "", "", 0)
    end = body.rfind("</code>")
    if end < tag.end():
        end = len(body)
    header, labels = _furniture(body[:start])
    footer, more = _furniture(body[end:])
    language = _language(tag[2]) if len(tag[2]) < _USUAL else ""
    if _LABEL.fullmatch(header):
        language, header = language or header, ""
    return CodeBlock(language, code_text(body[tag.end() : end]), header, footer, labels + more)


def code_text(html: str) -> str:
    """The text of highlighted code."""
    if "<" in html:
        html = _HIGHLIGHT.sub("", html.replace("</span>", ""))
        if "<" in html:
            html = _MARKUP.sub("", _BREAK.sub("\n", html))
    return unescape(html)


@lru_cache(maxsize=256)
def _language(attributes: str) -> str:
    named = _LANGUAGE.search(attribute(attributes, "class") or "")
    return named[1] if named else ""


def _furniture(html: str) -> tuple[str, int]:
    """Split header or footer into the text that counts and the number of copy labels."""
    return _read_furniture(html) if len(html) < _USUAL else _read_furniture.__wrapped__(html)


@lru_cache(maxsize=256)
def _read_furniture(html: str) -> tuple[str, int]:
    pieces = _BUTTON.split(html)
    labels = 0
    texts = []
    for index, piece in enumerate(pieces):
        text = unescape(TAG.sub(" ", piece)).strip()
        if index % 2 == 1 and index + 1 < len(pieces):  # inside a button
            labels += bool(text)
        elif text:
            texts.append(text)
    text, cut = cut_copy_labels(" ".join(texts))
    return text, labels + cut


def cut_copy_labels(text: str) -> tuple[str, int]:
    """Cut the labels of copy buttons off the end of a text, and count them."""
    end, count = len(text), 0
    while text.endswith(COPY_LABELS, 0, end):
        end -= next(len(label) for label in COPY_LABELS if text.endswith(label, 0, end))
        while end and text[end - 1].isspace():
            end -= 1
        count += 1
    return text[:end], count
