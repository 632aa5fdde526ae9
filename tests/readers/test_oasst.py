import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.conversation import Message
from imitation_data.ledger import Drop
from imitation_data.readers.oasst import OpenAssistant
from imitation_data.readers.reader import read
from imitation_data.readers.record import BadRecord, Record

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "oasst"


def post(name, role="assistant", replies=(), **rest):
    """Write a message; its text is its id."""
    fields = {"lang": "en", "review_result": True, "deleted": False, "synthetic": False}
    return {
        "message_id": name,
        "text": name,
        "role": role,
        **fields,
        "replies": list(replies),
    } | rest


def tree(prompt, **rest):
    fields = {"message_tree_id": prompt["message_id"], "tree_state": "ready_for_export"}
    return {**fields, "prompt": prompt} | rest


def flat(top, tree_id, parent=None):
    """Write a tree as one message a line."""
    row = {key: value for key, value in top.items() if key != "replies"}
    lines = [row | {"parent_id": parent} | ({"message_tree_id": tree_id} if tree_id else {})]
    for reply in top["replies"]:
        lines += flat(reply, tree_id, top["message_id"])
    return lines


TALK = post(
    "p1",
    "prompter",
    [
        post("a2", rank=1, replies=[post("p3", "prompter", [post("a3", rank=0)])]),
        post(
            "a1",
            rank=0,
            replies=[
                post("p-open", "prompter"),
                post("p2", "prompter", [post("b2", rank=2), post("b1", rank=1), post("b0")]),
            ],
        ),
    ],
)
BEST = [["p1", "a1", "p2", "b1"]]
ALL = [
    ["p1", "a1", "p2", "b1"],
    ["p1", "a1", "p2", "b2"],
    ["p1", "a1", "p2", "b0"],
    ["p1", "a2", "p3", "a3"],
]


def texts(record):
    return [[text for _, text in row.messages] for row in record.rows]


def edits(record):
    return {edit.kind: edit.count for edit in record.edits}


def test_the_best_branch_follows_the_ranks(read_text):
    """No rank counts as last, and a prompt without an answer is passed over."""
    (record,) = read_text(OpenAssistant(), [tree(TALK)])
    assert texts(record) == BEST
    assert [role for role, _ in record.rows[0].messages] == ["user", "assistant"] * 2
    assert edits(record) == {"branch_left_out": 5, "trailing_prompter_cut": 1}
    (row,) = record.rows
    assert (record.origin, row.origin, row.part, row.teacher) == ("p1", "p1", 0, None)
    assert json.loads(row.meta) == {
        "file": "a.jsonl",
        "line": 1,
        "tree_state": "ready_for_export",
        "lang": "en",
        "written_by": "people",
    }


def test_all_branches_end_in_an_answer(read_text):
    """In the order of rank; the prompt nobody answered is counted."""
    (record,) = read_text(OpenAssistant(branches="all"), [tree(TALK)])
    assert texts(record) == ALL
    assert [row.part for row in record.rows] == [0, 1, 2, 3]
    assert edits(record) == {"trailing_prompter_cut": 1}


