"""What trainers make of a row, written down from their documentation.

- LLaMA-Factory: data/README.md (alpaca and sharegpt, `dataset_info.json`), and what its converters
  do with it: https://github.com/hiyouga/LLaMA-Factory, src/llamafactory/data/converter.py
- axolotl: docs/dataset-formats/conversation.qmd, `type: chat_template`:
  https://github.com/axolotl-ai-cloud/axolotl
- OpenAI: https://platform.openai.com/docs/guides/supervised-fine-tuning, the chat format
"""

from collections.abc import Mapping

ALPACA_COLUMNS = {"prompt", "query", "response", "system", "history"}
TAGS = {"role_tag", "content_tag", "user_tag", "assistant_tag", "system_tag"}


class RefusedError(ValueError):
    """The trainer would skip the row or stop."""


def llama_factory(entry: Mapping, row: Mapping) -> list[tuple[str, str]]:
    """The turns that LLaMA-Factory trains on, under an entry of `dataset_info.json`."""
    if entry["formatting"] == "alpaca":
        return _alpaca(entry["columns"], row)
    if entry["formatting"] == "sharegpt":
        return _sharegpt(entry["columns"], entry["tags"], row)
    raise RefusedError(f"no such formatting: {entry['formatting']}")


def _alpaca(columns: Mapping, row: Mapping) -> list[tuple[str, str]]:
    if not set(columns) <= ALPACA_COLUMNS:
        raise RefusedError(f"unknown columns: {columns}")
    system, history = row[columns["system"]], row[columns["history"]]
    query = "\n".join(filter(None, (row[columns["prompt"]], row[columns["query"]])))
    turns = [("system", system)] if system else []
    for prompt, response in history:
        turns += [("user", prompt), ("assistant", response)]
    return [*turns, ("user", query), ("assistant", row[columns["response"]])]


def _sharegpt(columns: Mapping, tags: Mapping, row: Mapping) -> list[tuple[str, str]]:
    if set(columns) != {"messages"} or set(tags) != TAGS:
        raise RefusedError(f"unknown columns or tags: {columns}, {tags}")
    roles = {tags[f"{role}_tag"]: role for role in ("system", "user", "assistant")}
    turns = [
        (roles[turn[tags["role_tag"]]], turn[tags["content_tag"]])
        for turn in row[columns["messages"]]
    ]
    spoken = [role for role, _ in turns if role != "system"]
    if [role for role, _ in turns[1:] if role == "system"]:
        raise RefusedError("invalid role tag")
    if not spoken or spoken != ["user", "assistant"] * (len(spoken) // 2):
        raise RefusedError("invalid role tag or message count: the row is skipped")
    return turns


def axolotl(entry: Mapping, row: Mapping) -> list[tuple[str, str]]:
    """The turns that axolotl renders, under an entry of `datasets`."""
    if entry["type"] != "chat_template":
        raise RefusedError(f"no such type: {entry['type']}")
    names = entry["message_property_mappings"]
    roles = {word: role for role, words in entry["roles"].items() for word in words}
    return [
        (roles[turn[names["role"]]], turn[names["content"]])
        for turn in row[entry["field_messages"]]
    ]


def openai(row: Mapping) -> list[tuple[str, str]]:
    """The turns of a line of OpenAI's chat format; other keys are refused there."""
    if set(row) != {"messages"} or not row["messages"]:
        raise RefusedError(f"keys {set(row)}")
    if any(set(turn) != {"role", "content"} for turn in row["messages"]):
        raise RefusedError("keys of a message")
    return [(turn["role"], turn["content"]) for turn in row["messages"]]
