"""Cards that people edit on the Hub, and that are written anew with every version."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.errors import PublishError
from imitation_data.publish.card import merge as merge_cards
from imitation_data.publish.card import parse_card

FIRST = """---
license: mit
configs:
- config_name: default
---

# demo 1.0.0

Three rows.

## Load it

```python
## not a heading
rows = load("demo", "v1.0.0")
```

## Known limits

- English only.
"""
SECOND = FIRST.replace("1.0.0", "1.1.0").replace("Three", "Four")


def published(first, edited, second, *, overwrite=False):
    prints = None if overwrite else parse_card(first).prints()
    return merge_cards(parse_card(second), parse_card(edited), prints)


def test_a_card_nobody_edited_is_replaced():
    """Every part becomes the new one, and nothing is told."""
    done = published(FIRST, FIRST, SECOND)
    assert done.card.text() == SECOND
    assert (done.kept, done.conflicts, done.replaced) == ((), (), ())


def test_line_ends_and_space_at_the_end_are_no_edit():
    """What an editor in a browser does to white space is not taken for an edit."""
    edited = FIRST.replace("\n", "\r\n").replace("English only.", "English only.  ")
    assert published(FIRST, edited, SECOND).card.text() == SECOND


def test_an_edited_section_stays_and_is_no_conflict_while_ours_is_the_same():
    """`Known limits` is the same in both versions: the hand's words stand, without a conflict."""
    done = published(FIRST, FIRST.replace("English only.", "English, mostly British."), SECOND)
    assert "mostly British" in done.card.text()
    assert "v1.1.0" in done.card.text()
    assert done.kept == ("section 'Known limits'",)
    assert done.conflicts == ()


def test_a_conflict_keeps_theirs_and_shows_both():
    """Edited by hand and measured anew: theirs stays, both texts are told."""
    edited = FIRST.replace('rows = load("demo", "v1.0.0")', 'rows = ours("demo")')
    done = published(FIRST, edited, SECOND)
    assert 'rows = ours("demo")' in done.card.text()
    assert [one.part for one in done.conflicts] == ["section 'Load it'"]
    assert "v1.1.0" in done.conflicts[0].ours
    assert 'ours("demo")' in done.conflicts[0].theirs


def test_own_sections_and_keys_stay_where_they_stood():
    """A section and a key that only the Hub has are kept, in their place."""
    edited = FIRST.replace("## Known limits", "## Thanks\n\nTo all.\n\n## Known limits")
    edited = edited.replace("license: mit\n", "license: mit\nviewer: false\n")
    done = published(FIRST, edited, SECOND)
    text = done.card.text()
    assert text.index("## Load it") < text.index("## Thanks") < text.index("## Known limits")
    assert done.card.front_matter["viewer"] is False
    assert set(done.kept) == {"front matter: viewer", "section 'Thanks'"}


def test_a_section_taken_out_by_hand_stays_out():
    """Deleting is an edit, too; it is told."""
    edited = FIRST[: FIRST.index("## Known limits")]
    done = published(FIRST, edited, SECOND)
    assert "Known limits" not in done.card.text()
    assert done.kept == ("section 'Known limits'",)


def test_keys_that_follow_from_the_rows_are_ours():
    """An edited `configs` would load the wrong files: it is replaced, and that is told."""
    edited = FIRST.replace("config_name: default", "config_name: mine")
    done = published(FIRST, edited, SECOND)
    assert done.card.front_matter["configs"] == [{"config_name": "default"}]
    assert [one.part for one in done.replaced] == ["front matter: configs"]


def test_a_card_written_before_the_first_publish_is_all_by_hand():
    """Without prints every part of theirs is kept, and ours are added."""
    done = merge_cards(
        parse_card(SECOND), parse_card("---\nlicense: cc0-1.0\n---\n\nHello.\n"), None
    )
    assert done.card.front_matter["license"] == "cc0-1.0"
    assert "Hello." in done.card.text()
    assert "## Load it" in done.card.text()
    assert {one.part for one in done.conflicts} == {
        "front matter: license",
        "the lines above the first section",
    }


@pytest.mark.parametrize("front", ["a: [", "- a\n- b", "a: !!python/object:os.system x"])
def test_broken_front_matter_is_refused_in_words(front):
    """Someone broke the YAML on the Hub: the message says how to go on."""
    with pytest.raises(PublishError, match="overwrite-card"):
        parse_card(f"---\n{front}\n---\n\n# x\n")


TEXTS = st.lists(st.sampled_from(["a", "b ", "```", "~~~", "## x", "## y", "### z", "", "  ## no"]))


@given(TEXTS)
def test_cutting_loses_nothing(lines):
    """All lines of a body are in its sections, in order."""
    body = "\n".join(lines)
    sections = parse_card(body).sections
    assert "\n".join(text for text in sections.values() if text or body == text).split("\n") in (
        body.split("\n"),
        body.lstrip("\n").split("\n"),
    )


PARTS = st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from(["one", "two", "three"]))


def card(parts):
    return "# t\n\n" + "\n\n".join(f"## {name}\n\n{text}" for name, text in parts.items()) + "\n"


@given(PARTS, PARTS, PARTS)
def test_laws_of_merging(first, edited, second):
    """Unedited parts become ours, edited ones stay theirs, own ones stay, and it settles."""
    prints = parse_card(card(first)).prints()
    done = merge_cards(parse_card(card(second)), parse_card(card(edited)), prints)
    found = {name: text for name, text in done.card.sections.items() if name}
    for name in {*first, *edited, *second}:
        was, theirs, ours = (parts.get(name) for parts in (first, edited, second))
        expected = ours if theirs == was else theirs
        stands = found.get(name)
        assert (stands is None) == (expected is None), name
        assert expected is None or expected in stands
    again = merge_cards(parse_card(card(second)), done.card, parse_card(card(second)).prints())
    assert again.card.text() == done.card.text()
    assert again.conflicts == ()


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5),
    )
)
def test_front_matter_survives(values):
    """Any keys and values are read back as they were written."""
    text = f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n\n# x\n"
    once = parse_card(text)
    assert parse_card(once.text()).front_matter == once.front_matter


@pytest.mark.parametrize("front", ["a: " + "[" * 3000, "a: 0001-01-01 00:00:00+14:00"])
def test_front_matter_beyond_yaml_is_told_or_taken(front):
    """Deep nesting and moments before the first year: words at most."""
    try:
        parse_card(f"---\n{front}\n---\n\nHello.\n")
    except PublishError as error:
        assert "front matter is not YAML" in str(error)  # noqa: PT017 - both ends are right


def test_a_card_of_very_many_sections_is_merged():
    """Ten thousand headings, all equal or all different, are kept in their order."""
    for name in ("## same\n", "## s{}\n"):
        text = "".join(name.format(number) for number in range(10_000))
        done = merge_cards(parse_card(FIRST), parse_card(text), None)
        sections = list(done.card.sections)
        assert len(sections) == len(set(sections)) == 10_000 + 3
