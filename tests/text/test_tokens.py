"""Tokens: the kernel cuts any text, wherever it lies in memory, as the plain definition does."""

import unicodedata
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.dedup.minhash import scratch
from imitation_data.dedup.shingling import Shingling
from imitation_data.normalize import normalized
from imitation_data.text.characters import (
    ALONE,
    BORDER,
    MORE_BYTES,
    MORE_TOKENS,
    NOTHING,
    SEVERAL,
    WORD,
    kind_of,
    made,
    table,
    unicode_version,
)
from imitation_data.text.tokens import IN_CONTEXT, tokenize
from tests.dedup import oracle

SAME_UNICODE = unicodedata.unidata_version == unicode_version()
SCRIPTS = (
    "aZ09 \n\t\x00\x1f\x7f.,!?'\"()[]{}_`:;#$%&*+-/<=>@\\^|~"  # ASCII, and all its signs
    "éÀßſİıǅﬁŉẞǰ§¨¯´·¼²ª"  # letters whose folding is longer, shorter, or another's
    "\u0300\u0301\u0316\u0323\u0327\u0328\u0345\u034f\u035c\u05b0\u093c\u0e38"  # marks, all ranks
    "ΑΩςσΐЖяёѢҐ"
    "\u1100\u1161\u11a8가각힣ㄱﾡ"  # Hangul: jamo, syllables, compatibility, half width
    "ＡｚｆＺ９！　，。…①㎏㍿ｶﾞｱﾟか\u3099がー〆々〇"  # full and half width, squared, kana
    "你好世界中文龍㐀𠀀豈"
    "ภาษาไทยกำเເລາວမြန်ខ្មែរ"
    "عربيةلاﻻﷺ\u0640\u064bעִבְרִית"
    "हिन्दीक़\u0958বাংলাதமிழ்"
    "👍🏽👨‍👩‍👧🇩🇪❤\ufe0f☺#\ufe0f\u20e3™½×÷−€£¥°"
    "\u00ad\u200b\u200c\u200d\u200e\u2060\ufeff\ufe0f\U000e0100\u2028\u2029\u00a0\u3000"
    "\ufffd\ue000\U0010ffff\ufdd0\U0001d400𐐀"
)
ANY = st.sampled_from(SCRIPTS)
if SAME_UNICODE:  # other versions know other characters
    ANY |= st.characters(exclude_categories=["Cs"])
TEXT = st.text(ANY, max_size=80) | st.text(st.characters(max_codepoint=127), max_size=200)


def cut(
    raw: bytes, *, before: bytes = b"", after: bytes = b"", is_normal: bool = False
) -> list[str] | None:
    """Tokens of a text that lies between others, straight from the kernel; None: in context."""
    buffer = np.frombuffer(before + raw + after or b" ", np.uint8)
    work = scratch(len(raw), 1)
    span = (len(before), len(before) + len(raw))
    count = tokenize(buffer, span, table(), work.plain, work.spans, is_normal)
    if count == IN_CONTEXT:
        return None
    assert 0 <= count <= MORE_TOKENS * len(raw)
    plain = work.plain.tobytes()
    return [plain[start:stop].decode(errors="replace") for start, stop in work.spans[:count]]


def unless_in_context(found: list[str] | None, wanted: list[str]) -> None:
    assert found is None or found == wanted


@given(TEXT)
def test_tokens_of_any_text(text):
    """Normalised first or folded on the way: tokens are those of the plain definition."""
    wanted = oracle.tokens(text)
    assert Shingling().tokens(text) == wanted
    assert cut(normalized(text).encode(), is_normal=True) == wanted
    unless_in_context(cut(text.encode()), wanted)


@given(st.text(st.sampled_from("aא \u05b0\u05b4\u05bc\u0315\u0321\u0651\ufe0f"), max_size=12))
def test_marks_in_any_order(text):
    """Marks that normalisation would put into another order are never hashed as they came."""
    unless_in_context(cut(text.encode()), oracle.tokens(text))
    assert Shingling().tokens(text) == oracle.tokens(text)


@given(before=TEXT, text=TEXT, after=TEXT)
def test_neighbours_in_the_buffer_do_not_matter(before, text, after):
    """A text's tokens do not depend on what lies before and after it."""
    alone = cut(text.encode())
    assert cut(text.encode(), before=before.encode(), after=after.encode()) == alone
    unless_in_context(alone, oracle.tokens(text))


