"""Answers that repeat themselves."""

import random

import pytest

from imitation_data.ledger import Drop, Kept
from imitation_data.rows.repetition import WINDOW, Repetition
from tests.contract.corpus import talk

WORDS = [f"w{number}" for number in range(2000)]


def drop(text: str, **options) -> Drop | None:
    outcome = Repetition(**options)(talk("row", "ua", "q", text))
    return outcome if isinstance(outcome, Drop) else None


def naive_share(words: list[str], size: int) -> float:
    """Share of words in a run that stood there before, straight from the definition."""
    seen, covered = set(), set()
    for start in range(len(words) - size + 1):
        run = tuple(words[start : start + size])
        if run in seen:
            covered.update(range(start, start + size))
        seen.add(run)
    return len(covered) / len(words)


@pytest.mark.parametrize("limit", [2, 9, 10, 100])
@pytest.mark.parametrize("before", [0, 1, 33, 64])
def test_a_run_is_found_wherever_it_stands(limit, before):
    text = "xy" * before + "0" * (limit + 1) + "xy" * 20
    found = drop(text, max_run=limit, max_ngram_share=1)
    assert (found.reason, found.limit) == ("repeated_character", limit)
    assert found.found == f"'0' {limit + 1} times"
    assert drop("xy" * before + "0" * limit + "xy" * 20, max_run=limit, max_ngram_share=1) is None


def test_rules_and_spaces_may_run_on():
    assert drop("-" * 500 + "\n" + "=" * 500 + " " * 500 + "\n" * 500) is None
    assert drop("| a | b |\n|" + "─" * 300 + "|\n| c | d |\n" + "│" * 300) is None


def test_a_long_run_behind_a_short_one_is_found():
    assert drop("a" * 90 + "b" + "c" * 101).found == "'c' 101 times"


def test_lines():
    four = "la la la\n" * 4
    assert drop(four) is None
    assert drop("la la la\n" * 5).reason == "repeated_lines"
    assert drop("la la la\n" * 5).found == pytest.approx(0.8)
    assert drop("one\ntwo\n\nthree\nfour\none\n  one ", max_line_share=0.34) is None
    assert drop("one\ntwo\n\nthree\nfour\none\n  one ", max_line_share=0.33).found == 1 / 3


def test_a_loop_of_words_is_found():
    loop = "I love the sea and the sea loves me. " * 12
    found = drop(loop)
    assert found.reason == "repeated_words"
    assert found.found > 0.9
    assert drop(loop[: 37 * 5]) is None, "45 words are too few to judge"


def test_ordinary_text_and_a_song_stay():
    rng = random.Random(7)
    assert drop(" ".join(rng.choices(WORDS, k=5000))) is None
    verse = " ".join(WORDS[:40])
    assert drop(f"{verse}\n{' '.join(WORDS[40:60])}\n{verse}") is None


@pytest.mark.parametrize("seed", range(12))
def test_the_share_is_the_one_defined(seed):
    """Against the naive count, on texts with few and many repeats."""
    rng = random.Random(seed)
    words = rng.choices(WORDS[: rng.choice([3, 20, 500])], k=rng.randint(50, 400))
    words += words[: rng.randint(0, 50)]
    share = naive_share(words, 3)
    found = drop(" ".join(words), ngram=3, max_ngram_share=0)
    assert (found.found if found else 0) == pytest.approx(share)
    if 0 < share < 1:
        assert drop(" ".join(words), ngram=3, max_ngram_share=share) is None
        assert drop(" ".join(words), ngram=3, max_ngram_share=share - 1e-6)


def test_text_without_spaces_is_read_by_characters():
    assert drop("今天的天气真的非常好我们去公园。" * 20).reason == "repeated_words"
    assert drop("ab" * 300).reason == "repeated_words"
    rng = random.Random(1)
    assert drop("".join(chr(rng.randint(0x4E00, 0x9FFF)) for _ in range(3000))) is None


def test_a_text_longer_than_a_window_is_read_to_its_end():
    rng = random.Random(3)
    fresh = [f"{rng.random()}" for _ in range(WINDOW)]
    assert drop(" ".join(fresh)) is None
    found = drop(" ".join([*fresh, *["again and again"] * WINDOW]))
    assert found.found == pytest.approx(0.75, abs=0.01)


def test_each_turn_is_looked_at_by_itself():
    sentence = " ".join(WORDS[:60])
    row = talk("row", "uaua", "q", sentence, "again", sentence)
    assert Repetition()(row) == Kept((row,))
    row = talk("row", "ua", "a" * 101, "b")
    assert Repetition()(row) == Kept((row,))
    assert isinstance(Repetition(roles=("user",))(row), Drop)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_run": 1}, "max_run: found 1; expected 2"),
        ({"max_line_share": 1.1}, "max_line_share: found 1.1; expected 0 to 1"),
        ({"ngram": 0}, "ngram: found 0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Repetition(**options)
