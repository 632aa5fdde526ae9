"""The blocks of one answer while it is read: what is open, and what is finished."""

from collections import defaultdict

from imitation_data.rows.page.blocks import (
    Block,
    join,
    write_cell,
    write_heading,
    write_list,
    write_quote,
    write_table,
)

MAX_DEPTH = 48  # quotes, lists and items in each other; deeper ones keep their text only
_CELLS = frozenset({"td", "th"})
_LISTS = frozenset({"ul", "ol"})


class Container:
    """An open element that holds blocks; its `tag` is `root` for the answer itself."""

    __slots__ = ("blocks", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.blocks: list[Block] = []


class ListContainer(Container):
    """An open list: the blocks of its finished items, and whether items hold paragraphs."""

    __slots__ = ("items", "loose", "start")

    def __init__(self, tag: str, start: int | None) -> None:
        super().__init__(tag)
        self.start = start
        self.items: list[list[Block]] = []
        self.loose = False


class TableContainer(Container):
    """An open table: the cells of its rows, and how those of the first row are aligned."""

    __slots__ = ("aligns", "rows")

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.rows: list[list[str]] = []
        self.aligns: list[str] = []


class BlockStack:
    """Open containers, the innermost last, each with its finished blocks."""

    def __init__(self) -> None:
        self.root = Container("root")
        self.top = self.root
        self._open = [self.root]
        self._count: defaultdict[str, int] = defaultdict(int)  # open containers by tag
        self._ignored: dict[str, int] = {}  # open elements of which only the text is kept

    def holds(self, *tags: str) -> bool:
        """Whether an element of one of these names is open."""
        return any(self._count[tag] for tag in tags)

    def add(self, kind: str, text: str) -> None:
        """Add a finished block to the innermost container."""
        self.top.blocks.append((kind, text, ""))

    def loosen(self) -> None:
        """Note that an item holds a paragraph: the list's items stand apart."""
        if self.top.tag == "li":
            parent = self._open[-2]
            if isinstance(parent, ListContainer):
                parent.loose = True

    def open(self, tag: str, *, start: int | None = None) -> None:
        """Open a quote, list, table or heading; too deep, or a table in a table, it is ignored."""
        if len(self._open) > MAX_DEPTH or (tag == "table" and self._count["table"]):
            self._ignore(tag)
        elif tag in _LISTS:
            self._push(ListContainer(tag, start))
        elif tag == "table":
            self._push(TableContainer(tag))
        else:
            self._push(Container(tag))

    def open_item(self) -> None:
        """Open an item of the innermost list; outside of a list it is ignored."""
        if self.top.tag == "li":  # the item before was not closed
            self._close_top()
        top = self.top
        if isinstance(top, ListContainer) and not self._ignores(*_LISTS):
            _adopt(top)
            self._push(Container("li"))
        else:
            self._ignore("li")

    def open_cell(self, tag: str, align: str) -> None:
        """Open a cell of the innermost table; outside of a table it is ignored."""
        self._close_cells()
        top = self.top
        if not isinstance(top, TableContainer) or self._ignores("table"):
            self._ignore(tag)
            return
        if len(top.rows) <= 1:
            top.aligns.append(align)
        self._push(Container(tag))

    def open_row(self) -> None:
        """Begin a row of the innermost table."""
        self._close_cells()
        if isinstance(self.top, TableContainer):
            self.top.rows.append([])

    def close(self, tag: str) -> None:
        """Close the innermost element of this name, and what was left open inside it."""
        if self.top.tag == tag and not self._ignored:
            self._close_top()
        elif self._ignores(tag):
            self._ignored[tag] -= 1
        elif self._count[tag]:
            while self._close_top() != tag:
                pass

    def _push(self, container: Container) -> None:
        self.top = container
        self._open.append(container)
        self._count[container.tag] += 1

    def _ignore(self, tag: str) -> None:
        self._ignored[tag] = self._ignored.get(tag, 0) + 1

    def _ignores(self, *tags: str) -> bool:
        return bool(self._ignored) and any(self._ignored.get(tag) for tag in tags)

    def finish(self) -> str:
        """Close everything, and write the answer."""
        while len(self._open) > 1:
            self._close_top()
        return join(self.root.blocks)

    def _close_cells(self) -> None:
        while self.top.tag in _CELLS and not self._ignores("table"):
            self._close_top()

    def _close_top(self) -> str:
        closed = self._open.pop()
        self._count[closed.tag] -= 1
        parent = self.top = self._open[-1]
        blocks = closed.blocks
        if closed.tag == "li" and isinstance(parent, ListContainer):
            parent.items.append(blocks)
        elif isinstance(closed, ListContainer):
            self._close_list(closed)
        elif isinstance(closed, TableContainer):
            parent.blocks += blocks  # a caption
            if any(closed.rows):
                self.add("table", write_table(closed.rows, closed.aligns))
        elif isinstance(parent, TableContainer):
            if not parent.rows:
                parent.rows.append([])
            parent.rows[-1].append(write_cell(blocks))
        elif blocks and closed.tag == "blockquote":
            self.add("quote", write_quote(blocks))
        elif blocks:
            self.add("heading", write_heading(int(closed.tag[1]), blocks))
        return closed.tag

    def _close_list(self, closed: ListContainer) -> None:
        _adopt(closed)
        if closed.items:
            blocks = self.top.blocks
            before = blocks[-1] if blocks else None
            blocks.append(write_list(closed.items, closed.start, before, loose=closed.loose))


def _adopt(container: ListContainer) -> None:
    """Move what stands in a list outside of its items into the last item."""
    if container.blocks:
        if not container.items:
            container.items.append([])
        container.items[-1] += container.blocks
        container.blocks.clear()
