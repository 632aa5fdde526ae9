"""The novelty gate decides as rouge_score does, in any script, and in whatever portions it is told.

The oracle compares a text with every accepted one, with no filter at all.
"""

import json
import random
import unicodedata
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

from imitation_data.generate import novelty
from imitation_data.generate.novelty import Novelty, Verdict
from imitation_data.generate.tokens import Numbering
from imitation_data.text.characters import UNSPACED
from tests.conftest import SHARED

SCORER = RougeScorer(["rougeL"], use_stemmer=False)
LIMITS = [0.0, 0.3, 0.5, 2 / 3, 0.7, 0.8, 0.95, 1.0]
ACCEPTED = Verdict(accepted=True, score=0.0, nearest=-1)


def rouge(one, two):
    return SCORER.score(one, two)["rougeL"].fmeasure


def by_rouge_score(texts, limit, seeds=()):
    """What rouge_score says of each text: the slowest oracle."""
    kept, verdicts = list(seeds), []
    for text in texts:
        scores = [rouge(text, other) for other in kept]
        best = max(scores, default=0.0)
        if best > limit:
            verdicts.append(Verdict(accepted=False, score=best, nearest=scores.index(best)))
        else:
            verdicts.append(ACCEPTED)
            kept.append(text)
    return verdicts


@njit(nogil=True)
def longest_common(masks, size, other):
    """Length of the longest common subsequence, by a table a word of bits wide."""
    words = masks.shape[1]
    row = np.full(words, np.uint64(0xFFFFFFFFFFFFFFFF))
    for token in other:
        carry = np.uint64(0)
        for word in range(words):
            value, hit = row[word], row[word] & masks[token, word]
            low = value + hit
            total = low + carry
            carry = np.uint64(low < value) | np.uint64(total < low)
            row[word] = total | (value - hit)
    found = 0
    for place in range(size):
        found += (row[place // 64] >> np.uint64(place % 64)) & np.uint64(1) == 0
    return found


@njit(nogil=True)
def every_pair(tokens, ends, vocabulary, limit):
    """Scores and nearest texts of rejected texts, all pairs compared in full."""
    rows = len(ends) - 1
    scores, nearest = np.zeros(rows), np.full(rows, -1, np.int64)
    kept = np.empty(rows, np.int64)
    count = 0
    for row in range(rows):
        mine = tokens[ends[row] : ends[row + 1]]
        masks = np.zeros((vocabulary, (len(mine) + 63) // 64), np.uint64)
        for place in range(len(mine)):
            masks[mine[place], place // 64] |= np.uint64(1) << np.uint64(place % 64)
        best, at = 0.0, -1
        for number in range(count):
            other = tokens[ends[kept[number]] : ends[kept[number] + 1]]
            common = longest_common(masks, len(mine), other)
            if common > 0:
                precision, recall = common / len(other), common / len(mine)
                score = 2 * precision * recall / (precision + recall)
                if score > best:
                    best, at = score, number
        if best > limit:
            scores[row], nearest[row] = best, at
        else:
            kept[count] = row
            count += 1
    return scores, nearest


def numbered(texts):
    ids, tokens, ends = {}, [], [0]
    for text in texts:
        tokens += [ids.setdefault(token, len(ids)) for token in tokenize(text, None)]
        ends.append(len(tokens))
    return np.array(tokens, np.int32), np.array(ends), len(ids)


def by_every_pair(texts, limit):
    scores, nearest = every_pair(*numbered(texts), limit)
    return [
        Verdict(accepted=False, score=score, nearest=row) if row >= 0 else ACCEPTED
        for score, row in zip(scores.tolist(), nearest.tolist(), strict=True)
    ]


def spoiled(text, rng, share):
    """The text with some of its words replaced."""
    words = text.split()
    return " ".join(f"new{rng.randrange(999)}" if rng.random() < share else word for word in words)


def read(name):
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"shared/data/{name} is not here")
    return path.read_text(encoding="utf-8")


@cache
def alpaca():
    """Instructions in a fixed random order, every fourth a spoiled copy of an earlier one."""
    rng = random.Random(11)
    texts = [row["instruction"] for row in json.loads(read("alpaca/alpaca_data.json"))]
    texts = rng.sample(texts, 5000)
    for place in range(3, len(texts), 4):
        texts[place] = spoiled(texts[rng.randrange(place)], rng, rng.choice((0.1, 0.3, 0.5)))
    return texts


@cache
def p3():
    """Prompts in a fixed random order; they share templates, so that many are rejected."""
    texts = [json.loads(line)["prompt"] for line in read("p3.jsonl").split("\n") if line]
    return random.Random(12).sample(texts, 5000)


CORPORA = {"alpaca": alpaca, "p3": p3}
corpora = pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)


def rejected(verdicts):
    return sum(not verdict.accepted for verdict in verdicts)


@corpora
def test_the_oracle_agrees_with_rouge_score(corpus):
    """On random pairs, and on pairs of a text and its spoiled copy."""
    rng = random.Random(13)
    texts = [text for text in corpus() if 0 < len(tokenize(text, None)) < 120]
    pairs = [rng.sample(texts, 2) for _ in range(700)]
    pairs += [(text, spoiled(text, rng, 0.4)) for text in rng.sample(texts, 300)]
    assert len({rouge(*pair) for pair in pairs}) > 100
    for first, second in pairs:
        assert by_every_pair([first, second], 0.1) == by_rouge_score([first, second], 0.1)


@corpora
@pytest.mark.parametrize("limit", [0.5, 0.7])
def test_corpora_are_judged_as_by_comparing_every_pair(corpus, limit):
    texts = corpus()[:600]
    expected = by_every_pair(texts, limit)
    assert rejected(expected) > 30
    assert Novelty(limit, tokens="rouge").offer(texts) == expected


@pytest.mark.full
@corpora
@pytest.mark.parametrize("limit", [0.5, 0.7])
def test_5000_texts_are_judged_as_by_comparing_every_pair(corpus, limit):
    texts = corpus()
    expected = by_every_pair(texts, limit)
    assert rejected(expected) > 500
    assert Novelty(limit, tokens="rouge").offer(texts) == expected


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=12).map(" ".join), max_size=14),
    st.sampled_from(LIMITS),
    st.integers(0, 3),
)
def test_few_different_tokens(texts, limit, added):
    """Short texts of few words, where ties are common: decisions, scores and nearest texts."""
    gate = Novelty(limit, tokens="rouge")
    gate.add(texts[:added])
    assert gate.offer(texts[added:]) == by_rouge_score(texts[added:], limit, texts[:added])


