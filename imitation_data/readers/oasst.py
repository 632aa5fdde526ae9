"""OpenAssistant trees: prompts and replies by volunteers, ranked (oasst1, oasst2).

Three forms are read, alone or mixed. A tree a line (`…_tree.jsonl`, `…ready.trees.jsonl`):

    {"message_tree_id": "054e1df3-…", "tree_state": "ready_for_export", "prompt":
     {"message_id": "054e1df3-…", "text": "How can I …?", "role": "prompter", "lang": "en",
      "review_result": true, "deleted": false, "synthetic": true, "model_name": "chip20b",
      "replies": [{"message_id": "fa783ef0-…", "parent_id": "054e1df3-…", "text": "The first …",
                   "role": "assistant", "rank": 0, "replies": []}]}}

a root message a line with its replies inside (`en_100_message.jsonl`), or a message a line with
`message_tree_id` and `parent_id` (`…ready.messages.jsonl`, and the Parquet files on the Hub). Lines
of one tree are brought together wherever they stand: files are read twice, once for the ids, and
only unfinished trees are held.
Without `message_tree_id` the parents tell which tree a message belongs to.

A row is a path from the root to an assistant's message. With `branches: all` there is one for every
assistant message that no further assistant message follows, in the order of rank; with `best` the
best-ranked reply is taken at each level (no rank counts as last, equals stay in order), among those
that lead to an answer. Every message of a tree is in a row or counted by one edit:

- `deleted_dropped`, `rejected_dropped` (`review_result` false; null is not yet reviewed and stays):
  with all that follows them;
- `parent_missing`, `cycle_dropped`: cut off from the root, with all that follows;
- `trailing_prompter_cut`: prompts without an answer; `branch_left_out`: in no row; and
  `repeated_message`: the same id again.

The teacher is `model_name` where all answers of a row are synthetic and by one model. Otherwise it
is unknown. `written_by` in the meta says `people`, `models` or `people and models`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal, NamedTuple

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind, shown
from imitation_data.readers.raw import SUFFIXES, read_raw
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.roles import WORDS
from imitation_data.readers.shape import Row, Unfit, kept_meta, list_in, object_in, own_key, text_in
from imitation_data.readers.trees import leaves, paths, plant, roots

_KEPT = ("tree_state", "lang", "written_by")
_FIELDS = {
    *(
        "message_tree_id",
        "tree_state",
        "prompt",
        "replies",
        "message_id",
        "parent_id",
        "text",
        "role",
    ),
    *("lang", "rank", "deleted", "review_result", "synthetic", "model_name"),
}
_NAMELESS = "synthetic"  # stands for a model whose name is not given


class Post(NamedTuple):
    """One message of a tree."""

    id: str
    parent: str | None
    role: str
    text: str
    rank: float
    fate: str  # the edit that leaves it out, or empty
    model: str  # empty for people


@dataclass(frozen=True, slots=True)
class Piece:
    """What one line holds: a tree, or messages of one."""

    posts: tuple[Post, ...]
    tree: str  # empty when the line does not say
    whole: bool
    row: Row
    raw: RawRecord


@dataclass(frozen=True)
class OpenAssistant:
    """Read conversations out of OpenAssistant trees.

    Attributes:
        branches: `best`, the best-ranked path of each tree, or `all`, every path as a part.
        rejected: whether messages that failed review are left out (`drop`) or kept (`keep`).
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = SUFFIXES
    TOGETHER: ClassVar[bool] = True  # the messages of a tree may be spread over files

    branches: Literal["best", "all"] = "best"
    rejected: Literal["drop", "keep"] = "drop"

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield a record for each tree, once its last message has been read."""
        lines, tree_of = _count_lines(_pieces(files))
        held: dict[str, list[Piece]] = {}
        for piece in _pieces(files):
            if isinstance(piece, BadRecord):
                yield piece
            elif piece.whole:
                yield self._record([piece], piece.tree)
            else:
                tree = piece.tree or tree_of[piece.posts[0].id]
                held.setdefault(tree, []).append(piece)
                lines[tree] -= 1
                if not lines[tree]:
                    yield self._record(held.pop(tree), tree)

    def _record(self, pieces: Sequence[Piece], origin: str) -> Record:
        counts: Counter[str] = Counter()
        posts: dict[str, Post] = {}
        for piece in pieces:
            for post in piece.posts:
                if post.id in posts:
                    counts["repeated_message"] += 1
                posts.setdefault(post.id, post)
        fates = _fates(posts, keep_rejected=self.rejected == "keep")
        counts.update(fate for fate in fates.values() if fate)
        tree = _answered(posts, fates)
        branches = _best(tree) if self.branches == "best" else paths(tree, leaves(tree))
        used = {name for branch in branches for name in branch}
        counts["branch_left_out"] = len(tree) - len(used)
        counts["trailing_prompter_cut"] = sum(not fate for fate in fates.values()) - len(tree)
        edits = tuple(Edit(name, count) for name, count in sorted((+counts).items()))
        edits += tuple(edit for piece in pieces for edit in piece.raw.edits)
        if not branches:
            return Record(origin, (), (Drop("no_answer", found=len(posts)),), edits)
        rows = tuple(
            _row([posts[name] for name in branch], part, pieces[0], origin)
            for part, branch in enumerate(branches)
        )
        return Record(origin, rows, (), edits)


def _pieces(files: Sequence[SourceFile]) -> Iterator[Piece | BadRecord]:
    for raw in read_raw(files, lambda path: path.partition(".")[0] in _FIELDS):
        if isinstance(raw, BadRecord):
            yield raw
            continue
        try:
            piece = _piece(raw)
        except Unfit as unfit:
            yield raw.bad(unfit.found, unfit.expected)
        else:
            yield piece


def _piece(raw: RawRecord) -> Piece:
    row = object_in(raw.value, "a line")
    tree = own_key(row, ("message_tree_id",))
    if "prompt" not in row:
        posts = _posts(row)
        return Piece(posts, tree, whole=False, row=row, raw=raw)
    prompt = object_in(row["prompt"], "prompt")
    posts = _posts(prompt)
    return Piece(posts, tree or posts[0].id, whole=True, row={**prompt, **row}, raw=raw)


def _posts(top: Row) -> tuple[Post, ...]:
    """List a message and the replies inside it, parents first."""
    posts: list[Post] = []
    parent = top.get("parent_id")
    if parent is not None and not isinstance(parent, str):
        raise Unfit(f"{kind(parent)} as parent_id", "a text or null")
    waiting: list[tuple[Row, str | None]] = [(top, parent)]
    while waiting:
        row, parent = waiting.pop()
        post = _post(row, parent)
        posts.append(post)
        replies = row.get("replies")
        below = list_in(replies, "replies") if replies is not None else []
        waiting += [(object_in(reply, "a reply"), post.id) for reply in reversed(below)]
    return tuple(posts)


def _post(row: Row, parent: str | None) -> Post:
    name = own_key(row, ("message_id",))
    if not name:
        raise Unfit("a message without a usable message_id", "a text in the field message_id")
    word, rank, model = row.get("role"), row.get("rank"), row.get("model_name")
    role = WORDS.get(word.strip().lower()) if isinstance(word, str) else None
    if role is None or role == "tool":
        raise Unfit(f"the role {shown(word)}", "prompter or assistant")
    fate = "rejected_dropped" if row.get("review_result") is False else ""
    return Post(
        name,
        parent,
        role,
        text_in(row, "text"),
        rank if isinstance(rank, int | float) else inf,
        "deleted_dropped" if row.get("deleted") is True else fate,
        model if isinstance(model, str) else _NAMELESS if row.get("synthetic") is True else "",
    )


def _count_lines(pieces: Iterator[Piece | BadRecord]) -> tuple[Counter[str], dict[str, str]]:
    """Count the lines of each tree that is not whole, and find the trees of messages.

    Returns:
        Lines by tree, and for messages whose line names no tree the tree by message.
    """
    lines: Counter[str] = Counter()
    parents: dict[str, str | None] = {}
    nameless: list[str] = []
    for piece in pieces:
        if isinstance(piece, BadRecord) or piece.whole:
            continue
        if piece.tree:
            lines[piece.tree] += 1
        else:
            nameless.append(piece.posts[0].id)
            parents.update((post.id, post.parent) for post in piece.posts)
    # Siblings whose parent is not there still belong together.
    tree_of = {name: parents[root] or root for name, root in roots(plant(parents).parents).items()}
    lines.update(tree_of[name] for name in nameless)
    return lines, {name: tree_of[name] for name in nameless}


def _fates(posts: Mapping[str, Post], *, keep_rejected: bool) -> dict[str, str]:
    """Tell for every message why it is left out, or an empty text; parents first, by rank."""
    forest = plant({name: post.parent for name, post in posts.items()})
    below: dict[str | None, list[str]] = {}
    for name in sorted(posts, key=lambda post: posts[post].rank):
        below.setdefault(forest.parents[name], []).append(name)
    lost = dict.fromkeys(forest.orphans, "parent_missing")
    lost.update(dict.fromkeys(forest.cut, "cycle_dropped"))
    fates: dict[str, str] = {}
    waiting = below.get(None, [])[::-1]
    while waiting:
        name = waiting.pop()
        above, own = forest.parents[name], posts[name].fate
        own = "" if keep_rejected and own == "rejected_dropped" else own
        fates[name] = (fates[above] if above is not None else lost.get(name, "")) or own
        waiting += below.get(name, [])[::-1]
    return fates


def _answered(posts: Mapping[str, Post], fates: Mapping[str, str]) -> dict[str, str | None]:
    """Keep the messages that lead to an answer, or are one, with their parents."""
    leads: set[str | None] = set()
    for name in reversed(list(fates)):  # children first
        if not fates[name] and (posts[name].role == "assistant" or name in leads):
            leads |= {name, posts[name].parent}
    return {name: posts[name].parent for name in fates if name in leads}


def _best(tree: Mapping[str, str | None]) -> list[list[str]]:
    """Follow the first child from each root."""
    first: dict[str | None, str] = {}
    for name, above in tree.items():
        first.setdefault(above, name)
    branches = [[name] for name, above in tree.items() if above is None]
    for branch in branches:
        while (below := first.get(branch[-1])) is not None:
            branch.append(below)
    return branches


def _row(posts: Sequence[Post], part: int, piece: Piece, origin: str) -> Conversation:
    models = {post.model for post in posts if post.role == "assistant"}
    teacher = next(iter(models)) if len(models) == 1 else ""
    people = "people and models" if len(models) > 1 else "people"
    writers = {"written_by": people if "" in models else "models"}
    return Conversation(
        tuple(Message(post.role, post.text) for post in posts),
        origin=origin,
        part=part,
        teacher=None if teacher in ("", _NAMELESS) else teacher,
        meta=kept_meta(piece.raw, {**piece.row, **writers}, _KEPT),
    )
