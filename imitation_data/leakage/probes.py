"""What of benchmark items is looked for: words, what they weigh, and what is enough to be found."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.leakage.benchmarks import Benchmark, Item, load
from imitation_data.leakage.hits import AT, Probes
from imitation_data.leakage.known import PACKAGED
from imitation_data.leakage.scan import ENDS, EXACT
from imitation_data.leakage.tables import hold_runs, hold_words, read_texts
from imitation_data.leakage.weights import Elsewhere, Runs, weights_of
from imitation_data.leakage.words import Desk, View
from imitation_data.normalize import normalized
from imitation_data.text.characters import MORE_BYTES, MORE_TOKENS, table
from imitation_data.text.column import buffers_of

SHORTEST, LONGEST = 4, 1 << 16  # words of a probe
# Words, and the score that is enough; found by leaving each item out and looking for the others.
LIMITS = ((11, 0.83), (15, 0.82), (24, 0.78), (48, 0.75))
OPTIONS = ((30, 0.85), (40, 0.86), (60, 0.862), (75, 0.83))  # a question with its options
SQUEEZED = 0.93  # at least, where words are told apart by white space alone
WHOLE = 0.999
NEVER = 9.0
LITTLE, ENOUGH = 8.0, 14.0  # nats that a probe tells: below, only exact turns, only whole ones
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Signs that markup puts around words are no words; where punctuation was lost, no sign is one.
_MARKUP = "*#>|~-"
_SIGNS = "".join(chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum())
_MEANT = re.compile(r"[+<=%$^&/@()\[\]{}]")  # signs by which questions may differ
_WIDE = re.compile("[\u0800-\U0010ffff]")  # three bytes or more, as DENSE words begin


def view(*, squeezed: bool) -> View:
    """How texts are cut into words."""
    signs = np.zeros(256, bool)
    signs[[ord(one) for one in (_SIGNS if squeezed else _MARKUP)]] = True
    return View(table(), signs, squeezed)


def desk_for(longest: int) -> Desk:
    """Working memory for texts of up to so many bytes."""
    plain, tokens = MORE_BYTES * longest + 192, int(MORE_TOKENS * longest) + 1
    most = min(max(tokens, 1 << 12), 1 << 20) + 1
    return Desk(
        np.zeros(plain, np.uint8),
        np.zeros((tokens, 2), np.int64),
        np.zeros(plain, np.uint8),
        np.zeros(tokens, np.uint8),
        np.zeros(tokens, np.uint64),
        np.zeros(most, np.int32),
        np.zeros(most, np.uint8),
        np.zeros(most, np.uint8),
        np.zeros(LONGEST + 1, np.int64),
        np.zeros(1 << 12, np.int64),
    )


@dataclass(frozen=True)
class Text:
    """One probe's text.

    Attributes:
        benchmark: its place among the benchmarks.
        item: its place among the items of all benchmarks.
        text: as it is.
        answers: what may stand near it.
        options: whether it is the question with its options.
        stem: whether it is the bare question of an item with options.
    """

    benchmark: int
    item: int
    text: str
    answers: tuple[str, ...] = ()
    options: bool = False
    stem: bool = False


def texts_of(benchmarks: Sequence[Benchmark]) -> Iterator[Text]:
    """The probes of all items: the question; and with its options, where it has some."""
    number = 0
    for place, benchmark in enumerate(benchmarks):
        for item in benchmark.items:
            answers = () if item.choices else item.answers
            yield Text(place, number, item.question, answers, stem=bool(item.choices))
            if item.choices:
                yield Text(place, number, with_options(item), options=True)
            number += 1


def with_options(item: Item) -> str:
    """A question and its choices, as it is mostly asked."""
    choices = (f"{letter}. {text}" for letter, text in zip(LETTERS, item.choices, strict=False))
    return "\n".join([item.question, *choices])


@dataclass(frozen=True)
class ProbeSet:
    """The probes of some benchmarks under one view.

    Attributes:
        view: how texts are cut.
        texts: of each probe.
        probes: for the kernel.
        words: how many each has, int64.
    """

    view: View
    texts: tuple[Text, ...]
    probes: Probes
    words: NDArray[np.int64]

    @classmethod
    def of(cls, benchmarks: Sequence[Benchmark], *, squeezed: bool = False) -> "ProbeSet":
        """Make the probes of some benchmarks."""
        texts = tuple(texts_of(benchmarks))
        cut = view(squeezed=squeezed)
        hashes, ends, counts = _short_enough(texts, cut)
        heard, stops = hashed([answer for one in texts for answer in one.answers], cut)
        vocabulary, numbers = np.unique(np.concatenate([hashes, heard]), return_inverse=True)
        tokens, replies = np.split(numbers.astype(np.int32), [len(hashes)])
        words = np.diff(ends)
        dense = dense_of(texts, words)
        size = sizes_of(words, dense)
        benchmark = np.array([one.benchmark for one in texts], np.int64)
        item = np.array([one.item for one in texts], np.int64)
        runs = Runs.of(tokens, ends, size, benchmark, item)
        others = elsewhere(benchmarks, vocabulary, cut)
        weights, told = weights_of(tokens, ends, runs, others)
        lines = [one.text.strip() for one in texts]
        limits = limits_of(texts, counts, told)
        if squeezed:
            limits[_told_apart_by_signs(texts, tokens, ends)] = NEVER
        maybe, slots, first, at = _run_table(runs, limits < NEVER)
        probes = Probes(
            *_word_table(vocabulary),
            tokens,
            ends,
            weights,
            size,
            np.maximum(limits, SQUEEZED if squeezed else 0),
            np.select([words < 8, words < 16, words < 32], [1, 2, 3], 4).astype(np.int64),  # noqa: PLR2004
            np.array(["\n" not in one for one in lines], bool),
            item,
            _sizes_there(size, dense),
            maybe,
            slots,
            first,
            at,
            replies,
            stops,
            np.cumsum([0, *(len(one.answers) for one in texts)]).astype(np.int64),
        )
        return cls(cut, texts, probes, counts)

    def unseeable(self) -> dict[int, str]:
        """Items that no probe can find, and why."""
        seen = {
            one.item
            for one, limit in zip(self.texts, self.probes.limit, strict=True)
            if limit < NEVER
        }
        why: dict[int, str] = {}
        for one, count in zip(self.texts, self.words.tolist(), strict=True):
            if one.item not in seen:
                few = f"{count} words" if count < 2 else "only words that many items share"  # noqa: PLR2004
                why[one.item] = few if not count > LONGEST else f"more than {LONGEST:,} words"
        return why


def _short_enough(
    texts: Sequence[Text], cut: View
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Hash the words of probes, none of those with too many; and how many each has."""
    hashes, ends = hashed([one.text for one in texts], cut)
    counts = np.diff(ends)
    if (counts > LONGEST).any():
        kept = [one.text if few else "" for one, few in zip(texts, counts <= LONGEST, strict=True)]
        hashes, ends = hashed(kept, cut)
    return hashes, ends, counts


