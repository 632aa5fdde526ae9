import json
import zipfile
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.conversation import Message
from imitation_data.ledger import Drop
from imitation_data.readers.chatgpt_export import ChatGPTExport
from imitation_data.readers.reader import read
from imitation_data.readers.record import BadRecord, Record


def message(role, text, *, model=None, **rest):
    """Write a message; `text` is its text or its whole content."""
    content = {"content_type": "text", "parts": [text]} if isinstance(text, str) else text
    metadata = {"model_slug": model} if model else {}
    return {
        "id": f"m-{text}",
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": 1700000000.0,
        "content": content,
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": metadata,
        "recipient": "all",
    } | rest


def chat(nodes, current="last", **rest):
    """Write a conversation; nodes are (name, parent, message)."""
    mapping = {
        name: {"id": name, "parent": parent, "message": said, "children": []}
        for name, parent, said in nodes
    }
    for name, parent, _ in nodes:
        if parent in mapping:
            mapping[parent]["children"].append(name)
    return {
        "title": "Capitals",
        "create_time": 1700000000.5,
        "update_time": 1700000009.5,
        "mapping": mapping,
        "current_node": nodes[-1][0] if nodes and current == "last" else current,
        "conversation_id": "6f1c",
        "default_model_slug": "gpt-4",
    } | rest


def line(*messages):
    """Write a conversation without branches, under an empty root as exports have it."""
    nodes = [("root", None, None)]
    for number, said in enumerate(messages):
        nodes.append((f"n{number}", nodes[-1][0], said))
    return chat(nodes)


@pytest.fixture
def run(tmp_path):
    """Read one conversation; return its record."""

    def run(conversation, **options):
        (tmp_path / "conversations.json").write_text(json.dumps([conversation]), encoding="utf-8")
        (record,) = list(read(tmp_path / "conversations.json", ChatGPTExport(**options)))
        return record

    return run


def edits(record):
    return {edit.kind: edit.count for edit in record.edits}


def texts(record):
    return [[text for _, text in row.messages] for row in record.rows]


FRANCE = [message("user", "Capital of France?"), message("assistant", "Paris.", model="gpt-4o")]


def test_a_conversation_becomes_one_row(run):
    """Origin, teacher, title and times come from the export."""
    record = run(line(*FRANCE))
    (row,) = record.rows
    assert row.messages == (Message("user", "Capital of France?"), Message("assistant", "Paris."))
    assert (record.origin, row.origin, row.part, row.teacher) == ("6f1c", "6f1c", 0, "gpt-4o")
    assert json.loads(row.meta) == {
        "file": "conversations.json",
        "record": 1,
        "title": "Capitals",
        "create_time": 1700000000.5,
        "update_time": 1700000009.5,
    }
    assert record.edits == ()


@pytest.mark.parametrize(
    ("slugs", "default", "teacher"),
    [
        (["a", "b", "b"], "x", "b"),
        (["a", "b"], "x", "b"),
        (["a", "b", "a", "b", "a"], "x", "a"),
        ([None, None], "x", "x"),
        ([None], None, None),
        (["auto"], "auto", None),
        (["auto"], "gpt-4", "gpt-4"),
    ],
)
def test_the_teacher_is_the_model_that_answered_most(run, slugs, default, teacher):
    """Of equals the last; the conversation's own model only where no message names one."""
    said = [message("assistant", f"a{n}", model=slug) for n, slug in enumerate(slugs)]
    (row,) = run(line(*said) | {"default_model_slug": default}).rows
    assert row.teacher == teacher


# Branches.

EDITED = [
    ("root", None, None),
    ("q1", "root", message("user", "q1")),
    ("a1", "q1", message("assistant", "a1", create_time=1.0)),
    ("q2", "a1", message("user", "q2")),
    ("a2", "q2", message("assistant", "a2", create_time=9.0)),
    ("a1b", "q1", message("assistant", "a1b", create_time=5.0)),
    ("q2b", "a1", message("user", "q2b")),
    ("a2b", "q2b", message("assistant", "a2b", create_time=3.0)),
]


def test_the_current_branch_is_what_the_user_saw_last(run):
    """The other messages are counted."""
    record = run(chat(EDITED, "a2"))
    assert texts(record) == [["q1", "a1", "q2", "a2"]]
    assert edits(record) == {"branch_left_out": 3}


def test_all_branches_are_parts_with_the_current_one_first(run):
    """The others follow by time, whatever their order in the mapping."""
    for nodes in (EDITED, EDITED[::-1]):
        record = run(chat(nodes, "a2"), branches="all")
        assert texts(record) == [
            ["q1", "a1", "q2", "a2"],
            ["q1", "a1", "q2b", "a2b"],
            ["q1", "a1b"],
        ]
        assert [row.part for row in record.rows] == [0, 1, 2]
        assert edits(record) == {}


