"""Sentence BLEU by sacrebleu itself, every pair for itself."""

import random
from functools import cache

from sacrebleu.metrics.bleu import BLEU

TOKENIZERS = ("13a", "intl", "zh", "char", "none")
PIECES = (
    *"aab 1 2.,-;&\n",
    "the cat",
    "<skipped>",
    "&amp;",
    "&quot;",
    "-\n",
    "字",
    "你好吗",
    "。",
    "，",
    "\u3000",
    "\u2009",
    "\u00a0",
    "\u0085",
    "é",
    "²",
    "½",
    "€",
    "．",
    "\u3400",
    "🙂",
    "👩‍👩‍👧",
    "مرحبا ",
    "كيف حالك؟ ",
    "नमस्ते ",
    "3.14",
    "1,000",
    "a.b,c",
)


@cache
def bleu(tokenizer):
    return BLEU(effective_order=True, tokenize=tokenizer)


def score(hypothesis, reference, tokenizer="13a"):
    return bleu(tokenizer).sentence_score(hypothesis, [reference]).score


def nearest(queries, corpus, meant, tokenizer="13a", direction="query"):
    """For each query, its best text; `meant` says whether two places may be compared."""
    found = []
    for place, query in enumerate(queries):
        best, other = 0.0, -1
        for at, text in enumerate(corpus):
            if not meant(place, at):
                continue
            one = score(query, text, tokenizer) if direction != "corpus" else 0
            two = score(text, query, tokenizer) if direction != "query" else 0
            if max(one, two) > best + 1e-9:
                best, other = max(one, two), at
        found.append((best, other))
    return found


def adversarial(draw: random.Random, most=12):
    """A text of pieces that tokenizers treat in different ways, with many repeated n-grams."""
    if draw.random() < 0.3:
        few = draw.sample(PIECES, 2)
        return " ".join(draw.choice(few) for _ in range(draw.randint(0, most)))
    return "".join(draw.choice(PIECES) for _ in range(draw.randint(0, most)))
