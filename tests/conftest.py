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
