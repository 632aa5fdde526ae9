"""What of diversity is measured."""

from dataclasses import dataclass

from imitation_data.bleu.options import BleuOptions, Direction
from imitation_data.bleu.tokenizers import Tokenizer


@dataclass(frozen=True)
class DiversityOptions:
    """What is measured.

    Attributes:
        tokenizer, direction, copies: as `imitation_data.bleu.BleuOptions` has them.
        limit: BLEU above which pairs are counted, 0 to 100.
        sample: how many texts are held against all others; 0 for all of them, which is exact.
        seed: of the sample.

    Raises:
        ValueError: one of them cannot be.
    """

    tokenizer: Tokenizer = "13a"
    direction: Direction = "query"
    copies: bool = True
    limit: float = 20.0
    sample: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 100:  # noqa: PLR2004 - percent
            raise ValueError(f"limit is {self.limit}; expected 0 to 100")
        if self.sample < 0 or self.sample == 1:
            raise ValueError(f"sample is {self.sample}; expected 2 or more, or 0 for all")
        _ = self.bleu

    @property
    def bleu(self) -> BleuOptions:
        """The same for the search."""
        return BleuOptions(self.tokenizer, self.direction, self.copies)
