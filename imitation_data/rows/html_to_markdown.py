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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imitation_data.rows.block_markdown import (
    Block,
    join,
    write_cell,
    write_code,
    write_heading,
    write_list,
    write_quote,
    write_table,
)
from imitation_data.rows.inline_markdown import Inline, destination, guard_lines
from imitation_data.rows.page_html import (
    BLOCK_ELEMENTS,
    ELEMENTS,
    Tag,
    TagFields,
    attribute,
    cut_copy_labels,
    read_code_block,
    split_tags,
    unescape,
    without_comments,
)

MAX_DEPTH = 48  # quotes, lists and items in each other; deeper ones keep their text only

_COUNTER = re.compile(r"\d{1,4} / \d{1,4}")
_COPY_COUNTER = re.compile(r"(?:Copy)?\d{1,9} chars / \d{1,9} words")
_MATH = re.compile(r"""class=["'][^"']*\b(?:katex|math-inline|math-display)\b""")
_DISPLAY = re.compile(r"\b(?:katex-display|math-display)\b|\bdisplay=.block\b")


class Converted(NamedTuple):
    """Markdown, and how many pieces of page furniture of each kind were left out."""

    markdown: str
    left_out: Mapping[str, int]


@dataclass(slots=True)
class _Container:
    """An open element that holds blocks."""

    tag: str
    attributes: str = ""
    blocks: list[Block] = field(default_factory=list)
    items: list[list[Block]] = field(default_factory=list)  # of a list
    rows: list[list[str]] = field(default_factory=list)  # of a table
    aligns: list[str] = field(default_factory=list)  # of a table's first row
    loose: bool = False  # a list whose items hold paragraphs


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
    """Builds the blocks of one turn from its tags, in order."""

    def __init__(self) -> None:
        self.root = _Container("root")
        self.open: list[_Container] = [self.root]
        self.count: Counter[str] = Counter()  # open containers by tag
        self.ignored: Counter[str] = Counter()  # containers that opened too deep
        self.inline = Inline()
        self.in_paragraph = False
        self.left_out: Counter[str] = Counter()

    def feed(self, html: str) -> None:
        """Read a stretch of HTML."""
        text, tags = split_tags(html)
        self.text(text)
        for name, attributes, end, behind in tags:
            tag = Tag(name.lower(), attributes, end, behind)
            if not end:
                self.text(f"<{name}{attributes}{behind}")
            elif (handle := _HANDLERS.get(tag.name)) is not None:
                handle(self, tag)
                self.text(behind)
            elif (swallow := _SWALLOWED.get(tag.name)) is not None:
                self.text(swallow(self, tag, tags))
            elif tag.name.lstrip("/") in ELEMENTS or "-" in name:
                self.text(behind)
            else:  # not HTML: text that the page failed to escape
                self.text(f"<{name}{attributes}{end}{behind}")

    def text(self, text: str) -> None:
        if text and (self.inline or not text.isspace()):
            self.inline.text(unescape(text))

    def finish(self) -> Converted:
        while len(self.open) > 1:
            self._close_innermost()
        self._flush()
        return Converted(join(self.root.blocks), self.left_out)

    # Blocks

    def _add(self, kind: str, text: str, marker: str = "") -> None:
        self.open[-1].blocks.append(Block(kind, text, marker))

    def _flush(self) -> None:
        """End the running paragraph, if there is one."""
        written, self.in_paragraph = self.in_paragraph, False
        if not self.inline:
            return
        text = self.inline.render()
        self.inline = Inline()
        if len(self.open) == 1 and not written:
            text = self._without_furniture(text)
        if text:
            flow = self.open[-1].tag in _FLOW
            self._add("paragraph", guard_lines(text) if flow else text)

    def _without_furniture(self, text: str) -> str:
        """Leave out counters and labels that stand by themselves outside of the answer's blocks."""
        if not self.root.blocks and _COUNTER.fullmatch(text):
            self.left_out["variant_counter"] += 1
            return ""
        if _COPY_COUNTER.fullmatch(text):
            self.left_out["copy_counter"] += 1
            return ""
        rest, labels = cut_copy_labels(text)
        if labels and not rest:
            self.left_out["copy_code"] += labels
            return ""
        return text

    def block(self, _tag: Tag) -> None:
        self._flush()

    def paragraph(self, _tag: Tag) -> None:
        self._flush()
        self.in_paragraph = True
        if self.open[-1].tag == "li":
            self.open[-2].loose = True

    def rule(self, _tag: Tag) -> None:
        self._flush()
        # `- ---` would be a rule, not an item that holds one.
        self._add("rule", "***" if self.open[-1].tag == "li" else "---")

    def code_block(self, html: str) -> None:
        """Add a `<pre>`, given from behind its `<pre` to before its closing tag."""
        self._flush()
        block = read_code_block(html)
        self.left_out["copy_code"] += block.labels
        if block.before:
            self._add("paragraph", guard_lines(block.before))
        self._add("code", write_code(block.code, block.language))
        if block.after:
            self._add("paragraph", guard_lines(block.after))

    # Containers

    def open_container(self, tag: Tag) -> None:
        self._flush()
        name = tag.name
        if name == "li":
            self._open_item(tag)
        elif name in {"td", "th"}:
            self._open_cell(tag)
        elif len(self.open) > MAX_DEPTH or (name == "table" and self.count["table"]):
            self.ignored[name] += 1
        else:
            self._push(tag)

    def _push(self, tag: Tag) -> None:
        self.open.append(_Container(tag.name, tag.attributes))
        self.count[tag.name] += 1

    def _open_item(self, tag: Tag) -> None:
        if self.open[-1].tag == "li":  # the last item was not closed
            self._close_innermost()
        top = self.open[-1]
        if top.tag not in {"ul", "ol"} or self.ignored["ul"] or self.ignored["ol"]:
            self.ignored["li"] += 1
            return
        _adopt(top)
        self._push(tag)

    def _open_cell(self, tag: Tag) -> None:
        if self.open[-1].tag in {"td", "th"} and not self.ignored["table"]:
            self._close_innermost()
        table = self.open[-1]
        if table.tag != "table":
            self.ignored[tag.name] += 1
            return
        if len(table.rows) <= 1:
            style = attribute(tag.attributes, "style") or ""
            align = attribute(tag.attributes, "align") or style.partition("text-align:")[2]
            table.aligns.append(align.partition(";")[0].strip().lower())
        self._push(tag)

    def row(self, _tag: Tag) -> None:
        self._flush()
        while self.open[-1].tag in {"td", "th"} and not self.ignored["table"]:
            self._close_innermost()
        if self.open[-1].tag == "table":
            self.open[-1].rows.append([])

    def close_container(self, tag: Tag) -> None:
        self._flush()
        name = tag.name[1:]
        if self.ignored[name]:
            self.ignored[name] -= 1
        elif self.count[name]:
            while self._close_innermost() != name:
                pass

    def _close_innermost(self) -> str:
        self._flush()
        closed = self.open.pop()
        self.count[closed.tag] -= 1
        parent = self.open[-1]
        blocks = closed.blocks
        if closed.tag == "li":
            parent.items.append(blocks)
        elif closed.tag in {"td", "th"}:
            if not parent.rows:
                parent.rows.append([])
            parent.rows[-1].append(write_cell(blocks))
        elif closed.tag == "table":
            parent.blocks += blocks  # a caption
            if any(closed.rows):
                self._add("table", write_table(closed.rows, closed.aligns))
        elif closed.tag in {"ul", "ol"}:
            _adopt(closed)
            if closed.items:
                last = parent.blocks[-1] if parent.blocks else None
                start = _start(closed.attributes) if closed.tag == "ol" else None
                parent.blocks.append(write_list(closed.items, start, last, loose=closed.loose))
        elif blocks and closed.tag == "blockquote":
            self._add("quote", write_quote(blocks))
        elif blocks:
            self._add("heading", write_heading(int(closed.tag[1]), blocks))
        return closed.tag

    # Inline

    def emphasis(self, tag: Tag) -> None:
        self.inline.open(_KINDS[tag.name])

    def close_inline(self, tag: Tag) -> None:
        self.inline.close(_KINDS[tag.name[1:]])

    def link(self, tag: Tag) -> None:
        href = attribute(tag.attributes, "href")
        self.inline.open("a", href, attribute(tag.attributes, "title") or "")

    def image(self, tag: Tag) -> None:
        source = attribute(tag.attributes, "src")
        alt = " ".join((attribute(tag.attributes, "alt") or "").split())
        title = attribute(tag.attributes, "title") or ""
        if source:
            alt = re.sub(r"[\[\]]", r"\\\g<0>", alt)
            self.inline.markup(f"![{alt}]({destination(source, title)})")
        elif alt:
            self.inline.text(alt)

    def line_break(self, _tag: Tag) -> None:
        if self.count["td"] or self.count["th"]:
            self.inline.joint("<br>")
        elif any(self.count[heading] for heading in _HEADINGS):
            self.inline.joint(" ")
        elif self.inline:
            self.inline.line_break()

    def script(self, tag: Tag) -> None:
        self.inline.markup(f"<{tag.name}>")  # 10<sup>6</sup> is not 106

    def checkbox(self, tag: Tag) -> None:
        if attribute(tag.attributes, "type") == "checkbox":
            checked = re.search(r"\schecked\b", tag.attributes) is not None
            self.inline.checkbox(checked=checked)

    # Elements read whole; each returns the text behind its closing tag

    def code(self, tag: Tag, tags: Iterator[TagFields]) -> str:
        inside, behind, closed = _inside(tag, tags)
        text = unescape(_shown(inside))
        if not closed:
            return text
        self.inline.code(text)
        return behind

    def button(self, tag: Tag, tags: Iterator[TagFields]) -> str:
        inside, behind, closed = _inside(tag, tags)
        text = _shown(inside)
        if not closed:
            return text
        self.left_out["copy_code"] += cut_copy_labels(unescape(text).strip())[1]
        return behind

    def unseen(self, tag: Tag, tags: Iterator[TagFields]) -> str:
        inside, behind, closed = _inside(tag, tags)
        return behind if closed else _shown(inside)

    def box(self, tag: Tag, tags: Iterator[TagFields]) -> str:
        """Read a `<div>` or `<span>`: a block, nothing, or a formula."""
        if tag.name == "div":
            self._flush()
        if not ("math" in tag.attributes or "katex" in tag.attributes):
            return tag.text
        if tag.name != "math" and not _MATH.search(tag.attributes):
            return tag.text
        inside, behind, closed = _inside(tag, tags)
        if not closed:
            return _shown(inside)
        self._formula(inside, display=_DISPLAY.search(tag.attributes) is not None)
        if tag.name == "div":
            self._flush()
        return behind

    def _formula(self, inside: Sequence[Tag], *, display: bool) -> None:
        source = next((tag.text for tag in inside if tag.name == "annotation"), None)
        display = display or any(_DISPLAY.search(tag.attributes) for tag in inside)
        tex = unescape(_shown(inside) if source is None else source).strip()
        if not tex:
            return
        if not display:
            self.inline.markup(f"${' '.join(tex.split())}$")
        elif self.inline:
            self.inline.markup(f"$${' '.join(tex.split())}$$")
        else:
            self._add("math", f"$$\n{tex}\n$$")


