"""Blocks as Markdown: code fences, lists, quotes, tables, and the lines between them."""

import re
from collections.abc import Sequence
from itertools import pairwise

from imitation_data.rows.page.escape import guard_lines

_NEXT_LINE = re.compile(r"\n(?!\n|\Z)")
_CLOSING_FENCE = re.compile(r"^ {0,3}(`{3,})[ \t]*$", re.MULTILINE)
_UNDERLINED = 2
_RULES = {"left": ":---", "right": "---:", "center": ":---:"}


# A finished block. Kind: paragraph, heading, code, quote, list, table, rule or math. Text: its
# Markdown, without a line break at the end. Marker: of a list, its bullet or the delimiter behind
# its numbers. A bare tuple, since an answer has hundreds of them.
Block = tuple[str, str, str]


def join(blocks: Sequence[Block], *, tight: bool = False) -> str:
    """Write blocks one under the other; `tight` spares blank lines where it can."""
    if len(blocks) <= 1:
        return blocks[0][1] if blocks else ""
    parts = [blocks[0][1]]
    for before, block in pairwise(blocks):
        parts += ["\n" if tight and _may_touch(before, block) else "\n\n", block[1]]
    return "".join(parts)


def _may_touch(before: Block, block: Block) -> bool:
    """Whether two blocks stay apart without a blank line between them."""
    above, (kind, text, marker) = before[0], block
    if "math" in (above, kind):
        return False
    if kind == "paragraph":
        last_line = before[1].rpartition("\n")[2].lstrip(" >")
        fenced = above != "paragraph" and last_line.startswith("```")
        return fenced or above in {"heading", "rule"}
    if kind == "list" and above == "paragraph":
        return marker in "-*" or text.startswith(("1.", "1)"))
    return True


def write_heading(level: int, blocks: Sequence[Block]) -> str:
    """Write a heading; one of several lines is underlined, which only levels 1 and 2 can be."""
    text = " ".join(text for _, text, _ in blocks)
    if "\n" in text and level <= _UNDERLINED:
        return f"{guard_lines(text)}\n{'===' if level == 1 else '---'}"
    text = text.replace("\n", " ")
    line = f"{'#' * level} {text}"
    return re.sub(r"(?<= )(#+)$", r"\\\1", line)  # trailing ones would be no text


def write_code(code: str, language: str) -> str:
    """Write a fence longer than any line of the code that would close it; the code is kept."""
    fence = "```"
    if fence in code:
        fence = max([fence, *(f"{found}`" for found in _CLOSING_FENCE.findall(code))], key=len)
    end = "" if code.endswith("\n") or not code else "\n"
    return f"{fence}{language}\n{code}{end}{fence}"


def write_quote(blocks: Sequence[Block]) -> str:
    """Write a block quote."""
    return "\n".join(f"> {line}" if line else ">" for line in join(blocks).split("\n"))


def write_list(
    items: Sequence[Sequence[Block]],
    start: int | None,
    before: Block | None,
    *,
    loose: bool,
) -> Block:
    """Write a list.

    Args:
        items: the blocks of each item.
        start: number of the first item; None for bullets.
        before: the block in front. If it is a list of the same kind, this one takes the other
            marker, since with the same one they would read as one list.
        loose: whether blank lines stand between the items.
    """
    marker, other = "-*" if start is None else ".)"
    if before and before[2] == marker:
        marker = other
    lines = []
    for offset, blocks in enumerate(items):
        head = f"{marker} " if start is None else f"{start + offset}{marker} "
        text = join(blocks, tight=not loose)
        if "\n" in text:
            text = _NEXT_LINE.sub("\n" + " " * len(head), text)
        lines.append(head + text if text else head.rstrip())
    return "list", ("\n\n" if loose else "\n").join(lines), marker


def write_cell(blocks: Sequence[Block]) -> str:
    """Write a table cell: one line, its pipes escaped."""
    lines = "\n".join(text for _, text, _ in blocks).replace("|", "\\|").split("\n")
    return "<br>".join(line.strip() for line in lines if line.strip())


def write_table(rows: Sequence[Sequence[str]], aligns: Sequence[str]) -> str:
    """Write a pipe table (GitHub Flavored Markdown 4.10); the first row is its header.

    Args:
        rows: cells by row; short rows are filled up.
        aligns: left, right, center or "", for the columns of the first row.
    """
    full = [list(row) for row in rows if row]
    width = max(map(len, full))
    rules = [_RULES.get(align, "---") for align in aligns[:width]]
    full.insert(1, rules + ["---"] * (width - len(rules)))
    return "\n".join("| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in full)