def test_a_branch_that_differs_only_in_what_is_left_out_is_no_row(run):
    """Otherwise the same turns would stand in the data twice."""
    nodes = [
        *EDITED[:3],
        ("h", "a1", message("system", "hidden", weight=0)),
        ("h2", "h", message("tool", "tool")),
    ]
    record = run(chat(nodes, "a1"), branches="all")
    assert texts(record) == [["q1", "a1"]]
    assert edits(record) == {"hidden_message_dropped": 1, "tool_message_dropped": 1}


@pytest.mark.parametrize("current", [None, "nowhere", 7, ["a2"]])
def test_without_a_current_node_the_last_written_leaf_stands_for_it(run, current):
    """Time decides, and the edit says that it was a guess."""
    record = run(chat(EDITED, current))
    assert texts(record) == [["q1", "a1", "q2", "a2"]]
    assert edits(record)["current_node_missing"] == 1


# Broken trees.


def test_a_missing_parent_cuts_the_path_there(run):
    """What is above it cannot be known."""
    record = run(chat([("q1", "gone", FRANCE[0]), ("a1", "q1", FRANCE[1])]))
    assert texts(record) == [["Capital of France?", "Paris."]]
    assert edits(record) == {"parent_missing": 1}


def test_a_circle_is_cut(run):
    """The walk ends, and every message is in it once."""
    nodes = [("a", "c", message("user", "a")), ("b", "a", message("assistant", "b"))]
    for branches in ("current", "all"):
        record = run(chat([*nodes, ("c", "b", message("user", "c"))]), branches=branches)
        assert sorted(texts(record)[0]) == ["a", "b", "c"]
        assert edits(record) == {"cycle_cut": 1}


def test_several_roots_are_several_conversations(run):
    """With all branches; the current one is one of them."""
    nodes = [("x", None, message("user", "x")), ("y", None, message("user", "y"))]
    assert texts(run(chat(nodes, "x"), branches="all")) == [["x"], ["y"]]
    record = run(chat(nodes, "x"))
    assert texts(record) == [["x"]]
    assert edits(record) == {"branch_left_out": 1}


def test_links_only_in_children_are_used(run):
    """Some tools write no parents."""
    conversation = line(*FRANCE)
    for node in conversation["mapping"].values():
        node.pop("parent")
    record = run(conversation)
    assert texts(record) == [["Capital of France?", "Paris."]]
    assert edits(record) == {"node_without_parent_link": 2}


def test_a_node_without_the_field_for_its_message_is_counted(run):
    """Null is usual there; a field that is missing may be a message that got lost."""
    conversation = line(*FRANCE)
    del conversation["mapping"]["n1"]["message"]
    record = run(conversation)
    assert texts(record) == [["Capital of France?"]]
    assert edits(record) == {"node_without_message": 1}


# Messages.


@pytest.mark.parametrize(
    ("said", "edit"),
    [
        (message("system", "", weight=0), "hidden_message_dropped"),
        (
            message("user", "me", metadata={"is_user_system_message": True}),
            "hidden_message_dropped",
        ),
        (
            message("user", "x", metadata={"is_visually_hidden_from_conversation": True}),
            "hidden_message_dropped",
        ),
        (message("tool", "42"), "tool_message_dropped"),
        (message("assistant", "import x", recipient="python"), "tool_message_dropped"),
        (
            message("assistant", {"content_type": "execution_output", "text": "42"}),
            "tool_message_dropped",
        ),
        (message("assistant", {"content_type": "thoughts", "thoughts": []}), "reasoning_dropped"),
        (
            message("assistant", {"content_type": "reasoning_recap", "content": "5 s"}),
            "reasoning_dropped",
        ),
        (message("assistant", "hm", channel="analysis"), "reasoning_dropped"),
        (
            message("assistant", {"content_type": "tether_quote", "text": "t", "url": "u"}),
            "browsing_dropped",
        ),
        (
            message("assistant", {"content_type": "tether_browsing_display", "result": "r"}),
            "browsing_dropped",
        ),
        (
            message("assistant", {"content_type": "system_error", "text": "e"}),
            "system_error_dropped",
        ),
        (
            message("user", {"content_type": "user_editable_context", "user_profile": "p"}),
            "custom_instructions_dropped",
        ),
        (message("assistant", {"content_type": "hologram"}), "unknown_content_dropped"),
        (message("assistant", ""), "blank_message_dropped"),
        (message("assistant", None), "blank_message_dropped"),
        (message("assistant", {"content_type": "text", "parts": []}), "blank_message_dropped"),
        (message("assistant", {"content_type": "text"}), "blank_message_dropped"),
    ],
)
def test_every_omission_is_counted(run, said, edit):
    """The rest of the conversation stays."""
    record = run(line(FRANCE[0], said, FRANCE[1]))
    assert texts(record) == [["Capital of France?", "Paris."]]
    assert edits(record) == {edit: 1}


