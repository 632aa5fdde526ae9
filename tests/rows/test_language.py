"""Language labels and the languages to keep."""

import builtins
import json
import sys
from pathlib import Path

import pytest

from imitation_data.errors import StepError
from imitation_data.ledger import Drop, Kept
from imitation_data.rows import apply
from imitation_data.rows.language import DETECTORS, Language, sample
from tests.contract.corpus import CORPUS, talk

XQUAD = Path(__file__).resolve().parents[3] / "shared" / "data" / "xquad"
SENTENCES = {
    "en": "Which of these rivers flows through the capital of Austria?",
    "fr": "Quel est le plus long fleuve de France et où se jette-t-il ?",
    "de": "Welcher Fluss fließt durch die Hauptstadt von Österreich?",
    "es": "¿Cuál es el río más largo de la península ibérica?",
    "ru": "Какая река протекает через столицу Австрии?",
    "zh": "流经奥地利首都的河流是哪一条？",
    "ja": "オーストリアの首都を流れる川はどれですか。",
    "el": "Ποιος ποταμός διαρρέει την πρωτεύουσα της Αυστρίας;",
}
every_detector = pytest.mark.parametrize(
    "detector",
    # lingua reads its models for ten seconds
    ["fasttext", "langdetect", pytest.param("lingua", marks=pytest.mark.full)],
)


def label(text: str, **options) -> str | None:
    outcome = Language(**options)(talk("row", "ua", text, "42"))
    assert isinstance(outcome, Kept)
    return outcome.rows[0].language


@every_detector
@pytest.mark.parametrize("code", SENTENCES)
def test_labels_are_iso_639_1_under_every_detector(detector, code):
    assert label(SENTENCES[code], detector=detector) == code


def test_every_detector_is_tested():
    assert set(DETECTORS) == {"fasttext", "langdetect", "lingua"}


@every_detector
def test_a_detector_gives_the_same_answer_twice(detector):
    """Also langdetect, which draws at random, and in another order of rows."""
    step = Language(detector=detector, scope="all")
    rows = CORPUS[:25]
    first = apply(step, rows)
    assert apply(step, rows[::-1])[::-1] == first


@pytest.mark.parametrize(
    "text", ["", "42 + 7 = ?", "?!", "👍👍👍", "ok", "```python\nimport os\n```"]
)
@every_detector
def test_without_letters_the_language_is_unknown(detector, text):
    """Numbers, emoji, two letters and nothing but code name no language."""
    assert label(text, detector=detector) is None
    row = talk("row", "ua", text, "42")
    dropped = Language(detector=detector, unknown="drop")(row)
    assert dropped == Drop("language_unknown", "too few letters", "3 letters")


def test_an_old_label_does_not_outlive_an_unknown_language():
    outcome = Language()(talk("row", "ua", "42", "43", language="fr"))
    assert outcome.rows[0].language is None


def test_fenced_code_is_not_looked_at():
    code = "```js\nfunction compter(nombre) { return nombre + 1; }\n```"
    assert label(f"{code}\nWarum läuft das hier nicht?\n{code}") == "de"


def test_capitals_are_read():
    assert label("WHICH OF THESE RIVERS FLOWS THROUGH THE CAPITAL?") == "en"
    assert label("КАКАЯ РЕКА ПРОТЕКАЕТ ЧЕРЕЗ СТОЛИЦУ?") == "ru"


def test_a_quoted_text_counts_with_its_question():
    """A short English request with a long French text is French: the middle is looked at."""
    french = "La pluie tombait sur la ville depuis trois jours et personne ne sortait. " * 6
    assert label(f"Summarise this text.\n\n{french}") == "fr"


def test_the_end_of_a_text_mark_of_fasttext_does_not_hide_the_rest():
    assert label("</s> " + SENTENCES["fr"]) == "fr"


