"""Facts are exact, and the parts add up to the whole."""

import json
import math
import time
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.conversation import SCHEMA, Conversation, Message, to_batch
from imitation_data.errors import StoreError
from imitation_data.report.facts import Facts, Histogram, Speech, Tally, bin_width, measure

PATIENT = settings(deadline=None)  # a busy machine is no failure
TEXTS = st.text(max_size=12) | st.sampled_from(["", "héllo", "漢字" * 40, "👍🏽" * 70, "x" * 3000])
MESSAGES = st.builds(Message, st.sampled_from(["user", "assistant", "system"]), TEXTS)
ROWS = st.fixed_dictionaries(
    {
        "messages": st.lists(MESSAGES, max_size=5).map(tuple),
        "source": st.sampled_from(["a", "b", "c"]),
        "language": st.sampled_from(["en", "zh", None]),
        "teacher": st.sampled_from(["model", None]),
        "license": st.sampled_from(["MIT", "CC-BY-4.0"]),
        "tokens": st.none() | st.integers(0, 100_000),
    }
).map(lambda fields: Conversation(**fields))
SPLIT_ROWS = st.lists(st.tuples(ROWS, st.sampled_from(["train", "test"])), max_size=12)
VALUES = st.integers(0, 70) | st.integers(0, 2**40)


def table(rows):
    return pa.Table.from_batches([to_batch(rows)], SCHEMA)


def facts(pairs):
    return measure(table([row for row, _ in pairs]), pa.array([s for _, s in pairs], pa.string()))


def slowly(pairs):
    """The same facts by plain loops, for the parts that can be said plainly."""

    def tally(rows):
        texts = [text for row in rows for text in row.texts()]
        tokens = sum(row.tokens or 0 for row in rows)
        return Tally(len(rows), len(texts), sum(map(len, texts)), tokens)

    def group(key):
        keys = {key(pair) or "" for pair in pairs}
        return {k: tally([p[0] for p in pairs if (key(p) or "") == k]) for k in keys}

    said = [message for row, _ in pairs for message in row.messages]
    return {
        "total": tally([row for row, _ in pairs]),
        "uncounted": sum(row.tokens is None for row, _ in pairs),
        "splits": group(lambda pair: pair[1]),
        "sources": group(lambda pair: pair[0].source),
        "languages": group(lambda pair: pair[0].language),
        "licenses": group(lambda pair: pair[0].license),
        "teachers": group(lambda pair: pair[0].teacher),
        "roles": {
            role: Speech(sum(r == role for r, _ in said), sum(len(t) for r, t in said if r == role))
            for role in {role for role, _ in said}
        },
    }


@PATIENT
@given(SPLIT_ROWS)
def test_measure_counts_what_a_loop_counts(pairs):
    """Rows, turns, code points and tokens, in all and by group, to the last one."""
    found = facts(pairs)
    for name, expected in slowly(pairs).items():
        assert getattr(found, name) == expected, name
    assert found.turns == Histogram.of(np.array([len(r.messages) for r, _ in pairs], np.int64))
    lengths = [sum(map(len, row.texts())) for row, _ in pairs]
    assert found.characters == Histogram.of(np.array(lengths, np.int64))
    tokens = [row.tokens for row, _ in pairs if row.tokens is not None]
    assert found.tokens == Histogram.of(np.array(tokens, np.int64))


@PATIENT
@given(SPLIT_ROWS, st.integers(0, 12), st.integers(0, 12))
def test_shards_add_up_to_the_whole_in_any_order(pairs, one, two):
    """Any cut into three, added in any order, equals the whole; nothing adds nothing."""
    low, high = sorted((one, two))
    a, b, c = facts(pairs[:low]), facts(pairs[low:high]), facts(pairs[high:])
    whole = facts(pairs)
    assert (a + b) + c == whole
    assert a + (b + c) == whole
    assert c + b + a == whole
    assert json.dumps((c + b + a).to_json()) == json.dumps(whole.to_json())
    assert whole + Facts() == Facts() + whole == whole


@PATIENT
@given(SPLIT_ROWS, st.integers(0, 12), st.integers(0, 12))
def test_slices_and_chunks_measure_as_their_rows(pairs, one, two):
    """A slice counts its own rows only, and chunk borders do not matter."""
    low, high = sorted((min(one, len(pairs)), min(two, len(pairs))))
    whole = table([row for row, _ in pairs])
    splits = pa.array([split for _, split in pairs], pa.string())
    piece = whole.slice(low, high - low)
    assert measure(piece, splits.slice(low, high - low)) == facts(pairs[low:high])
    chunked = pa.concat_tables([whole.slice(0, low), whole.slice(low)])
    assert measure(chunked, pa.chunked_array([splits])) == facts(pairs)


def test_one_name_stands_for_all_rows():
    """A split given as a string holds every row."""
    rows = [Conversation((Message("user", "hi"),), source="a", license="MIT")] * 3
    assert measure(table(rows), "train").splits == {"train": Tally(3, 3, 6, 0)}


@PATIENT
@given(SPLIT_ROWS)
def test_json_round_trip(pairs):
    """The manifest's form gives the same facts back, and its keys are sorted."""
    found = facts(pairs)
    text = json.dumps(found.to_json())
    assert Facts.from_json(json.loads(text)) == found
    assert list(found.to_json()) == sorted(found.to_json())
    assert list(found.to_json()["sources"]) == sorted(found.sources)


@pytest.mark.parametrize("value", [None, [], {"total": 3}, {"total": {"rows": "many"}}])
def test_broken_json_is_located(value):
    """A manifest whose facts are damaged gives a located error, no traceback."""
    with pytest.raises(StoreError, match=r"facts of the version: \w+"):
        Facts.from_json(value)


@PATIENT
@given(st.lists(VALUES, min_size=1), st.integers(0, 100))
def test_percentiles_keep_their_error_bound(values, percent):
    """Within 1/64 of the nearest-rank percentile, exact below 64, between smallest and largest."""
    histogram = Histogram.of(np.array(values, np.int64))
    rank = max(1, math.ceil(percent * len(values) / 100))
    exact = sorted(values)[rank - 1]
    found = histogram.percentile(percent)
    assert abs(found - exact) * 64 <= exact
    assert min(values) <= found <= max(values)
    assert found == exact or exact >= 64


@PATIENT
@given(st.lists(VALUES))
def test_bins_hold_their_values(values):
    """Each value is in the bin that starts at or before it; sums and counts are exact."""
    histogram = Histogram.of(np.array(values, np.int64))
    found = Counter()
    for value in values:
        edge = max(edge for edge in histogram.bins if edge <= value)
        assert value < edge + bin_width(edge)
        found[edge] += 1
    assert found == histogram.bins
    assert (histogram.count, histogram.total) == (len(values), sum(values))


@PATIENT
@given(st.lists(VALUES), st.lists(VALUES))
def test_histograms_add_up(one, two):
    """The sum of two histograms is the histogram of both."""
    a, b = (Histogram.of(np.array(values, np.int64)) for values in (one, two))
    assert a + b == b + a == Histogram.of(np.array(one + two, np.int64))


@pytest.mark.full
def test_measures_300_000_rows_a_second():
    """One core's work on conversations of four short turns."""
    turns = tuple(Message(role, "some words " * 8) for role in ("user", "assistant")) * 2
    rows = [Conversation(turns, source="a", language="en", license="MIT", tokens=9)] * 20_000
    big = pa.concat_tables([table(rows)] * 15)
    start = time.perf_counter()
    assert measure(big, "train").total.rows == 300_000
    assert time.perf_counter() - start < 1
