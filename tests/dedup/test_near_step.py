"""The step of a recipe: who stays, what the ledger says of the others, and what is refused."""

import json
from random import Random

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from imitation_data import apply_dataset_step
from imitation_data.conversation import Message
from imitation_data.dedup.near_step import NearDedup, number_of
from imitation_data.errors import StepError
from tests.conftest import row
from tests.dedup import oracle

QUESTION = "Please tell me how the tides of the sea follow the moon around the earth."
ANSWER = "The moon pulls at the water on the near side and at the earth more than at the far side."
WORDS = st.sampled_from(["one", "two", "three", "four", "+", "你", "é"])
ROWS = st.lists(
    st.builds(
        lambda words, source, number: row(
            " ".join(words[:6]), " ".join(words[6:]), source=source, origin=f"o{number}"
        ),
        st.lists(WORDS, max_size=12),
        st.sampled_from(["a", "b"]),
        st.integers(0, 10_000),
    ),
    max_size=14,
    unique_by=lambda one: one.key,
)


def copy(origin: str, end: str = "", source: str = "web", **fields):
    return row(QUESTION, ANSWER + end, source=source, origin=origin)._replace(**fields)


def kept_of(step, rows):
    return [one.origin for one in apply_dataset_step(step, rows)[0]]


def test_longest_stays_unless_a_source_is_preferred():
    """Of near copies the longest stays; the source named first wins over length."""
    rows = [
        copy("short", source="b"),
        copy("long", " And so on.", source="b"),
        copy("other", source="a"),
        row("What is a monad, and why would anyone want one?", "A burrito.", origin="apart"),
    ]
    assert kept_of(NearDedup(), rows) == ["long", "apart"]
    assert kept_of(NearDedup(priority=("a",)), rows) == ["other", "apart"]
    assert kept_of(NearDedup(priority=("web", "b")), rows) == ["long", "apart"]


@pytest.mark.parametrize(
    ("keep", "by", "stays"),
    [("earliest", "tokens", "two"), ("best", "tokens", "three"), ("longest", "", "none")],
)
def test_keep_by_tokens(keep, by, stays):
    """Earliest is the lowest count and best the highest; a row without a count comes last."""
    rows = [
        copy("none", " It is so, and it is always so."),
        copy("two", tokens=2),
        copy("three", tokens=3),
    ]
    for order in (rows, rows[::-1]):
        assert kept_of(NearDedup(keep=keep, by=by), order) == [stays]


@pytest.mark.parametrize(
    ("values", "earliest", "best"),
    [
        ([3, 1, 2, None], 1, 0),
        ([-1.5, 0, -7], 2, 1),
        (["10", "9", "x"], 1, 0),
        (["2023-03-01", "2022-12-31T23:59:59", None], 1, 0),
        (["2023-01-01T00:30:00+01:00", "2023-01-01", "2022-12-31T23:45:00Z"], 0, 1),
        ([True, "never", {"at": 1}, [2], 5], 4, 4),
        (["", "nan", 0], 2, 2),
    ],
)
def test_keep_by_meta(values, earliest, best):
    """Numbers and ISO dates of `meta` decide; what is missing or neither comes last."""
    rows = [
        copy(str(place), meta="{}" if value is None else json.dumps({"score": value}))
        for place, value in enumerate(values)
    ]
    for order in (rows, rows[::-1]):
        assert kept_of(NearDedup(keep="earliest", by="meta.score"), order) == [str(earliest)]
        assert kept_of(NearDedup(keep="best", by="meta.score"), order) == [str(best)]
    with pytest.raises(StepError, match=r"meta.absent is a number or an ISO date in none of"):
        kept_of(NearDedup(keep="best", by="meta.absent"), rows)


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), ("1e3", 1000.0), ("1970-01-02", 86400.0), ("1970-01-01T01:00:00+01:00", 0.0)],
)
def test_numbers_of_values(value, number):
    """A date is its seconds since 1970, in UTC unless it says otherwise."""
    assert number_of(value) == number


def test_the_ledger_says_how_alike_and_where():
    """A drop names the row that stays, the similarity, the limit and the words that differ."""
    rows = [copy("kept", " Each day it is so."), copy("gone", " Each night it is.")]
    step = NearDedup(threshold=0.5, ngram=2)
    kept, dropped, decision = apply_dataset_step(step, rows)
    ((gone, drop),) = dropped
    assert (kept[0].origin, gone.origin) == ("kept", "gone")
    assert drop.other == kept[0].key
    assert drop.reason == "near_duplicate_conversation"
    sets = [
        set(oracle.shingles(f"{QUESTION}\n{ANSWER}{one}", 2))
        for one in (" Each day it is so.", " Each night it is.")
    ]
    assert drop.found == f"similarity {oracle.jaccard(*sets):.3f}"
    assert drop.limit == "similarity 0.5 of 2-token shingles of conversation"
    assert drop.evidence == "…n at the far side. Each [night it is|day it is so]."
    assert [pair.found for shown in decision.shown[:1] for pair in shown.pairs] == [drop.found]
    assert "1 pairs compared" in decision.note


