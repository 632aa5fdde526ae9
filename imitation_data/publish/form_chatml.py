"""`chatml-jsonl`: one object with `messages` a line, and nothing else.

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}

As OpenAI's fine-tuning takes it, which refuses other keys; TRL, axolotl and LLaMA-Factory read it,
too.
"""

from collections.abc import Mapping

from imitation_data.conversation import Conversation, Message
from imitation_data.publish.form import Form, Lines, Messages, Record, no_misfit
from imitation_data.publish.form_messages import MESSAGES


def _record(row: Conversation) -> Record:
    return {"messages": [{"role": role, "content": text} for role, text in row.messages]}


def _messages(record: Mapping[str, object]) -> Messages:
    match record:
        case {"messages": list(turns)}:
            return tuple(Message(turn["role"], turn["content"]) for turn in turns)
    raise ValueError("no list of messages")


CHATML = Form("chatml-jsonl", "any row", no_misfit, MESSAGES.load, Lines(_record, _messages))
