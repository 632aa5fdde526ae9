"""What tests share: recipes on disk, and rows in a few words."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from imitation_data.conversation import Conversation, Message

# Tests never assert on time, and every run sees the same examples: green means green.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def row(*texts: str, source: str = "web", origin: str = "", part: int = 0) -> Conversation:
    """A conversation whose turns are user, assistant, user, … in order."""
    roles = ("user", "assistant")
    messages = tuple(Message(roles[place % 2], text) for place, text in enumerate(texts))
    return Conversation(messages, source, origin or "/".join(texts)[:40], part, license="CC0-1.0")


def sharegpt(conversations: Mapping[str, Sequence[str]]) -> str:
    """A ShareGPT array: texts by id, human and gpt in turn."""
    roles = ("human", "gpt")
    return json.dumps(
        [
            {
                "id": key,
                "conversations": [
                    {"from": roles[place % 2], "value": text} for place, text in enumerate(texts)
                ],
            }
            for key, texts in conversations.items()
        ]
    )


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe over ShareGPT files; `files` maps a source's name to its text."""

    def write(files: Mapping[str, str], **keys: object) -> Path:
        folder = tmp_path / "recipe"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
        sources = [
            {"name": name, "reader": "sharegpt", "path": f"{name}.json", "license": "CC0-1.0"}
            for name in files
        ]
        recipe = {"name": "trial", "sources": sources, **keys}
        path = folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        return path

    return write


STEPS = [
    {"type": "roles"},
    {"type": "blank"},
    {"type": "length", "max_chars": 300},
    {"type": "pii"},
    {"type": "exact_dedup", "level": "first_user"},
    {"type": "refusals"},
    {"type": "split", "shares": {"train": 0.8, "test": 0.2}},
]


def conversations(count: int, name: str) -> dict[str, list[str]]:
    """Some short, some long, some repeated, some with personal data, some refused."""
    found = {}
    for n in range(count):
        question = f"What does the word number {n - n % 7 if n % 3 else n} of {name} mean?"
        answer = "It means a great deal. " * (n % 17 + 1)
        if n % 11 == 0:
            answer = "I'm sorry, but as an AI language model I cannot say." + " So it is." * 15
            answer += " The hidden tail."
        if n % 13 == 0:
            answer += f" Write to user{n}@mail.example-shop.com."
        turns = [question, answer] if n % 5 else [question, answer, "And then?"]
        found[f"{name}-{n}"] = turns if n % 29 else ["", "", question]
    return found


@pytest.fixture
def recipe(write_recipe):
    """Two sources, one of them a folder of several files: every stage has several shards."""
    path = write_recipe(
        {"two": sharegpt(conversations(500, "two"))},
        sources=[
            {"name": "one", "reader": "sharegpt", "path": "one", "license": "CC0-1.0"},
            {"name": "two", "reader": "sharegpt", "path": "two.json", "license": "CC0-1.0"},
        ],
        steps=STEPS,
        seed=3,
        tokens="bytes",
    )
    (path.parent / "one").mkdir()
    for part in range(7):
        texts = conversations(100, f"one {part}")
        (path.parent / "one" / f"{part}.json").write_text(sharegpt(texts), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
