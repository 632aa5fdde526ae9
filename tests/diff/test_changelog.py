"""The changelog: written from diffs, and what people add to it is theirs."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from imitation_data.diff.changelog import changelog_of, edited, merge, section
from imitation_data.diff.order import order_of, previous_of
from imitation_data.versions.store import StoredVersion
from tests.diff.conftest import between
from tests.diff.test_causes import TALKS

GENERATED = re.compile(r"<!-- diff [0-9a-f]{8} -->\n(?:.*\n)*?<!-- /diff -->\n")
VERSIONS = ["1.0.0", "1.1.0", "1.1.1", "1.3.0-rc.1", "1.3.0", "2.0.0", "10.0.0"]
SECTIONS = st.lists(
    st.tuples(
        st.sampled_from(VERSIONS), st.sampled_from(["Minor: 1 row.", "Major: 2 rows.\n\n- a"])
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [f"## {version}\n\n{body}\n" for version, body in pairs])
HEADINGS = ["## 1.1.0", "## v1.0.0 of June", "## 2.0.0\r", "## Notes", "# Title"]
MARKS = ["```", "~~~~", "````md", "<!-- /diff -->", "<!-- diff 00000000 -->"]
LINES = st.sampled_from([*HEADINGS, *MARKS, "", " ", "Words.", "- point", "\r", "x\x0cy"])
HAND = st.lists(LINES, max_size=12).map("\n".join)


def is_within(lines, text):
    """Whether all lines stand in the text, in order."""
    there = iter(text.split("\n"))
    return all(line in there for line in lines)


@settings(max_examples=200)
@given(HAND, st.lists(SECTIONS, min_size=1, max_size=3))
def test_hand_written_text_survives_whatever_is_merged(text, rounds):
    """Each merge keeps every line, changes nothing when it is repeated, and writes each section."""
    merged = text
    for sections in rounds:
        merged = merge(merged, "trial", sections)
        assert merge(merged, "trial", sections) == merged
        for one in sections:
            version, _, body = one.removeprefix("## ").partition("\n")
            assert version in edited(merged) or body.strip("\n") in merged
    assert is_within(text.split("\n"), merged) or not text


@given(SECTIONS, st.randoms(use_true_random=False))
def test_sections_stand_newest_first_in_whatever_order_they_come(sections, luck):
    """One file comes of the same sections, together or one by one."""
    merged = merge(None, "trial", sections)
    found = re.findall(r"^## (.+)$", merged, re.MULTILINE)
    assert found == sorted(found, key=order_of, reverse=True)
    assert len(found) == len(sections)
    shuffled = luck.sample(sections, len(sections))
    one_by_one = None
    for one in shuffled:
        one_by_one = merge(one_by_one, "trial", [one])
    assert one_by_one == merged or not sections


def test_a_paragraph_between_heading_and_generated_part_stays():
    """The generated part is written anew around it, and other sections keep every byte."""
    first = merge(None, "trial", ["## 1.0.0\n\nFirst version: 3 rows.\n"])
    mine = first.replace("## 1.0.0\n", "## 1.0.0\n\nWe  began. \r\n")
    assert mine != first
    grown = merge(mine, "trial", ["## 1.1.0\n\nMinor: 1 row added.\n"])
    assert grown.endswith(mine.partition("## 1.0.0")[2])
    again = merge(grown, "trial", ["## 1.0.0\n\nFirst version: 4 rows.\n"])
    assert "We  began. \r\n" in again
    assert "4 rows" in again
    assert "3 rows" not in again


def test_a_generated_part_that_was_edited_is_told_and_left():
    """Not overwritten, not lost, and named; line ends alone are no edit."""
    text = merge(None, "trial", ["## 1.0.0\n\nFirst version: 3 rows.\n"])
    assert edited(text) == ()
    assert edited(text.replace("\n", "\r\n")) == ()
    mine = text.replace("3 rows", "three rows")
    assert edited(mine) == ("1.0.0",)
    assert merge(mine, "trial", ["## 1.0.0\n\nFirst version: 4 rows.\n"]) == mine
    assert edited(text.replace("<!-- /diff -->\n", "")) == ("1.0.0",)


def test_a_section_written_by_hand_gets_its_generated_part():
    """Below what is there; headings in code are no sections."""
    text = "# Changelog\n\n```md\n## 1.0.0\n```\n\n## 1.0.0\n\nOur first."
    merged = merge(text, "trial", ["## 1.0.0\n\nFirst version: 3 rows.\n"])
    assert merged.startswith(f"{text}\n\n<!-- diff ")
    assert GENERATED.sub("", merged).strip() == text


def test_sections_of_real_versions(built):
    """Each says the bump and why, counts, causes and recipe; the first says what it holds."""
    split = {"type": "split", "shares": {"train": 0.5, "test": 0.5}}
    first = built({"web": TALKS}, {"type": "length", "max_chars": 45}, split)
    second = built(
        {"web": TALKS, "more": {"m": ["Hello you", "Hello me"]}},
        {"type": "length", "max_chars": 45},
        split,
    )
    third = built(
        {"web": TALKS, "more": {"m": ["Hello you", "Hello me"]}},
        {"type": "length", "max_chars": 40},
        split,
    )
    sections = changelog_of([third, first, second])
    assert [one.split("\n")[0] for one in sections] == ["## 2.0.0", "## 1.1.0", "## 1.0.0"]
    assert "First version: 6 rows." in sections[2]
    assert "- web: 6 rows" in sections[2]
    assert "Minor: 1 row added, all of 1.0.0 still there." in sections[1]
    assert "- 1 row added: source more is new" in sections[1]
    assert "Major: 1 row of 1.1.0 missing or in another split." in sections[0]
    assert "| `web` | 1 |" in sections[0]
    assert "- step length: max\\_chars 45 → 40" in sections[0]
    assert changelog_of([first, second, third]) == sections
    text = merge(None, "trial", sections)
    assert MarkdownIt().enable("table").render(text).count("<h2>") == 3


HOSTILE = "a|b `x` [l](javascript:1) <script> \x1b[31m # \u202e"


def test_text_from_data_is_escaped(built):
    """Names of sources and options come from anywhere; in Markdown they are words."""
    old, new = built({"web": TALKS}), built({"web": {"t0": TALKS["t0"]}})
    diff = between(old, new)
    cause = type(diff.causes[0])("removed", "unknown", HOSTILE, 5, "k")
    object.__setattr__(diff, "causes", (cause,))
    text = section(diff, new, old)
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script>" not in page
    assert "<a" not in page
    assert not set(text) & set("\x1b\u202e")


class Number(str):
    """Stands for a version with a pre-release: only its words count here."""

    __slots__ = ()


def test_versions_in_order_of_semver():
    """A pre-release stands before its release, and is compared with the release before it."""
    words = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    words += ["1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"]
    assert all(order_of(one) < order_of(two) for one, two in pairwise(words))
    versions = [
        StoredVersion("a", Number(one), None)
        for one in ("1.0.0", "1.1.0-rc.1", "1.1.0-rc.2", "1.1.0")
    ]
    before = [previous_of(one, versions) for one in versions]
    assert [one and str(one.version) for one in before] == [None, "1.0.0", "1.0.0", "1.0.0"]
    with pytest.raises(ValueError, match="expected major"):
        order_of("1.0")
