"""Text from data stays text, wherever it is shown."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from imitation_data import display

PATIENT = settings(deadline=None)  # a busy machine is no failure
HOSTILE = (
    "<script>alert(1)</script>",
    "</bdi></p><img src=x onerror=alert(1)>",
    "<!-- ]]> -->",
    "[click](javascript:alert(1))",
    "![](https://example.com/pixel.png)",
    "https://example.com www.example.com <https://example.com>",
    "{{ 7 * 7 }}{% raw %}{# no #}",
    "&lt;b&gt; &amp; &#x202e;",
    "\x1b[31mred\x1b]8;;https://example.com\x07link",
    "\u202egnp.exe\u202c \u2066\u2069 \u200e\u200f\u061c",
    "a\u200bb\ufeffc\u00add\u2060e\u3164f",
    "\U000e0041\U000e0042\U000e007f",
    "one\u2028two\u2029three\x85four\rfive",
    "\ud800 \udfff",
    "[bold red]rich[/] :smile: [link=https://example.com]x[/link]",
    "`` ` ``` `",
    "` ",
    "a | b \\| c \\\\| d",
    "***\n---\n===\n# x\n1. y\n- z\n    code\n> q",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "```\nfence\n```\n~~~\n$x$ ~~gone~~",
    "ends in a backslash \\",
    "  \t leading and trailing \n ",
)
ANY = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from("`|\\<>&[]()*_#-+=~$!:./ \n\t\r1aw\u202e\x1b\ud800\u200d"), max_size=60
)
# Format characters that have a shape of their own (Prepended_Concatenation_Mark).
VISIBLE_FORMAT = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2") | {
    "\U000110bd",
    "\U000110cd",
}
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def hidden(text, allowed="\n\t"):
    """Characters of `text` that nobody can see, by Unicode's own categories."""
    return [
        character
        for character in text
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp", "Cs"}
        and character not in VISIBLE_FORMAT
        and character not in allowed
    ]


def tags(markup):
    return [node.tag for node in LexborHTMLParser(markup).body.traverse() if node.tag[0] != "-"]


def shown(markup):
    return LexborHTMLParser(markup).body.text()


