"""What a check can see: recall on items planted into real rows, and false flags on other items."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pyarrow as pa

from imitation_data.conversation import ROLES
from imitation_data.leakage.benchmarks import Benchmark, Item
from imitation_data.leakage.find import Leakage
from imitation_data.leakage.probes import with_options
from imitation_data.normalize import normalized

BATCH = 4096  # rows
WORD = 20  # characters; what is longer is no word but an address, or a sentence without spaces
HEAD = 4000  # characters of a real row that an item is planted into
KEPT, ONE_IN = 0.75, 8  # of a text that is cut off; words of which one is replaced
_USER, _ASSISTANT = (chr(ROLES.index(role) + 1) for role in ("user", "assistant"))
_SPACE = re.compile(r"(\s+)")
_SAID = re.compile(r"[.,;:!?'\"()\[\]]")

Change = Callable[[str, Random, Sequence[str]], str]


def _same(text: str, draw: Random, words: Sequence[str]) -> str:
    del draw, words
    return text


def _case(text: str, draw: Random, words: Sequence[str]) -> str:
    """Another case for each letter, and no punctuation."""
    del words
    letters = (one.upper() if draw.random() < 0.5 else one.lower() for one in text)  # noqa: PLR2004
    return _SAID.sub("", "".join(letters))


def _markdown(text: str, draw: Random, words: Sequence[str]) -> str:
    """Double spaces, a heading, a quotation, list items."""
    del draw, words
    lines = [f"- {line}" if number else f"> {line}" for number, line in enumerate(text.split("\n"))]
    return "## Question\n\n" + "\n\n".join(lines).replace(" ", "  ")


def _cut(text: str, draw: Random, words: Sequence[str]) -> str:
    """The first three quarters."""
    del draw, words
    parts = _parts(text)
    whole = [place for place, part in enumerate(parts) if part.strip()]
    left = max(1, round(KEPT * len(whole)))
    return "".join(parts[: whole[left - 1] + 1]) if whole else text


def _replaced(text: str, draw: Random, words: Sequence[str]) -> str:
    """One word in eight is another one."""
    parts = _parts(text)
    whole = [place for place, part in enumerate(parts) if part.strip()]
    for place in draw.sample(whole, max(1, len(whole) // ONE_IN)) if whole else ():
        parts[place] = draw.choice(words)
    return "".join(parts)


def _parts(text: str) -> list[str]:
    """Words and what stands between them; characters where there are no spaces."""
    dense = len(text) > 20 * (1 + len(text.split()))
    return list(text) if dense else _SPACE.split(text)


CHANGES: Mapping[str, tuple[Change, bool]] = {  # and whether the answer stands there, too
    "verbatim": (_same, True),
    "case_and_punctuation": (_case, True),
    "space_and_markdown": (_markdown, True),
    "truncated": (_cut, True),
    "words_replaced": (_replaced, True),
    "question_only": (_same, False),
    "truncated_question_only": (_cut, False),
    "words_replaced_question_only": (_replaced, False),
}
STEM = "stem_only"


@dataclass(frozen=True)
class Sight:
    """What can be seen of one benchmark.

    Attributes:
        benchmark: its name.
        items: indexed.
        unseeable: items that cannot be found, by why.
        exact_only: items found only where they are all of a turn.
        recall: share of all items that was found, by the way in which they were planted.
        control: other items that were looked at for false flags, exact copies left out.
        false_flags: share of them in which an item was found that is not there.
    """

    benchmark: str
    items: int
    unseeable: Mapping[str, int]
    exact_only: int
    recall: Mapping[str, float]
    control: int
    false_flags: float


def certify(
    leakage: Leakage, rows: Sequence[str], seed: int = 0, threads: int = 1
) -> tuple[Sight, ...]:
    """Measure what can be seen of each benchmark in rows like these.

    Every item is planted into a real row, as a round of its own, in each of several ways; the
    control is every item in a row of its own, with the others of its benchmark looked for.

    Args:
        leakage: what is looked for.
        rows: conversations as `imitation_data.text.compared` joins them, without leaks.
        seed: equal seeds plant equally.
        threads: how many to use; the answer does not depend on it.
    """
    rows = rows or [""]
    words = sorted({word for row in rows for word in row[:HEAD].split() if len(word) <= WORD})
    words = words or ["word"]
    first, found = 0, []
    for benchmark in leakage.benchmarks:
        places = range(first, first + len(benchmark.items))
        first += len(benchmark.items)
        recall = {}
        for name, (change, answered) in CHANGES.items():
            texts = _planted(benchmark, (name, change, answered), rows, words, seed)
            recall[name] = _seen(leakage, places, texts, threads)
        if any(item.choices for item in benchmark.items):
            texts = _planted(benchmark, (STEM, _same, False), rows, words, seed)
            recall[STEM] = _seen(leakage, places, texts, threads)
        control, flagged = _control(leakage, benchmark, places, rows, seed, threads)
        why = Counter(leakage.unseeable[place] for place in places if place in leakage.unseeable)
        exact = int(leakage.exact_only[places.start : places.stop].sum())
        found.append(Sight(benchmark.name, len(places), dict(why), exact, recall, control, flagged))
    return tuple(found)


def _planted(
    benchmark: Benchmark,
    how: tuple[str, Change, bool],
    rows: Sequence[str],
    words: Sequence[str],
    seed: int,
) -> Iterator[str]:
    """Each item in a real row, as a round after what is said there."""
    name, change, answered = how
    draw = Random(f"{seed}/{benchmark.name}/{name}")
    for item in benchmark.items:
        asked = item.question if name == STEM or not item.choices else with_options(item)
        answer = f"{_ASSISTANT}{_answer(item)}" if answered and item.answers else ""
        yield f"{draw.choice(rows)[:HEAD]}{_USER}{change(asked, draw, words)}{answer}"


def _answer(item: Item) -> str:
    return f"The answer is {item.answers[0]}."


def _seen(leakage: Leakage, places: range, texts: Iterator[str], threads: int) -> float:
    """The share of items that are found where they were planted."""
    seen, before = 0, places.start
    for batch in _batched(texts):
        leaks = leakage.find([batch], threads)
        seen += int((leaks.item == leaks.row + before).sum())
        before += len(batch)
    return seen / max(1, len(places))


def _control(
    leakage: Leakage,
    benchmark: Benchmark,
    places: range,
    rows: Sequence[str],
    seed: int,
    threads: int,
) -> tuple[int, float]:
    """Items of which there is one, and in how many of them another one is found."""
    copies = Counter(map(_content, benchmark.items))
    single = [copies[_content(item)] == 1 for item in benchmark.items]
    flagged, before = 0, places.start
    texts = _planted(benchmark, ("control", _same, True), rows, ["word"], seed)
    for batch in _batched(texts):
        own = before + np.arange(len(batch))
        leaks = leakage.find([batch], threads, own)
        mine = (leaks.item >= places.start) & (leaks.item < places.stop)
        hit = np.unique(leaks.row[mine])
        flagged += sum(single[before - places.start + row] for row in hit.tolist())
        before += len(batch)
    return sum(single), flagged / max(1, sum(single))


def _content(item: Item) -> tuple[str, ...]:
    return (normalized(item.question), *map(normalized, item.choices))


def _batched(texts: Iterator[str]) -> Iterator[pa.Array]:
    waiting: list[str] = []
    for text in texts:
        waiting.append(text)
        if len(waiting) == BATCH:
            yield pa.array(waiting, pa.large_string())
            waiting = []
    if waiting:
        yield pa.array(waiting, pa.large_string())
