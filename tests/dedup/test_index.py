"""The index on disk: what is in it stays, what is like it goes, and damage is told."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imitation_data.dedup import Index, NearOptions, Shingling, find
from imitation_data.errors import StoreError

SEA = "Write a short poem about the sea at night for a child who cannot sleep"
TIDES = "Explain how tides work to a child who has never seen the sea before"
OPTIONS = NearOptions(0.5, recall=0.999, shingling=Shingling(ngram=3))
SHORT_ROWS = st.lists(
    st.lists(st.sampled_from("abc"), max_size=7).map(" ".join), min_size=1, max_size=12
)


def column(*texts):
    return pa.array(texts, pa.string())


@pytest.fixture
def index(tmp_path):
    made = Index.create(tmp_path / "index", OPTIONS.shingling)
    return made.add(["sea", "hello"], [column(SEA, "Hello")])


def test_known_rows_stay_and_new_ones_yield(index):
    """A longer new text loses to a shorter known one; short texts by equality."""
    found = index.compare([column(f"{SEA} tonight", "hello ", TIDES, "Help")], OPTIONS)
    assert found.other.tolist() == [-1, -1, 0, 1, -1, -1]
    assert found.similarity[2] == 13 / 14


def test_rows_of_the_index_are_not_held_against_each_other(index):
    """What is in an index was decided before."""
    grown = index.add(["again"], [column(SEA)])
    assert grown.compare([column(TIDES)], OPTIONS).other.tolist() == [-1] * 4


def test_it_is_on_disk(index):
    """Opened again, it holds the same and answers the same."""
    opened = Index.open(index.path, OPTIONS.shingling)
    assert opened == index
    assert opened.ids() == ["sea", "hello"]
    assert opened.check() == []
    assert opened.compare([column(SEA)], OPTIONS).other.tolist() == [-1, -1, 0]


def test_it_serves_any_threshold(index):
    """Signatures and sets are kept, not bands."""
    near = column("Write a short poem about the sea at night for a cat")
    assert index.compare([near], OPTIONS).other[-1] == 0
    high = NearOptions(0.9, shingling=OPTIONS.shingling)
    assert index.compare([near], high).other[-1] == -1


def test_merging(index, tmp_path):
    """One index takes up what another holds; an id in both is refused."""
    other = Index.create(tmp_path / "other", OPTIONS.shingling).add(["tides"], [column(TIDES)])
    merged = index.merge(other)
    assert merged.ids() == ["sea", "hello", "tides"]
    assert merged.compare([column(TIDES)], OPTIONS).other.tolist() == [-1, -1, -1, 2]
    with pytest.raises(StoreError, match="the id 'tides' would stand in the index twice"):
        merged.merge(other)


@pytest.mark.parametrize("ids", [["sea"], ["x", "x"]])
def test_ids_are_distinct(index, ids):
    """An id that repeats, or is there already, is refused before anything is written."""
    with pytest.raises(StoreError, match="would stand in the index twice"):
        index.add(ids, [column(*[TIDES] * len(ids))])
    assert Index.open(index.path).ids() == ["sea", "hello"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Shingling(ngram=4), "ngram 3, not 4"),
        (Shingling(ngram=3, seed=2), "seed 1, not 2"),
        (Shingling(ngram=3, scheme="xxh32"), "scheme 'poly64', not 'xxh32'"),
        (Shingling(ngram=3, permutations=64), "permutations 128, not 64"),
    ],
)
def test_another_way_of_making_it_is_refused(index, asked, says):
    """Signatures made in two ways are never compared, and the message says what differs."""
    with pytest.raises(StoreError, match=says):
        Index.open(index.path, asked)
    with pytest.raises(StoreError, match=says):
        index.compare([column(SEA)], NearOptions(shingling=asked))


def test_another_normalisation_is_refused(index):
    """An index of another version of Unicode, or of other tokens, is not read."""
    manifest = index.path / "index.json"
    value = json.loads(manifest.read_text())
    value["shingling"]["unicode"] = "3.2.0"
    manifest.write_text(json.dumps(value))
    with pytest.raises(StoreError, match=r"unicode '3.2.0', not '1"):
        Index.open(index.path)


def spoil_bytes(path):
    (segment,) = path.glob("segment-*")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)


def cut(path):
    (segment,) = path.glob("segment-*")
    segment.write_bytes(segment.read_bytes()[:100])


def remove(path):
    next(path.glob("segment-*")).unlink()


def break_manifest(path):
    (path / "index.json").write_text("{")


def empty_manifest(path):
    (path / "index.json").write_text('{"format": 1, "shingling": {}, "segments": [{}]}')


def newer(path):
    (path / "index.json").write_text('{"format": 9, "shingling": {}}')


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut, "is not what was written"),
        (spoil_bytes, "is not what was written"),
        (remove, "is not there"),
        (break_manifest, "cannot be read"),
        (empty_manifest, "does not have the form"),
        (newer, "of format 9; this program reads 1"),
    ],
)
def test_a_damaged_index_is_refused(index, harm, says):
    """Damage is met with what is wrong, never with a traceback or a wrong answer."""
    harm(index.path)
    with pytest.raises(StoreError, match=says):
        Index.open(index.path).compare([column(SEA)], OPTIONS)


def test_check_finds_what_opening_cannot(index):
    """One changed bit, and files that belong to nobody."""
    (index.path / ".segment-1.arrow.part").write_bytes(b"")
    spoil_bytes(index.path)
    problems = Index.open(index.path).check()
    assert len(problems) == 2
    assert "not those that were written" in problems[0]
    assert "belongs to no segment" in problems[1]


def test_two_at_once_lose_nothing(index):
    """Who opened an index before somebody else added to it is told, and nothing is overwritten."""
    other = Index.open(index.path)
    index.add(["one"], [column(TIDES)])
    with pytest.raises(StoreError, match="changed by somebody else meanwhile; run again"):
        other.add(["two"], [column(TIDES)])
    opened = Index.open(index.path)
    assert opened.ids() == ["sea", "hello", "one"]
    assert opened.check() == []  # no segment of the loser is left behind


def test_what_its_texts_are_is_remembered(tmp_path):
    """Prompts are not held against answers by mistake, nor merged with them."""
    prompts = Index.create(tmp_path / "prompts", OPTIONS.shingling, "prompt")
    answers = Index.create(tmp_path / "answers", OPTIONS.shingling, "answer")
    unsaid = Index.create(tmp_path / "unsaid", OPTIONS.shingling)
    assert Index.open(prompts.path, on="prompt") == prompts
    assert Index.open(unsaid.path, on="prompt") == unsaid
    with pytest.raises(StoreError, match="holds texts of 'prompt', and 'answer' is to be held"):
        Index.open(prompts.path, on="answer")
    with pytest.raises(StoreError, match="keep them apart"):
        prompts.merge(answers)


def test_adding_nothing_changes_nothing(index):
    """No text, no segment."""
    assert index.add([], [column()]) == index
    assert Index.open(index.path) == index


def test_there_must_be_one(tmp_path):
    """A folder without an index, and a place that is taken."""
    with pytest.raises(StoreError, match="is no index"):
        Index.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is there already"):
        Index.create(tmp_path)


def test_the_bytes_do_not_depend_on_threads(tmp_path):
    """The same texts give the same segment, by name and content."""
    texts = column(*(f"{SEA} {number} {TIDES}" for number in range(3000)), None, "e\u0301a b c d")
    ids = [str(number) for number in range(len(texts))]
    one = Index.create(tmp_path / "one").add(ids, [texts])
    two = Index.create(tmp_path / "two").add(ids, [texts], threads=2)
    assert one.segments == two.segments


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(known=SHORT_ROWS, new=SHORT_ROWS, number=st.integers())
def test_it_answers_as_if_all_texts_were_at_hand(tmp_path_factory, known, new, number):
    """An index is as good as the texts it was made of."""
    del number
    path = tmp_path_factory.mktemp("index") / "index"
    index = Index.create(path, OPTIONS.shingling)
    index = index.add([str(place) for place in range(len(known))], [column(*known)])
    order = np.arange(len(new))
    found = index.compare([column(*new)], OPTIONS, order)
    fixed = np.arange(len(known) + len(new)) < len(known)
    whole = find([column(*known), column(*new)], OPTIONS, order=np.arange(len(fixed)), fixed=fixed)
    assert found.other.tolist() == whole.other.tolist()
    assert found.similarity.tolist() == whole.similarity.tolist()
