"""`alpaca`: the last round as instruction and output, earlier rounds as history.

    {"instruction": "…", "input": "", "output": "…", "system": "", "history": [["…", "…"]]}

As LLaMA-Factory's data/README.md documents it. Every line has all five fields: LLaMA-Factory asks
each row for each column that its entry names. No system turn is an empty `system`; a system turn
without text would read the same, and is refused.

`input` is always empty. Our reader joins instruction and input with a blank line, or as its option
says, and rows do not tell where; LLaMA-Factory joins them with a line feed, so that cutting at a
guess would give other texts than the row's.

axolotl's `type: alpaca` reads neither system nor history: there is nothing to load this form with.
"""

from collections.abc import Mapping
from typing import cast

from imitation_data.conversation import Conversation, Message
from imitation_data.publish.form import Form, Lines, Messages, Record, SplitFiles, misfit_of_rounds
from imitation_data.publish.form_snippets import LLAMA_FACTORY, TRL, llama_factory_json, load_line

_SPEAKERS = ("user", "assistant")

_TO_MESSAGES = """

def to_messages(row):
    rounds = [*row["history"], [row["instruction"], row["output"]]]
    turns = [("system", row["system"])] if row["system"] else []
    for instruction, output in rounds:
        turns += [("user", instruction), ("assistant", output)]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


rows = rows.map(to_messages, remove_columns=rows.column_names)
"""


def _misfit(messages: Messages) -> str | None:
    found = misfit_of_rounds(messages)
    return found or ("empty_system" if messages[0] == ("system", "") else None)


def _record(row: Conversation) -> Record:
    system = row.messages[0].content if row.messages[0].role == "system" else ""
    texts = row.texts("user", "assistant")
    *history, (instruction, output) = zip(texts[::2], texts[1::2], strict=True)
    return {
        "instruction": instruction,
        "input": "",
        "output": output,
        "system": system,
        "history": history,
    }


def _messages(record: Mapping[str, object]) -> Messages:
    if record["input"] != "":
        raise ValueError("an input, which is never written")
    system = cast("str", record["system"])
    last = (cast("str", record["instruction"]), cast("str", record["output"]))
    rounds = [*cast("list[tuple[str, str]]", record["history"]), last]
    first = (Message("system", system),) if system else ()
    turns = (Message(*turn) for pair in rounds for turn in zip(_SPEAKERS, pair, strict=True))
    return (*first, *turns)


_ONE_ROUND = 3  # turns at most, with a system turn


def _has_history(messages: Messages) -> bool:
    return len(messages) > _ONE_ROUND


def _load(files: SplitFiles) -> dict[str, str]:
    columns = {
        "prompt": "instruction",
        "query": "input",
        "response": "output",
        "system": "system",
        "history": "history",
    }
    return {
        TRL: load_line(files) + _TO_MESSAGES,
        LLAMA_FACTORY: llama_factory_json(files, {"formatting": "alpaca", "columns": columns}),
    }


ALPACA = Form(
    "alpaca",
    "a system turn with text or none, then user and assistant in turn, ending with assistant",
    _misfit,
    _load,
    Lines(_record, _messages, _has_history),
)
