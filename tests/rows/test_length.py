"""Limits on length."""

import pytest

from imitation_data.ledger import Drop, Kept
from imitation_data.rows.length import Length
from tests.contract.corpus import talk

ROW = talk("row", "suaua", "Be brief.", "How are you?", "Fine.", "And today?", "Very well, thanks.")
SIZES = {"chars": 54, "words": 11, "turns": 5, "tokens": 54}


@pytest.mark.parametrize("unit", SIZES)
def test_a_limit_is_allowed_and_one_beyond_is_not(unit):
    size = SIZES[unit]
    for options in ({f"min_{unit}": size}, {f"max_{unit}": size}):
        assert Length(**options, encoding="bytes")(ROW) == Kept((ROW,))
    short, long = {f"min_{unit}": size + 1}, {f"max_{unit}": size - 1}
    assert Length(**short, encoding="bytes")(ROW) == Drop(f"too_short_{unit}", size, size + 1)
    assert Length(**long, encoding="bytes")(ROW) == Drop(f"too_long_{unit}", size, size - 1)


def test_roles_choose_the_turns():
    assert Length(max_chars=23, roles=("assistant",))(ROW) == Kept((ROW,))
    assert Length(min_turns=3, roles=("user",))(ROW) == Drop("too_short_turns", 2, 3)


def test_per_turn_every_turn_must_fit():
    assert Length(min_words=1, max_words=3, per="turn")(ROW) == Kept((ROW,))
    assert Length(max_chars=17, per="turn")(ROW) == Drop("too_long_chars", 18, 17)
    assert Length(min_chars=6, per="turn")(ROW) == Drop("too_short_chars", 5, 6)
    assert Length(max_turns=4, per="turn")(ROW).reason == "too_long_turns"


def test_tokens_need_no_tokeniser_when_the_bytes_fit():
    """An encoding that cannot be loaded does not matter to rows that are short in any."""
    assert Length(max_tokens=54, encoding="no such encoding")(ROW) == Kept((ROW,))


def test_chinese_is_counted_by_letters():
    row = talk("row", "ua", "你好，世界", "你好")
    assert Length(min_words=6, max_words=6)(row) == Kept((row,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "found no limit; expected at least one"),
        ({"max_chars": -1}, "chars: found a limit below zero"),
        ({"min_words": 9, "max_words": 3}, "min_words is 9 and max_words is 3: no row could stay"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Length(**options)
