"""The contract of a row step, over every step of the table."""

import re
import time
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from imitation_data.conversation import ROLES, Conversation, Message, from_batch, to_batch
from imitation_data.ledger import Drop, Edit, Kept, Outcome
from imitation_data.rows import ROW_STEPS, RowStep, apply
from tests.contract.corpus import CORPUS, talk
from tests.contract.step_cases import CASES

SLUG = re.compile(r"[a-z][a-z0-9_]*")
MEGABYTE = 1_000_000
# A round over the limit stays over the limit, and is counted again by whoever asks again.
COUNTED_AGAIN = {"oversize_round"}

HOSTILE = (
    *("", " ", "\n" * 50, "\x00", "\x00\x01\x1b[31m\x7f\x9f", "\u200b\u200d\ufeff", "\ufffd"),
    *("\u202eevil\u202c \u2066nested\u2069", "مرحبا " * 20, "👨‍👩‍👧‍👦" * 30, "é" * 40, "ẞİıſK"),
    *("<script>alert(1)</script>", "<div class='markdown prose'><p>x", "&lt;b&gt; &#0; &amp;amp;"),
    *(
        "```",
        "```\n" * 9,
        "~~~",
        "$$\\frac{1}{0}$$",
        "[red]markup[/red]",
        "=HYPERLINK(1)",
        "{kind}",
    ),
    *("a@b.c@d.e@", "@" * 99, "+" * 99, "1.2.3.4.5.6.7.8", "1-2-3-4-5-6-7-8-9-0-1-2-3", ":" * 60),
    *("0" * 40, "4" * 400, "+49" * 50, "sk-" * 50, "eyJ." * 50, "-----BEGIN PRIVATE KEY-----" * 9),
    *("我" * 200, "ก็" * 80, "\u0301" * 80, "a\u0301" * 60, "\u3000" * 60, "，。！？" * 20),
    *("word " * 200, "same line\n" * 30, "x" * 500, "ab" * 300, "_" * 300, "</s>", "<|endoftext|>"),
    *("i am sorry, but i can't " * 9, "as an ai " * 30, "OPENAİ", "\N{KELVIN SIGN}oala chatgpt"),
    *(
        "def f(:",
        "SELECT " * 30,
        "import os",
        "class A:",
        "\\",
        "\\x00",
        "%s %d {0}",
        "\r\n\r\n",
        "\x85",
    ),
)

FIRST_CASES = {name: step for name, step in CASES.items() if name in ROW_STEPS}
LONG = [
    *("a", " ", "我", "1 "),
    *(
        pytest.param(char, marks=pytest.mark.full)
        for char in ("0", "\n", "\u200d", "@", "<", "-", "a@b.", "as an ai ", "sorry, ", "2001:")
    ),
]

every_case = pytest.mark.parametrize("step", CASES.values(), ids=CASES)
texts = st.text(max_size=120) | st.sampled_from(HOSTILE) | st.from_regex(r"[0-9@.+ ():-]{0,60}")
messages = st.builds(Message, st.sampled_from(ROLES), texts)
conversations = st.fixed_dictionaries(
    {
        "messages": st.lists(messages, max_size=6).map(tuple),
        "source": st.just("web"),
        "origin": st.text("abc", min_size=1, max_size=3),
        "part": st.integers(0, 3),
        "license": st.just("CC0-1.0"),
    }
).map(lambda fields: Conversation(**fields))
hostile_rows = [
    row
    for text in HOSTILE
    for row in (
        talk("question", "ua", text, "An answer."),
        talk("answer", "ua", "A question?", text),
        talk("both", "suaua", text, text, text, text, text),
    )
]


def check(row: Conversation, outcome: Outcome) -> None:
    """Hold one decision to what the runner relies on."""
    if isinstance(outcome, Drop):
        assert SLUG.fullmatch(outcome.reason)
        assert isinstance(outcome.found, int | float | str)
        assert isinstance(outcome.limit, int | float | str)
        assert len(str(outcome.found)) <= 400
        assert len(outcome.evidence) <= 210
        return
    assert isinstance(outcome, Kept)
    assert outcome.rows, "a kept row became no row at all"
    for kept in outcome.rows:
        assert kept.messages or not row.messages
        assert (kept.source, kept.origin, kept.part) == (row.source, row.origin, row.part)
        assert (kept.license, kept.teacher, kept.meta) == (row.license, row.teacher, row.meta)
        assert {message.role for message in kept.messages} <= set(ROLES)
    for edit in outcome.edits:
        assert SLUG.fullmatch(edit.kind)
        assert edit.count > 0
    if any(kept.messages != row.messages for kept in outcome.rows):
        assert outcome.edits, "text changed and no edit says so"
    assert from_batch(to_batch(outcome.rows)) == list(outcome.rows)


