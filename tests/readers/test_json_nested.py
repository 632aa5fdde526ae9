import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_nested import Member, read_under
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.record import BadRecord


def under(path, text):
    path.write_text(text, encoding="utf-8")
    return list(read_under(SourceFile(path, "a.json"), "rows"))


@pytest.mark.parametrize("indent", [None, 1])
def test_members_and_elements_come_in_order(tmp_path, indent):
    """The array is announced, so that an empty one can be told from none."""
    value = {"head": {"a": [1]}, "rows": [{"n": 1}, {"n": 2}], "count": 2}
    items = under(tmp_path / "a.json", "\ufeff" + json.dumps(value, indent=indent))
    assert items[:2] == [Member("head", {"a": [1]}), Member("rows", [])]
    assert [item.value for item in items[2:4]] == [{"n": 1}, {"n": 2}]
    assert [item.where for item in items[2:4]] == ["a.json, record 1", "a.json, record 2"]
    assert items[4:] == [Member("count", 2)]


def test_a_key_of_another_kind_is_a_member(tmp_path):
    """The caller decides whether that is an error."""
    assert under(tmp_path / "a.json", '{"rows": {"a": 1}}') == [Member("rows", {"a": 1})]


def test_a_broken_element_costs_that_element(tmp_path):
    """The next one is read, and so is the rest of the object."""
    text = '{"rows": [{"n": 1}, {"n": tru}, {"n": 3}], "count": 3}'
    kinds = [type(item) for item in under(tmp_path / "a.json", text)]
    assert kinds == [Member, RawRecord, BadRecord, RawRecord, Member]


@settings(max_examples=300, deadline=None)
@given(
    cut=st.integers(0, 80),
    insert=st.text('{}[]",:x\n 1', max_size=3),
)
def test_no_break_is_silent(tmp_path_factory, cut, insert):
    """A cut or changed file reads as another file, or ends in a located bad record."""
    whole = '{"head": {"id": "5"}, "rows": [{"n": 1, "t": "a"}, {"n": 2}], "count": 2}'
    path = tmp_path_factory.mktemp("json") / "a.json"
    for text in (whole[:cut], whole[:cut] + insert + whole[cut:]):
        items = under(path, text)
        bad = [item for item in items if isinstance(item, BadRecord)]
        assert all(item.where.startswith("a.json") for item in bad)
        try:
            value = json.loads(text)
        except ValueError:
            # Commas too many or too few between elements are forgiven, as in any list of records.
            assert bad or len(items) >= 4
        else:
            assert isinstance(value, dict) or bad


def test_a_long_array_is_read_in_constant_memory(tmp_path):
    """Twenty megabytes of elements take less than four of memory."""
    element = json.dumps({"text": "x" * 1000})
    (tmp_path / "a.json").write_text('{"rows": [' + ",".join([element] * 20_000) + "]}")
    tracemalloc.start()
    count = sum(1 for _ in read_under(SourceFile(Path(tmp_path / "a.json"), "a.json"), "rows"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 4 << 20
