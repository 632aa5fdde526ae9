"""Drop rows whose assistant refuses, or speaks of itself as a language model."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.rows.evidence import around
from imitation_data.rows.screen import any_of, hits

Kind = Literal["identity", "refusal"]
_Find = Callable[[str], re.Match[str] | None]
_Compiled = tuple[Kind, str, tuple[str, ...], _Find]


class Pattern(NamedTuple):
    """A phrase: texts it cannot be found without (lower case), and what it looks like."""

    hints: tuple[str, ...]
    expression: str


_CANNOT = (
    r"(?:can(?:not|'t| not)|could(?: not|n't)|am (?:not able|unable)|'m (?:not able|unable)"
    r"|(?:will|would) not|won't)"
)
_DO = (
    r"(?:accept|access|accommodate|allow|answer|assist|browse|carry out|comment|complete|comply|"
    r"condone|continue|create|display|do (?:that|this|it)|draw|encourage|endorse|engage|execute|"
    r"fulfil|generate|give|go along|help|honou?r|offer|open|participate|perform|play|predict|"
    r"process|produce|promote|provide|recommend|respond|send|set up|show|support|write)"
)
_MODEL = r"(?:ai|artificial intelligence|(?:large |gpt |natural )?language model|gpt model)"

_NEGATIONS = (
    *("cannot", "can't", "can not", "could not", "couldn't", "not able", "unable"),
    *("won't", "will not", "would not"),
)

# Lower case, straight apostrophes. Identity is looked for anywhere in an answer, a refusal only
# at the head of one. The names stand in the ledger.
PATTERNS: Mapping[Kind, Mapping[str, Pattern]] = {
    "identity": {
        "as_a_model": Pattern(
            ("as an ai", "as an artificial", "language model", "gpt model"),
            rf"(?<!such )(?<!used )(?<!well )\bas an? (?:{_MODEL}"
            r"(?: (?:model|assistant|chatbot|program|system))?"
            r"(?:,| (?:developed|trained|created|made|designed|built|i |my |we |it is |and ))"
            r"|ai (?:language )?model\b)",
        ),
        "i_am_a_model": Pattern(
            ("an ai", "artificial intelligence", "language model", "gpt model", "computer program"),
            rf"\bi(?:'m| am) (?:just |only |simply |merely |actually )?an? (?:{_MODEL}\b"
            r"|text-based ai|computer program\b)",
        ),
        "the_model_cannot": Pattern(
            ("cannot be ",),
            r"\bcannot be (?:answered|completed|done|executed|fulfilled|performed|processed)"
            rf" by (?:an? |the |this )?(?:{_MODEL}|model)\b",
        ),
        "made_by_openai": Pattern(
            ("by openai",),
            r"\bi(?:'m| am| was)\b[^.\n]{0,60}"
            r"\b(?:built|created|developed|made|trained) by openai\b",
        ),
        "my_training_data": Pattern(
            ("my knowledge cut", "my training data"),
            r"\bmy (?:knowledge cut-?off|training data)\b",
        ),
        "chinese": Pattern(
            ("作为", "作為", "身为", "我是", "我只是"),
            r"(?:作为|作為|身为|我是|我只是)(?:一个|一個|一名|一款|一种|个)?(?:大型|基于)?"
            r"(?:人工智能|人工智慧|ai|语言模型|語言模型)",
        ),
        "french": Pattern(
            ("en tant qu", "je suis un"),
            r"\ben tant qu(?:e |')(?:modèle de langage|ia\b|intelligence artificielle)"
            r"|\bje suis une? (?:ia\b|intelligence artificielle|modèle de langage)",
        ),
        "german": Pattern(
            ("als ki", "als ein", "als künstliche", "als sprachmodell", "als ai", "ich bin ein"),
            r"\b(?:als (?:eine? )?|ich bin eine? )(?:großes )?"
            r"(?:ki\b|ai\b|künstliche intelligenz|sprachmodell)",
        ),
        "spanish_portuguese": Pattern(
            ("modelo de l", "inteligencia artificial", "inteligência artificial"),
            r"\b(?:como|soy|sou) (?:una? |uma? )?(?:modelo de (?:lenguaje|linguagem)"
            r"|inteligencia artificial|inteligência artificial)",
        ),
        "russian": Pattern(
            ("языковая модель", "искусственный интеллект"),
            r"\b(?:как|я)(?: —| -|,)? (?:большая )?(?:языковая модель|искусственный интеллект)",
        ),
        "japanese": Pattern(("モデルとして", "aiとして"), r"(?:言語モデル|ai)として"),
        "korean": Pattern(("로서",), r"(?:언어 모델|인공지능|\bai)(?:로서|으로서)"),
    },
    "refusal": {
        "sorry_but": Pattern(
            ("sorry", "apolog"),
            r"\W*(?:i'm |i am )?(?:so |very |really |truly |deeply |terribly )*"
            r"(?:sorry|(?:i |my )?apologi[sz](?:es?|ies))(?: for (?:any|the) [\w ]{1,40})?[,.]?"
            r"(?: but)?[,.]? (?:(?:as|due|because|since) [^.\n]{1,80} )?"
            rf"i ?(?:{_CANNOT}|do(?: not|n't) (?:have|feel|know|understand))"
            r"(?! (?:to )?(?:be able to )?(?:attend|come|join|make it))",
        ),
        "i_cannot": Pattern(
            _NEGATIONS,
            rf"\W*(?:unfortunately,? |no,? |however,? )?i ?{_CANNOT} (?:to )?(?:be able to )?"
            rf"(?:in good conscience )?{_DO}\b",
        ),
        "this_cannot": Pattern(
            (*_NEGATIONS, "not something", "not possible", "require"),
            r"\W*(?:sorry,? |unfortunately,? )*(?:but )?(?:this (?:type of )?|the )"
            r"(?:input|instruction|prompt|question|request|task) "
            r"(?:can(?:not|'t| not)|is not something|is not possible"
            r"|requires? [^.\n]{1,80}\b(?:model|ai)\b)",
        ),
        "not_appropriate": Pattern(
            ("for me to", "decline", "against my"),
            r"\W*(?:(?:i'm |i am )?sorry,? (?:but )?)?(?:it(?:'s| is| would be) (?:not |un|in)+"
            r"(?:appropriate|ethical) for me to|i (?:must )?(?:respectfully )?decline to"
            r"|i must (?:respectfully )?decline|(?:that|this|it) (?:goes|is|would be) against my)",
        ),
        "chinese": Pattern(
            ("抱歉", "对不起", "對不起"),
            r"\W*(?:非常|很|十分|真的)?(?:抱歉|对不起|對不起)[，,。！ ]*"
            r"(?:但|但是|作为[^。]{0,20})?[，, ]*我?(?:个人)?(?:无法|不能|没有办法|没办法|無法)",
        ),
        "french": Pattern(
            ("désolé",),
            r"\W*(?:je suis )?désolée?,? (?:mais )?(?:en tant [^.]{1,60}, )?"
            r"je ne (?:peux|suis|dispose)",
        ),
        "german": Pattern(
            ("tut mir leid",),
            r"\W*es tut mir leid,? (?:aber )?(?:als [^.]{1,60} )?(?:ich )?(?:kann|bin|darf|habe)\b",
        ),
        "spanish_portuguese": Pattern(
            ("siento", "desculpe", "sinto muito", "lamento"),
            r"\W*(?:lo siento|desculpe|sinto muito|lamento),? (?:pero |mas )?(?:como [^.]{1,60}, )?"
            r"(?:yo |eu )?n(?:o|ão) (?:puedo|tengo|posso|tenho|consigo)",
        ),
        "russian": Pattern(
            ("извините", "простите", "к сожалению"),
            r"\W*(?:извините|простите|к сожалению),? (?:но )?я не (?:могу|имею|способ)",
        ),
        "japanese": Pattern(
            ("申し訳", "すみません"),
            r"\W*(?:申し訳(?:ありません|ございません)|すみません)が[、,].{0,60}(?:できません|出来ません)",
        ),
        "korean": Pattern(("죄송",), r"\W*죄송(?:합니다|하지만).{0,60}(?:수 없|못합니다)"),
    },
}


@dataclass(frozen=True)
class Refusals:
    """Drop a row at the first assistant turn that holds one of `PATTERNS`.

    Attributes:
        kinds: `identity` (the answer speaks of itself as a language model; reason `identity`),
            `refusal` (the answer begins by declining; reason `refusal`).
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    kinds: tuple[Kind, ...] = ("identity", "refusal")

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError("kinds: found none; expected identity, refusal or both")

    def __call__(self, row: Conversation, /) -> Outcome:
        return self._look(row, _plain(row))

    def many(self, rows: Sequence[Conversation]) -> list[Outcome]:
        """Decide on many rows at once, looking exactly only where a hint of a pattern stands."""
        plain = [_plain(row) for row in rows]
        worth = hits(["\n".join(texts) for texts in plain], self._hints)
        return [
            self._look(row, texts) if look else Kept((row,))
            for row, texts, look in zip(rows, plain, worth, strict=True)
        ]

    def _look(self, row: Conversation, plain: Sequence[str]) -> Outcome:
        for index, text in enumerate(plain):
            for kind, name, hints, find in self._patterns:
                for hint in hints:
                    if hint in text:
                        break
                else:
                    continue
                if match := find(text):
                    shown = row.texts("assistant")[index]
                    shown = shown if len(shown) == len(text) else text
                    return Drop(kind, name, evidence=around(shown, *match.span()))
        return Kept((row,))

    @cached_property
    def _patterns(self) -> tuple[_Compiled, ...]:
        return tuple(
            (kind, name, hints, compiled.search if kind == "identity" else compiled.match)
            for kind in self.kinds
            for name, (hints, expression) in PATTERNS[kind].items()
            for compiled in [re.compile(expression)]
        )

    @cached_property
    def _hints(self) -> str:
        return any_of({hint: None for _, _, hints, _ in self._patterns for hint in hints})


def _plain(row: Conversation) -> list[str]:
    return [text.replace("\u2019", "'").lower() for text in row.texts("assistant")]