def test_scope_chooses_the_turns():
    row = talk("row", "ua", "Was ist das denn?", "Certainly, here is the answer to it. " * 9)
    assert Language(scope="user")(row).rows[0].language == "de"
    assert Language(scope="all")(row).rows[0].language == "en"


def test_other_languages_are_dropped_with_what_was_found():
    row = talk("row", "ua", SENTENCES["fr"], "La Loire.")
    dropped = Language(keep=("en", "de"))(row)
    assert isinstance(dropped, Drop)
    assert dropped.reason == "language"
    assert dropped.found.startswith("fr 0.9")
    assert dropped.limit == "en, de"
    assert isinstance(Language(keep=("fr",))(row), Kept)


def test_a_low_confidence_is_unknown():
    row = talk("row", "ua", "Hm la de na ok so", "ok")
    sure = Language(min_confidence=0.95, unknown="drop")(row)
    assert (sure.reason, sure.limit) == ("language_unknown", 0.95)
    assert Language(min_confidence=0.95)(row).rows[0].language is None
    assert Language(keep=("zh",), min_confidence=0.95)(row).rows[0].language is None


def test_a_sample_is_short_and_takes_from_the_middle():
    text = "a" * 1000 + "b" * 1000
    assert sample(text, 100) == "a" * 49 + " " + "b" * 50
    assert sample("short\ntext", 100) == "short text"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ("english",)}, r"found 'english'; expected ISO 639-1"),
        ({"keep": ("zh-cn",)}, r"found 'zh-cn'"),
        ({"min_confidence": 1.5}, r"found 1.5; expected 0 to 1"),
        ({"max_chars": 5}, r"found 5; expected 20"),
        ({"min_letters": 0}, r"found 0; expected 1"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Language(**options)


def test_a_missing_extra_says_how_to_install_it(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "lingua":
            raise ImportError(name)
        return real(name, *rest, **more)

    DETECTORS["lingua"].cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "lingua", raising=False)
    with pytest.raises(StepError, match=r"pip install 'imitation-data\[lingua\]'"):
        label("A sentence in English.", detector="lingua")


@pytest.mark.skipif(not XQUAD.exists(), reason=f"{XQUAD} is not there")
def test_accuracy_on_real_questions_and_paragraphs():
    """Twelve languages: at least 99 % of 360 questions, all of 120 paragraphs but one."""
    right = {"questions": 0, "paragraphs": 0}
    for path in sorted(XQUAD.glob("*.json")):
        code = path.name.split(".")[1]
        paragraphs = [
            paragraph
            for article in json.loads(path.read_text(encoding="utf-8"))["data"]
            for paragraph in article["paragraphs"]
        ]
        questions = [qa["question"] for paragraph in paragraphs for qa in paragraph["qas"]]
        right["questions"] += sum(label(text) == code for text in questions[::40][:30])
        right["paragraphs"] += sum(label(each["context"]) == code for each in paragraphs[::24])
    assert right["questions"] >= 356
    assert right["paragraphs"] >= 119


def test_a_row_is_lost_only_after_a_longer_look():
    """A prompt that opens in another language, or in words any language has, is judged whole."""
    step = Language(keep=("en",))
    opening = "Bonjour tout le monde, comment allez-vous aujourd'hui mes chers amis ? "
    rest = "This is a sentence that I would like to have explained in plain English words. " * 20
    kept = step(talk("mixed", "ua", opening + rest, "Sure."))
    assert isinstance(kept, Kept)
    assert isinstance(step(talk("french", "ua", opening * 6, "Oui.")), Drop)


@pytest.mark.parametrize("text", ["請問這個問題應該怎麼解決", "心理壓力太大怎麼辦", "工作壓力"])
def test_chinese_is_not_taken_for_japanese_or_korean(text):
    """Japanese has kana and Korean has Hangul; Han characters alone are Chinese."""
    (row,) = Language(min_confidence=0.0)(talk("zh", "ua", text, "好")).rows
    assert row.language not in {"ja", "ko"}
