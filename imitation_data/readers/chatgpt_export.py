"""ChatGPT data exports: what OpenAI sends when a user asks for their data.

One conversation of `conversations.json`, shortened (the messages are in `chatgpt_messages`):

    {"title": "Capitals", "create_time": 1700000000.5, "conversation_id": "6f1c…",
     "default_model_slug": "gpt-4", "current_node": "n3", "mapping": {
      "n0": {"id": "n0", "parent": null, "children": ["n1"], "message": null},
      "n1": {"id": "n1", "parent": "n0", "children": ["n2", "n3"], "message": {…"user"…}},
      "n2": {"id": "n2", "parent": "n1", "children": [], "message": {…"assistant"…}},
      "n3": {"id": "n3", "parent": "n1", "children": [], "message": {…"assistant"…}}}}

There is no official description of the format; this follows exports up to 2026. The zip, an
unpacked folder, `conversations.json` and `conversations-NNN.json` are read alike, and so is a root
object `{"conversations": […]}`. Once a file of the source has such a name, files of other names are
not opened: `user.json` holds an e-mail address and a phone number.

The mapping is a tree: editing a question or asking for another answer grows a branch. With
`branches: current` the parents are followed from `current_node` to the root: what the user saw
last. With `all` every path that ends in a message no other follows is a row, the current one as
part 0, the others by time. Messages in no row are counted as `branch_left_out`. Each message of the
mapping is either a turn of a row or counted by one edit; nodes without a message are structure.

Trees are mended: `parent_missing` counts nodes whose parent is not there, `cycle_cut` links that
would close a circle, `node_without_parent_link` those found only in another node's `children`, and
`node_without_message` nodes that lack the field (null is usual for the root). When
`current_node` is missing or unknown (`current_node_missing`), the last written leaf stands for it.

The teacher is the model named by most of a row's assistant messages, else `default_model_slug`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.chatgpt_messages import Said, said
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_nested import Member, read_under
from imitation_data.readers.json_records import RawRecord, read_json
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.roles import ToolPolicy
from imitation_data.readers.shape import Row, Unfit, convert, kept_meta, object_in
from imitation_data.readers.trees import leaves, path, paths, plant, thin

_OURS = re.compile(r"conversations([-_ (].*)?\.json(\.gz|\.zst)?", re.IGNORECASE)
_UNNAMED = ("", "auto")  # `auto`: the service chose, and the export does not say which
_KEPT = ("title", "create_time", "update_time", "models")


@dataclass(frozen=True)
class ChatGPTExport:
    """Read conversations out of ChatGPT data exports.

    Attributes:
        branches: `current`, the branch the user saw last, or `all`, every branch as a part.
        tools: what tool messages do to a conversation, as in `imitation_data.readers.roles`.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = (".json",)
    TOGETHER: ClassVar[bool] = True  # which files are read depends on the names of all

    branches: Literal["current", "all"] = "current"
    tools: ToolPolicy = "drop_messages"

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield a record for each conversation."""
        for file in conversation_files(files):
            yield from convert(_conversations(file), ("conversation_id", "id"), self._record)

    def _record(self, row: Row, origin: str, raw: RawRecord) -> Record:
        tree = _tree(row)
        current = path(tree.parents, tree.current) if tree.current else []
        nodes = current if self.branches == "current" else list(tree.parents)
        turns, omitted = _turns(tree, nodes)
        branches = [[node for node in current if node in turns]]
        if self.branches == "all":
            branches = _all_branches(tree, turns, branches[0])
        used = {node for branch in branches for node in branch}
        counts = tree.mended + omitted
        counts["branch_left_out"] = len(tree.messages) - len(used) - omitted.total()
        for node in used:
            counts += turns[node].edits
        edits = raw.edits + tuple(Edit(name, count) for name, count in sorted((+counts).items()))
        tools = omitted["tool_message_dropped"]
        if tools and self.tools == "drop_record":
            return Record(origin, (), (Drop("tool_message", found=tools, limit=0),), edits)
        if not used:
            drop = Drop("only_tool_messages", found=tools) if tools else Drop("no_turns")
            return Record(origin, (), (drop,), edits)
        rows = tuple(
            _row([turns[node] for node in branch], part, row, origin, raw)
            for part, branch in enumerate(branches)
        )
        return Record(origin, rows, (), edits)


def conversation_files(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Choose the files named `conversations….json`; all files when none has such a name."""
    ours = [
        file for file in files if _OURS.fullmatch(PurePosixPath(file.member or file.path.name).name)
    ]
    return ours or list(files)