@pytest.mark.parametrize(
    ("parts", "text", "edit"),
    [
        (["a", "b"], "a\nb", {}),
        ([{"content_type": "image_asset_pointer"}, "what?"], "what?", {"image_dropped": 1}),
        ([{"content_type": "image_asset_pointer"}], "", {"image_dropped": 1}),
        (
            [
                {"content_type": "audio_transcription", "text": "hi", "direction": "in"},
                {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://x"},
            ],
            "hi",
            {"audio_dropped": 1},
        ),
        ([{"text": "typed"}, {"what": 1}, 3, None], "typed", {"content_part_dropped": 2}),
        ([{"content_type": ["x"]}, "y"], "y", {"content_part_dropped": 1}),
    ],
)
def test_parts_that_are_no_text_are_counted(run, parts, text, edit):
    """A message of nothing else stays as an empty turn, since the answer leans on it."""
    said = message("user", {"content_type": "multimodal_text", "parts": parts})
    record = run(line(said, FRANCE[1]))
    assert texts(record) == [[text, "Paris."]]
    assert edits(record) == edit


def test_uploaded_files_are_counted(run):
    """Images are not counted twice: they are parts as well."""
    files = [{"mime_type": "application/pdf"}, {"mime_type": "image/png"}, {"name": "x"}]
    record = run(line(message("user", "read", metadata={"attachments": files}), FRANCE[1]))
    assert edits(record) == {"attachment_left_out": 2}


def test_code_is_fenced(run):
    """With a fence that the code does not hold, and its language when there is one."""
    code = {"content_type": "code", "language": "python", "text": "x = 1"}
    nested = {"content_type": "code", "language": "unknown", "text": "```\nx\n````"}
    record = run(line(FRANCE[0], message("assistant", code), message("assistant", nested)))
    assert texts(record)[0][1:] == ["```python\nx = 1\n```", "`````\n```\nx\n````\n`````"]
    assert edits(record) == {"code_fenced": 2}


def test_citation_markers_are_stripped_from_answers_only(run):
    """Markers that may hold text are left alone, and a link becomes its label."""
    answer = (
        "It is.\ue200cite\ue202turn0search1\ue202turn0search2\ue201 So \ue200filecite\ue202x\ue201."
        " See \ue200url\ue202the site\ue202https://x.org\ue201 \ue200entity\ue202text\ue201"
        " \ue200cite open"
    )
    question = "What is \ue200cite\ue202x\ue201?"
    record = run(line(message("user", question), message("assistant", answer)))
    expected = "It is. So. See the site \ue200entity\ue202text\ue201 \ue200cite open"
    assert texts(record) == [[question, expected]]
    assert edits(record) == {"citation_stripped": 3}


def test_conversations_with_tools_can_be_dropped(run):
    """The policy of all chat readers."""
    record = run(line(*FRANCE, message("tool", "x")), tools="drop_record")
    assert record.drops == (Drop("tool_message", found=1, limit=0),)


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (chat([], None), "no_turns"),
        (chat([("root", None, None)]), "no_turns"),
        (line(message("system", "", weight=0)), "no_turns"),
        (line(message("tool", "x")), "only_tool_messages"),
    ],
)
@pytest.mark.parametrize("branches", ["current", "all"])
def test_a_conversation_without_turns_is_a_drop(run, conversation, reason, branches):
    """It does not vanish."""
    (drop,) = run(conversation, branches=branches).drops
    assert drop.reason == reason


# Files.


