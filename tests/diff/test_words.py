"""Differences of texts: nothing is lost, any script is cut, and no text takes long."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.diff.words import Piece, beginning, compared, difference, shortened

TEXTS = (
    st.text(st.sampled_from("ab \n今日は。\u0e01\u0e34é\u0301👩\u200d"), max_size=40) | st.text()
)


def shown(pieces):
    edges = {"old": "[-{}-]", "new": "{{+{}+}}", "same": "{}"}
    return "".join(
        edges[piece.mark].format(piece.text) if piece.mark != "cut" else f"<{piece.length}>"
        for piece in pieces
    )


@given(TEXTS, TEXTS, st.integers(0, 60))
def test_both_texts_can_be_read_back(old, new, work):
    """Without what is new the old text stands there, and the reverse; however little is spent."""
    pieces = difference(old, new, work)
    assert "".join(piece.text for piece in pieces if piece.mark != "new") == old
    assert "".join(piece.text for piece in pieces if piece.mark != "old") == new
    assert all(piece.text for piece in pieces)
    assert all(one.mark != two.mark for one, two in pairwise(pieces))


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_the_way_is_the_shortest(old, new):
    """The oracle is the table of longest common subsequences."""
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, one in enumerate(old):
        for j, two in enumerate(new):
            best[i + 1][j + 1] = (
                best[i][j] + 1 if one == two else max(best[i][j + 1], best[i + 1][j])
            )
    marked = compared(old, new)
    assert sum(mark == "same" for mark, _ in marked) == best[-1][-1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("The quick brown fox", "The slow brown fox", "The [-quick-]{+slow+} brown fox"),
        ("one two three four", "one 2 3 four", "one [-two three-]{+2 3+} four"),
        ("今天天气很好。", "今天天气不好。", "今天天气[-很-]{+不+}好。"),
        ("これはペンです", "これは本です", "これは[-ペン-]{+本+}です"),
        ("สวัสดีครับ", "สวัสดีค่ะ", "สวัสดี[-ครับ-]{+ค่ะ+}"),
        ("नमस्ते दुनिया", "नमस्ते संसार", "नमस्ते [-दुनिया-]{+संसार+}"),
        ("안녕 세계", "안녕 지구", "안녕 [-세계-]{+지구+}"),
        (
            "👩\u200d👩\u200d👧 a",
            "👩\u200d👩\u200d👦 a",
            "[-👩\u200d👩\u200d👧-]{+👩\u200d👩\u200d👦+} a",
        ),
        ("", "all", "{+all+}"),
        ("all", "", "[-all-]"),
        ("same", "same", "same"),
        ("", "", ""),
    ],
)
def test_words_of_any_script(old, new, expected):
    """Words where a script has them, characters with their marks where it has none."""
    assert shown(difference(old, new)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b " * 250_000, "b a " * 250_000),
        ("字" * 300_000 + "x" + "字" * 300_000, "字" * 600_000),
        (" ".join(map(str, range(150_000))), " ".join(map(str, range(150_000, 0, -1)))),
    ],
    ids=["shifted", "one character", "reversed"],
)
def test_a_megabyte_is_bounded_work(old, new):
    """Texts of a megabyte that differ everywhere are still told, and shown in few characters."""
    pieces = difference(old, new)
    assert "".join(piece.text for piece in pieces if piece.mark != "old") == new
    assert sum(len(piece.text) for piece in shortened(pieces)) < 3000


def test_texts_with_too_many_words_are_compared_by_lines_first():
    """Within the lines that differ, words are still told apart."""
    lines = [" ".join(f"w{n}x{k}" for k in range(20)) for n in range(4000)]
    other = [line.replace("x", "y") if n % 50 == 1 else line for n, line in enumerate(lines)]
    other[50] = other[50].replace("w50x7", "w50y7")
    assert compared("\n".join(lines).split(" "), "\n".join(other).split(" ")) is None
    pieces = difference("\n".join(lines), "\n".join(other))
    assert [piece for piece in pieces if "x7" in piece.text and piece.mark == "old"][1:2] == [
        Piece.of("old", "w50x7")
    ]
    assert Piece.of("new", other[3951]) in pieces


def test_long_stretches_are_left_out():
    """Equal text stays beside a difference; the beginning of an endless one is enough."""
    pieces = shortened(difference(f"{'x ' * 500}old{' y' * 500}", f"{'x ' * 500}new{' y' * 500}"))
    assert shown(pieces) == f"<940>{'x ' * 30}[-old-]{{+new+}}{' y' * 30}<940>"
    assert [piece.mark for piece in beginning("new", "z" * 5000)] == ["new", "cut"]
    assert [piece.mark for piece in beginning("new", "z" * 1250)] == ["new"]
