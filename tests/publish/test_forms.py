"""Forms: what a trainer reads out of an exported row is the row."""

import json
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.conversation import ROLES, Conversation, Message
from imitation_data.errors import SourceError
from imitation_data.publish.export import export
from imitation_data.publish.form import MENDED_BY_ROLES, MISFITS
from imitation_data.publish.forms import FORMS, how_to_load, rows_of
from imitation_data.rows.roles import Roles
from tests.publish.trainers import RefusedError, axolotl, llama_factory, openai

LINES = [form for form in FORMS.values() if form.lines]
turns = st.builds(Message, st.sampled_from([*ROLES, "user", "assistant"]), st.text())
anything = st.lists(turns, max_size=7).map(tuple)


@st.composite
def rounds(draw):
    """Turns that alternate, so that laws about rows that fit do not hold for want of any."""
    texts = draw(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=4))
    system = draw(st.sampled_from([(), (Message("system", "S"),)]))
    pairs = [(Message("user", one), Message("assistant", two)) for one, two in texts]
    return system + tuple(message for pair in pairs for message in pair)


@pytest.mark.parametrize("form", LINES, ids=lambda form: form.name)
@given(messages=anything | rounds())
def test_a_line_reads_back_as_its_row(form, messages):
    """Of every row that a form holds, the line gives the same turns back."""
    if form.misfit(messages) is None:
        line = orjson.dumps(form.lines.record(Conversation(messages)))
        assert form.lines.messages(orjson.loads(line)) == messages


@pytest.mark.parametrize("form", LINES, ids=lambda form: form.name)
@given(messages=anything | rounds())
def test_trainers_read_the_same_turns(form, messages):
    """What the snippets tell a trainer to read from a line are the row's turns, and no others."""
    if form.misfit(messages) is not None:
        return
    row = json.loads(orjson.dumps(form.lines.record(Conversation(messages))))
    how = how_to_load(form, "talks")
    if "axolotl" in how:
        (entry,) = yaml.safe_load(how["axolotl"])["datasets"]
        assert axolotl(entry, row) == list(messages)
    (entry,) = json.loads(how["LLaMA-Factory"]).values()
    try:
        assert llama_factory(entry, row) == list(messages)
    except RefusedError:
        assert form.name == "chatml-jsonl"  # holds rows that LLaMA-Factory skips; the docs say so
    if form.name == "chatml-jsonl" and messages:
        assert openai(row) == list(messages)


@given(messages=anything | rounds())
def test_what_llama_factory_skips_is_refused_by_its_forms(messages):
    """A row fits `sharegpt` exactly when LLaMA-Factory would take it."""
    line = FORMS["chatml-jsonl"].lines.record(Conversation(messages))
    (entry,) = json.loads(how_to_load(FORMS["chatml-jsonl"], "talks")["LLaMA-Factory"]).values()
    try:
        taken = bool(llama_factory(entry, line))
    except RefusedError:
        taken = False
    assert (FORMS["sharegpt"].misfit(messages) is None) == taken


@given(messages=anything)
def test_the_step_that_is_advised_mends_the_row(messages):
    """Rows refused for a reason that `roles` mends fit afterwards, or the step drops them."""
    for form in LINES:
        reason = form.misfit(messages)
        assert reason is None or reason in MISFITS
        if reason in MENDED_BY_ROLES:
            rows = getattr(Roles()(Conversation(messages)), "rows", ())
            assert {form.misfit(row.messages) for row in rows} <= {None, "empty_system"}


REFUSED = {
    "no_round": ["system: S"],
    "late_system": ["user: U", "system: S", "assistant: A"],
    "starts_with_assistant": ["assistant: A", "user: U", "assistant: A"],
    "repeated_role": ["user: U", "user: U", "assistant: A"],
    "ends_with_user": ["user: U", "assistant: A", "user: U"],
    "unknown_role": ["user: U", "tool: T", "assistant: A"],
    "empty_system": ["system: ", "user: U", "assistant: A"],
}


@pytest.mark.parametrize("reason", MISFITS)
def test_each_reason_has_a_row(reason):
    """Every reason that is listed is given, and only for such a row."""
    messages = tuple(Message(*turn.split(": ", 1)) for turn in REFUSED[reason])
    assert FORMS["alpaca"].misfit(messages) == reason
    assert FORMS["sharegpt"].misfit(messages) == (None if reason == "empty_system" else reason)
    assert FORMS["chatml-jsonl"].misfit(messages) is None
    assert FORMS["messages"].misfit(messages) is None


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_snippets_name_fields_of_the_exported_rows(form, stored, tmp_path):
    """YAML and JSON of the snippets parse, and each field and file they name is there."""
    files = [file for file in export(stored, form, tmp_path / "out") if file.split == "train"]
    how = how_to_load(form, str(tmp_path / "out"), "train", len(files))
    row = next(_plain(form, files[0].path))
    for entry, file in zip(json.loads(how["LLaMA-Factory"]).values(), files, strict=True):
        assert entry["file_name"] == str(file.path)
        assert set(entry["columns"].values()) <= set(row)
    if form.name == "alpaca":
        assert "axolotl" not in how  # it would read neither system nor history
        return
    (entry,) = yaml.safe_load(how["axolotl"])["datasets"]
    assert set(entry["message_property_mappings"].values()) == set(row[entry["field_messages"]][0])
    assert sorted(tmp_path.glob(entry["data_files"][0].removeprefix(f"{tmp_path}/"))) == [
        file.path for file in files
    ]


def _plain(form, path):
    if form.lines is None:
        return iter(pq.read_table(path).to_pylist())
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_file_that_is_no_export_is_located(form, tmp_path):
    """Reading back something else says which file and line, in words."""
    path = tmp_path / f"train{form.suffix}"
    path.write_text('{"something": 1}\n')
    with pytest.raises(SourceError, match="train") as refused:
        list(rows_of(form, path))
    assert form.lines is None or "line 1" in str(refused.value)


def test_the_page_lists_forms_and_reasons():
    """The page about export names every form, and every reason in the words of the message."""
    page = Path(__file__).resolve().parents[2] / "docs" / "export.md"
    text = page.read_text(encoding="utf-8")
    assert [form.name for form in FORMS.values() if f"| `{form.name}` |" not in text] == []
    rows = [f"| `{reason}` | {words}" for reason, words in MISFITS.items()]
    assert [row for row in rows if row not in text] == []
