"""Items found in conversations: wherever they stand, in any script; and others are left alone."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.leakage.benchmarks import Benchmark, Item, load
from imitation_data.leakage.certificate import CHANGES, certify
from imitation_data.leakage.find import Leakage
from tests.conftest import SHARED

USER, ASSISTANT = "\x02", "\x03"
CHAT = f"{USER}Tell me about the weather.{ASSISTANT}It is nice today, and it will be tomorrow."
EVAL = SHARED / "data" / "eval"


def benchmark(*items, name="mine"):
    made = [one if isinstance(one, Item) else Item(str(n), one) for n, one in enumerate(items)]
    return Benchmark(name, name, "", "test", tuple(made))


def found(leakage, *texts, **options):
    leaks = leakage.find([pa.array(texts, pa.large_string())], **options)
    return list(zip(leaks.row.tolist(), leaks.item.tolist(), strict=True))


def alone(question, *answers):
    return Leakage([benchmark(Item("q", question, (), answers))])


SCRIPTS = [
    "who sang the first song at the opening of the new concert hall in Vienna",
    "什么时候第一座桥在这条河上建成并且向公众开放的呢",
    "最初の橋がこの川に架けられて一般に公開されたのはいつですか",
    "สะพานแห่งแรกบนแม่น้ำสายนี้สร้างเสร็จและเปิดให้ประชาชนใช้เมื่อใด",
    "متى تم بناء أول جسر على هذا النهر وفتحه للجمهور لأول مرة",
    "когда был построен и открыт первый мост через эту большую реку",
    "जब इस नदी पर पहला पुल बनाया गया और जनता के लिए खोला गया",
]


@pytest.mark.parametrize("question", SCRIPTS, ids=range(len(SCRIPTS)))
def test_items_of_any_script_are_found_within_a_turn(question):
    """Among other words of the same turn, by either role, and not where they are not."""
    leakage = alone(question)
    texts = (
        f"{USER}Please help me with this: {question} Thank you!",
        f"{CHAT}{USER}Yes?{ASSISTANT}A quiz question would be: {question}",
        CHAT,
        f"{USER}{question[: len(question) // 3]}",
    )
    assert found(leakage, *texts) == [(0, 0), (1, 0)]


def test_roles_and_spans_say_where_it_stands():
    """The role of the turn, and the characters of the row, also behind characters that vanish."""
    question = "who wrote the opera about a barber from a southern city"
    leakage = alone(question)
    text = (
        f"{CHAT}{USER}so:\n\u200b ½ **Who wrote the opera about a barber\nfrom a southern city**?!"
    )
    column = [pa.array([CHAT, text])]
    leaks = leakage.find(column)
    assert (leaks.row.tolist(), leaks.role.tolist(), leaks.whole.tolist()) == ([1], [2], [True])
    start, stop = leakage.spans(leaks, column)[0]
    assert text[start:stop] == "**Who wrote the opera about a barber\nfrom a southern city**?!"


def test_an_answer_beside_it_counts():
    """A question with some words changed is found by its answer, and not without."""
    leakage = alone("who built the first stone bridge over the lower river", "Master Albrecht")
    asked = f"{USER}who made the first stone bridge over that lower river"
    assert found(leakage, f"{asked}{ASSISTANT}Nobody knows.") == []
    assert found(leakage, f"{asked}{ASSISTANT}It was Master Albrecht.") == [(0, 0)]


def test_templates_weigh_nothing():
    """What many items share says nothing about which item it is."""
    names = [f"w{n}x{n * 7} z{n * 13}" for n in range(60)]
    items = [
        f"Complete the following python code so that it returns the {one} value" for one in names
    ]
    leakage = Leakage([benchmark(*items)])
    other = f"{USER}Complete the following python code so that it returns the largest value"
    assert found(leakage, other, f"{USER}{items[7]}") == [(1, 7)]


def test_a_stem_with_other_options_is_another_item():
    """Options tell items with the same question apart."""
    stem = "Which of these statements about the water cycle of the planet is right"
    one = Item("a", stem, ("rain falls up", "clouds are dry", "rivers run to the sea", "ice burns"))
    two = Item("b", stem, ("it has no end", "it began last year", "it is cold", "it is a bicycle"))
    leakage = Leakage([benchmark(one, two)])

    def asked(item, *letters):
        lines = [f"{letter} {text}" for letter, text in zip(letters, item.choices, strict=True)]
        return f"{USER}{stem}?\n" + "\n".join(lines)

    texts = (asked(one, *"ABCD"), asked(two, "(a)", "(b)", "(c)", "(d)"), f"{USER}{stem}?")
    assert found(leakage, *texts) == [(0, 0), (1, 1)]


def test_short_items_are_found_only_as_whole_turns():
    """Two words can be asked by anybody; a turn that is nothing else is the item."""
    leakage = alone("Explain gravity")
    assert leakage.exact_only.tolist() == [True]
    texts = (f"{USER}explain  GRAVITY!", f"{USER}Please explain gravity to my son", CHAT)
    assert found(leakage, *texts) == [(0, 0)]


def test_what_cannot_be_seen_is_said():
    """Items without words, or of one, are counted with the reason."""
    leakage = Leakage([benchmark("", "why", "?!", "a long enough question about the moon")])
    assert sorted(leakage.unseeable) == [0, 1, 2]
    assert leakage.unseeable[1] == "1 words"
    assert found(leakage, "", f"{USER}why", "?!") == []


def test_no_benchmark_no_items_no_rows():
    """Nothing is found in nothing."""
    assert found(Leakage([]), CHAT) == []
    assert found(Leakage([benchmark()]), CHAT) == []
    assert found(alone("one two three four five six"), "") == []
    assert len(alone("one two three four five six").find([])) == 0


def test_threads_pieces_and_order_change_nothing():
    """The same finds from one column, from pieces by two threads, and from shuffled rows."""
    leakage = Leakage([load("koala"), load("vicuna"), load("human_eval")])
    draw = random.Random(5)
    texts = [f"{CHAT}{USER}{item.question}" for item in leakage.items[::3]] + [CHAT] * 50
    one = leakage.find([pa.array(texts)])
    pieces = [pa.array(texts[:70]), pa.array(texts[70:], pa.large_string())]
    two = leakage.find(pieces, threads=2)
    for name in one.__dataclass_fields__:
        assert getattr(one, name).tolist() == getattr(two, name).tolist()
    order = draw.sample(range(len(texts)), len(texts))
    three = leakage.find([pa.array([texts[place] for place in order])])
    mixed = sorted((order[row], item) for row, item in zip(three.row, three.item, strict=True))
    assert mixed == list(zip(one.row.tolist(), one.item.tolist(), strict=True))


WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=9),
    min_size=1,
    max_size=12,
).map(" ".join)


@settings(max_examples=300)
@given(question=WORDS, others=st.lists(WORDS, max_size=3), text=WORDS)
def test_an_item_that_is_a_turn_is_found_or_said_to_be_unseeable(question, others, text):
    """The law behind the certificate, for texts of any characters."""
    leakage = Leakage([benchmark(question, *others)])
    turn = question.replace("\x01", "").replace("\x02", "").replace("\x03", "")
    if turn == question:
        seen = {item for _, item in found(leakage, f"{USER}{text}{USER}{turn}")}
        assert 0 in seen or 0 in leakage.unseeable
    found(leakage, text, question + text)


def test_a_megabyte_and_hostile_characters():
    """Long rows, control characters and lone marks neither crash nor hide an item."""
    question = "who sang the first song at the opening of the new concert hall"
    leakage = alone(question)
    long = f"{USER}{'word ' * 200_000}{ASSISTANT}{question}"
    odd = f"\x00\x1b[31m{USER}\u202e\ufeff{question}\x07{ASSISTANT}\U0001f600" * 3
    assert found(leakage, long, odd, "\x01", "\x02\x03", "\n" * 1000) == [(0, 0), (1, 0)]


def test_without_leaves_an_item_out():
    """A row is not held against its own item."""
    leakage = Leakage([benchmark("one two three four five six", "seven eight nine ten eleven")])
    texts = [f"{USER}{item.question}" for item in leakage.items]
    assert found(leakage, *texts, without=np.array([0, -1])) == [(1, 1)]


LESS = {
    "truncated": 0.8,
    "words_replaced": 0.8,
    "truncated_question_only": 0.8,
    "words_replaced_question_only": 0.8,
}
NINE_WORDS = {"words_replaced_question_only": 0.75}  # NQ-open: little is left without an answer


@pytest.mark.parametrize("name", ["koala", "vicuna", "human_eval"])
def test_shipped_items_are_seen_as_promised(name):
    """Recall of every kind, and false flags, on rows of a chat."""
    sight = certify(Leakage([load(name)]), [CHAT])[0]
    for way in CHANGES:
        assert sight.recall[way] >= LESS.get(way, 0.95), way
    assert sight.recall["verbatim"] >= 0.999
    assert sight.false_flags <= 0.007


@pytest.mark.parametrize(
    ("name", "path", "least", "flags"),
    [
        ("nq_open", "nq_open", 0.995, 0.007),
        ("gsm8k", "gsm8k", 0.999, 0.007),
        ("mt_bench", "mt_bench", 0.999, 0.007),
        pytest.param("mmlu", "mmlu/test", 0.99, 0.007, marks=pytest.mark.full),
        pytest.param("mgsm", "mgsm", 0.999, 0.007, marks=pytest.mark.full),
    ],
)
def test_real_benchmarks_are_seen_as_promised(name, path, least, flags):
    """The targets, on the items themselves; others are told apart from them."""
    if not (EVAL / path).exists():
        pytest.skip(f"{EVAL / path} is not there")
    sight = certify(Leakage([load(name, EVAL / path)]), [CHAT])[0]
    assert sight.recall["verbatim"] >= least
    assert sight.recall["question_only"] >= least
    bounds = LESS | (NINE_WORDS if name == "nq_open" else {})
    for way in CHANGES:
        assert sight.recall[way] >= bounds.get(way, 0.95), way
    assert sight.false_flags <= flags


def test_a_certificate_is_the_same_for_the_same_seed():
    """And another one for another seed: what is planted follows it."""
    leakage = Leakage([load("vicuna")])
    one, two, three = (
        certify(leakage, [CHAT], seed, threads) for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    assert one == two
    assert one[0].recall.keys() == three[0].recall.keys()


def test_items_that_are_too_long_are_said_so_and_do_no_harm():
    """Items of more words than are looked for: unseeable, with the reason; rows with them pass."""
    draw = random.Random(1)
    long = " ".join(f"w{draw.randrange(5000)}" for _ in range(70_000))
    leakage = Leakage([benchmark(long, "when was the last bridge over the upper river opened")])
    assert leakage.unseeable == {0: "more than 65,536 words"}
    texts = (f"{USER}{long}", f"{USER}when was the last bridge over the upper river opened")
    assert found(leakage, *texts) == [(1, 1)]


def test_a_stem_counts_where_a_turn_ends_with_it():
    """Behind other words, and not before its own or other options."""
    stem = "find all zeros of the given polynomial over the finite field of order seven"
    choices = ("the first one", "the second one", "both of them", "neither of them")
    leakage = Leakage([benchmark(Item("a", stem, choices))])
    texts = (f"{USER}My teacher asked: {stem}?", f"{USER}{stem}? A) all of them B) none of these")
    assert found(leakage, *texts) == [(0, 0)]


def test_words_elsewhere_in_a_row_do_not_add_up():
    """Parts of a short question that stand apart are not the question."""
    leakage = alone("what is the longest river in the united states", "Missouri")
    text = f"{USER}It is the longest river of England, and nobody in the United States knows of it."
    assert found(leakage, text) == []
