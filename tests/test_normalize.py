"""Normalisation equals its definition in the Unicode standard, by whatever way it gets there."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.normalize import normalized

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    "Ａｂ，。…　ﬁ①é\u0301ßİ가\u1100\u1161 aB\n"
)
TEXT |= st.text("ab  \n\t\x1f\x7f")  # every short cut of white space in ASCII


@given(TEXT)
def test_equals_the_plain_definition(text):
    """NFKC(casefold(NFKC(x))) with runs of white space as one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    assert normalized(text) == " ".join(folded.split())


@given(TEXT)
def test_is_idempotent(text):
    assert normalized(normalized(text)) == normalized(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ｈｅｌｌｏ，　ｗｏｒｌｄ", "hello, world"),
        ("STRASSE", "straße"),
        ("e\u0301", "É"),
        ("ﬁne\n\tday", "FINE day"),
    ],
)
def test_equal_texts_meet(one, other):
    assert normalized(one) == normalized(other)


def test_other_forms():
    assert normalized("A  b", "none") == "A  b"
    assert normalized("e\u0301 A", "nfc") == "é A"