def _inside(opening: Tag, tags: Iterator[TagFields]) -> tuple[list[Tag], str, bool]:
    """Read up to the closing tag of an element.

    Returns:
        The tags inside (the first is the opening one, for its text), the text behind the closing
        tag, and whether there was one; without it everything left is inside.
    """
    name, closing, depth = opening.name, "/" + opening.name, 1
    inside = [opening]
    for fields in tags:
        tag = Tag(*fields)
        name_here = tag.name.lower()
        if name_here == closing:
            depth -= 1
            if not depth:
                return inside, tag.text, True
        elif name_here == name:
            depth += 1
        inside.append(tag)
    return inside, "", False


def _shown(inside: Sequence[Tag]) -> str:
    """The text of an element, with what is no HTML tag kept as text; references not replaced."""
    texts = [inside[0].text]
    for tag in inside[1:]:
        name = tag.name.lstrip("/").lower()
        known = name in ELEMENTS or "-" in name
        texts.append(tag.text if known and tag.end else tag.source + tag.text)
    return "".join(texts)


def _start(attributes: str) -> int:
    """The number of an ordered list's first item; at most 8 digits, so that items can follow."""
    start = attribute(attributes, "start") or "1"
    return int(start) if re.fullmatch(r"\d{1,8}", start, re.ASCII) else 1