def test_only_conversations_are_opened_in_a_zip(tmp_path):
    """The other files hold an e-mail address and a phone number."""
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("user.json", '{"email": "ana@example.org"')
        archive.writestr("shared_conversations.json", "[")
        archive.writestr("message_feedback.json", "[{}]")
        archive.writestr("sub/conversations-001.json", json.dumps([chat([], None)]))
        archive.writestr("conversations-000.json", json.dumps([line(*FRANCE)]))
    records = list(read(tmp_path / "export.zip", ChatGPTExport()))
    assert [len(record.rows) for record in records] == [1, 0]
    (tmp_path / "user.json").write_text("{")
    assert list(read(tmp_path, ChatGPTExport())) == records


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: json.dumps({"conversations": rows}),
        lambda rows: json.dumps({"version": 2, "conversations": rows, "more": {}}),
        lambda rows: "\n".join(json.dumps(row) for row in rows),
        lambda rows: json.dumps(rows, indent=2),
    ],
)
def test_forms_of_the_file_are_read_alike(tmp_path, wrap):
    """A list, an object with a list, or a conversation a line, under any name."""
    rows = [line(*FRANCE), line(*FRANCE) | {"conversation_id": None, "id": "other"}]
    (tmp_path / "mine.json").write_text(wrap(rows))
    records = list(read(tmp_path / "mine.json", ChatGPTExport()))
    assert [record.origin for record in records] == ["6f1c", "other"]
    (tmp_path / "mine.json").write_text('{"conversations": []}')
    assert list(read(tmp_path / "mine.json", ChatGPTExport())) == []


@pytest.mark.parametrize(
    ("conversation", "found"),
    [
        ({"id": "x"}, "no field mapping"),
        ({"id": "x", "mapping": []}, "a list as mapping"),
        ({"id": "x", "mapping": {"a": 3}}, "a number as a node of the mapping"),
        (line("words"), "a text as a message"),
        (line(message("wizard", "x")), "the role 'wizard'"),
        (line(message("user", "x") | {"author": None}), "null as the author of a message"),
        (line(message("user", ["x"])), "a list as the content of a message"),
        (
            line(message("user", {"content_type": "text", "parts": "x"})),
            "a text as the parts of a message",
        ),
        (line(message("user", {"content_type": 3})), "a number as content_type"),
        (line(message("user", "x", metadata=[])), "a list as the metadata of a message"),
    ],
)
def test_another_form_is_a_bad_record(run, conversation, found):
    """It names the record and what stands there, and quotes no text."""
    bad = run(conversation)
    assert isinstance(bad, BadRecord)
    assert bad.where == "conversations.json, record 1"
    assert bad.found == found
    assert bad.origin in ("x", "6f1c")


# Laws.

NODES = st.lists(
    st.tuples(
        st.integers(0, 12),  # name
        st.one_of(st.none(), st.integers(0, 14)),  # parent, perhaps missing or itself
        st.sampled_from(["user", "assistant", "hidden", "tool", "empty"]),
        st.integers(0, 5),  # time
    ),
    max_size=13,
    unique_by=lambda node: node[0],
)


@settings(max_examples=300, deadline=None)
@given(nodes=NODES, current=st.integers(0, 14), branches=st.sampled_from(["current", "all"]))
def test_every_message_of_a_tree_is_in_a_row_or_counted(tmp_path_factory, nodes, current, branches):
    """Whatever the tree: circles, missing parents, several roots, no current node."""
    drawn = []
    for name, parent, role, time in nodes:
        said = None
        if role != "empty":
            word, weight = ("user", 0) if role == "hidden" else (role, 1)
            said = message(word, f"w{name}", weight=weight, create_time=time)
        drawn.append((str(name), None if parent is None else str(parent), said))
    path = tmp_path_factory.mktemp("chat") / "a.json"
    path.write_text(json.dumps([chat(drawn, str(current))]))
    (record,) = list(read(path, ChatGPTExport(branches=branches)))
    assert isinstance(record, Record)
    used = {text for row in texts(record) for text in row}
    counts = Counter(edits(record))
    for structure in ("parent_missing", "cycle_cut", "current_node_missing"):
        counts.pop(structure, None)
    counts.pop("node_without_parent_link", None)
    assert len(used) + counts.total() == sum(said is not None for _, _, said in drawn)
    assert len({tuple(row) for row in texts(record)}) == len(record.rows)
    assert [row.part for row in record.rows] == list(range(len(record.rows)))
    if branches == "all":
        assert counts["branch_left_out"] == 0


def test_a_deep_and_a_wide_tree_take_linear_time(run):
    """A comb of 10,000 nodes: each branch is long, so only so many turns become rows."""
    nodes = [("0", None, message("user", "0"))]
    for number in range(1, 5_000):
        nodes.append((f"{number}", f"{number - 1}", message("user", f"{number}")))
        nodes.append((f"t{number}", f"{number}", message("assistant", f"t{number}")))
    record = run(chat(nodes, "4999"), branches="all")
    turns = sum(len(row.messages) for row in record.rows)
    assert turns < 200_000
    used = len({text for row in texts(record) for text in row})
    assert used + edits(record)["branch_left_out"] == len(nodes)
