"""Rows made by a teacher: requests, journal, money, and the procedures that ask."""

from collections.abc import Mapping

from imitation_data.generate.alpaca_style import AlpacaStyle
from imitation_data.generate.answers import Answers
from imitation_data.generate.few_shot import FewShotQA
from imitation_data.generate.labels import Labels
from imitation_data.generate.self_instruct import SelfInstruct

Generator = FewShotQA | SelfInstruct | AlpacaStyle | Answers | Labels
GENERATORS: Mapping[str, type[Generator]] = {
    "few_shot_qa": FewShotQA,
    "self_instruct": SelfInstruct,
    "alpaca_style": AlpacaStyle,
    "answers": Answers,
    "labels": Labels,
}
"""What a recipe may name under `generate`."""
TAKES_ROWS = (Answers, Labels)
"""Procedures that are given rows; the others are given seeds."""

__all__ = [
    "GENERATORS",
    "TAKES_ROWS",
    "AlpacaStyle",
    "Answers",
    "FewShotQA",
    "Generator",
    "Labels",
    "SelfInstruct",
]
