"""What counts as a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.rows.words import count_words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  \n ", 0),
        ("one", 1),
        ("don't stop, well-known\tfact", 4),
        ("Größe ist nicht alles — oder?", 6),
        ("Быть или не быть", 4),
        ("مرحبا بالعالم", 2),
        ("भारत की राजधानी", 3),
        ("한국의 수도는 서울", 3),
        ("你好，世界", 4),
        ("你好 world 3.5 元", 5),
        ("日本の首都は東京です。", 10),
        ("カタカナ・ナ", 5),
        ("ดี", 1),
        ("กรุงเทพ", 6),
        ("\U00020000\U00020001", 2),
        ("GPT模型", 3),
        ("，。！", 0),
        ("👍 👍", 2),
    ],
)
def test_words_in_many_scripts(text, count):
    assert count_words(text) == count


@given(st.text("ab ,.\n\t\u00e9\u0431-"))
def test_spaced_scripts_count_what_stands_between_spaces(text):
    assert count_words(text) == len(text.split())


@given(st.lists(st.text("aé你，ด \u0e34", max_size=8), max_size=5))
def test_counts_add_up_over_lines(lines):
    """Nothing counts twice or gets lost where a text is divided at white space."""
    assert count_words("\n".join(lines)) == sum(map(count_words, lines))
