"""What a BLEU score is."""

from dataclasses import dataclass
from typing import Literal, get_args

from imitation_data.bleu.tokenizers import Tokenizer

Direction = Literal["query", "corpus", "both"]


@dataclass(frozen=True)
class BleuOptions:
    """What a score is.

    Sentence BLEU after Papineni et al. 2002, as `sacrebleu.BLEU(effective_order=True)` has it:
    orders 1 to 4, or up to the length of the hypothesis; exponential smoothing (Chen and Cherry
    2014, method 3).

    Attributes:
        tokenizer: a tokenizer of sacrebleu: `13a`; `intl` for all scripts with spaces; `zh`;
            `char`; or `none`, which cuts at white space.
        direction: which text is the hypothesis: that of the `query`, that of the `corpus`, or
            whichever gives the higher score (`both`).
        copies: whether texts with the same words as the query are held against it. A query is
            never held against itself.
    """

    tokenizer: Tokenizer = "13a"
    direction: Direction = "query"
    copies: bool = True

    def __post_init__(self) -> None:
        if self.tokenizer not in get_args(Tokenizer):
            raise ValueError(
                f"tokenizer is {self.tokenizer!r}; expected 13a, intl, zh, char or none"
            )
        if self.direction not in {"query", "corpus", "both"}:
            raise ValueError(f"direction is {self.direction!r}; expected query, corpus or both")

    @property
    def reversals(self) -> tuple[bool, ...]:
        return {"query": (False,), "corpus": (True,), "both": (False, True)}[self.direction]