def ties(limit, most):
    """Lengths of two texts, and of what they share, whose F-measure is the limit to the point."""
    exact = Fraction(limit).limit_denominator(100)
    for first in range(1, most):
        for second in range(1, most):
            common = exact * (first + second) / 2
            if common.denominator == 1 and 0 < common <= min(first, second):
                yield first, second, int(common)


@pytest.mark.parametrize("limit", LIMITS[1:])
def test_ties_are_decided_by_the_float(limit):
    """At the limit to the point, rounding decides: as rouge_score rounds, either way."""
    found = set()
    for first, second, common in ties(limit, 41):
        one = " ".join(f"w{n}" for n in range(first))
        two = " ".join(f"w{n}" if n < common else f"x{n}" for n in range(second))
        gate = Novelty(limit)
        gate.add([one])
        score = rouge(two, one)
        assert score == pytest.approx(limit, abs=1e-12)
        above = Verdict(accepted=False, score=score, nearest=0)
        assert gate.offer([two]) == [above if score > limit else ACCEPTED]
        found.add(score > limit)
    assert found == {0.95: {True}, 1.0: {False}}.get(limit, {True, False})


@pytest.mark.parametrize("kinds", [3, 40, 5000])
def test_long_texts(kinds):
    """Around 64, 128 and 4,096 tokens; of few words, several and many."""
    rng = random.Random(kinds)
    texts = []
    for size in (62, 63, 64, 65, 66, 127, 128, 129, 700, 4095, 4097, 4300):
        words = [f"w{rng.randrange(kinds)}" for _ in range(size)]
        texts.append(" ".join(words))
        texts += [spoiled(texts[-1], rng, share) for share in (0.2, 0.4, 0.6)]
        texts.append(" ".join(words[size // 3 :]))
    rng.shuffle(texts)
    for limit in (0.3, 0.7):
        expected = by_every_pair(texts, limit)
        assert rejected(expected) >= 10
        assert Novelty(limit).offer(texts) == expected


def test_lengths_beyond_16_bits():
    """Lists hold lengths in 16 bits; longer texts are judged by their own length all the same."""
    rng = random.Random(4)
    long = " ".join(f"w{rng.randrange(30)}" for _ in range(70_000))
    texts = [long, long[: len(long) // 2], spoiled(long, rng, 0.1), "w1 " * 66_000, "w1 " * 65_000]
    expected = by_every_pair(texts, 0.7)
    assert [verdict.nearest for verdict in expected] == [-1, -1, 0, -1, 2]
    assert Novelty(0.7).offer(texts) == expected


def test_a_megabyte():
    rng = random.Random(6)
    text = " ".join(f"{rng.randrange(10**6)}" for _ in range(150_000))
    gate = Novelty()
    verdicts = gate.offer([text, "a" * 1_000_000, text[: len(text) // 2], spoiled(text, rng, 0.1)])
    assert len(text) > 1_000_000
    assert [verdict.nearest for verdict in verdicts] == [-1, -1, -1, 0]
    assert verdicts[3].score == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("size", [1, 7])
def test_portions_do_not_matter(size, monkeypatch):
    """One call, calls of some texts each, and texts taken a few characters at a time."""
    rng = random.Random(8)
    texts = [" ".join(rng.choices("abcdefghijkl", k=rng.randrange(9))) for _ in range(400)]
    texts += ["今天天气很好", "今天天气不好", "!", "?", "!", " ? ", "\ud800"]
    whole = Novelty().offer(texts)
    assert 50 < rejected(whole) < 350
    gate = Novelty()
    parts = [gate.offer(texts[at : at + size]) for at in range(0, len(texts), size)]
    assert [verdict for part in parts for verdict in part] == whole
    assert len(gate) == len(texts) - rejected(whole)
    monkeypatch.setattr(novelty, "CHUNK", 10)
    assert Novelty().offer(texts) == whole


def test_added_texts_are_not_judged_but_count():
    gate = Novelty()
    gate.add(["Name three colours.", "Name three colours.", "Write a poem about the sea."])
    assert len(gate) == 3
    assert gate.offer(
        ["Write a poem about the sea!", "name THREE colours", "Sort these words."]
    ) == [
        Verdict(accepted=False, score=1.0, nearest=2),
        Verdict(accepted=False, score=1.0, nearest=0),
        ACCEPTED,
    ]
    assert len(gate) == 4
    assert gate.offer([]) == []


def test_the_nearest_text_is_the_best_and_among_equals_the_first():
    """Whichever of its tokens the search comes upon first."""
    text, best = "a b c d e f", "a b c d e y"
    for accepted in ([best, "z b c d e f"], ["z b c d e f", best], ["b x c", best, "a f", best]):
        gate = Novelty(0.5)
        gate.add(accepted)
        nearest = 1 if "b x c" in accepted else 0
        expected = Verdict(accepted=False, score=rouge(text, best), nearest=nearest)
        assert gate.offer([text]) == [expected]


SCRIPTS = {
    "chinese": (
        "请把下面的句子翻译成英文，谢谢你。",
        "请把下面的句子翻译成法文，谢谢你。",
        "写一首关于大海的诗",
    ),
    "japanese": ("次の文章を英語に翻訳して", "次の文章を仏語に翻訳して", "カタカナ"),
    "thai": ("แปลประโยคต่อไปนี้เป็นภาษาอังกฤษ", "แปลประโยคต่อไปนี้เป็นภาษาฝรั่งเศส", "เขียนบทกวี"),
    "cyrillic": (
        "Переведи это предложение на английский язык",
        "Переведи это предложение на русский язык",
        "Напиши стихи о море",
    ),
    "arabic": (
        "ترجم الجملة التالية إلى اللغة الإنجليزية",
        "ترجم الجملة التالية إلى اللغة الفرنسية",
        "اكتب قصيدة عن البحر",
    ),
    "hindi": ("इस वाक्य का अंग्रेज़ी में अनुवाद करें", "इस वाक्य का हिन्दी में अनुवाद करें", "समुद्र पर कविता लिखो"),
}


@pytest.mark.parametrize("texts", SCRIPTS.values(), ids=SCRIPTS)
def test_other_scripts(texts):
    """Near copies are rejected in any script; ROUGE's own tokens do not see them."""
    one, two, three = Novelty().offer(texts)
    assert (one, three) == (ACCEPTED, ACCEPTED)
    assert (two.accepted, two.nearest) == (False, 0)
    assert 0.7 < two.score < 1
    assert Novelty(tokens="rouge").offer([*texts, texts[0]]) == [ACCEPTED] * 4


def test_texts_without_tokens():
    """Only an equal one counts, white space around it aside; to ROUGE none is like another."""
    texts = ["🙂", "Say hello.", "🙂🙂", " 🙂\n", "?", "🙂🙂", "", " ", "\ud83d", "\ud83d"]
    verdicts = Novelty().offer(texts)
    assert [verdict.nearest for verdict in verdicts] == [-1, -1, -1, 0, -1, 2, -1, 4, -1, 5]
    assert {verdict.score for verdict in verdicts} == {0.0, 1.0}
    assert Novelty(tokens="rouge").offer(texts) == [ACCEPTED] * len(texts)
    gate = Novelty()
    gate.add(["🙂", "🙂"])
    assert gate.offer(["🙂"]) == [Verdict(accepted=False, score=1.0, nearest=0)]


def test_settings():
    """Nothing is above a limit of 1; limits beyond, and tokens that are none, are told."""
    assert Novelty(1.0).offer(["a b", "a b", "?", "?"]) == [ACCEPTED] * 4
    for limit in (-0.1, 1.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"limit is .*between 0 and 1"):
            Novelty(limit)
    with pytest.raises(ValueError, match="tokens is 'all'; known: any, rouge"):
        Novelty(tokens="all")


def tokens_of(text, *, any_script):
    """A text's tokens, read back from their numbers."""
    numbering = Numbering(any_script=any_script)
    numbers, _ = numbering.number([text])
    ends = [0, *numbering.known.ends[: numbering.known.count[0]].tolist()]
    letters = numbering.known.letters.tobytes()
    return [letters[ends[number] : ends[number + 1]].decode() for number in numbers]


def told_by_characters(text):
    """The rule for tokens of any script, a character at a time."""
    text = text.lower()
    counted = [character for character in text if character.isalnum()]
    if 2 * sum(character.isascii() for character in counted) >= len(counted):
        return tokenize(text, None)
    tokens = [""]
    for character in text:
        part = character.isalnum() or unicodedata.category(character) in {"Mn", "Mc", "Me"}
        alone = any(first <= ord(character) <= last for first, last in UNSPACED)
        alone = (alone or "ｦ" <= character <= "ﾟ") and unicodedata.category(character) != "Nd"
        if part and not alone:
            tokens[-1] += character
        else:
            tokens += [character, ""] if part else [""]
    return [token for token in tokens if token]


TEXTS = st.text() | st.text("aAzZ09 _-éßİK½²\u0301中\u3042ｶไทย๑ıΣж\ud800\U0001f642\U00020000")


@given(TEXTS)
def test_tokens_are_those_of_rouge_score(text):
    assert tokens_of(text, any_script=False) == tokenize(text, None)


@given(TEXTS)
def test_tokens_of_any_script(text):
    assert tokens_of(text, any_script=True) == told_by_characters(text)


def test_half_of_the_letters_decide():
    """Half in a to z and 0 to 9 are enough for ROUGE's tokens; less are not."""
    assert tokens_of("ab1 где", any_script=True) == ["ab1"]
    assert tokens_of("ab1 где-то", any_script=True) == ["ab1", "где", "то"]
    assert tokens_of("Łódź, 北京!", any_script=True) == ["łódź", "北", "京"]
