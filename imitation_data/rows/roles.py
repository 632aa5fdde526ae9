"""Role repair: turns that alternate, from a user turn to an assistant turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit, Kept, Outcome


@dataclass(frozen=True)
class Roles:
    """Make the turns alternate: one system turn at most, then user, assistant and so on.

    The repairs are made in the order of the options below; each is counted as an edit. A row in
    which no user turn is answered afterwards is dropped as `no_round`.

    Attributes:
        late_system: a system turn after the first other turn is `cut` out, or the row is dropped.
        drop_leading: cut assistant turns before the first user turn.
        drop_trailing: cut user turns after the last assistant turn.
        repeated: two turns of one role in a row are joined by a blank line (`merge`), or the row
            is dropped (`drop`). Several system turns in front are such turns too.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    late_system: Literal["cut", "drop"] = "cut"
    drop_leading: bool = True
    drop_trailing: bool = True
    repeated: Literal["merge", "drop"] = "merge"

    def __call__(self, row: Conversation, /) -> Outcome:
        if _alternates(row.messages):
            return Kept((row,))
        start = _first(row.messages, other_than="system")
        system, rest = list(row.messages[:start]), row.messages[start:]
        turns = [message for message in rest if message.role != "system"]
        late = len(rest) - len(turns)
        if late and self.late_system == "drop":
            return Drop("late_system", f"{late} after the first turn", "only in front")

        leading = _first(turns, other_than="assistant") if self.drop_leading else 0
        turns = turns[leading:]
        trailing = _first(turns[::-1], other_than="user") if self.drop_trailing else 0
        turns = turns[: len(turns) - trailing]

        merged = _merge(system) + _merge(turns)
        joined = len(system) + len(turns) - len(merged)
        if joined and self.repeated == "drop":
            return Drop("repeated_role", _repeated(system + turns), "roles alternate")
        if ("user", "assistant") not in pairwise(message.role for message in merged):
            return Drop("no_round", _spoken(row.messages), "a user turn and its answer")
        counts = {
            "late_system_cut": late,
            "leading_turn_cut": leading,
            "trailing_turn_cut": trailing,
            "turns_merged": joined,
        }
        edits = tuple(Edit(kind, count) for kind, count in counts.items() if count)
        return Kept((row.with_messages(merged) if edits else row,), edits)


def _alternates(messages: Sequence[Message]) -> bool:
    roles = [message.role for message in messages]
    if roles and roles[0] == "system":
        del roles[0]
    return bool(roles) and roles == ["user", "assistant"] * (len(roles) // 2)


def _first(messages: Sequence[Message], *, other_than: str) -> int:
    """Index of the first turn of another role; the number of turns if there is none."""
    for index, message in enumerate(messages):
        if message.role != other_than:
            return index
    return len(messages)


def _merge(messages: Sequence[Message]) -> list[Message]:
    runs: list[tuple[str, list[str]]] = []
    for role, text in messages:
        if runs and runs[-1][0] == role:
            runs[-1][1].append(text)
        else:
            runs.append((role, [text]))
    return [Message(role, "\n\n".join(texts)) for role, texts in runs]


def _repeated(messages: Sequence[Message]) -> str:
    """Name the first role that speaks twice in a row."""
    pairs = pairwise(message.role for message in messages)
    return next(f"{first} twice in a row" for first, second in pairs if first == second)


def _spoken(messages: Sequence[Message]) -> str:
    counts = dict.fromkeys(("system", "user", "assistant"), 0)
    for message in messages:
        counts[message.role] = counts.get(message.role, 0) + 1
    return ", ".join(f"{count} {role}" for role, count in counts.items() if count) or "no turns"
