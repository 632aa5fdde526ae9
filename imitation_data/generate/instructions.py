"""Which of a teacher's instructions are taken: the filters of Self-Instruct, and novelty."""

import re
import string
from dataclasses import dataclass, field
from typing import Literal

from imitation_data.generate.novelty import Novelty
from imitation_data.ledger import Drop

KEYWORDS = (
    "image", "images", "graph", "graphs", "picture", "pictures", "file", "files",
    "map", "maps", "draw", "plot", "go to",
)  # fmt: skip
ALPACA_KEYWORDS = (*KEYWORDS, "video", "audio", "music", "flowchart", "diagram")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Taste:
    """What makes an instruction fit.

    Attributes:
        least_words, most_words: between white space; in scripts without spaces only the upper
            limit holds, in characters.
        keywords: whole words of tasks that a text model cannot do.
        programs: whether "Write a program …" stays; Self-Instruct drops it, since nothing says in
            which language.
        novelty: ROUGE-L F-measure with any instruction so far above which one is not new.
        exact: as the published code: a first character outside ASCII drops an instruction, all of
            it but the first letter is put in lower case, and only ROUGE's own tokens are compared.
    """

    least_words: int = 4
    most_words: int = 150
    keywords: tuple[str, ...] = KEYWORDS
    programs: bool = False
    novelty: float = 0.7
    exact: bool = False


@dataclass
class Gate:
    """Judges instructions one after the other; what it takes counts for the next.

    Attributes:
        taste: what makes an instruction fit.
        names: of all instructions so far, in order: origins, and ids of seeds.
    """

    taste: Taste
    names: list[str] = field(default_factory=list)
    novelty: Novelty = field(init=False)
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        tokens: Literal["any", "rouge"] = "rouge" if self.taste.exact else "any"
        self.novelty = Novelty(self.taste.novelty, tokens=tokens)
        words = "|".join(map(re.escape, self.taste.keywords)) or r"(?!)"
        self.pattern = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)

    def seed(self, names: list[str], instructions: list[str]) -> None:
        """Take instructions without judging them."""
        self.names += names
        self.novelty.add(instructions)

    def tidy(self, text: str) -> str:
        """White space collapsed, the first letter a capital."""
        plain = _SPACE.sub(" ", text).strip()
        if self.taste.exact:
            return plain.capitalize()
        return plain[:1].upper() + plain[1:]

    def unfit(self, instruction: str) -> Drop | None:  # noqa: PLR0911 - a return a rule
        """Why an instruction is not looked at further; None when it is."""
        words, taste = instruction.split(), self.taste
        spaced = any("a" <= char.lower() <= "z" for char in instruction) or len(words) > 1
        if not instruction:
            return Drop("empty_instruction", 0, taste.least_words)
        if len(words) < taste.least_words and (spaced or taste.exact):
            return Drop("instruction_too_short", len(words), taste.least_words)
        length = len(words) if spaced else len(instruction)
        if length > taste.most_words:
            return Drop("instruction_too_long", length, taste.most_words)
        if found := self.pattern.search(instruction):
            return Drop("keyword", found[0], "none of the keywords", instruction[:120])
        if not taste.programs and instruction.startswith("Write a program"):
            return Drop("write_a_program", "Write a program", "another beginning")
        if instruction[0] in string.punctuation:
            return Drop("starts_with_punctuation", instruction[0], "a word")
        if taste.exact and not instruction[0].isascii():
            return Drop("starts_outside_ascii", instruction[0], "an ASCII character")
        return None

    def judge(self, name: str, instruction: str) -> Drop | None:
        """Take an instruction under a name, or say why not."""
        if drop := self.unfit(instruction):
            return drop
        (verdict,) = self.novelty.offer([instruction])
        if not verdict.accepted:
            other = self.names[verdict.nearest]
            return Drop("not_novel", verdict.score, self.taste.novelty, instruction[:120], other)
        self.names.append(name)
        return None
