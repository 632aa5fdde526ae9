"""A diff in plain values, as `--json` prints it."""

from collections.abc import Sequence
from typing import Any

from imitation_data.conversation import Conversation
from imitation_data.diff.compare import Diff
from imitation_data.diff.match import KINDS
from imitation_data.diff.shown import ShownRow
from imitation_data.diff.sides import OTHER


def summary(diff: Diff, shown: Sequence[ShownRow] = ()) -> dict[str, Any]:
    """Everything a diff tells, without the rows that are not shown.

    `read` counts the rows of the old side; those of them that are in the new side with the same
    content and split are `kept`, the rest `dropped`.
    """
    counts = diff.counts
    dropped = {kind: counts[kind] for kind in ("removed", "changed", "moved")}
    sides = zip(("old", "new"), (diff.old, diff.new), diff.fingerprints, strict=True)
    return {
        **{
            name: {"name": side.label, "rows": side.count, "fingerprint": print_of_rows}
            for name, side, print_of_rows in sides
        },
        "read": diff.read,
        "kept": diff.kept,
        "dropped": dropped,
        "bump": diff.bump,
        "missing": diff.missing,
        "fresh": diff.fresh,
        "counts": counts,
        "by_source": diff.by_source,
        "causes": [
            {
                "kind": cause.kind,
                "why": cause.why,
                "words": cause.words,
                "rows": cause.rows,
                "key": cause.key,
            }
            for cause in diff.causes
        ]
        if diff.changes
        else None,
        "changes": diff.changes and diff.changes.words,
        "left_out": [*diff.old.left_out, *diff.new.left_out],
        "shown": [_row(row) for kind in KINDS for row in shown if row.kind == kind],
    }


def _row(row: ShownRow) -> dict[str, object]:
    return {
        "kind": row.kind,
        "key": row.key,
        "was": row.was or None,
        "columns": [name for name, _, _ in row.columns],
        "old": _side(row.old, row.old_split),
        "new": _side(row.new, row.new_split),
    }


def _side(row: Conversation | None, split: str) -> dict[str, object] | None:
    if row is None:
        return None
    messages = [{"role": role, "content": text} for role, text in row.messages]
    names = ("id", "source", "origin", "part", *OTHER)
    return {"split": split} | {name: getattr(row, name) for name in names} | {"messages": messages}
