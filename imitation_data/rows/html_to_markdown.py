"""The HTML of ChatGPT's page, back to the Markdown that the model wrote.

    <div class="markdown prose w-full break-words dark:prose-invert light"><p>Run <code>ls</code>:
    </p><pre><div class="bg-black mb-4 rounded-md"><div class="flex items-center ..."><span>bash
    </span><button class="flex ml-auto gap-2"><svg ...></svg>Copy code</button></div><div
    class="p-4 overflow-y-auto"><code class="!whitespace-pre hljs language-bash">ls -l
    </code></div></div></pre></div>

Every text a reader of the page sees is in the Markdown; only the page's own furniture (buttons,
the counter of variants, code labels once they are a fence's language) is left out. One pass over
the tags, no tree and no recursion: time is linear in the input, and any input is accepted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from imitation_data.rows.page.blocks import write_code
from imitation_data.rows.page.code import cut_copy_labels, read_code_block
from imitation_data.rows.page.escape import guard_lines
from imitation_data.rows.page.inline import Inline, destination
from imitation_data.rows.page.stack import BlockStack
from imitation_data.rows.page.tags import (
    BLOCK_ELEMENTS,
    Tag,
    attribute,
    is_element,
    read_inside,
    split_tags,
    unescape,
    without_comments,
)

_COUNTER = re.compile(r"\d{1,4} / \d{1,4}")
_COPY_COUNTER = re.compile(r"(?:Copy)?\d{1,9} chars / \d{1,9} words")
_MATH = re.compile(r"""class=["'][^"']*\b(?:katex|math-inline|math-display)\b""")
_DISPLAY = re.compile(r"\b(?:katex-display|math-display)\b|\bdisplay=.block\b")
_HEADINGS = tuple(f"h{level}" for level in range(1, 7))
_ONE_LINE = frozenset({*_HEADINGS, "td", "th"})


class Converted(NamedTuple):
    """Markdown, and how many pieces of page furniture of each kind were left out."""

    markdown: str
    left_out: Mapping[str, int]


def convert(html: str) -> str:
    """Convert one turn of the page's HTML to Markdown.

    >>> convert("<p>Use <code>a_b</code>, <strong>not</strong> a*b.</p>")
    'Use `a_b`, **not** a*b.'
    """
    return convert_page(html).markdown


def convert_page(html: str) -> Converted:
    """Convert one turn, and count the page furniture that was left out.

    Kinds: `copy_code` (copy buttons and labels), `variant_counter` (the "1 / 2" of regenerated
    answers), `copy_counter` (the "Copy183 chars / 30 words" of a browser extension).
    """
    page = _Page()
    head, *blocks = without_comments(html).split("<pre")
    page.feed(head)
    for block in blocks:
        if block[:1] not in {">", " ", "\n", "\t"}:
            page.feed("<pre" + block)
            continue
        inside, _, behind = block.partition("</pre>")
        page.code_block(inside)
        page.feed(behind)
    return page.finish()


class _Page:
    """Reads the tags of one turn in order, and writes what they mean."""

    def __init__(self) -> None:
        self.blocks = BlockStack()
        self.inline = Inline()
        self.in_paragraph = False
        self.left_out: dict[str, int] = {}

    def feed(self, html: str) -> None:
        """Read a stretch of HTML."""
        text, tags = split_tags(html)
        self.text(text)
        inline = self.inline
        for name, attributes, end, behind in tags:
            handle = _HANDLERS.get(name)
            if handle is not None and end:
                handle(self, name, attributes)
                text = behind
            else:
                text = self._read((name, attributes, end, behind), tags)
            if text and (inline.pieces or not text.isspace()):
                inline.text(unescape(text) if "&" in text else text)

    def _read(self, tag: Tag, tags: Iterator[Tag]) -> str:
        """Read a tag that may read on; return the text behind."""
        name, attributes, end, behind = tag
        if not end or not is_element(tag):
            return "<" + "".join(tag)
        lower = name.lower()
        swallow = _READ_WHOLE.get(lower)
        if swallow is not None:
            return swallow(self, (lower, attributes, end, behind), tags)
        if lower in _HANDLERS:
            _HANDLERS[lower](self, lower, attributes)
        return behind

    def text(self, text: str) -> None:
        if text and (self.inline.pieces or not text.isspace()):
            self.inline.text(unescape(text))

    def finish(self) -> Converted:
        self._flush()
        return Converted(self.blocks.finish(), self.left_out)

    def _flush(self) -> None:
        """End the running paragraph; callers that run for every tag ask first if there is one."""
        text = self.inline.take()
        top = self.blocks.top
        if top.tag == "root" and not self.in_paragraph:
            text = self._without_furniture(text)
        if text:
            self.blocks.add("paragraph", text if top.tag in _ONE_LINE else guard_lines(text))

    def _without_furniture(self, text: str) -> str:
        """Leave out counters and labels that stand by themselves outside of the answer's blocks."""
        if not self.blocks.root.blocks and _COUNTER.fullmatch(text):
            self._leave_out("variant_counter")
            return ""
        if _COPY_COUNTER.fullmatch(text):
            self._leave_out("copy_counter")
            return ""
        rest, labels = cut_copy_labels(text)
        if labels and not rest:
            self._leave_out("copy_code", labels)
            return ""
        return text

    def _leave_out(self, kind: str, count: int = 1) -> None:
        self.left_out[kind] = self.left_out.get(kind, 0) + count

    # Blocks

    def block(self, _name: str, _attributes: str) -> None:
        if self.inline.pieces:
            self._flush()
        self.in_paragraph = False

    def paragraph(self, _name: str, _attributes: str) -> None:
        if self.inline.pieces:
            self._flush()
        self.in_paragraph = True
        self.blocks.loosen()

    def rule(self, _name: str, _attributes: str) -> None:
        if self.inline.pieces:
            self._flush()
        # `- ---` would be a rule, not an item that holds one.
        self.blocks.add("rule", "***" if self.blocks.top.tag == "li" else "---")

    def code_block(self, html: str) -> None:
        """Add a `<pre>`, given from behind its `<pre` to before its closing tag."""
        self._flush()
        block = read_code_block(html)
        if block.labels:
            self._leave_out("copy_code", block.labels)
        if block.before:
            self.blocks.add("paragraph", guard_lines(block.before))
        self.blocks.add("code", write_code(block.code, block.language))
        if block.after:
            self.blocks.add("paragraph", guard_lines(block.after))

    def open_container(self, name: str, _attributes: str) -> None:
        self._flush()
        self.blocks.open(name)

    def open_ordered(self, name: str, attributes: str) -> None:
        self._flush()
        start = attribute(attributes, "start") if attributes else None
        # Nine digits at most (CommonMark 5.2), with room for the items that follow.
        number = int(start) if start and re.fullmatch(r"[0-9]{1,8}", start) else 1
        self.blocks.open(name, start=number)

    def open_item(self, _name: str, _attributes: str) -> None:
        if self.inline.pieces:
            self._flush()
        self.blocks.open_item()

    def open_cell(self, name: str, attributes: str) -> None:
        self._flush()
        align = ""
        if attributes:
            style = attribute(attributes, "style") or ""
            align = attribute(attributes, "align") or style.partition("text-align:")[2]
        self.blocks.open_cell(name, align.partition(";")[0].strip().lower())

    def row(self, _name: str, _attributes: str) -> None:
        self._flush()
        self.blocks.open_row()

    def close_container(self, name: str, _attributes: str) -> None:
        if self.inline.pieces:
            self._flush()
        self.blocks.close(name[1:])

    # Inline

    def emphasis(self, name: str, _attributes: str) -> None:
        self.inline.open(_KINDS[name])

    def close_inline(self, name: str, _attributes: str) -> None:
        self.inline.close(_KINDS[name[1:]])

    def link(self, _name: str, attributes: str) -> None:
        href = attribute(attributes, "href")
        self.inline.open("a", href, attribute(attributes, "title") or "")

    def image(self, _name: str, attributes: str) -> None:
        source = attribute(attributes, "src")
        alt = " ".join((attribute(attributes, "alt") or "").split())
        title = attribute(attributes, "title") or ""
        if source:
            alt = re.sub(r"[\[\]]", r"\\\g<0>", alt)
            self.inline.markup(f"![{alt}]({destination(source, title)})")
        elif alt:
            self.inline.text(alt)

    def line_break(self, _name: str, _attributes: str) -> None:
        if self.blocks.holds("td", "th"):
            self.inline.joint("<br>")
        elif self.blocks.holds(*_HEADINGS):
            self.inline.joint(" ")
        elif self.inline.pieces:
            self.inline.line_break()

    def script(self, name: str, _attributes: str) -> None:
        self.inline.markup(f"<{name}>")  # 10<sup>6</sup> is not 106

    def checkbox(self, _name: str, attributes: str) -> None:
        if attribute(attributes, "type") == "checkbox":
            checked = re.search(r"\schecked\b", attributes) is not None
            self.inline.checkbox(checked=checked)

    # Elements read whole; each returns the text behind its closing tag

    def code(self, tag: Tag, tags: Iterator[Tag]) -> str:
        text, _, behind = read_inside(tag[0], tag[3], tags)
        if behind is None:
            return text
        self.inline.code(unescape(text))
        return behind

    def button(self, tag: Tag, tags: Iterator[Tag]) -> str:
        text, _, behind = read_inside(tag[0], tag[3], tags)
        if behind is None:
            return text
        if labels := cut_copy_labels(unescape(text).strip())[1]:
            self._leave_out("copy_code", labels)
        return behind

    def unseen(self, tag: Tag, tags: Iterator[Tag]) -> str:
        text, _, behind = read_inside(tag[0], tag[3], tags)
        return text if behind is None else behind

    def box(self, tag: Tag, tags: Iterator[Tag]) -> str:
        """Read a `<div>`, `<span>` or `<math>`: a block, nothing, or a formula."""
        name, attributes, _, behind = tag
        if name == "div":
            self.block(name, attributes)
        if name != "math" and not ("at" in attributes and _MATH.search(attributes)):
            return behind
        text, inside, after = read_inside(name, behind, tags)
        if after is None:
            return text
        source = next((tag[3] for tag in inside if tag[0] == "annotation"), text)
        display = any(_DISPLAY.search(attributes) for attributes in _attributes_of(tag, inside))
        self._formula(unescape(source).strip(), display=display)
        if name == "div":
            self.block(name, attributes)
        return after

    def _formula(self, tex: str, *, display: bool) -> None:
        if display and tex and not self.inline.pieces:
            self.blocks.add("math", f"$$\n{tex}\n$$")
        elif tex:
            mark = "$$" if display else "$"
            self.inline.markup(f"{mark}{' '.join(tex.split())}{mark}")


def _attributes_of(tag: Tag, inside: list[Tag]) -> Iterator[str]:
    yield tag[1]
    yield from (attributes for _, attributes, _, _ in inside)


_KINDS = {
    **dict.fromkeys(("b", "strong"), "strong"),
    **dict.fromkeys(("em", "i"), "em"),
    **dict.fromkeys(("del", "s", "strike"), "del"),
    "a": "a",
}
_CONTAINERS = ("ul", "ol", "li", "blockquote", "table", "td", "th", *_HEADINGS)
_HANDLERS: Mapping[str, Callable[[_Page, str, str], None]] = {
    **dict.fromkeys(BLOCK_ELEMENTS, _Page.block),
    **dict.fromkeys([f"/{name}" for name in (*BLOCK_ELEMENTS, "div", "p", "tr")], _Page.block),
    **dict.fromkeys(_CONTAINERS, _Page.open_container),
    **dict.fromkeys([f"/{name}" for name in _CONTAINERS], _Page.close_container),
    **dict.fromkeys(_KINDS, _Page.emphasis),
    **dict.fromkeys([f"/{name}" for name in _KINDS], _Page.close_inline),
    **dict.fromkeys(("sup", "/sup", "sub", "/sub"), _Page.script),
    **dict.fromkeys(("td", "th"), _Page.open_cell),
    "a": _Page.link,
    "br": _Page.line_break,
    "hr": _Page.rule,
    "img": _Page.image,
    "input": _Page.checkbox,
    "li": _Page.open_item,
    "ol": _Page.open_ordered,
    "p": _Page.paragraph,
    "tr": _Page.row,
}
_READ_WHOLE: Mapping[str, Callable[[_Page, Tag, Iterator[Tag]], str]] = {
    **dict.fromkeys(("div", "math", "span"), _Page.box),
    **dict.fromkeys(("script", "style", "svg", "template"), _Page.unseen),
    "button": _Page.button,
    "code": _Page.code,
}
