"""Refusals, and answers that speak of themselves as a model."""

import pytest

from imitation_data.ledger import Drop, Kept
from imitation_data.rows.refusals import PATTERNS, Refusals
from tests.contract.corpus import talk

IDENTITY = {
    "as_a_model": "It depends. As an AI language model, I have no opinion.",
    "i_am_a_model": "Hello, I\u2019m just an AI and cannot see you.",
    "the_model_cannot": "This instruction cannot be completed by a GPT language model.",
    "made_by_openai": "I am a large thing and was trained by OpenAI.",
    "my_training_data": "My knowledge cutoff is September 2021.",
    "chinese": "作为一个人工智能语言模型，我没有感情。",
    "french": "En tant qu\u2019intelligence artificielle, je n'ai pas d'avis.",
    "german": "Als KI habe ich keine Meinung.",
    "spanish_portuguese": "Como modelo de lenguaje, no tengo opiniones.",
    "russian": "Как языковая модель, я не имею мнения.",
    "japanese": "AI言語モデルとして、意見はありません。",
    "korean": "AI 언어 모델로서 의견이 없습니다.",
}
REFUSAL = {
    "sorry_but": "I\u2019m sorry, but I can\u2019t help you with that.",
    "i_cannot": "Unfortunately, I cannot generate images.",
    "this_cannot": "Sorry, this task requires a drawing the model has no way to make.",
    "not_appropriate": "It is not appropriate for me to say so.",
    "chinese": "很抱歉，我无法回答这个问题。",
    "french": "Je suis désolé, mais je ne peux pas répondre.",
    "german": "Es tut mir leid, aber ich kann das nicht beantworten.",
    "spanish_portuguese": "Lo siento, pero no puedo ayudarte con eso.",
    "russian": "Извините, но я не могу на это ответить.",
    "japanese": "申し訳ありませんが、その質問にはお答えできません。",
    "korean": "죄송합니다. 그 질문에는 답할 수 없습니다.",
}
FINE = (
    *("I'm sorry to hear that. Is there anything I can do?", "Better safe than sorry."),
    *(
        "We apologize for the inconvenience.",
        "I can't wait to taste it.",
        "I cannot resist chocolate.",
    ),
    *("Sorry, I won't be able to make it to the meeting.", "She was unable to finish."),
    *("A GPT language model could be used for summaries.", "OpenAI was founded in 2015."),
    *(
        "A search such as an AI assistant would do.",
        "It has an air of mystery.",
        "Work as an aide.",
    ),
    *("The task requires patience and skill.", "It is inappropriate to shout.", "Como siempre."),
    *("我觉得很抱歉，昨天迟到了。", "Als Kind war ich oft am Meer.", "Je suis un homme simple."),
)


def found(text: str, **options) -> tuple[str, str] | None:
    outcome = Refusals(**options)(talk("row", "ua", "Well?", text))
    return (outcome.reason, outcome.found) if isinstance(outcome, Drop) else None


@pytest.mark.parametrize("name", PATTERNS["identity"])
def test_every_identity_phrase_is_found(name):
    assert found(IDENTITY[name]) == ("identity", name)
    assert found(IDENTITY[name].upper().replace("ß", "SS"))


@pytest.mark.parametrize("name", PATTERNS["refusal"])
def test_every_refusal_is_found_at_the_head_of_an_answer_only(name):
    assert found(REFUSAL[name]) == ("refusal", name)
    assert found("The clerk answered as follows. " + REFUSAL[name]) is None


@pytest.mark.parametrize("text", FINE)
def test_other_answers_stay(text):
    """Sentences of real answers that only look like refusals."""
    assert found(text) is None


def test_the_batch_form_skips_no_phrase():
    """Hints that stand in no text of a pattern would hide it from the batch form."""
    texts = [*IDENTITY.values(), *REFUSAL.values(), *FINE]
    rows = [talk("row", "ua", "Well?", text) for text in texts]
    rows.append(talk("row", "uaua", "a", "b", "c", IDENTITY["french"]))
    step = Refusals()
    assert step.many(rows) == [step(row) for row in rows]


def test_a_user_may_say_anything():
    row = talk("row", "ua", IDENTITY["as_a_model"], "Interesting.")
    assert Refusals()(row) == Kept((row,))


def test_kinds_can_be_chosen():
    assert found(REFUSAL["sorry_but"], kinds=("identity",)) is None
    assert found(IDENTITY["as_a_model"], kinds=("refusal",)) is None
    with pytest.raises(ValueError, match="expected identity, refusal or both"):
        Refusals(kinds=())


def test_the_drop_shows_the_place_as_it_was_written():
    drop = Refusals()(talk("row", "uaua", "a", "b", "c", "So. " * 30 + IDENTITY["as_a_model"]))
    assert "As an AI language model" in drop.evidence
