"""Rows made by a teacher: requests, journal, money, and the procedures that ask."""

from collections.abc import Mapping

from imitation_data.generate.alpaca_style import AlpacaStyle
from imitation_data.generate.few_shot import FewShotQA
from imitation_data.generate.self_instruct import SelfInstruct

Generator = FewShotQA | SelfInstruct | AlpacaStyle
GENERATORS: Mapping[str, type[Generator]] = {
    "few_shot_qa": FewShotQA,
    "self_instruct": SelfInstruct,
    "alpaca_style": AlpacaStyle,
}
"""What a recipe may name under `generate`."""

__all__ = ["GENERATORS", "AlpacaStyle", "FewShotQA", "Generator", "SelfInstruct"]
