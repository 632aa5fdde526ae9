"""Stored versions of a few rows, and a Hub with commands that speak to it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.conversation import Conversation, Message, to_batch
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store, StoredVersion
from tests.publish.asked import commands_for, three_versions
from tests.servers.hub import Hub

# What breaks lines, JSON, terminals or tokenizers elsewhere.
HOSTILE = (
    "\x00\x1b[31m \u0085\u2028\u2029 \u202egnp.exe \ufeff \U000e0041 🏳️\u200d🌈 \\u2028 \\ \" '"
    " \r\n\t <|im_end|></s><script>alert(1)</script> {{ 7*7 }} 漢字 \ufffd"
)


def talk(*turns: str, origin: str = "") -> Conversation:
    """A row from turns such as `user: Hello`."""
    messages = tuple(Message(*turn.split(": ", 1)) for turn in turns)
    return Conversation(messages, "web", origin or turns[0][:20], license="CC0-1.0")


def store_rows(
    root: Path, splits: Mapping[str, Sequence[Sequence[Conversation]]], name: str = "trial"
) -> StoredVersion:
    """Store a version: by split, the rows of each file."""
    store, version = Store(root), Version(1, 0, 0)
    with store.locked(name):
        folder = store.start(name, version)
        (folder / "data").mkdir()
        for split, files in splits.items():
            for number, rows in enumerate(files):
                path = folder / "data" / f"{split}-{number:05d}-of-{len(files):05d}.parquet"
                table = pa.Table.from_batches([to_batch(rows)])
                pq.write_table(table, path, row_group_size=7)
        return store.finish(folder, name, version, {"format": 1, "version": str(version)})


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredVersion]:
    """Rows that every form holds, in two splits and three files."""
    first = [talk(f"user: What is {n}?", f"assistant: It is {n}.") for n in range(20)]
    first = [row._replace(tokens=n, language="en") for n, row in enumerate(first)]
    later = [
        talk(
            "system: Be brief.",
            "user: And then?",
            "assistant: Nothing.",
            f"user: {HOSTILE}",
            f"assistant: {HOSTILE}{HOSTILE}",
            origin="hostile",
        ),
        talk("user: Say it.", "assistant: " + "long " * 20_000, origin="long"),
        talk("user: ", "assistant: ", origin="blank"),
    ]
    yield store_rows(tmp_path / "store", {"test": [first[:3]], "train": [first[3:], later]})
    shutil.rmtree(tmp_path / "store")


@pytest.fixture
def hub(tmp_path):
    with Hub(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def commands(hub, tmp_path):
    made = commands_for(hub, tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    """A store with 1.0.0, 1.1.0 and 2.0.0; not to be changed."""
    return three_versions(tmp_path_factory.mktemp("versions"))
