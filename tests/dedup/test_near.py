"""Near-duplicates: the same decisions as comparing everything with everything, whatever the way."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imitation_data.dedup import batches, near
from imitation_data.dedup.near import Matches, NearOptions, find, sketch
from imitation_data.dedup.shingling import Shingling
from imitation_data.normalize import normalized
from tests.conftest import SHARED
from tests.dedup import oracle

REAL = pytest.mark.skipif(not (SHARED / "data").exists(), reason="needs the shared data")
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)
WORDS = st.sampled_from(["one", "two", "three", "Two", "four", "+", "你", "é", "e\u0301", "ß"])
TEXT = st.lists(WORDS, max_size=12).map(" ".join)
# Rows of a few texts, some changed a little: many pairs lie on either side of any threshold.
CHANGED = st.tuples(TEXT, st.sampled_from(["", " four", " six, seven", "!", " + +"])).map("".join)
TEXTS = st.lists(TEXT | CHANGED | st.none(), max_size=16)
FAMILY = st.tuples(TEXT, st.lists(st.tuples(st.integers(0, 11), WORDS), max_size=14)).map(
    lambda given: [with_word(given[0], place, word) for place, word in given[1]]
)
ROWS = TEXTS | st.tuples(FAMILY, TEXTS).map(lambda both: [*both[0], *both[1]])
FIELDS = ("other", "similarity", "short", "opening", "cluster", "silent")


def with_word(text: str, place: int, word: str) -> str:
    words = text.split()
    return " ".join([*words[:place], word, *words[place + 1 :]])


def sure(threshold: float, ngram: int = 2) -> NearOptions:
    """Options under which no pair is missed for want of a shared bucket."""
    return NearOptions(threshold, 0.999999, shingling=Shingling(ngram, 512))


def column(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.string())


def shuffled(count: int, seed: int) -> np.ndarray:
    return np.array(Random(seed).sample(range(count), count), np.int64)


def equal(one: Matches, two: Matches) -> bool:
    """Whether two searches found the same and did the same work."""
    same = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in FIELDS)
    return same and replace(one.work, seconds={}) == replace(two.work, seconds={})


@given(ROWS, st.sampled_from(THRESHOLDS), st.integers(1, 3), st.integers(0, 9))
def test_decisions_are_those_of_comparing_everything(texts, threshold, ngram, seed):
    """Who goes, to whom, how alike they are, and all clusters equal the plain definition."""
    order = shuffled(len(texts), seed)
    found = find([column(texts)], sure(threshold, ngram), order=order)
    wanted = oracle.decide(texts, order.tolist(), threshold, ngram)
    assert found.other.tolist() == wanted.other
    assert found.similarity.tolist() == wanted.similarity
    assert found.cluster.tolist() == wanted.cluster


@pytest.mark.full
@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("ngram", [1, 2, 3])
def test_decisions_over_many_rows(threshold, ngram):
    """The same over more rows than a property has."""
    rng = Random(ngram)
    texts = [" ".join(rng.choices("abcde", k=rng.randrange(3, 14))) for _ in range(400)]
    order = shuffled(len(texts), 1)
    found = find([column(texts)], sure(threshold, ngram), order=order)
    wanted = oracle.decide(texts, order.tolist(), threshold, ngram)
    assert found.other.tolist() == wanted.other
    assert found.cluster.tolist() == wanted.cluster


@given(ROWS, st.sampled_from(THRESHOLDS), st.integers(0, 9))
def test_laws(texts, threshold, seed):
    """Every row is kept or named, what it lost to is kept, and a second pass finds nothing."""
    found = find([column(texts)], sure(threshold))
    assert sorted([*found.kept, *found.removed]) == list(range(len(texts)))
    assert (found.other[found.other[found.removed]] < 0).all()
    assert (found.similarity[found.removed] >= threshold).all()
    assert (found.similarity[found.kept] == 0).all()
    assert not len(find([column([texts[row] for row in found.kept])], sure(threshold)).removed)
    assert [not (text or "").strip() for text in texts] == found.silent.tolist()
    assert (found.other[found.silent] < 0).all()
    places = shuffled(len(texts), seed)
    again = find([column([texts[place] for place in places])], sure(threshold))
    assert told(found, texts) == told(again, [texts[place] for place in places])


def told(found: Matches, texts: list[str | None]) -> list[tuple[object, ...]]:
    """What was found, in texts rather than places."""

    def text(row: int) -> str:
        return "" if row < 0 else str(texts[row])

    columns = zip(found.other, found.opening, found.cluster, found.similarity, strict=True)
    rows = [
        (str(own), other >= 0, text(other), text(opening), text(cluster), similarity)
        for own, (other, opening, cluster, similarity) in zip(texts, columns, strict=True)
    ]
    return sorted(rows)


@given(ROWS, st.lists(st.integers(0, 20), max_size=4), st.integers(2, 3))
def test_chunks_and_threads_do_not_matter(texts, cuts, threads):
    """One array or many, of whatever string type, on one thread or several: the same answer."""
    bounds = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    chunks = [column(texts)[start:stop] for start, stop in pairwise(bounds)]
    chunks[0] = chunks[0].cast(pa.large_string())
    whole = find([column(texts)], sure(0.6))
    assert equal(whole, find(chunks, sure(0.6)))
    assert equal(whole, find(chunks, sure(0.6), threads=threads))


@given(ROWS, st.sampled_from([0.4, 0.5]), st.sampled_from(THRESHOLDS[2:]))
def test_another_threshold_without_reading_again(texts, low, high):
    """What a higher threshold would have decided equals a search of its own."""
    order = shuffled(len(texts), 3)
    found = find([column(texts)], sure(low), order=order)
    wanted = oracle.decide(texts, order.tolist(), high, 2)
    again = found.rethreshold(high)
    assert again.options.threshold == high
    assert again.other.tolist() == wanted.other
    assert again.similarity.tolist() == wanted.similarity
    assert again.cluster.tolist() == wanted.cluster
    assert equal(found, found.rethreshold(low))
    assert np.array_equal(found.rethreshold(high, clusters=False).other, again.other)


def test_a_lower_threshold_is_refused():
    """Pairs below the threshold were not looked for, and the message says so."""
    with pytest.raises(ValueError, match=r"threshold is 0\.6; .* at 0\.7, so only that or more"):
        find([column(["a", "b"])]).rethreshold(0.6)


@given(ROWS, st.sets(st.integers(0, 25)), st.sampled_from(THRESHOLDS))
def test_fixed_rows_stay(texts, fixed, threshold):
    """Rows that are fixed stay whatever they are like, and others lose to them."""
    mine = frozenset(row for row in fixed if row < len(texts))
    order = [*sorted(mine), *(row for row in range(len(texts)) if row not in mine)]
    stays = np.isin(np.arange(len(texts)), list(mine))
    found = find([column(texts)], sure(threshold), order=np.array(order, np.int64), fixed=stays)
    assert (found.other[stays] < 0).all()
    assert found.other.tolist() == oracle.decide(texts, order, threshold, 2, mine).other


@given(st.lists(st.text(st.sampled_from("aB éß+ \n.你"), max_size=6) | st.none(), max_size=20))
def test_short_texts_go_only_when_equal(texts):
    """Texts of fewer tokens than a shingle are merged when equal as normalised, and never else."""
    found = find([column(texts)], NearOptions(shingling=Shingling(ngram=7)))
    first: dict[str, int] = {}
    for row in near.policy_order([column(texts)]).tolist():
        if (texts[row] or "").strip():
            assert found.short[row]
            keeper = first.setdefault(normalized(texts[row]), row)
            assert found.other[row] == (keeper if keeper != row else -1)
            assert found.cluster[row] == keeper
        else:
            assert not found.short[row]
            assert (found.other[row], found.cluster[row]) == (-1, row)


def test_seven_distinct_instructions_stay():
    """Short instructions are neither merged for being short nor passed over when they repeat."""
    short = ["Write a haiku", "Translate this", "Hello", "Explain gravity please", "Sort a list"]
    long = [
        "Explain in a few sentences how the tides of the sea follow the moon around the earth.",
        "List the ingredients of an apple pie and say what each of them does in the oven.",
    ]
    assert not len(find([column(short + long)]).removed)
    copies = [
        "Hello",
        "hello ",
        "Write a haiku",
        "HELLO",
        "Write  a haiku",
        "Hello",
        "write a haiku",
    ]
    found = find([column([*short, *long, *copies, "Ｗrite a haiku"])])
    assert len(found.kept) == 7
    assert (found.similarity[found.removed] == 1).all()


@given(TEXTS, st.integers(0, 5))
def test_the_order_of_its_own_is_longest_first(texts, seed):
    """Without an order the longest text stays, ties by content: never by place."""
    order = near.policy_order([column(texts[:5]), column(texts[5:])]).tolist()
    assert sorted(order) == list(range(len(texts)))
    ordered = [texts[row] or "" for row in order]
    assert [len(text) for text in ordered] == sorted(map(len, ordered), reverse=True)
    other = [texts[place] for place in shuffled(len(texts), seed)]
    assert ordered == [other[row] or "" for row in near.policy_order([column(other)])]


def test_texts_that_begin_alike_are_named():
    """A kept text is shown with the first kept one that has its first 32 tokens; no other is."""
    start = " ".join(f"w{number}" for number in range(32))
    ends = [" ".join(f"{name}{number}" for number in range(90)) for name in "abc"]
    texts = [f"{start} {end}" for end in ends] + [f"{start} {ends[2]} more", start[:-1], "short"]
    found = find([column(texts)], order=np.arange(6))
    assert found.other.tolist() == [-1, -1, -1, 2, -1, -1]
    assert found.opening.tolist() == [-1, 0, 0, -1, -1, -1]


def test_closest_calls_come_first():
    """The removals nearest the threshold are the first to read, as many as asked for."""
    base = [f"w{number}" for number in range(40)]
    texts = [" ".join(base), *(" ".join(base[: 40 - cut]) for cut in (1, 9, 5, 3, 0))]
    found = find([column(texts)], NearOptions(0.6, shingling=Shingling(1)), order=np.arange(6))
    assert found.closest_calls().tolist() == [2, 3, 4, 1, 5]
    assert found.closest_calls(2).tolist() == [2, 3]
    assert found.similarity[2] == 31 / 40


def test_copies_cost_one_comparison_each():
    """Five thousand identical rows are five thousand comparisons, not their square."""
    text = "I'm sorry, but as an AI language model I cannot do that for you."
    found = find([column([text] * 5_000)])
    assert len(found.kept) == 1
    assert (found.cluster == found.kept[0]).all()
    assert found.work.compared <= 5_000
    assert (found.work.capped, found.work.passed_over) == (0, 0)


def scattered(rows: int, least: int, most: int) -> list[str]:
    """Long texts that share all but a few of 2,000 words, each text its own few."""
    rng = Random(9)
    texts = []
    for row in range(rows):
        words = [f"w{number}" for number in range(2_000)]
        for place in rng.sample(range(2_000), rng.randrange(least, most)):
            words[place] = f"r{row}x{place}"
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("bounds", [(360, 361), (150, 420)], ids=["all below", "around"])
def test_a_limit_that_was_met_is_told_and_breaks_no_law(bounds):
    """Rows held against only some of many are counted; the answer is still settled and ordered."""
    texts = scattered(80, *bounds)
    options = NearOptions(0.7, most_compared=3, shingling=Shingling(1))
    found = find([column(texts)], options)
    assert found.work.capped > 0
    assert found.work.passed_over >= found.work.capped
    assert found.work.compared <= 3 * len(texts)
    for row in found.removed.tolist():
        sets = [set(oracle.shingles(texts[one], 1)) for one in (row, found.other[row])]
        assert found.similarity[row] == oracle.jaccard(*sets) >= 0.7
    assert not len(find([column([texts[row] for row in found.kept])], options).removed)
    places = shuffled(len(texts), 2)
    again = find([column([texts[place] for place in places])], options)
    assert told(found, texts) == told(again, [texts[place] for place in places])
    assert replace(again.work, seconds={}) == replace(found.work, seconds={})
    assert find([column(texts)], replace(options, most_compared=80)).work.capped == 0


def test_a_full_bucket_is_told():
    """Where thousands of rows share a bucket without being alike, the work says what was left."""
    common = " ".join(f"w{number}" for number in range(30))
    texts = [
        f"{common} " + " ".join(f"r{row}x{place}" for place in range(5)) for row in range(4_000)
    ]
    found = find([column(texts)], NearOptions(0.8, shingling=Shingling(1)), order=np.arange(4_000))
    assert not len(found.removed)
    assert found.work.capped > 0
    assert found.work.passed_over > 0


def test_sets_may_lie_in_a_file(monkeypatch):
    """Where the sets are more than memory should hold, the answer is the same."""
    texts = column(["a b c d", "a b c d e", "x", None, "b c d e"] * 9)
    wanted = find([texts], sure(0.5))
    monkeypatch.setattr(batches, "MEMORY", 1)
    assert equal(wanted, find([texts], sure(0.5)))


def test_no_rows_at_all():
    """Nothing, an empty array and nulls alone are columns, too."""
    assert len(find([]).other) == len(find([column([])]).other) == 0
    assert find([column([None, None])]).other.tolist() == [-1, -1]


@pytest.mark.parametrize("threshold", [0.28, 0.55, 0.56, 0.68, *THRESHOLDS])
def test_a_similarity_of_exactly_the_threshold_counts(threshold):
    """A quotient of at least the threshold is enough (0.56 * 25 is more than 14), no less is."""
    texts, other = [], []
    for total in range(5, 120):
        least = next(shared for shared in range(total + 1) if shared / total >= threshold)
        for shared in (least - 1, least):
            words = [f"u{total}x{shared}x{number}" for number in range(total)]
            other += [-1, len(texts) if shared == least else -1]
            texts += [" ".join(words), " ".join(words[:shared])]
    found = find([column(texts)], sure(threshold, 1), order=np.arange(len(texts)))
    assert found.other.tolist() == other


@pytest.mark.parametrize("order", [None, np.arange(3)], ids=["no order", "order"])
def test_an_iterator_is_answered_or_refused(order):
    """Texts that can be gone through only once never lead to a wrong answer in silence."""
    texts = ["a b c d e f g", "a b c d e f g", "x b c d e f h"]
    try:
        found = find((column([text]) for text in texts), order=order)
    except (TypeError, ValueError):
        return
    assert (found.other.tolist(), found.similarity.tolist()) == ([-1, 0, -1], [0, 1, 0])


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_other_columns_of_strings(kind):
    """A column of string views or of a dictionary is searched like any other."""
    texts = pa.array(["a b c d e f", "hello", "a b c d e f", "hello"])
    texts = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    assert find([texts]).other.tolist() == [-1, -1, 0, 1]


REAL_ROWS = pytest.mark.parametrize("count", [1_000, pytest.param(5_000, marks=pytest.mark.full)])


@REAL
@REAL_ROWS
def test_real_rows_against_comparing_everything(count):
    """No removal is wrong, similarities are exact, no cluster is too large and few lack a row."""
    texts = oracle.real_texts(count)
    truth = oracle.all_pairs(texts, 5, 0.5)
    pairs = zip(truth.one.tolist(), truth.two.tolist(), truth.similarity.tolist(), strict=True)
    known = {(one, two): similarity for one, two, similarity in pairs}
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        # At 0.9 these rows have few pairs in clusters, and a single miss can part several.
        recall = 0.98 if threshold < 0.9 else 0.995
        found = find([column(texts)], NearOptions(threshold, recall), threads=2)
        assert len(found.removed)
        for row in found.removed.tolist():
            other = int(found.other[row])
            assert found.similarity[row] == known[min(row, other), max(row, other)] >= threshold
        alike = truth.similarity >= threshold
        edges = (np.ones(alike.sum()), (truth.one[alike], truth.two[alike]))
        _, cluster = connected_components(coo_array(edges, shape=(count, count)))
        both = np.unique(np.stack([cluster, found.cluster]), axis=1, return_counts=True)[1]
        together = np.bincount(cluster)
        mine = np.bincount(found.cluster)
        assert (both * (both - 1)).sum() == (mine * (mine - 1)).sum()
        assert (both * (both - 1)).sum() >= 0.995 * (together * (together - 1)).sum()


@REAL
@REAL_ROWS
def test_pairs_are_proposed_as_often_as_promised(count):
    """Pairs without a row in common share buckets as often as the curve says, within 3 s.e."""
    texts = oracle.real_texts(count)
    truth = oracle.all_pairs(texts, 5, 0.5)
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        hits, expected, variance = 0, 0.0, 0.0
        one, two, similarity = disjoint(truth, threshold)
        for seed in range(5):
            options = NearOptions(threshold, shingling=Shingling(seed=seed))
            keys = sketch(column(texts), options, 2).keys
            chances = np.array([options.banding.found(value) for value in similarity])
            hits += int((keys[:, one] == keys[:, two]).any(axis=0).sum())
            expected += chances.sum()
            variance += (chances * (1 - chances)).sum()
        assert abs(hits - expected) <= 3 * variance**0.5, threshold


def disjoint(truth: oracle.Likeness, threshold: float) -> tuple[list[int], list[int], list[float]]:
    """Pairs at or above a threshold, each row in one at most: what one finds tells of no other."""
    pairs = [
        pair for pair in zip(*map(np.ndarray.tolist, truth), strict=True) if pair[2] >= threshold
    ]
    taken: set[int] = set()
    found = []
    for pair in Random(1).sample(pairs, len(pairs)):
        if not taken & set(pair[:2]):
            taken |= set(pair[:2])
            found.append(pair)
    one, two, similarity = zip(*found, strict=True)
    return list(one), list(two), list(similarity)
