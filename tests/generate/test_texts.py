"""What teachers write is read with patience, and what must not be repeated is hidden."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from imitation_data.conversation import Message
from imitation_data.generate.alpaca_style import tasks_in
from imitation_data.generate.instances import Instance, check, input_first, output_first
from imitation_data.generate.novelty import Novelty
from imitation_data.generate.parse import json_in, numbered_items, pairs_in
from imitation_data.generate.redact import plain_endpoint, redacted
from imitation_data.generate.request import Sampling
from imitation_data.generate.teacher import Teacher

SCORER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=10).map(" ".join)


@given(st.lists(WORDS, max_size=12), st.sampled_from([0.5, 0.7]))
def test_novelty_is_rouge_to_the_last_bit(texts, limit):
    """Decision, score and nearest text equal a look at all pairs; ties are decided as they are."""
    novelty = Novelty(limit)
    accepted: list[str] = []
    for text in texts:
        scores = [SCORER.score(text, one)["rougeL"].fmeasure for one in accepted]
        (verdict,) = novelty.offer([text])
        assert verdict.accepted == (max(scores, default=0.0) <= limit)
        if verdict.accepted:
            accepted.append(text)
        else:
            assert verdict.score == max(scores)
            assert verdict.nearest == scores.index(max(scores))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("写一首关于大海的诗歌吧", "写一首关于月亮的诗歌吧"),
        ("Напиши короткое письмо другу о лете", "Напиши короткое письмо брату о лете"),
        ("🙂🙂", " 🙂🙂 "),
    ],
)
def test_other_scripts_are_compared(one, two):
    """ROUGE's own tokens see nothing there; words of any script do."""
    assert [verdict.accepted for verdict in Novelty(0.5).offer([one, two])] == [True, False]
    rouge = Novelty(0.5, tokens="rouge")
    assert [verdict.accepted for verdict in rouge.offer([one, two])] == [True, True]


def test_numbers_inside_an_item_open_none():
    text = "Tell what happened in\n2016. Then stop.\n10. Sort:\n1. a\n2. b\n11. Last"
    assert numbered_items(text, 9) == [
        "Tell what happened in\n2016. Then stop.",
        "Sort:\n1. a\n2. b",
        "Last",
    ]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Q: one?\nA: 1\n\nQ: two?\nA: 2", [("one?", "1"), ("two?", "2")]),
        ("1. **Q:** one?\n   **A:** 1", [("one?", "1")]),
        ("Question: one\ntwo?\nAnswer: 1", [("one two?", "1")]),
        ("Q: one?\nQ: two?\nA: 2", [("one?", ""), ("two?", "2")]),
        ("Sure! Here you are.", []),
    ],
)
def test_pairs(text, pairs):
    assert pairs_in(text) == pairs


@pytest.mark.parametrize(
    "text", ['{"a": [1]}', 'Here:\n```json\n{"a": [1],}\n```', 'So {"a": [1]} it is', '{"a": [1,]}']
)
def test_json_in_prose(text):
    assert json_in(text) == {"a": [1]}


def test_tasks_keep_rules_and_wrong_numbers():
    """`###` inside an output stays, and a wrong number does not shift what follows."""
    text = (
        "Name a fruit\n4. Input: <noinput>\n4. Output: An apple.\n### not a rule\n###\n"
        "7. Instruction: Add\n5. Input: 1, 2\n7. Output: 3\n###\n"
    )
    assert tasks_in(text, 4) == [
        ("Name a fruit", "", "An apple.\n### not a rule"),
        ("Add", "1, 2", "3"),
    ]


def test_instances():
    """Blocks are read in both orders; what contradicts itself goes whole."""
    found = input_first("Example 1\nInput: x\nOutput: y\n\nExample 2\nOutput: z")
    assert found == [Instance("x", "y"), Instance("", "z")]
    assert output_first("Class label: Yes\nInput: x") == [Instance("x", "Yes")]
    twice = check([Instance("x", "1"), Instance("x", "2")], cut=False, most=5)
    assert not twice.kept
    assert [drop.reason for drop in twice.drops] == ["contradicting_outputs"] * 2
    cut = check([Instance("a", "1"), Instance("b", "2")], cut=True, most=5)
    assert cut.kept == (Instance("a", "1"),)


def test_the_key_of_a_request_is_all_of_it():
    """Whatever changes a request changes its key; how fast it is sent does not."""

    def key(prompt="p", sample=0, heat=1.0, **more):
        teacher = Teacher("m", **{"endpoint": "http://h/v1", **more})
        turns = [Message("system", "s"), Message("user", prompt)]
        return teacher.request(turns, Sampling(9, heat), sample=sample, schema={"a": 1}).key

    keys = [
        key(),
        key("q"),
        key(sample=1),
        key(heat=0.5),
        key(endpoint="http://g/v1"),
        key(structured=True),
        key(seed=False),
    ]
    assert len(set(keys)) == len(keys)
    assert key(concurrency=3, endpoint="http://user:pw@h/v1?api=secret") == key()


@pytest.mark.parametrize("value", ["sk-proj-abcdef123456", "sk_live_abcdef", "a" * 40])
def test_a_key_in_a_recipe_is_refused_without_being_shown(value):
    with pytest.raises(ValueError, match="environment variable") as caught:
        Teacher("m", key=value)
    assert value not in str(caught.value)


def test_secrets_are_hidden():
    """Keys whole and in part, headers, user-info and queries."""
    said = (
        "Incorrect key sk-live-abcdefghijkl1234 (abcd****wxyz), Authorization: Bearer abc.def, "
        "see https://u:p@host:8443/v1/x?token=t and abcdEFGHwxyz"
    )
    plain = redacted(said, ["abcdEFGHwxyz"])
    for word in ("sk-live", "abc.def", "u:p", "token", "abcd", "wxyz"):
        assert word not in plain
    assert plain_endpoint("HTTPS://u:p@Host:443/v1/?k=1") == "https://host/v1"


def test_pairwise_sampling_is_checked():
    for least, most in pairwise([0, 3]):
        with pytest.raises(ValueError, match="temperature"):
            Sampling(1, temperature=most + least)
    with pytest.raises(ValueError, match="max_tokens"):
        Sampling(0)