def test_equal_short_rows_are_told_as_equal():
    """Short rows go only when they are equal, and the ledger says so; others are only shown."""
    rows = [row("Hello", "Hi", origin=str(place)) for place in range(3)]
    rows += [row("Hello!", "Hi", origin="sign"), row("Hello", "Hi you", origin="longer")]
    kept, dropped, _ = apply_dataset_step(NearDedup(), rows)
    assert len(kept) == 3
    assert [drop.found for _, drop in dropped] == ["equal text"] * 2
    assert {drop.evidence for _, drop in dropped} == {""}


@pytest.mark.parametrize(
    ("on", "dropped"),
    [("conversation", []), ("prompt", ["0", "1"]), ("user", ["1"]), ("assistant", ["0"])],
)
def test_what_is_compared(on, dropped):
    """Only the turns asked for count; rows without any are compared with nothing."""
    rows = [
        row(QUESTION, ANSWER, QUESTION, ANSWER, origin="0"),
        row(QUESTION, "A song about ships and storms. " * 3, QUESTION, origin="1"),
        row(
            QUESTION,
            ANSWER,
            "A song about ships, storms and the men at sea. " * 3,
            ANSWER,
            origin="2",
        ),
        row(origin="empty")._replace(messages=(Message("system", ANSWER),)),
        row(origin="empty too")._replace(messages=(Message("system", ANSWER + " "),)),
    ]
    step = NearDedup(on=on, threshold=0.9)
    gone = apply_dataset_step(step, rows)[1]
    wanted = [*dropped, "empty"] if on == "conversation" else dropped
    assert sorted(one.origin for one, _ in gone) == sorted(wanted)


@given(ROWS, st.integers(0, 5), st.sampled_from(["conversation", "prompt", "assistant"]))
def test_the_step_is_the_plain_definition(rows, seed, on):
    """Drops are those of comparing everything in policy order, whatever order the rows came in."""
    step = NearDedup(
        on=on, ngram=2, priority=("b", "a"), recall=0.999999, permutations=512, threshold=0.6
    )

    def policy(place: int) -> tuple[object, ...]:
        one = rows[place]
        length = sum(len(text) for text in one.texts())
        origin = xxhash.xxh3_64_intdigest(f"{one.source}/{one.origin}".encode())
        return (one.source != "b", -length, one.id, origin, one.part)

    texts = [one.messages[0].content for one in rows]
    if on != "prompt":
        texts = ["\x02{}\x03{}".format(*one.texts()) for one in rows]
    if on == "assistant":
        texts = [f"\x03{one.messages[1].content}" for one in rows]
    wanted = oracle.decide(texts, sorted(range(len(rows)), key=policy), 0.6, 2)
    _, dropped, decision = apply_dataset_step(step, rows)
    assert decision.other.tolist() == wanted.other
    names = {one.key: drop.other for one, drop in dropped}
    shuffled = Random(seed).sample(rows, len(rows))
    kept, again, _ = apply_dataset_step(step, shuffled)
    assert {one.key: drop.other for one, drop in again} == names
    assert not apply_dataset_step(step, kept)[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": "answer"}, r"on is 'answer'; expected one of \('conversation', 'prompt'"),
        ({"keep": "first"}, r"keep is 'first'; expected one of \('longest', 'earliest', 'best'"),
        ({"keep": "best"}, "keep is 'best' and by is ''; earliest and best need by"),
        ({"by": "tokens"}, "keep is 'longest' and by is 'tokens'"),
        ({"keep": "best", "by": "score"}, "by is 'score'; expected tokens or meta.NAME"),
        ({"threshold": 0.0}, "threshold is 0.0; expected above 0 and up to 1"),
        ({"threshold": 70}, "threshold is 70; expected above 0 and up to 1"),
        ({"ngram": 0}, "ngram is 0; expected 1 or more tokens"),
        ({"recall": 1.0}, "recall is 1.0; expected above 0 and below 1"),
        ({"permutations": 2}, "2 permutations find .* ask for more permutations or less recall"),
        ({"permutations": 10_000}, "permutations is 10000; expected 1 to 4096"),
        ({"what_if": (0.8, 80)}, "what_if has 80; expected above 0 and up to 1"),
        ({"most_compared": 0}, "most_compared is 0; expected 1 or more"),
        ({"scheme": "sha1"}, "scheme is 'sha1'; expected one of"),
        ({"seed": -1}, "seed is -1; expected 0 to"),
    ],
)
def test_bad_options_are_named(options, message):
    """An option that cannot work is refused with its value and what was expected."""
    with pytest.raises(ValueError, match=message):
        NearDedup(**options)