@pytest.mark.parametrize(
    "text",
    [
        "Don't stop — 3+4=7; “naïve” café, ok?",
        "word" * 40,
        "日本語と English 混ぜる👍🏽x",
        "a\u00adb c\u200dd +-*/ é",
        "+" * 70,
        "ﬁ ßẞ ǅ",
    ],
)
def test_every_place_in_a_block(text):
    """Blocks of 64 bytes leave no seam: any offset before, any distance to the buffer's end."""
    for shift in range(140):
        padded = "x" * (shift // 2) + " " * (shift - shift // 2) + text
        unless_in_context(cut(padded.encode()), oracle.tokens(padded))
        assert Shingling().tokens(padded) == oracle.tokens(padded)
        lain = cut(text.encode(), before=b"b" * shift, after=b"a" * (139 - shift))
        unless_in_context(lain, oracle.tokens(text))


@pytest.mark.parametrize("size", range(60, 70))
@given(data=st.data())
def test_full_blocks(size, data):
    """Around a whole block every mixture of letters, signs, borders and others is cut right."""
    text = data.draw(
        st.text(st.sampled_from("aB7+ .é你👍\u00ad"), min_size=size, max_size=2 * size)
    )
    assert cut(text.encode()) == oracle.tokens(text)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox — it's “fast”, 100% (really)…",
        "Müller, Äpfel, ÀÉÎÕÜ, Łódź, Đặng?",
        "Съешь же ещё этих мягких французских булок",
        "Ο καλός, ΣΊΣΥΦΟΣ και άλλοι",
        "今天天气很好，我们去公园吧！",
        "키스의 고유조건은 입술끼리 만나야 하고",
        "यह हिन्दी है",
        "نص عربي بسيط",
        "👍 😀 🚀 ✓",
    ],
)
def test_ordinary_text_is_cut_without_python(text):
    """Text as people write it is never sent back to be normalised as a whole."""
    assert cut(text.encode()) == oracle.tokens(text)


def test_every_character():
    """Each code point of the first two planes, alone and inside a word, is cut as defined."""
    if not SAME_UNICODE:
        pytest.skip("this Python knows another version of Unicode")
    check(range(0x20000))


@pytest.mark.full
@pytest.mark.skipif(not SAME_UNICODE, reason="this Python knows another version of Unicode")
def test_every_character_of_all_planes():
    """The same for all of Unicode."""
    check(range(0x110000))


def check(codes: range) -> None:
    """Hold each code point against the definition, between letters that may compose with it."""
    text = "x{0} a{0}b {0}"
    for code in codes:
        if not 0xD800 <= code < 0xE000:
            one = text.format(chr(code))
            unless_in_context(cut(one.encode()), oracle.tokens(one))


def test_what_characters_are():
    """One example of each kind, as the definition has it."""
    kinds = {
        WORD: "aé9ж한\u0301ि",
        ALONE: "你かกៀ👍🏽+−×€<~°",
        BORDER: " .,!?'_—“\u200b\n\x01",
        NOTHING: "\u00ad\u200d\ufe0f\u2060\ufeff",
    }
    for kind, characters in kinds.items():
        assert {kind_of(ord(one)) for one in characters} == {kind}, characters


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("a", ["a"]),
        ("+", ["+"]),
        (" ", []),
        ("é", ["é"]),
        ("e\u0301", ["é"]),
        ("\u00ad", []),
        ("你", ["你"]),
        ("👍", ["👍"]),
        ("co\u00adop", ["coop"]),
        ("3+4 3-4", ["3", "+", "4", "3", "-", "4"]),
        ("don't", ["don", "t"]),
        ("Ｈｅｌｌｏ，ｗｏｒｌｄ", ["hello", "world"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("👨\u200d👩", ["👨", "👩"]),
        ("ok你好ok", ["ok", "你", "好", "ok"]),
    ],
)
def test_literal_tokens(text, wanted):
    """Short texts, written out."""
    assert Shingling().tokens(text) == wanted == oracle.tokens(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("word " * 210_000, 210_000), ("👍" * 262_144, 262_144), ("a" * (1 << 20), 1)],
    ids=["words", "emoji", "one word"],
)
def test_a_megabyte(text, count):
    """A long text fits its scratch, whatever it is made of."""
    found = cut(text.encode())
    assert found == text.split() if " " in text else len(found) == count
    assert Shingling(ngram=1).signatures(pa.array([text, "x"])).counts.tolist() == [count, 1]


