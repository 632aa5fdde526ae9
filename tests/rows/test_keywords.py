"""Keywords."""

import pytest

from imitation_data.ledger import Drop, Kept
from imitation_data.rows.keywords import LISTS, Keywords
from tests.contract.corpus import talk


def found(text: str, **options) -> str | None:
    outcome = Keywords(**options)(talk("row", "ua", "A question?", text))
    return outcome.found if isinstance(outcome, Drop) else None


def test_koala_has_its_eight_words():
    assert LISTS["koala"] == (
        *("openai", "chatgpt", "gpt-3", "chadgpt", "gpt3", "chat-gpt", "open-ai", "open ai"),
    )


@pytest.mark.parametrize("word", LISTS["koala"])
def test_each_word_is_found_in_any_case_and_inside_words(word):
    assert found(f"Ask my{word.upper()}bot.") == word


@pytest.mark.parametrize("text", ["I opened AI books", "gpt 3", "chat gpt", "GPT-4", "open\nai"])
def test_other_words_are_left(text):
    assert found(text) is None


def test_a_word_is_not_found_across_turns():
    row = talk("row", "ua", "The door is open", "ai is not a word")
    assert Keywords(lists=(), words=("openai", "open ai"))(row) == Kept((row,))


def test_whole_words():
    assert found("The seaside", lists=(), words=("sea",)) == "sea"
    assert found("The seaside", lists=(), words=("sea",), match="word") is None
    assert found("(Sea!)", lists=(), words=("sea",), match="word") == "sea"
    assert found("It costs c++ now", lists=(), words=("c++",), match="word") == "c++"


def test_only_the_roles_named_are_searched():
    row = talk("row", "sua", "Be ChatGPT.", "Hello", "Hi")
    assert Keywords(roles=("user", "assistant"))(row) == Kept((row,))
    assert Keywords(roles=("system",))(row).found == "chatgpt"


def test_the_drop_shows_the_place():
    text = "x" * 90 + " made by OpenAI, they say " + "y" * 90
    drop = Keywords()(talk("row", "ua", "q", text))
    assert (drop.reason, drop.found, drop.limit) == ("keyword", "openai", "substring")
    assert "made by OpenAI, they say" in drop.evidence
    assert len(drop.evidence) < 100


def test_lower_casing_that_lengthens_the_text():
    """İ becomes two characters, Kelvin's sign becomes a k: the word is found all the same."""
    assert found("İ" * 50 + " OPENAI") == "openai"
    assert found("bac\N{KELVIN SIGN}up", lists=(), words=("backup",)) == "backup"
    step = Keywords()
    rows = [talk("row", "ua", "q", "İOPENAİ"), talk("row", "ua", "q", "nothing")]
    assert step.many(rows) == [step(row) for row in rows]


def test_words_may_hold_the_signs_of_patterns():
    words = (".*", "a|b", "[x]", "(?i)", "c:\\d", "100%", "^$", "語言", "été")
    for word in words:
        rows = [talk("row", "ua", "q", f"…{word}…"), talk("row", "ua", "q", "none of them")]
        outcomes = Keywords(lists=(), words=words).many(rows)
        assert outcomes == [Keywords(lists=(), words=words)(row) for row in rows]
        assert [type(outcome) for outcome in outcomes] == [Drop, Kept]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lists": ("vicuna",)}, "found 'vicuna'; expected one of koala"),
        ({"lists": ()}, "expected at least one word"),
        ({"words": (" ",)}, "found ' '"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Keywords(**options)
