"""`sharegpt`: turns from human, gpt and system, one row a line.

    {"id": "0a…", "conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}

LLaMA-Factory skips rows whose turns do not alternate, with no more than a line in its log; so only
rows that it takes are written.
"""

from collections.abc import Mapping

from imitation_data.conversation import Conversation, Message
from imitation_data.publish.form import Form, Lines, Messages, Record, SplitFiles, misfit_of_rounds
from imitation_data.publish.form_snippets import (
    AXOLOTL,
    LLAMA_FACTORY,
    TRL,
    axolotl_yaml,
    llama_factory_json,
    load_line,
)

WORDS = {"system": "system", "user": "human", "assistant": "gpt"}
_ROLES = {word: role for role, word in WORDS.items()}

# TRL renames the keys of such turns by itself, but leaves human and gpt as they are.
_TO_MESSAGES = """
ROLES = {"system": "system", "human": "user", "gpt": "assistant"}


def to_messages(row):
    turns = row["conversations"]
    return {"messages": [{"role": ROLES[t["from"]], "content": t["value"]} for t in turns]}


rows = rows.map(to_messages, remove_columns=["id", "conversations"])
"""


def _record(row: Conversation) -> Record:
    turns = [{"from": WORDS[role], "value": text} for role, text in row.messages]
    return {"id": row.id, "conversations": turns}


def _messages(record: Mapping[str, object]) -> Messages:
    match record:
        case {"conversations": list(turns)}:
            return tuple(Message(_ROLES[turn["from"]], turn["value"]) for turn in turns)
    raise ValueError("no list of conversations")


def _load(files: SplitFiles) -> dict[str, str]:
    keys = {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
            "system_tag": "system",
        },
    }
    return {
        TRL: load_line(files) + _TO_MESSAGES,
        AXOLOTL: axolotl_yaml(files, "conversations", "from", "value", tuple(WORDS.values())),
        LLAMA_FACTORY: llama_factory_json(files, keys),
    }


SHAREGPT = Form(
    "sharegpt",
    "a system turn or none, then user and assistant in turn, ending with assistant",
    misfit_of_rounds,
    _load,
    Lines(_record, _messages),
)
