"""Highest BLEU and pairs above a limit: what trying every pair with sacrebleu gives."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.bleu import Bleu, BleuOptions, sentence_bleu
from tests.bleu import oracle

SEEDS = Path(__file__).resolve().parents[2] / "cards" / "sharegpt-mix" / "sample"
TEXTS = st.lists(st.text(st.sampled_from("abc .字"), max_size=12), max_size=8)


def real():
    """Prompts and answers of the samples that come with the package."""
    found = []
    for path in sorted(SEEDS.rglob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            turns = row.get("conversations") if isinstance(row, dict) else None
            found += [turn["value"] for turn in turns or () if isinstance(turn, dict)]
    assert len(found) > 100
    return found


def equal(pairs, tokenizer):
    """Score pairs, each in a search of its own kind: many queries against many texts."""
    for first in range(0, len(pairs), 500):
        some = pairs[first : first + 500]
        options = BleuOptions(tokenizer)
        for hypothesis, reference in some[:20]:
            theirs = oracle.score(hypothesis, reference, tokenizer)
            assert abs(sentence_bleu(hypothesis, reference, tokenizer) - theirs) < 1e-9
        one, two = ([pair[side] for pair in some] for side in (0, 1))
        scores = np.zeros((len(some), len(some)))
        for found in Bleu(pa.array(two), pa.array(one), options).above(0):
            scores[found.queries, found.others] = found.scores
        for place, pair in enumerate(some):
            assert abs(scores[place, place] - oracle.score(*pair, tokenizer)) < 1e-9, pair


def sample_pairs(count, seed=5):
    draw, texts = random.Random(seed), real()
    return [(draw.choice(texts)[:400], draw.choice(texts)[:400]) for _ in range(count)]


def adversarial_pairs(count, seed=6):
    draw = random.Random(seed)
    made = [(oracle.adversarial(draw), oracle.adversarial(draw)) for _ in range(count)]
    return [(one, one if draw.random() < 0.1 else two) for one, two in made]


@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
def test_scores_are_those_of_sacrebleu(tokenizer):
    """Real pairs, and pairs of hostile pieces: repeats, one word, none, many scripts."""
    equal(sample_pairs(500) + adversarial_pairs(1500), tokenizer)


@pytest.mark.full
@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
def test_many_scores_are_those_of_sacrebleu(tokenizer):
    """20,000 real and 2,000 adversarial pairs for each of five tokenizers: 110,000."""
    equal(sample_pairs(20_000, 7) + adversarial_pairs(2_000, 8), tokenizer)


@pytest.mark.parametrize("direction", ["query", "corpus", "both"])
@settings(max_examples=60)
@given(corpus=TEXTS, queries=TEXTS, data=st.data())
def test_the_nearest_text_is_the_nearest(direction, corpus, queries, data):
    """Against another corpus; among equals the first; no text that shares no word."""
    tokenizer = data.draw(st.sampled_from(["13a", "char"]))
    texts = Bleu(
        pa.array(corpus, pa.string()),
        pa.array(queries, pa.string()),
        BleuOptions(tokenizer, direction),
    )
    found = texts.nearest()
    expected = oracle.nearest(queries, corpus, lambda *_: True, tokenizer, direction)
    assert found.others.tolist() == [other for _, other in expected]
    assert np.allclose(found.scores, [score for score, _ in expected], rtol=0, atol=1e-9)


@pytest.mark.parametrize("copies", [True, False])
@settings(max_examples=60)
@given(texts=TEXTS, data=st.data())
def test_a_text_is_not_its_own_neighbour(copies, texts, data):
    """Within one corpus; copies, which are texts with the same words, count or do not."""
    texts += data.draw(st.lists(st.sampled_from(texts), max_size=3)) if texts else []
    words = [oracle.bleu("13a")._preprocess_segment(text).split() for text in texts]
    direction = data.draw(st.sampled_from(["query", "corpus", "both"]))

    def meant(one, two):
        return one != two and (copies or words[one] != words[two])

    index = Bleu(pa.array(texts, pa.string()), options=BleuOptions("13a", direction, copies))
    found, expected = index.nearest(), oracle.nearest(texts, texts, meant, "13a", direction)
    assert found.others.tolist() == [other for _, other in expected]
    assert np.allclose(found.scores, [score for score, _ in expected], rtol=0, atol=1e-9)
    for limit in (0, 20, 100):
        pairs = [pair for some in index.above(limit) for pair in zip(*some, strict=True)]
        held = {(one, two): score for one, two, score in pairs}
        assert list(held) == sorted(held)
        assert len(held) == len(pairs)
        counts = np.zeros(len(texts), int)
        for one in range(len(texts)):
            for two in range(len(texts)):
                score = oracle.nearest(
                    [texts[one]], [texts[two]], lambda *_: True, "13a", direction
                )[0][0]
                above = meant(one, two) and score > limit + 1e-9
                assert above == ((one, two) in held)
                assert not above or abs(held[one, two] - score) < 1e-9
                counts[one] += above
        assert index.count_above(limit).tolist() == counts.tolist()


def test_real_texts_have_the_neighbours_that_every_pair_tried_gives():
    """Prompts of the sample, in each direction, over the search's shortcuts."""
    texts = list(dict.fromkeys(text[:300] for text in real()))[:120]
    for direction in ("query", "corpus", "both"):
        found = Bleu(pa.array(texts), options=BleuOptions(direction=direction)).nearest()
        expected = oracle.nearest(texts, texts, lambda a, b: a != b, "13a", direction)
        assert found.others.tolist() == [other for _, other in expected]
        assert np.allclose(found.scores, [score for score, _ in expected], rtol=0, atol=1e-9)


