"""Words: each text is cut as sacrebleu's tokenizers cut it."""

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.bleu.vocabulary import Vocabulary
from tests.bleu import oracle


def theirs(text, tokenizer):
    return oracle.bleu(tokenizer)._preprocess_segment(text).split()


def check(texts, tokenizer):
    words = Vocabulary(tokenizer)
    found = words.numbered([pa.array(texts)])
    for place, text in enumerate(texts):
        start, stop = found.starts[place : place + 2]
        assert [words[one] for one in found.ids[start:stop].tolist()] == theirs(text, tokenizer)


@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
def test_every_code_point_is_cut_as_sacrebleu_cuts_it(tokenizer):
    """Between letters, digits and spaces, and at the end of a text."""
    codes = [*range(0x3400), *range(0x3400, 0xD800, 61), *range(0xE000, 0x110000, 97)]
    check([f"x{chr(c)}y3{chr(c)}4 {chr(c)} 5{chr(c)}" for c in codes], tokenizer)


@pytest.mark.full
@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
def test_all_code_points(tokenizer):
    """All 1,112,064 of them."""
    for first in range(0, 0x110000, 0x8000):
        codes = [c for c in range(first, first + 0x8000) if not 0xD800 <= c < 0xE000]
        check([f"x{chr(c)}y3{chr(c)}4 {chr(c)} 5{chr(c)}" for c in codes], tokenizer)


@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
@given(text=st.text(st.sampled_from("ab1.,-;& \n\u3000字<ü½"), max_size=12))
def test_neighbours_decide_as_in_sacrebleu(text, tokenizer):
    """Points, dashes, digits and white space in any order, at either end."""
    check([text], tokenizer)


@pytest.mark.parametrize("tokenizer", oracle.TOKENIZERS)
def test_mixed_pieces(tokenizer):
    """Entities, broken lines, emoji and many scripts in one text."""
    draw = random.Random(3)
    check([oracle.adversarial(draw, 20) for _ in range(3000)], tokenizer)


def test_texts_are_read_where_arrow_has_them():
    """Slices, nulls, dictionaries and views give the same words."""
    texts = ["first one", "the second, with 3.5 words", "", "last"]
    whole = Vocabulary("13a").numbered([pa.array(texts)]).ids.tolist()
    for array in (
        pa.array(["x", *texts, "y"]).slice(1, 4),
        pa.array(texts, pa.large_string()),
        pa.array(texts).dictionary_encode(),
        pa.array(texts, pa.string_view()),
        pa.array([texts[0], texts[1], None, texts[3]]),
    ):
        assert Vocabulary("13a").numbered([array]).ids.tolist() == whole


def test_a_vocabulary_grows_and_long_words_fit():
    """More words than there was room for, one of them a million characters long."""
    texts = [f"word{number} " * 3 for number in range(20_000)] + ["z" * 1_000_000, "word7"]
    words = Vocabulary("none")
    found = words.numbered([pa.array(texts)])
    assert len(words) == 20_001
    assert found.ids[-1] == found.ids[21]
    assert words[int(found.ids[-2])] == "z" * 1_000_000
    assert words.numbered([pa.array(["word9 new word8"])], grow=False).ids.tolist() == [9, -1, 8]


def test_an_unknown_tokenizer_is_named():
    """The message says which there are."""
    with pytest.raises(ValueError, match="'13b'; expected 13a, intl, zh, char or none"):
        Vocabulary("13b")