@PATIENT
@given(ANY, st.none() | st.integers(0, 20))
def test_no_form_lets_an_unseen_character_through(text, limit):
    """Whatever the text, no output holds a raw control, bidi or zero-width character."""
    for form in (display.terminal, display.html, display.markdown_prose):
        assert not hidden(form(text, limit))
    for line in (
        display.terminal(text, limit, line=True),
        display.html_attribute(text, limit),
        display.markdown(text, limit),
        display.markdown(text, limit, cell=True),
    ):
        assert not hidden(line, allowed="")
    assert not hidden(display.markdown_block(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[0m", "\\x1b[0m"),
        ("\u202eabc", "\\u202eabc"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("a\r\nb\tc", "a\\r\nb\tc"),
        ("\x85\x7f\x00", "\\x85\\x7f\\x00"),
        ("naïve 漢字 العربية हिन्दी ❤️ C:\\new [b]", "naïve 漢字 العربية हिन्दी ❤️ C:\\new [b]"),
    ],
)
def test_unseen_characters_become_escapes_and_others_stay(text, expected):
    """The escapes are Python's; text that can be seen is not touched."""
    assert display.terminal(text) == expected


def test_line_form_has_no_line_break():
    """One line stays one line."""
    assert display.terminal("a\n\tb", line=True) == "a\\n\\tb"


def test_limit_counts_the_text_not_its_escapes():
    """A cut never leaves half an escape, and is marked; what fits is not marked."""
    assert display.terminal("\x1b" * 4, 2) == "\\x1b\\x1b…"
    assert display.terminal("ab", 2) == "ab"


@PATIENT
@given(ANY)
def test_html_parses_to_the_text_alone(text):
    """A parser finds one `bdi` with exactly the escaped text and no other element."""
    markup = f"<p>{display.html(text)}</p>"
    assert tags(markup) == ["body", "p", "bdi"]
    assert shown(markup) == display.terminal(text)


@PATIENT
@given(ANY)
def test_attribute_parses_to_the_text_alone(text):
    """In a quoted attribute, the value is the escaped text and nothing leaks out of it."""
    markup = f'<p title="{display.html_attribute(text)}">x</p>'
    assert tags(markup) == ["body", "p"]
    node = LexborHTMLParser(markup).css_first("p")
    assert (node.attributes["title"] or "") == display.terminal(text, line=True)


def code_spans(source):
    return [
        child.content
        for token in MARKDOWN.parse(source)
        if token.type == "inline"
        for child in token.children
        if child.type == "code_inline"
    ]


@PATIENT
@given(ANY)
def test_markdown_code_span_holds_the_text_alone(text):
    """Inside a sentence, the text is one code span; the words around stay as they are."""
    expected = display.terminal(text, line=True)
    source = f"before {display.markdown(text)} after"
    if expected.strip(" "):
        assert code_spans(source) == [expected]
    assert shown(MARKDOWN.render(source)).split()[0] == "before"
    assert shown(MARKDOWN.render(source)).split()[-1] == "after"


@PATIENT
@given(ANY)
def test_markdown_cell_keeps_the_table(text):
    """A cell holds the text, with a pipe after a backslash as `\\x7c`; the row keeps its cells."""
    source = f"| a | b |\n|---|---|\n| {display.markdown(text, cell=True)} | last |\n"
    cells = LexborHTMLParser(MARKDOWN.render(source)).css("tbody td")
    assert [cell.text() for cell in cells][1:] == ["last"]
    expected = display.terminal(text, line=True).replace("\\|", "\\\\x7c")
    if expected.strip(" "):
        assert code_spans(source) == [expected]


@PATIENT
@given(ANY)
def test_markdown_prose_renders_as_the_same_words(text):
    """Prose makes paragraphs of text only: no link, heading, list, rule, code or HTML."""
    markup = MARKDOWN.render(display.markdown_prose(text))
    assert set(tags(markup)) <= {"body", "p"}
    assert shown(markup).split() == display.terminal(text).split()


@PATIENT
@given(ANY)
def test_markdown_prose_stays_in_its_place(text):
    """In a list item, heading or cell, one line of prose opens nothing."""
    words = " ".join(text.split())
    prose = display.markdown_prose(words)
    for source, expected in (
        (f"- {prose}\n", {"body", "ul", "li"}),
        (f"# {prose} 1\n", {"body", "h1"}),
        (
            f"| a |\n|---|\n| {prose} |\n",
            {"body", "table", "thead", "tbody", "tr", "th", "td"},
        ),
    ):
        markup = MARKDOWN.render(source)
        assert set(tags(markup)) <= expected
        assert "".join(display.terminal(words).split()) in "".join(shown(markup).split())


@PATIENT
@given(ANY)
def test_markdown_block_holds_the_text_alone(text):
    """A fenced block ends where we end it."""
    source = f"{display.markdown_block(text, 'yaml')}\n\nafter\n"
    tokens = MARKDOWN.parse(source)
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content.removesuffix("\n") == display.terminal(text).removesuffix("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_known_attacks_stay_text(text):
    """Each attack, in every form, parses to its own characters and no element or link."""
    assert tags(f"<p>{display.html(text)}</p>") == ["body", "p", "bdi"]
    for source in (f"x {display.markdown(text)} y", str(display.markdown_prose(text))):
        markup = MARKDOWN.render(source)
        assert set(tags(markup)) <= {"body", "p", "code"}
        assert "".join(display.terminal(text, line="x " in source[:2]).split()) in "".join(
            shown(markup).split()
        )
    assert not hidden(display.terminal(text))


@pytest.mark.parametrize(
    "text",
    [
        "`" * 200_000,
        "\n " * 200_000,
        "\u202e" * 200_000,
        "1" * 200_000,
        "\\|" * 200_000,
        "` " * 200_000,
    ],
    ids=["backticks", "blank lines", "bidi", "digits", "pipes", "spans"],
)
def test_long_texts_take_linear_time(text):
    """No long text keeps any form busy: a quadratic form would need minutes."""
    start = time.perf_counter()
    for form in (display.terminal, display.html, display.markdown, display.markdown_prose):
        form(text)
    display.markdown(text, cell=True)
    display.markdown_block(text)
    assert time.perf_counter() - start < 5


def test_safe_parts_are_not_escaped_twice():
    """HTML comes as markup, so a template prints it as it is."""
    assert display.html("a & b") == "<bdi>a &amp; b</bdi>"
    assert display.markdown("") == ""