def test_threads_and_pieces_change_nothing():
    """The same answer from two threads, and from a column in pieces."""
    texts = real() * 2
    one = Bleu(pa.array(texts)).nearest()
    pieces = [pa.array(texts[:100]), pa.array(texts[100:], pa.large_string())]
    two = Bleu(pieces).nearest(threads=2)
    assert one.others.tolist() == two.others.tolist()
    assert one.scores.tolist() == two.scores.tolist()
    first = list(Bleu(pa.array(texts)).above(30))
    second = list(Bleu(pieces).above(30, threads=2))
    for field in range(3):
        joined = [np.concatenate([some[field] for some in found]) for found in (first, second)]
        assert joined[0].tolist() == joined[1].tolist()


def test_a_thousand_copies_are_one_form():
    """Copies are not held against each other one by one."""
    texts = ["Tell me a story about a cat"] * 1000 + ["Tell me a story about a dog"]
    found = Bleu(pa.array(texts))
    assert found.nearest().others[:3].tolist() == [1, 0, 0]
    assert found.nearest().scores[0] == pytest.approx(100)
    assert found.count_above(20)[:1].tolist() == [1000]
    assert sum(len(some.scores) for some in found.above(20)) == 1000 * 1000 + 1000


def test_a_huge_text_among_short_ones():
    """A text of a million characters is compared like any other."""
    huge = "the quick brown fox " * 50_000
    found = Bleu(pa.array([huge, "the quick brown fox", "hello"])).nearest()
    assert found.others.tolist() == [1, 0, -1]
    assert abs(found.scores[1] - oracle.score("the quick brown fox", huge)) < 1e-9


def test_nothing_and_no_words():
    """Empty columns, and texts without a word."""
    assert Bleu(pa.array([], pa.string())).nearest().scores.tolist() == []
    assert Bleu(pa.array(["", None, " "])).nearest().others.tolist() == [-1, -1, -1]
    found = Bleu(pa.array([], pa.string()), pa.array(["a"])).nearest()
    assert (found.scores.tolist(), found.others.tolist()) == ([0.0], [-1])


def test_wrong_options_and_columns_are_named():
    """The message says what was expected."""
    with pytest.raises(ValueError, match="direction is 'up'; expected query, corpus or both"):
        BleuOptions(direction="up")
    with pytest.raises(TypeError, match="expected strings"):
        Bleu(pa.array([1, 2]))


def test_the_package_loads_no_compiler():
    """Names are imported when they are used."""
    code = "import sys, imitation_data.bleu; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
