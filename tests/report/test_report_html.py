"""The report is one safe, self-contained, reproducible file that shows every number."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from imitation_data.display import terminal
from imitation_data.report.breakdown import flow, holdings, ranked
from imitation_data.report.example import FACTS, SUMMARY
from imitation_data.report.facts import Facts, Tally
from imitation_data.report.html import report_html
from imitation_data.report.summary import BuildSummary, StepCount
from imitation_data.report.templates import number, percent, size

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def elements(page):
    """Every element's tag with the names of its attributes, in document order."""
    root = LexborHTMLParser(page).root
    return [
        (node.tag, tuple(sorted(node.attributes)))
        for node in root.traverse()
        if node.tag and node.tag[0] not in "-_!"
    ]


def text_of(page):
    tree = LexborHTMLParser(page)
    return " ".join(tree.body.text(separator=" ").split())


def test_every_part_of_the_summary_is_shown():
    """Each number, reason, key, check, limit and option of the example is in the text."""
    text = text_of(report_html(SUMMARY))
    for expected in (
        *("example 0.1.0", SUMMARY.fingerprint, "An example.", "cl100k_base"),
        *("4 in", "2 dropped", "(50.0 %)", "2 out", "1 created", "characters: [1, 1000]"),
        *("too_long", "forum/7:0", "found 1204", "limit 1000", "see forum/3:0", "as long as"),
        *("trimmed", "CC-BY-4.0", "a-model", "messages", "1, 4.1 kB", "3, of which 1 bad"),
        *("ab" * 32, "min_rows passed", "found 2 rows · limit at least 1", "imitation-data 0.1.0"),
        *("Languages of a few words are guessed.", "name: example", "median 40", "largest 80"),
    ):
        assert expected in text, expected


def test_hostile_text_makes_no_element(hostile):
    """With an attack in every field the page has the very same elements as without."""
    page = report_html(hostile)
    assert elements(page) == elements(report_html(SUMMARY))
    assert not HIDDEN.search(page)
    assert page.count(terminal(" \u202egnp.exe\u202c \x1b[31m {{ 7*7 }}")) > 10
    page.encode()


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=40))
def test_no_text_makes_an_element(poisoned, text):
    """The same for any text whatever."""
    page = report_html(poisoned(text + "x"))
    assert elements(page) == elements(report_html(SUMMARY))
    assert not HIDDEN.search(page)


def test_nothing_is_fetched_or_run(hostile):
    """No script, no handler, no address but anchors and the empty icon; a policy says so too."""
    for page in (report_html(SUMMARY), report_html(hostile)):
        tree = LexborHTMLParser(page)
        assert not tree.css(
            "script, iframe, object, embed, img, form, base, use, image, style[src]"
        )
        for node in tree.root.traverse():
            for name, value in (node.attributes or {}).items():
                assert not name.startswith("on")
                if name in {"href", "src", "srcset", "action", "xlink:href"}:
                    assert value.startswith("#") or value == "data:,"
        style = tree.css_first("style").text()
        assert "url(" not in style
        assert "@import" not in style
        policy = tree.css_first('meta[http-equiv="Content-Security-Policy"]').attributes["content"]
        assert policy.startswith("default-src 'none'")


def test_anchors_lead_somewhere():
    """Every link inside the page has its target."""
    tree = LexborHTMLParser(report_html(SUMMARY))
    targets = {node.attributes["id"] for node in tree.css("[id]")}
    links = {node.attributes["href"] for node in tree.css("a")}
    assert links
    assert {link[1:] for link in links} <= targets


def test_same_summary_same_bytes():
    """Another process with another hash seed writes the same file; it names no path of ours."""
    code = (
        "from imitation_data.report.example import SUMMARY;"
        "from imitation_data.report.html import report_html;"
        "import sys; sys.stdout.buffer.write(report_html(SUMMARY).encode())"
    )
    pages = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert pages == {report_html(SUMMARY).encode()}
    assert os.getcwd().encode() not in pages.pop()  # noqa: PTH109 - the string, not a path


def test_an_empty_dataset_has_a_report():
    """No rows, steps, sources, checks or limits: still a page, which says so."""
    text = text_of(report_html(BuildSummary("empty", "0.1.0", "00", "", "", None, Facts())))
    for expected in ("not counted", "No step dropped a row.", "No row was edited.", "Not counted."):
        assert expected in text


def test_many_groups_are_added_up():
    """Beyond fifteen groups the rest is one line, and no row is lost."""
    groups = {f"l{n:02}": Tally(rows=n) for n in range(40)}
    facts = replace(FACTS, languages=groups)
    shown = dict(holdings(facts))["Language"]
    assert len(shown) == 16
    assert shown[0] == ("l39", Tally(rows=39))
    assert shown[-1][0] == "25 more"
    assert sum(tally.rows for _, tally in shown) == sum(range(40))


def test_bars_share_one_scale_and_balance():
    """Kept, created and dropped make up the bar; the widest step fills it."""
    steps = (
        StepCount(0, "a", "", rows_in=90, created=10, rows_out=80, dropped=20),
        StepCount(1, "b", "", rows_in=80, created=0, rows_out=40, dropped=40),
    )
    first, second = flow(steps)
    assert [width for width, _, _ in first.pieces] == [70, 10, 20]
    assert [width for width, _, _ in second.pieces] == [40, 0, 40]


def test_counts_are_ranked_and_ties_ordered():
    """Most frequent first; equal counts by name, whatever the mapping's order."""
    assert ranked({"b": 1, "c": 5, "a": 1}) == [("c", 5), ("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (number(1234567), "1,234,567"),
        (number(3.94), "3.9"),
        (number(1437.4), "1,437"),
        (percent(0, 7), "0.0 %"),
        (percent(1, 100_000), "&lt; 0.1 %"),
        (percent(99_999, 100_000), "&gt; 99.9 %"),
        (percent(7, 7), "100.0 %"),
        (percent(0, 0), "0.0 %"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(48_210_332), "48.2 MB"),
        (size(999_999), "1 MB"),
        (size(3 * 10**15), "3,000 TB"),
    ],
)
def test_numbers_are_written_for_people(found, expected):
    """Few is told from none, and all from almost all."""
    assert found == expected