@given(st.lists(TEXT, max_size=8), st.integers(0, 3), st.integers(0, 8))
def test_slices_of_arrow_arrays(texts, skip, length):
    """A slice of an array is signed and cut like its texts alone."""
    shingling = Shingling(ngram=1, permutations=32)
    whole = pa.array(["ab\u00e9 " * 20, *texts, "zz" * 50], pa.string())
    part = whole.slice(skip, length)
    counts = shingling.signatures(part).counts.tolist()
    assert counts == [len(oracle.tokens(text)) for text in part.to_pylist()]


@pytest.mark.parametrize(
    "text", ["½", "¼+½", "Straße", "ﬁn™", "กำ น้ำ", "¯\\_(ツ)_/¯", "İstanbul´s", "21℃"]
)
def test_characters_that_become_several_are_folded_on_the_way(text):
    """They need no second look at the whole text, which would cost twenty times as much."""
    for some in (text, f"a{text}", f"{text}b", f"{text}{text}", f"+{text} {text}+"):
        assert cut(some.encode()) == oracle.tokens(some)


@pytest.mark.parametrize("mark", ["\u0315", "\u0305", "\u0301", "\u0323", "\u0345", "\u093c"])
def test_characters_that_become_several_before_a_mark(mark):
    """What stands behind such a character may be put in another order with it."""
    pages, entries, _ = table()
    kinds = (entries[pages] & 7).reshape(-1)
    for code in [0x37A, *np.flatnonzero(kinds == SEVERAL).tolist()]:
        text = f"{chr(code)}{mark} a"
        unless_in_context(cut(text.encode()), oracle.tokens(text))


def test_no_character_becomes_more_than_there_is_room_for():
    """Signs between any characters that become several: tokens and bytes stay within bounds."""
    pages, entries, _ = table()
    kinds = (entries[pages] & 7).reshape(-1)
    several = np.flatnonzero(kinds == SEVERAL).tolist()
    assert len(several) > 500
    for code in several:
        for text in (chr(code) * 9, f"+{chr(code)}" * 9, f"{chr(code)} " * 9):
            found = cut(text.encode())
            assert found == oracle.tokens(text)
            assert sum(len(token.encode()) for token in found) <= MORE_BYTES * len(text.encode())


@pytest.mark.parametrize("is_normal", [False, True])
@given(st.lists(st.binary(max_size=90), max_size=8))
def test_broken_utf8_is_survived(is_normal, pieces):
    """Bytes that are no text are cut into something, never more tokens than bytes."""
    for place, raw in enumerate(pieces):
        found = cut(
            raw,
            before=b"".join(pieces[:place]),
            after=b"".join(pieces[place + 1 :]),
            is_normal=is_normal,
        )
        assert found is None or len(found) <= len(raw)


def test_much_broken_utf8_is_survived():
    """Truncated, overlong and surrogate sequences in an Arrow buffer are signed like other text."""
    rng = Random(4)
    bad = [b"\xc3", b"\xe4\xbd", b"\xf0\x9f\x91", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"]
    bad += [b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xff", b"\x80", b"ok ", b"+", "é你👍".encode()]
    rows = [b"".join(rng.choices(bad, k=rng.randrange(60))) for _ in range(500)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(rows))]
    texts = pa.Array.from_buffers(pa.string(), len(rows), buffers)
    signed = Shingling(ngram=2, permutations=32).signatures(texts)
    assert (signed.counts >= 0).all()
    assert (signed.counts < np.diff(offsets).clip(1)).all()


@pytest.mark.skipif(not SAME_UNICODE, reason="this Python knows another version of Unicode")
def test_the_table_is_what_its_module_makes():
    """The stored table is the one that this Python's Unicode data give."""
    for stored, new in zip(table(), made(), strict=True):
        assert stored.dtype == new.dtype
        assert np.array_equal(stored, new)
