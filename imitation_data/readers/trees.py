"""Trees of messages, told as `child: parent`: mended where they are broken, and cut into paths.

A tree can come with parents that are not there and with circles. Nothing here recurses, and every
function is linear in the number of nodes, except that paths have the length they have.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

MAX_TURNS = 100_000  # of all paths of one tree together; real trees have a few hundred

Node = TypeVar("Node")


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes and their parents, without circles or parents that are not there.

    Attributes:
        parents: every node's parent, or None for a root, in the order given.
        orphans: roots whose parent is not there.
        cut: roots that were part of a circle: the link to their parent closed it.
    """

    parents: dict[str, str | None]
    orphans: tuple[str, ...]
    cut: tuple[str, ...]


def plant(parents: Mapping[str, str | None]) -> Forest:
    """Make a forest of any mapping of nodes to parents."""
    mended = dict(parents)
    orphans = tuple(
        node for node, parent in parents.items() if parent is not None and parent not in mended
    )
    for node in orphans:
        mended[node] = None
    cut: list[str] = []
    done: set[str] = set()
    for node in parents:
        trail: set[str] = set()
        at: str | None = node
        while at is not None and at not in done:
            trail.add(at)
            above = mended[at]
            if above in trail:
                mended[at] = above = None
                cut.append(at)
            at = above
        done |= trail
    return Forest(mended, orphans, tuple(cut))


def roots(parents: Mapping[Node, Node | None]) -> dict[Node, Node]:
    """Tell the root of every node of a forest."""
    found: dict[Node, Node] = {}
    for node in parents:
        trail = [node]
        while trail[-1] not in found and (above := parents[trail[-1]]) is not None:
            trail.append(above)
        found.update(dict.fromkeys(trail, found.get(trail[-1], trail[-1])))
    return found


def thin(
    parents: Mapping[Node, Node | None], kept: Callable[[Node], bool]
) -> dict[Node, Node | None]:
    """Leave nodes out: every kept node gets its nearest kept ancestor as its parent.

    Args:
        parents: a forest.
        kept: asked once for each node.
    """
    stays = {node: kept(node) for node in parents}
    nearest: dict[Node, Node | None] = {}  # kept node at or above
    for node in parents:
        trail: list[Node] = []
        at: Node | None = node
        while at is not None and at not in nearest and not stays[at]:
            trail.append(at)
            at = parents[at]
        nearest.update(dict.fromkeys(trail, at if at is None else nearest.get(at, at)))
    return {
        node: None if above is None else nearest.get(above, above)
        for node, above in parents.items()
        if stays[node]
    }


def leaves(parents: Mapping[Node, Node | None]) -> list[Node]:
    """List the nodes that are nobody's parent, in order."""
    inner = set(parents.values())
    return [node for node in parents if node not in inner]


def path(parents: Mapping[Node, Node | None], end: Node) -> list[Node]:
    """List the nodes from the root down to `end`."""
    found = [end]
    while (above := parents[found[-1]]) is not None:
        found.append(above)
    return found[::-1]


def paths(parents: Mapping[Node, Node | None], ends: Iterable[Node]) -> list[list[Node]]:
    """List the paths to each end, in order, up to `MAX_TURNS` nodes; the first is always there."""
    found: list[list[Node]] = []
    total = 0
    for end in ends:
        if found and total >= MAX_TURNS:
            break
        found.append(path(parents, end))
        total += len(found[-1])
    return found