def _conversations(file: SourceFile) -> Iterator[RawRecord | BadRecord]:
    """Yield the conversations of an array, or those under the key `conversations`."""
    for item in read_under(file, "conversations"):
        if not isinstance(item, Member) or item.name == "mapping":
            break
        if item.name == "conversations" and isinstance(item.value, list):
            rest = read_under(file, "conversations")
            yield from (part for part in rest if not isinstance(part, Member))
            return
    yield from read_json(file)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The mapping of one conversation: parents by node, messages by node, the node last seen."""

    parents: Mapping[str, str | None]
    messages: Mapping[str, Row]
    current: str | None
    mended: Counter[str]


def _tree(row: Row) -> _Tree:
    if "mapping" not in row:
        raise Unfit("no field mapping", "a conversation of a ChatGPT export (conversations.json)")
    parents: dict[str, str | None] = {}
    messages: dict[str, Row] = {}
    children: dict[str, str] = {}  # parent by child, as the parents tell it
    without = 0
    for name, value in object_in(row["mapping"], "mapping").items():
        node = object_in(value, "a node of the mapping")
        parent, below, message = node.get("parent"), node.get("children"), node.get("message")
        parents[name] = parent if isinstance(parent, str) else None
        for child in below if isinstance(below, list) else ():
            if isinstance(child, str):
                children.setdefault(child, name)
        if message is not None:
            messages[name] = object_in(message, "a message")
        without += "message" not in node
    unlinked = [node for node in parents if parents[node] is None and node in children]
    current = row.get("current_node")
    known = isinstance(current, str) and current in parents
    # A circle is cut where the walk from the current node closes it.
    first = {current: parents[current]} if isinstance(current, str) and known else {}
    forest = plant({**first, **parents, **{node: children[node] for node in unlinked}})
    mended = Counter(
        parent_missing=len(forest.orphans),
        cycle_cut=len(forest.cut),
        node_without_parent_link=len(unlinked),
        node_without_message=without,
        current_node_missing=int(bool(parents) and not known),
    )
    if not known:
        ends = [node for node in leaves(forest.parents) if node in messages]
        current = max(ends, key=lambda node: _time(messages[node]), default=None)
    return _Tree(forest.parents, messages, current if isinstance(current, str) else None, mended)


def _turns(tree: _Tree, nodes: Sequence[str]) -> tuple[dict[str, Said], Counter[str]]:
    """Read the messages of nodes: the turns among them, and what the others are counted as."""
    turns: dict[str, Said] = {}
    omitted: Counter[str] = Counter()
    for node in nodes:
        if node in tree.messages:
            what = said(tree.messages[node])
            if isinstance(what, Said):
                turns[node] = what
            else:
                omitted[what] += 1
    return turns, omitted


def _all_branches(
    tree: _Tree, turns: Mapping[str, Said], current: Sequence[str]
) -> list[list[str]]:
    """List every branch, the current one first and the others by time."""
    parents = thin(tree.parents, turns.__contains__)

    def order(node: str) -> tuple[bool, float, str]:
        return node != (current[-1] if current else None), _time(tree.messages[node]), node

    return paths(parents, sorted(leaves(parents), key=order))


def _time(message: Row) -> float:
    time = message.get("create_time")
    return time if isinstance(time, int | float) else 0.0


def _row(turns: Sequence[Said], part: int, row: Row, origin: str, raw: RawRecord) -> Conversation:
    models = [
        turn.model for turn in turns if turn.role == "assistant" and turn.model not in _UNNAMED
    ]
    default = row.get("default_model_slug")
    # The most frequent model; of equals the one that answered last.
    teacher = max(Counter(models[::-1]).items(), key=lambda item: item[1], default=("", 0))[0]
    if not teacher and isinstance(default, str) and default not in _UNNAMED:
        teacher = default
    several = {"models": ", ".join(dict.fromkeys(models))} if len(set(models)) > 1 else {}
    return Conversation(
        tuple(Message(turn.role, turn.text) for turn in turns),
        origin=origin,
        part=part,
        teacher=teacher or None,
        meta=kept_meta(raw, {**row, **several}, _KEPT),
    )
