"""One small valid source per reader, for the contract suite. A new reader adds an entry here.

Texts hold what a message about a broken record must never repeat: `SECRET`.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO, StringIO

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.readers import Reader
from imitation_data.readers.alpaca import Alpaca
from imitation_data.readers.chatgpt_export import ChatGPTExport
from imitation_data.readers.columns import Columns
from imitation_data.readers.discord import Discord
from imitation_data.readers.hc3 import HC3
from imitation_data.readers.lmsys import Lmsys
from imitation_data.readers.messages import Messages
from imitation_data.readers.oasst import OpenAssistant
from imitation_data.readers.sharegpt import ShareGPT
from imitation_data.readers.wildchat import WildChat

SECRET = "jane.doe@example.org"


def array(records: list[object]) -> bytes:
    return json.dumps(records, ensure_ascii=False).encode("utf-8", "surrogatepass")


def indented(records: list[object]) -> bytes:
    return json.dumps(records, indent=2).encode()


def lines(records: list[object]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(
        "utf-8", "surrogatepass"
    )


def comma_separated(records: list[object]) -> bytes:
    rows = [list(records[0]), *(record.values() for record in records)]
    return "".join(",".join(f'"{field}"' for field in row) + "\n" for row in rows).encode()


def parquet(records: list[object]) -> bytes:
    stream = BytesIO()
    names = sorted({name for record in records for name in record.keys()})  # noqa: SIM118 - dicts only
    table = pa.table({name: [record.get(name) for record in records] for name in names})
    pq.write_table(table, stream, compression="none")
    return stream.getvalue()


_CHANNEL = {"id": "1079790565794779156", "type": "GuildTextChat", "name": "chat"}


def channel(records: list[object]) -> bytes:
    """Write a channel of Discord; a record may be one message or a list of them."""
    head = {"guild": {"id": "8138", "name": SECRET}, "channel": _CHANNEL}
    return json.dumps(head | {"messages": flat(records), "messageCount": 4}, indent=1).encode()


def flat(records: list[object]) -> list[object]:
    return [
        item
        for record in records
        for item in (record if record and isinstance(record, list) else [record])
    ]


def shows_in_channel(_name: str, content: bytes) -> int | None:
    """Count the messages of a channel; None where a bad record may stand for the whole file."""
    try:
        value = json.loads(content, object_pairs_hook=list)
        members = dict(value)
        messages = members.get("messages")
        intact = len(members) == len(value) and members["channel"] == [*_CHANNEL.items()]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return len(messages) if intact and isinstance(messages, list) else None


def shows_wrapped(_name: str, content: bytes) -> int | None:
    """Count the conversations of an object that holds nothing but their list."""
    try:
        ((key, value),) = json.loads(content, object_pairs_hook=list)
    except (ValueError, RecursionError, TypeError):
        return None
    return len(value) if key == "conversations" and isinstance(value, list) else None


def unknown(_name: str, _content: bytes) -> None:
    """Several raw records make one: their number says nothing."""


def shows(name: str, content: bytes) -> int | None:
    """Count the records a file shows to anybody; None if it is broken, or nobody can tell."""
    try:
        if name.endswith(".jsonl"):
            return sum(json.loads(line) is not ... for line in content.splitlines() if line.strip())
        if name.endswith(".csv"):
            return max(0, sum(map(bool, csv.reader(StringIO(content.decode()), strict=True))) - 1)
        if name.endswith((".parquet", ".zip")):
            return None  # one bad record may stand for many rows
        value = json.loads(content)
    except (ValueError, csv.Error, RecursionError):
        return None
    return len(value) if isinstance(value, list) else 1


@dataclass(frozen=True)
class Sample:
    """A valid source.

    Attributes:
        reader: reads it; its options may be set.
        name: the file's name.
        records: the raw records, in order; leaving one out leaves the others valid.
        write: makes the file's bytes of records.
        shows: counts the records a file of this form shows, given its name and its bytes.
    """

    reader: Reader
    name: str
    records: tuple[object, ...]
    write: Callable[[list[object]], bytes] = lines
    shows: Callable[[str, bytes], int | None] = shows

    @property
    def content(self) -> bytes:
        return self.write(list(self.records))


def _chat(number: int, keys: tuple[str, str], words: tuple[str, str]) -> list[object]:
    texts = [f"Question {number} of {SECRET}?", f"Réponse {number}: 😀 [a] {{b}} \\n <br>"] * 2
    return [
        dict(zip(keys, (words[turn % 2], text), strict=True)) for turn, text in enumerate(texts)
    ]


_SHAREGPT = tuple(
    {"id": f"QWJ{number}_0", "conversations": _chat(number, ("from", "value"), ("human", "gpt"))}
    for number in range(4)
)
_ITEMS = tuple(
    {"title": f"T{number}", "items": _chat(number, ("role", "text"), ("user", "chatgpt"))}
    for number in range(3)
)
_HC3 = tuple(
    {
        "question": f"Why {number} ? {SECRET}",
        "human_answers": [f"Because {number} .", ""],
        "chatgpt_answers": [f"There are {number} reasons.", "Several."],
        "source": "open_qa",
    }
    for number in range(4)
)
_ALPACA = (
    {"instruction": "Add.", "input": "1 and 2", "output": f"3, {SECRET}"},
    {"instruction": "Name a colour.", "input": "<noinput>", "output": "Blue"},
    {"instruction": "Translate.", "input": "Schnee", "response": "雪"},
    {"id": "seed_1", "instruction": "Sort.", "instances": [{"input": "b a", "output": "a b"}]},
)
_MESSAGES = tuple(
    {
        "messages": [
            {"role": "system", "content": f"Be brief with {SECRET}."},
            {"role": "user", "content": [{"type": "text", "text": f"Weather {number}?"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
            {"role": "tool", "tool_call_id": "c", "content": "rain"},
            {"role": "assistant", "content": "Rain."},
        ]
    }
    for number in range(3)
)
_LOG = tuple(
    {
        "conversation_id": f"33f01939a7{number}",
        "conversation_hash": f"cf1267ca6b{number}",
        "model": "m-1",
        "timestamp": "2023-04-09T00:02:53+00:00",
        "conversation": _chat(number, ("role", "content"), ("user", "assistant")),
        "turn": 2,
        "language": "English",
        "toxic": False,
        "redacted": False,
        "hashed_ip": SECRET,
    }
    for number in range(3)
)
_DIALOG = tuple(
    {
        "file": f"{number}.json",
        "dialog": _chat(number, ("role", "content"), ("client", "counselor")),
    }
    for number in range(3)
)
_PAIRS = tuple(
    {"prompt": f"Passage {number} of {SECRET}", "completion": f"{number}</s>"}
    for number in range(4)
)


def _discord(number: int, author: str, content: str, **rest: object) -> dict[str, object]:
    bot = author == "Bot"
    return {
        "id": str(1079802186508271617 + (number * 60_000 << 22)),
        "type": "Default",
        "timestamp": f"2023-02-27T15:{number + 3:02}:21.5+00:00",
        "content": content,
        "author": {"id": "45" if bot else "99", "name": author, "isBot": bot},
        "attachments": [],
        "embeds": [],
        "mentions": [],
    } | rest


def _replied(number: int) -> list[object]:
    question = _discord(2 * number, SECRET, f"Question {number} of @{SECRET}?")
    target = {"messageId": question["id"], "channelId": _CHANNEL["id"], "guildId": "8138"}
    answer = f"Réponse {number}: 😀 [a] {{b}} \\n <br>"
    return [question, _discord(2 * number + 1, "Bot", answer, type="Reply", reference=target)]


def _command(number: int) -> dict[str, object]:
    user = {"id": "99", "name": SECRET, "isBot": False}
    asked = {"id": "7", "name": "ask", "user": user}
    content = f"> Question {number} of {SECRET}?\n\nRéponse {number}."
    return _discord(number, "Bot", content, type="20", interaction=asked)


def _node(parent: str | None, *children: str, role: str = "", text: object = None) -> object:
    said = {
        "author": {"role": role, "name": None},
        "create_time": 1700000000.25,
        "content": {"content_type": "text", "parts": [text]},
        "weight": 1.0,
        "recipient": "all",
        "metadata": {"model_slug": "gpt-4"},
    }
    return {"parent": parent, "children": list(children), "message": said if role else None}


_EXPORT = tuple(
    {
        "title": SECRET,
        "create_time": 1700000000.5,
        "conversation_id": f"6f1c-{number}",
        "default_model_slug": "gpt-4",
        "current_node": "c",
        "mapping": {
            "root": _node(None, "a"),
            "a": _node("root", "b", "c", role="user", text=f"Question {number} of {SECRET}?"),
            "b": _node("a", role="assistant", text=f"Réponse {number}: 😀 [a] {{b}} \\n <br>"),
            "c": _node("a", role="assistant", text=f"Answer {number}."),
        },
    }
    for number in range(3)
)


def _prompted(number: int) -> dict[str, object]:
    fields = {"lang": "en", "review_result": True, "deleted": False, "synthetic": False}
    answers = [
        {"message_id": f"a{rank}-{number}", "text": f"Réponse {rank} 😀", "role": "assistant"}
        | {"rank": rank, "replies": [], **fields}
        for rank in range(2)
    ]
    question = {"text": f"Question {number} of {SECRET}?", "role": "prompter", "replies": answers}
    return {"message_id": f"q-{number}", **question, **fields}


def _spread(number: int) -> list[object]:
    prompt = _prompted(number)
    lines = [prompt, *(reply | {"parent_id": f"q-{number}"} for reply in prompt["replies"])]
    return [line | {"replies": None, "message_tree_id": f"q-{number}"} for line in lines]


_TREES = tuple(
    {"message_tree_id": f"q-{number}", "tree_state": "ready", "prompt": _prompted(number)}
    for number in range(3)
)
_CLIENT = Columns(messages="dialog", roles={"client": "user", "counselor": "assistant"})
_PROMPT = Columns(prompt="prompt", answer="completion", strip_suffix="</s>")

SAMPLES: dict[str, Sample] = {
    "sharegpt": Sample(ShareGPT(), "sg.json", _SHAREGPT, array),
    "sharegpt lines": Sample(ShareGPT(), "sg.jsonl", _ITEMS),
    "hc3": Sample(HC3(), "all.jsonl", _HC3),
    "hc3 both": Sample(HC3(answers="both"), "all.jsonl", _HC3),
    "alpaca": Sample(Alpaca(), "alpaca_data.json", _ALPACA, indented),
    "messages": Sample(Messages(), "train.jsonl", _MESSAGES),
    "wildchat": Sample(WildChat(), "train.jsonl", _LOG),
    "wildchat parquet": Sample(WildChat(), "train.parquet", _LOG, parquet),
    "lmsys": Sample(Lmsys(), "train.jsonl", _LOG),
    "discord": Sample(
        Discord(), "chat.json", tuple(_replied(number) for number in range(3)), channel, unknown
    ),
    "discord commands": Sample(
        Discord(),
        "chat.json",
        tuple(_command(number) for number in range(4)),
        channel,
        shows_in_channel,
    ),
    "chatgpt_export": Sample(ChatGPTExport(), "conversations.json", _EXPORT, array),
    "chatgpt_export all": Sample(
        ChatGPTExport(branches="all"),
        "conversations.json",
        _EXPORT,
        lambda records: b'{"conversations": %s}' % array(records),
        shows_wrapped,
    ),
    "oasst": Sample(OpenAssistant(), "en_tree.jsonl", _TREES),
    "oasst roots": Sample(
        OpenAssistant(branches="all"), "en_message.json", tuple(map(_prompted, range(3))), array
    ),
    "oasst flat": Sample(
        OpenAssistant(),
        "messages.jsonl",
        tuple(_spread(number) for number in range(3)),
        lambda records: lines(flat(records)),
        unknown,
    ),
    "columns": Sample(_CLIENT, "smile.jsonl", _DIALOG),
    "columns parquet": Sample(_PROMPT, "p3.parquet", _PAIRS, parquet),
    "columns csv": Sample(_PROMPT, "p3.csv", _PAIRS, comma_separated),
    "columns json": Sample(_PROMPT, "p3.json", _PAIRS, indented),
}
