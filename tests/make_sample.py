"""Makes `cards/sharegpt-mix/sample/`: licensed text, expressed in the three raw formats of the mix.

The text is OpenAssistant's (100 English trees, Apache-2.0) and FastChat's identity conversations
(Apache-2.0); people wrote the former. Only the form is ShareGPT's, HC3's and Discord's. Run from
the project's root, with the shared data beside it: `python -m tests.make_sample`.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.rows.sharegpt_html import to_page_html

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SAMPLE = Path(__file__).resolve().parents[1] / "cards" / "sharegpt-mix" / "sample"
START = datetime(2023, 4, 3, 9, 0, tzinfo=UTC)
BOT = {"id": "900000000000000001", "name": "ChatGPT", "discriminator": "0001", "isBot": True}
PEOPLE = [
    {"id": f"80000000000000000{n}", "name": name, "discriminator": "0000", "isBot": False}
    for n, name in enumerate(["blue_heron", "kettle", "north-by-two"])
]


def paths(node: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every conversation of a tree that ends in an answer, as texts in turn."""
    texts = (*before, node["text"])
    if not node["replies"] and len(texts) % 2 == 0:
        yield texts
    for reply in node["replies"]:
        yield from paths(reply, texts)


def page(trees: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """ShareGPT as the extension stored it: people's turns plain, answers as the page's HTML."""
    return [
        {
            "id": f"{tree['message_tree_id'][:7]}_{number}",
            "conversations": [
                {"from": "gpt", "value": to_page_html(text)}
                if place % 2
                else {"from": "human", "value": text}
                for place, text in enumerate(texts)
            ],
        }
        for tree in trees
        for number, texts in enumerate(list(paths(tree["prompt"]))[:3])
    ]


def hc3(trees: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """HC3 rows: one question, its first two answers as the machine's, the rest as people's."""
    rows = []
    for tree in trees:
        answers = [reply["text"] for reply in tree["prompt"]["replies"]]
        question = tree["prompt"]["text"]
        pair = {"human_answers": answers[2:], "chatgpt_answers": answers[:2]}
        rows.append({"question": question, **pair, "source": "open_qa"})
    return rows


def discord(trees: list[dict[str, Any]]) -> dict[str, Any]:
    """One channel with a bot: replies, long answers in pieces, chatter, a placeholder, a join."""
    channel = Channel()
    for number, tree in enumerate(trees):
        person = PEOPLE[number % len(PEOPLE)]
        talk = max(paths(tree["prompt"]), key=len, default=None)
        if talk is None:
            continue
        for place in range(0, len(talk), 2):
            asked = channel.say(person, f"@ChatGPT {talk[place]}" if place == 0 else talk[place])
            if number % 9 == 0 and place == 0:
                channel.say(BOT, "Thinking...", reply=asked)
            answer = talk[place + 1]
            for start in range(0, len(answer), 2000):
                channel.say(BOT, answer[start : start + 2000], reply=asked if start == 0 else None)
        if number % 7 == 0:
            channel.say(PEOPLE[(number + 1) % len(PEOPLE)], "nice one")
        if number % 11 == 0:
            channel.say(person, "Joined the server.", kind="GuildMemberJoin")
    return channel.export()


class Channel:
    """A Discord channel, exported as DiscordChatExporter does."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.at = START

    def say(
        self, author: dict[str, Any], text: str, reply: str | None = None, kind: str = "Default"
    ) -> str:
        self.at += timedelta(seconds=3 if author["isBot"] else 45)
        key = str(1_092_000_000_000_000_000 + len(self.messages) * 4_194_304_000)
        message = {
            "id": key,
            "type": "Reply" if reply else kind,
            "timestamp": self.at.isoformat(timespec="milliseconds"),
            "timestampEdited": None,
            "callEndedTimestamp": None,
            "isPinned": False,
            "content": text,
            "author": author,
            "attachments": [],
            "embeds": [],
            "stickers": [],
            "reactions": [],
            "mentions": [],
        }
        if reply:
            message["reference"] = {"messageId": reply, "channelId": "77", "guildId": "7"}
        self.messages.append(message)
        return key

    def export(self) -> dict[str, Any]:
        return {
            "guild": {"id": "7", "name": "r/ChatGPT", "iconUrl": ""},
            "channel": {"id": "77", "type": "GuildTextChat", "name": "ask-the-bot", "topic": None},
            "dateRange": {"after": None, "before": None},
            "messages": self.messages,
            "messageCount": len(self.messages),
        }


def main() -> None:
    """Write the sample; equal bytes every time."""
    lines = (SHARED / "oasst" / "en_100_tree.jsonl").read_text(encoding="utf-8").splitlines()
    trees = [json.loads(line) for line in lines]
    identity = json.loads((SHARED / "sharegpt" / "dummy_conversation.json").read_text())
    write("sharegpt/sg_page.json", json.dumps(page(trees[:45]), ensure_ascii=False, indent=1))
    cleaned = [json.dumps(one, ensure_ascii=False) for one in identity[:60]]
    write("sharegpt/sg_cleaned.jsonl", "\n".join(cleaned))
    rows = [json.dumps(one, ensure_ascii=False) for one in hc3(trees[35:70])]
    write("hc3/all.jsonl", "\n".join(rows))
    write("discord/ask-the-bot.json", json.dumps(discord(trees[60:]), ensure_ascii=False, indent=1))


def write(name: str, text: str) -> None:
    path = SAMPLE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