def _told_apart_by_signs(
    texts: Sequence[Text], tokens: NDArray[np.int32], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Probes with the words of another one of their benchmark, and with other signs."""
    signs: dict[tuple[int, bytes], set[str]] = {}
    keys = []
    for one, (start, stop) in zip(texts, pairwise(ends.tolist()), strict=True):
        keys.append((one.benchmark, tokens[start:stop].tobytes()))
        signs.setdefault(keys[-1], set()).add("".join(_MEANT.findall(one.text)))
    return np.array([len(signs[key]) > 1 for key in keys], bool)


def elsewhere(
    benchmarks: Sequence[Benchmark], vocabulary: NDArray[np.uint64], cut: View
) -> Elsewhere:
    """Count words in the package's own items, for each benchmark without its own."""
    items = np.zeros(len(benchmarks), np.int64)
    counts = np.zeros((len(benchmarks), len(vocabulary)), np.int64)
    for name in PACKAGED if len(vocabulary) else ():
        others = [place for place, one in enumerate(benchmarks) if one.name != name]
        questions, hashes, owner = _packaged(name, squeezed=cut.squeezed)
        place = np.minimum(np.searchsorted(vocabulary, hashes), len(vocabulary) - 1)
        there = vocabulary[place] == hashes
        pairs = np.unique(place[there] << 32 | owner[there])
        counts[others] += np.bincount(pairs >> 32, minlength=len(vocabulary))
        items[others] += questions
    return Elsewhere(items, counts)


@cache
def _packaged(name: str, *, squeezed: bool) -> tuple[int, NDArray[np.uint64], NDArray[np.int64]]:
    """How many items a benchmark of the package has, their words, and whose each is."""
    questions = [item.question for item in load(name).items]
    hashes, ends = hashed(questions, view(squeezed=squeezed))
    return len(questions), hashes, np.repeat(np.arange(len(questions)), np.diff(ends))


def hashed(texts: Sequence[str], cut: View) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hash the words of texts, one after the other, and say where each text's begin and end."""
    lines = [list(map(normalized, text.split("\n"))) for text in texts]
    flat = list(chain.from_iterable(lines))
    buffers = buffers_of(pa.array(flat, pa.large_string()))
    desk = desk_for(int(np.diff(buffers.offsets).max(initial=0)))
    total = int(MORE_TOKENS * (buffers.offsets[-1] - buffers.offsets[0])) + 1
    out, ends = np.empty(total, np.uint64), np.zeros(len(flat) + 1, np.int64)
    read_texts(*buffers, cut, desk, out, ends)
    return out[: ends[-1]], ends[np.cumsum([0, *map(len, lines)])]


def dense_of(texts: Sequence[Text], words: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which probes are written without spaces between words."""
    spaced = np.array([len(one.text.split()) for one in texts], np.int64)
    wide = np.array([len(_WIDE.findall(one.text)) for one in texts], np.int64)
    return np.asarray((3 * spaced < words) & (2 * wide > words))


def sizes_of(words: NDArray[np.int64], dense: NDArray[np.bool_]) -> NDArray[np.int64]:
    """N of each probe's runs: 2 to 5 words with its length, twice as many single characters."""
    size = np.select([words < 5, words < 24, words < 48], [2, 3, 4], 5)  # noqa: PLR2004
    return np.where(dense, 2 * size, size).astype(np.int64)


def _sizes_there(size: NDArray[np.int64], dense: NDArray[np.bool_]) -> NDArray[np.bool_]:
    there = np.zeros((2, int(size.max(initial=1)) + 1), bool)
    there[0, size[~dense]] = there[1, size[dense]] = True
    return there


def limits_of(
    texts: Sequence[Text], words: NDArray[np.int64], told: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The score that is enough for each probe: the shorter it is and the less it tells, the more.

    Args:
        texts: of the probes.
        words: how many each has.
        told: how much each says about which item it is, in nats.
    """
    stems = Counter((one.benchmark, normalized(one.text)) for one in texts if one.stem)
    sizes, enough = zip(*LIMITS, strict=True)
    longer, more = zip(*OPTIONS, strict=True)
    limits = np.interp(words, sizes, enough)
    for place, one in enumerate(texts):
        if one.options:
            limits[place] = np.interp(words[place], longer, more)
        if not 1 < words[place] <= LONGEST:
            limits[place] = NEVER
        elif one.stem:
            # A turn that goes on, perhaps with other options, asks something else.
            own = stems[one.benchmark, normalized(one.text)] == 1 and told[place] >= LITTLE
            long = told[place] >= ENOUGH and words[place] >= 2 * SHORTEST
            whole = ENDS if long else EXACT
            limits[place] = whole if own else NEVER
        elif told[place] < LITTLE or words[place] < SHORTEST:
            limits[place] = EXACT
        elif told[place] < ENOUGH:
            limits[place] = WHOLE
    return np.asarray(limits, np.float64)


def _word_table(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    size = 1 << (4 * max(1, len(hashes)) - 1).bit_length()
    slots, words = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    hold_words(hashes, slots, words)
    return slots, words


def _run_table(
    runs: Runs, looked_for: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    kept = ~runs.shared & looked_for[runs.at >> AT]
    values, at = runs.values[kept], runs.at[kept]
    order = np.lexsort((at, values))
    known, begins = np.unique(values[order], return_index=True)
    ends = np.append(begins[1:], len(values))[: len(known)]
    size = 1 << (2 * max(1, len(known)) - 1).bit_length()
    slots, first = np.zeros(size, np.uint64), np.zeros((2, size), np.int64)
    maybe = np.zeros(max(1 << 14, size), np.uint8)
    hold_runs(known, begins, ends, slots, first, maybe)
    return maybe, slots, first, at[order]