def settled(step: RowStep, outcome: Outcome) -> bool:
    """Whether the step has nothing more to do on its own rows."""
    rows = outcome.rows if isinstance(outcome, Kept) else ()
    for row, again in zip(rows, apply(step, rows), strict=True):
        edits = {edit.kind for edit in again.edits} if isinstance(again, Kept) else {"dropped"}
        if edits - COUNTED_AGAIN or not isinstance(again, Kept) or again.rows != (row,):
            return False
    return True


@pytest.mark.parametrize("name", ROW_STEPS)
def test_a_step_declares_what_its_output_depends_on(name):
    """REVISION and LIBRARIES stand on the class, options are frozen values with defaults."""
    kind = ROW_STEPS[name]
    assert kind.REVISION >= 1
    assert all(isinstance(library, str) for library in kind.LIBRARIES)
    step = next(step for case, step in CASES.items() if case.split()[0] == name)
    assert type(step) is kind
    for field in fields(step):
        with pytest.raises(FrozenInstanceError):
            setattr(step, field.name, None)


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_built_from_plain_values(name):
    """What YAML can write makes the same step, and an equal step has an equal hash."""
    step = CASES[name]
    adapter = TypeAdapter(type(step))
    again = adapter.validate_python(adapter.dump_python(step, mode="json"))
    assert again == step
    assert hash(again) == hash(step)


@every_case
def test_decisions_hold_the_contract(step):
    """On real and on hostile rows: never nothing, keys kept, changes told, reasons as slugs."""
    rows = [*CORPUS, *hostile_rows]
    for row, outcome in zip(rows, apply(step, rows), strict=True):
        check(row, outcome)


@every_case
def test_many_rows_decide_as_one_does(step):
    """The batch form, the call and any order of rows give the same answers."""
    rows = [*CORPUS, *hostile_rows]
    one_by_one = [step(row) for row in rows]
    assert apply(step, rows) == one_by_one
    assert apply(step, rows[::-1]) == one_by_one[::-1]
    assert apply(step, rows[7:9]) == one_by_one[7:9]
    assert apply(step, []) == []


@every_case
def test_a_step_is_pure(step):
    """The same rows give the same answers twice, and the input is left as it was."""
    rows = [*CORPUS, *hostile_rows]
    before = [(row.messages, row) for row in rows]
    assert apply(step, rows) == apply(step, rows)
    assert [(row.messages, row) for row in rows] == before


@every_case
def test_a_step_settles(step):
    """A second application to what was kept changes and drops nothing."""
    for row in [*CORPUS, *hostile_rows]:
        assert settled(step, step(row)), row


@every_case
@settings(max_examples=12, deadline=None)
@given(rows=st.lists(conversations, max_size=4))
def test_any_rows_hold_the_contract(step, rows: Sequence[Conversation]):
    """As above, for rows nobody thought of."""
    outcomes = apply(step, rows)
    assert outcomes == [step(row) for row in rows]
    for row, outcome in zip(rows, outcomes, strict=True):
        check(row, outcome)
        assert settled(step, outcome)


@pytest.mark.parametrize("step", FIRST_CASES.values(), ids=FIRST_CASES)
@pytest.mark.parametrize("char", LONG)
def test_a_megabyte_takes_no_time(step, char):
    """One turn of a megabyte is decided on within two seconds, whatever fills it."""
    text = char * (MEGABYTE // len(char.encode()))
    row = talk("long", "ua", "A question?", text)
    start = time.perf_counter()
    check(row, apply(step, [row])[0])
    check(row, step(row))
    assert time.perf_counter() - start < 4  # two decisions


def test_the_checks_can_fail():
    """A step that loses a row, renames it or hides a change does not pass."""
    row = CORPUS[0]
    other = talk("other", "ua", "Hello?", "Yes.")
    for wrong in (
        Kept(()),
        Kept((other,), (Edit("x"),)),
        Drop("Not A Slug"),
        Kept((row,), (Edit("x", 0),)),
    ):
        with pytest.raises(AssertionError):
            check(row, wrong)
    with pytest.raises(AssertionError, match="no edit"):
        check(row, Kept((row.with_messages(row.messages[:1]),)))
