import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.conversation import Message
from imitation_data.readers import read
from imitation_data.readers.lmsys import Lmsys
from imitation_data.readers.wildchat import WildChat

PERSON = {
    "hashed_ip": "22fd87ba9b98f7d379b23c7b52961f2d",
    "country": "Elbonia",
    "state": "Mudland",
    "header": {"accept-language": "el-BO", "user-agent": "Browser of One Person"},
}
WILD = {
    "conversation_hash": "cf1267ca6b2f6fccc9c36652a00059a1",
    "model": "gpt-4-0314",
    "timestamp": "2023-04-09T00:02:53+00:00",
    "conversation": [
        {"role": "user", "content": "Hey", "language": "English", "toxic": False, **PERSON},
        {"role": "assistant", "content": "Hi!", "language": "English", "toxic": False},
    ],
    "turn": 1,
    "language": "English",
    "openai_moderation": [{"flagged": False}],
    "toxic": False,
    "redacted": True,
    **PERSON,
}
CHAT = {
    "conversation_id": "33f01939a744455c869cb234afca47f1",
    "model": "wizardlm-13b",
    "conversation": [{"role": "user", "content": "Hey"}, {"role": "assistant", "content": "Hi!"}],
    "turn": 1,
    "language": "English",
    "openai_moderation": [{"flagged": False}],
    "redacted": True,
}
CASES = {"wildchat": (WildChat(), WILD), "lmsys": (Lmsys(), CHAT)}


def write(folder: Path, row: dict[str, object], name: str) -> Path:
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist([row, row]), folder / name)
    else:
        (folder / name).write_text(json.dumps(row) + "\n" + json.dumps(row))
    return folder / name


@pytest.mark.parametrize(("reader", "row"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_parquet_and_lines_give_the_same_rows(tmp_path, reader, row, name):
    """The record's own key is the origin, its model the teacher, in both forms."""
    for number, record in enumerate(read(write(tmp_path, row, name), reader), start=1):
        (made,) = record.rows
        assert made.messages == (Message("user", "Hey"), Message("assistant", "Hi!"))
        assert record.origin in {row.get("conversation_hash"), row.get("conversation_id")}
        assert (made.teacher, made.language) == (row["model"], None)
        meta = json.loads(made.meta)
        assert meta["file"] == name
        assert number in {meta.get("line"), meta.get("row")}
        assert (meta["language"], meta["redacted"]) == ("English", True)
        assert meta.get("toxic") == row.get("toxic")
    assert number == 2


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_nothing_about_the_person_is_taken_over(tmp_path, name):
    """Addresses, browsers and places stay behind, wherever in the record they stand."""
    for record in read(write(tmp_path, WILD, name), WildChat()):
        text = repr(record)
        for value in ["22fd87", "Elbonia", "Mudland", "el-BO", "Browser"]:
            assert value not in text


def test_moments_are_kept_as_text(tmp_path):
    """Parquet has times as times; meta has them as ISO 8601."""
    row = WILD | {"timestamp": datetime(2023, 4, 9, 0, 2, 53, tzinfo=UTC)}
    (record, _) = read(write(tmp_path, row, "a.parquet"), WildChat())
    assert json.loads(record.rows[0].meta)["timestamp"] == "2023-04-09T00:02:53+00:00"


def test_older_wildchat_has_an_id(tmp_path):
    """`conversation_id` stands in for the hash."""
    row = {"conversation_id": "old-1"} | {
        name: value for name, value in WILD.items() if name != "conversation_hash"
    }
    (record, _) = read(write(tmp_path, row, "a.jsonl"), WildChat())
    assert record.origin == "old-1"


@pytest.mark.parametrize(("reader", "row"), CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    ("conversation", "found"),
    [
        (None, "null as conversation"),
        ([None], "null as turn 1"),
        ([{"role": "user"}], "turn 1 with the fields 'role'"),
        ([{"role": "narrator", "content": "x"}], "the role 'narrator' at turn 1"),
    ],
)
def test_wrong_form_is_located(read_text, reader, row, conversation, found):
    """A log that lacks its turns is reported under its own key."""
    (bad,) = read_text(reader, [row | {"conversation": conversation}])
    assert (bad.where, bad.found) == ("a.jsonl, line 1", found)
    assert bad.origin in {row.get("conversation_hash"), row.get("conversation_id")}
    (bad,) = read_text(reader, [{"model": "m"}])
    assert bad.found == "the fields 'model'"
