"""Exact sentence BLEU over whole corpora, equal to sacrebleu.

from imitation_data.bleu import Bleu, BleuOptions

found = Bleu(pa.array(prompts)).nearest()  # of each, the most similar other
found.scores.mean()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imitation_data.bleu.find import Bleu, Nearest, Pairs, sentence_bleu
    from imitation_data.bleu.options import BleuOptions

_NAMES = ("Bleu", "BleuOptions", "Nearest", "Pairs", "sentence_bleu")

__all__ = ["Bleu", "BleuOptions", "Nearest", "Pairs", "sentence_bleu"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - it may be anything of the module
    if name in _NAMES:
        from imitation_data.bleu import find  # noqa: PLC0415 - loads the compiler

        return getattr(find, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