def _adopt(container: _Container) -> None:
    """Move what stands in a list outside of its items into the last item."""
    if container.blocks:
        if not container.items:
            container.items.append([])
        container.items[-1] += container.blocks
        container.blocks.clear()


_FLOW = frozenset({"root", "blockquote", "li", "ul", "ol", "table"})
_HEADINGS = tuple(f"h{level}" for level in range(1, 7))
_CONTAINERS = ("ul", "ol", "li", "blockquote", "table", "td", "th", *_HEADINGS)
_KINDS = {
    "a": "a",
    "b": "strong",
    "strong": "strong",
    "em": "em",
    "i": "em",
    "del": "del",
    "s": "del",
    "strike": "del",
}
_HANDLERS: Mapping[str, Callable[[_Page, Tag], None]] = {
    **dict.fromkeys(BLOCK_ELEMENTS, _Page.block),
    **{f"/{name}": _Page.block for name in (*BLOCK_ELEMENTS, "div", "p", "tr")},
    **dict.fromkeys(_CONTAINERS, _Page.open_container),
    **{f"/{name}": _Page.close_container for name in _CONTAINERS},
    **{name: _Page.emphasis for name in _KINDS if name != "a"},
    **{f"/{name}": _Page.close_inline for name in _KINDS},
    **dict.fromkeys(("sup", "/sup", "sub", "/sub"), _Page.script),
    "a": _Page.link,
    "br": _Page.line_break,
    "hr": _Page.rule,
    "img": _Page.image,
    "input": _Page.checkbox,
    "p": _Page.paragraph,
    "tr": _Page.row,
}
_SWALLOWED: Mapping[str, Callable[[_Page, Tag, Iterator[TagFields]], str]] = {
    "button": _Page.button,
    "code": _Page.code,
    "div": _Page.box,
    "math": _Page.box,
    "script": _Page.unseen,
    "span": _Page.box,
    "style": _Page.unseen,
    "svg": _Page.unseen,
    "template": _Page.unseen,
}
