"""Diversity: the mean of each text's highest BLEU, told with what it rests on."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.diversity.measure import measure
from imitation_data.diversity.openings import Openings, opening, verbs
from imitation_data.diversity.options import DiversityOptions
from imitation_data.diversity.report import note, summary, tables
from tests.bleu import oracle

WORDS = (
    *("write", "a", "poem", "about", "the", "sea", "list", "three", "ways", "to", "cook"),
    *("rice", "explain", "how", "tides", "work"),
)
TEXTS = st.lists(
    st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)), max_size=9
)


def measured(texts, options=DiversityOptions(), sources=None, luck=None):  # noqa: B008
    of = np.array(sources if sources is not None else [0] * len(texts), np.int16)
    lots = np.arange(len(texts), dtype=np.uint64) if luck is None else luck
    column = pa.array(texts, pa.string())
    return measure([column], options, lots, (of, ["one", "two"]))


@settings(max_examples=80)
@given(texts=TEXTS, data=st.data())
def test_figures_are_those_of_every_pair_tried(texts, data):
    """Mean, median, pairs above the limit and the nearest text; rows without words left out."""
    direction = data.draw(st.sampled_from(["query", "corpus", "both"]))
    found = measured(texts, DiversityOptions(direction=direction, limit=30))
    there = [place for place, text in enumerate(texts) if text]

    def meant(one, two):
        return one != two and bool(texts[one]) and bool(texts[two])

    plain = [text or "" for text in texts]
    expected = oracle.nearest(plain, plain, meant, "13a", direction)
    scores = [expected[place][0] for place in there]
    assert found.compared.tolist() == there
    assert np.allclose(found.scores, scores, rtol=0, atol=1e-9)
    assert found.others.tolist() == [expected[place][1] for place in there]
    pairs = sum(
        oracle.nearest([plain[one]], [plain[two]], lambda *_: True, "13a", direction)[0][0] > 30
        for one in there
        for two in there
        if one != two
    )
    facts = summary(found)
    assert facts["pairs_above"] == pairs
    assert facts["without_words"] == len(texts) - len(there)
    assert sum(facts["histogram"]) == len(there)
    if there:
        assert facts["mean"] == pytest.approx(np.mean(scores), abs=1e-4)
        assert facts["median"] == pytest.approx(np.median(scores), abs=1e-4)
        assert facts["interval"] == [facts["mean"]] * 2
    else:
        assert facts["mean"] is None
        assert note(found, "prompt") == "no prompt has a word"


def test_distinct_ngrams_are_counted_over_all_texts():
    """Repeats within and between texts; the oracle is a set."""
    draw = random.Random(4)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(0, 12))) for _ in range(50)] * 2
    found = measured(texts)
    for order in range(1, 5):
        grams = [
            tuple(words[at : at + order])
            for words in map(str.split, texts)
            for at in range(len(words) - order + 1)
        ]
        assert found.distinct[order - 1] == (len(set(grams)), len(grams))


def test_each_source_is_also_measured_for_itself():
    """Neighbours in the other source do not count there."""
    texts = ["a b c d e", "a b c d e f", "v w x y z", "a b c d e"]
    found = measured(texts, sources=[0, 0, 1, 1])
    assert found.spread.mean > 60
    one, two = found.within
    assert (one.name, one.texts, two.name, two.texts) == ("one", 2, "two", 2)
    assert two.mean == 0
    assert one.mean == pytest.approx(
        np.mean([oracle.score(*texts[:2]), oracle.score(texts[1], texts[0])])
    )
    assert measured(texts).within == ()


def test_a_sample_has_an_interval_that_holds_the_mean():
    """Of 300 samples, about 95 % have the mean of all within their interval."""
    draw = random.Random(6)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(3, 10))) for _ in range(400)]
    whole = measured(texts).spread.mean
    hits = 0
    for seed in range(300):
        luck = np.random.default_rng(seed).integers(0, 2**63, len(texts)).astype(np.uint64)
        found = measured(texts, DiversityOptions(sample=60), luck=luck)
        assert len(found.compared) == 60
        assert not found.exact
        low, high = found.spread.interval
        hits += low <= whole <= high
    assert 270 <= hits <= 298
    assert "95 % confidence" in note(found, "prompt")
    assert measured(texts, DiversityOptions(sample=5000)).exact


def test_a_sample_estimates_pairs():
    """Pairs above the limit are extrapolated from the sample."""
    texts = ["a b c d e f g"] * 50 + ["v w x y z"] * 50
    found = measured(texts, DiversityOptions(sample=20), luck=np.arange(100, dtype=np.uint64) % 7)
    assert found.pairs_above == 100 * 49
    assert found.pairs == 100 * 99


def test_the_most_similar_pairs_are_told_once():
    """Each pair once, best first, without those of the same words."""
    texts = ["a b c d e f", "a b c d e g", "a b c d e f", "a b c x y z", "q"]
    found = measured(texts, DiversityOptions(direction="both", copies=False))
    pairs = list(found.most_similar(9))
    assert [(row, other) for row, other, _ in pairs][:1] == [(0, 1)]
    assert len({frozenset(pair[:2]) for pair in pairs}) == len(pairs)
    assert all(score < 100 for *_, score in pairs)


def test_openings_and_verbs():
    """First words of any script, and what a request asks for."""
    assert opening("Could you please WRITE a poem?") == ("could you", "write")
    assert opening("Explain tides.") == ("explain tides", "explain")
    assert opening("What should I write?") == ("what should", "")
    assert opening("请写一首诗") == ("请 写", "")
    assert opening("Can you help me?") == ("can you", "")
    assert opening("!!!") == ("", "")
    found = Openings.of(["Write a", "write a b", "What is it?"])
    assert (found.words["write a"], found.verbs["write"], found.texts) == (2, 2, 3)
    assert {"write", "list", "translate"} <= verbs()


def test_tables_show_all_of_it():
    """Shares add up; a report has the distribution, n-grams and openings."""
    found = measured(["write a poem", "write a story", "list three"], sources=[0, 1, 1])
    shown = {table.title: table for table in tables(found, "prompt")}
    spread = shown["BLEU of each prompt with the most similar other"]
    assert spread.card
    assert sum(spread.bars) == pytest.approx(100, abs=0.1)
    assert len(shown) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 101}, "limit is 101; expected 0 to 100"),
        ({"sample": 1}, "sample is 1; expected 2 or more, or 0 for all"),
        ({"sample": -4}, "sample is -4; expected 2 or more"),
        ({"tokenizer": "spm"}, "tokenizer is 'spm'; expected 13a, intl, zh, char or none"),
        ({"direction": "x"}, "direction is 'x'; expected query, corpus or both"),
    ],
)
def test_options_that_cannot_be_are_named(options, words):
    """The message says what was found and what was expected."""
    with pytest.raises(ValueError, match=words):
        DiversityOptions(**options)
