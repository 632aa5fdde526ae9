"""What the logs of public chat services share: a `conversation` of turns with role and content."""

from collections.abc import Mapping

from imitation_data.readers.quoting import names_of
from imitation_data.readers.roles import Speaker, ToolPolicy, Turns
from imitation_data.readers.shape import Row, Unfit, list_in, object_in

CONVERSATION = "conversation"


def logged_turns(row: Row, words: Mapping[str, Speaker], tools: ToolPolicy) -> Turns:
    """Gather the turns of a logged chat; whatever else a turn holds is left out.

    Raises:
        Unfit: there is no such list, or a turn has no role or content.
    """
    if CONVERSATION not in row:
        raise Unfit(f"the fields {names_of(row)}", f"a list in {CONVERSATION}")
    turns = Turns(words, tools)
    for value in list_in(row[CONVERSATION], CONVERSATION):
        turn = object_in(value, f"turn {turns.number}")
        if "content" not in turn:
            found = f"turn {turns.number} with the fields {names_of(turn)}"
            raise Unfit(found, "its text in content")
        turns.add(turn.get("role"), turn["content"])
    return turns


def holds_turns(path: str) -> bool:
    """Whether a Parquet column (`conversation.list.element.content`) holds roles or contents."""
    top, _, rest = path.partition(".")
    return top == CONVERSATION and rest.rpartition(".")[2] in {"role", "content"}