@pytest.mark.parametrize("tree_id", ["p1", None])
@pytest.mark.parametrize("order", [1, -1])
def test_flat_messages_are_brought_together(tmp_path, tree_id, order):
    """In any order, over lines and files, by the tree's id or by the parents."""
    other = flat(post("q1", "prompter", [post("q2")]), tree_id and "q1")
    lines = flat(TALK, tree_id)
    mixed = [line for pair in zip(lines, [*other, *lines[:0]], strict=False) for line in pair]
    mixed = (mixed + lines[2:])[::order]
    for name, part in (("a", mixed[:5]), ("b", mixed[5:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in part))
    records = {record.origin: record for record in read(tmp_path, OpenAssistant())}
    assert texts(records["p1"]) == BEST
    assert texts(records["q1"]) == [["q1", "q2"]]


def test_messages_in_parquet_are_read(tmp_path):
    """The form of the Hub."""
    lines = flat(TALK, "p1")
    names = ["message_id", "parent_id", "text", "role", "rank", "message_tree_id", "deleted"]
    rows = [{name: line.get(name) for name in names} | {"emojis": {"n": [1]}} for line in lines]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    (record,) = list(read(tmp_path, OpenAssistant()))
    assert texts(record) == BEST


@pytest.mark.parametrize(
    ("change", "edit"),
    [
        ({"deleted": True}, {"deleted_dropped": 6}),
        ({"review_result": False}, {"rejected_dropped": 6}),
        ({"review_result": None}, {}),
    ],
)
def test_deleted_and_rejected_messages_take_what_follows_with_them(read_text, change, edit):
    """Null is not yet reviewed, which is no rejection."""
    talk = TALK | {"replies": [TALK["replies"][0], TALK["replies"][1] | change]}
    (record,) = read_text(OpenAssistant(branches="all"), [tree(talk)])
    assert texts(record) == (ALL[3:] if edit else ALL)
    assert edits(record) == edit or {"trailing_prompter_cut": 1}
    kept = read_text(OpenAssistant(branches="all", rejected="keep"), [tree(talk)])
    assert texts(kept[0]) == (ALL[3:] if "deleted" in change else ALL)


@pytest.mark.parametrize(
    ("first", "second", "teacher", "written"),
    [
        (
            {"synthetic": True, "model_name": "chip20b"},
            {"model_name": "chip20b"},
            "chip20b",
            "models",
        ),
        ({"synthetic": True, "model_name": "a"}, {"model_name": "b"}, None, "models"),
        ({"synthetic": True}, {"synthetic": True}, None, "models"),
        ({"synthetic": True, "model_name": "a"}, {}, None, "people and models"),
        ({"model_name": ""}, {"model_name": None}, None, "people"),
    ],
)
def test_the_teacher_is_known_when_one_model_wrote_all(read_text, first, second, teacher, written):
    """People are no teacher that has a name."""
    talk = post("p", "prompter", [post("a", **first, replies=[post("b", **second)])])
    (record,) = read_text(OpenAssistant(), [tree(talk)])
    (row,) = record.rows
    assert row.teacher == teacher
    assert json.loads(row.meta)["written_by"] == written


def test_a_tree_without_an_answer_is_a_drop(read_text):
    """It says how many messages it had."""
    (record,) = read_text(OpenAssistant(), [tree(post("p", "prompter"))])
    assert record.drops == (Drop("no_answer", found=1),)
    assert edits(record) == {"trailing_prompter_cut": 1}


def test_messages_cut_off_from_their_tree_are_counted(read_text):
    """A missing parent, a circle, the same id again."""
    lines = [
        *flat(post("p", "prompter", [post("a")]), "p"),
        *flat(post("o", replies=[post("o2")]), "p", "gone"),
        *flat(post("x"), "p", "y"),
        *flat(post("y"), "p", "x"),
        *flat(post("a"), "p", "p"),
    ]
    (record,) = read_text(OpenAssistant(branches="all"), lines)
    assert texts(record) == [["p", "a"]]
    assert edits(record) == {"parent_missing": 2, "cycle_dropped": 2, "repeated_message": 1}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ([], "a list as a line"),
        ({}, "a message without a usable message_id"),
        (tree(TALK) | {"prompt": "x"}, "a text as prompt"),
        (post("x", "wizard"), "the role 'wizard'"),
        (post("x", "tool"), "the role 'tool'"),
        (post("x", text=None), "null as text"),
        (post("x") | {"replies": {}}, "an object as replies"),
        (post("x", replies=["y"]), "a text as a reply"),
        (post("x", parent_id=["y"]), "a list as parent_id"),
        (tree(post("x", replies=[post("y", message_id=None)])), "a message without a usable"),
    ],
)
def test_another_form_is_a_bad_record(read_text, row, found):
    """It is located; the lines around it are read."""
    first, bad, last = read_text(OpenAssistant(), [tree(TALK), row, tree(TALK)])
    assert texts(first) == texts(last) == BEST
    assert isinstance(bad, BadRecord)
    assert bad.where == "a.jsonl, line 2"
    assert bad.found.startswith(found)


@pytest.mark.skipif(not SHARED.exists(), reason=f"no real trees at {SHARED}")
@pytest.mark.parametrize(("branches", "rows", "left"), [("best", 100, 877), ("all", 546, 226)])
def test_both_real_files_give_the_same_rows_and_lose_no_message(branches, rows, left):
    """One has a tree a line, the other a root message a line; both hold 1,167 messages."""
    read_rows = []
    for name in ("en_100_tree.jsonl", "en_100_message.jsonl"):
        records = list(read(SHARED / name, OpenAssistant(branches=branches)))
        assert len(records) == 100
        read_rows.append([row for record in records for row in record.rows])
        counted = sum(edit.count for record in records for edit in record.edits)
        assert counted == left
        assert all(row.messages[-1].role == "assistant" for row in read_rows[-1])
    trees, messages = read_rows
    assert len(trees) == rows
    assert [(row.origin, row.part, row.teacher, row.messages) for row in trees] == [
        (row.origin, row.part, row.teacher, row.messages) for row in messages
    ]


POSTS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.one_of(st.none(), st.integers(0, 14)),
        st.sampled_from(["prompter", "assistant"]),
        st.sampled_from([None, 0, 1, 1.5]),
        st.sampled_from(["", "", "", "deleted", "rejected"]),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=300, deadline=None)
@given(posts=POSTS, keyed=st.booleans(), branches=st.sampled_from(["best", "all"]))
def test_every_message_is_in_a_row_or_counted(tmp_path_factory, posts, keyed, branches):
    """Whatever the parents: circles, missing ones, several roots, ids twice."""
    lines = []
    for name, parent, role, rank, fate in posts:
        row = {"message_id": str(name), "text": f"w{name}", "role": role, "rank": rank}
        row |= {"parent_id": None if parent is None else str(parent)}
        row |= {"deleted": fate == "deleted", "review_result": fate != "rejected"}
        lines.append(row | ({"message_tree_id": "t"} if keyed else {}))
    path = tmp_path_factory.mktemp("trees") / "a.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    records = list(read(path, OpenAssistant(branches=branches)))
    assert all(isinstance(record, Record) for record in records)
    counted = sum((Counter(edits(record)) for record in records), Counter()).total()
    used = sum(len({text for row in texts(record) for text in row}) for record in records)
    assert counted + used == len(posts)
    assert len(records) == 1 or not keyed
    for record in records:
        for row in record.rows:
            assert row.messages[-1].role == "assistant"
            assert isinstance(row.messages[0], Message)
