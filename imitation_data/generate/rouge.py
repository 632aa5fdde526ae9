"""Compiled: texts that are too like an accepted one by ROUGE-L, found without trying all pairs.

Two texts of `a` and `b` tokens whose longest common subsequence has `l` have an F-measure of
2l / (a + b), so a limit says how many tokens they must share at least. Three filters ask for that,
each dearer and sharper than the one before:

1. Every text's tokens are put into one order, rare ones first. Two texts that share `l` tokens
   have their first shared one at least `l` tokens before the end of both (prefix filtering:
   Bayardo, Ma and Srikant 2007; by position: Xiao et al. 2008). The accepted texts are listed by
   such tokens, with their length and the longest text for which the place still counts.
2. Bitmaps of 512 bits, one bit turned over for each token: each bit that differs stands for a token
   that only one of the two has (Sandes, Teodoro and Melo 2020).
3. The longest common subsequence itself, 64 tokens at a time (Hyyrö 2004), given up as soon as it
   cannot become long enough.

No filter drops a pair that the F-measure in float64 puts above the limit: each leaves `SLACK`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.compiled import inlined, kernel

_U64 = np.uint64
_ZERO, _ONE, _FULL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME, _MIX = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)  # FNV-1a's; the golden ratio
SLACK = 1e-6  # of a token: more than rounding can take from texts that fit in memory
MOST = 65535  # lengths in a list are cut to this, which lets too many pairs through, never too few
MAP_WORDS = 8  # of a bitmap, uint64: one line of a cache
WORD_BITS = 64
ADDED, JUDGED, PASSED = 0, 1, 2  # what is to be done with a text
ROWS, LISTED, SERIAL, RENEWED = range(4)  # places in `Pool.counts`
FIRST, SIZE, ROOM = range(3)  # columns of `Pool.lists`


class Pool(NamedTuple):
    """The accepted texts. Arrays have room for more than they hold; `counts` says what they hold.

    Attributes:
        tokens: of all texts, one after the other, int32.
        ends: where each text's tokens end, int64.
        maps: bitmaps, uint64, (texts, MAP_WORDS).
        met: the last judged text that met each, by its serial number; int64.
        order: of each token, the lowest first; int64.
        lists: of each token, where its list begins, its size and its room; int64, (tokens, 3).
        listed: of each listed text its length, the longest text for which the place counts (both
            16 bits), and its number (32 bits); uint64.
        counts: texts, room given in `listed`, texts judged, texts there were when the order was
            last made; int64.
    """

    tokens: NDArray[np.int32]
    ends: NDArray[np.int64]
    maps: NDArray[np.uint64]
    met: NDArray[np.int64]
    order: NDArray[np.int64]
    lists: NDArray[np.int64]
    listed: NDArray[np.uint64]
    counts: NDArray[np.int64]


class Desk(NamedTuple):
    """Working memory for one text at a time.

    Attributes:
        keys: its tokens in order, each below its place in the order; int64.
        found: accepted texts to compare it with, int32.
        map: its bitmap, uint64.
        masks: of each token known, where it stands in a text of up to 64; uint64, all 0 between.
        heads, tails: of each token known, its first and last run in a longer text; int32, all -1.
        runs: the 64 tokens a run is in, and the next run of the same token or -1; int32, (n, 2).
        bits: where the token stands in them, uint64.
        row: the state of `_common`, uint64.
    """

    keys: NDArray[np.int64]
    found: NDArray[np.int32]
    map: NDArray[np.uint64]
    masks: NDArray[np.uint64]
    heads: NDArray[np.int32]
    tails: NDArray[np.int32]
    runs: NDArray[np.int32]
    bits: NDArray[np.uint64]
    row: NDArray[np.uint64]


@inlined
def _least(both: int, limit: float) -> int:
    """The fewest common tokens with which two texts of `both` together can exceed a limit."""
    return max(1, np.int64(np.ceil(limit * both / 2.0 - SLACK)))


@inlined
def _least_of(size: int, limit: float) -> int:
    """The fewest common tokens with which a text can exceed a limit with any other text."""
    return max(1, np.int64(np.ceil(limit * size / (2.0 - limit) - SLACK)))


@inlined
def _longest(common: int, size: int, limit: float) -> int:
    """The longest text with which so many common tokens can exceed a limit, at most MOST.

    Args:
        common: tokens.
        size: tokens of the other text.
        limit: F-measure.
    """
    most = 2.0 * common
    if most >= limit * (MOST + size):
        return MOST
    return max(0, np.int64(most / limit - size + SLACK))


@kernel
def _sort(mine: NDArray[np.int32], order: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    for place in range(len(mine)):
        token = np.int64(mine[place])
        keys[place] = (order[token] << 32) | token
    keys[: len(mine)].sort()


@inlined
def _token(key: int) -> int:
    return np.int64(key & 0xFFFFFFFF)


@kernel
def _draw(keys: NDArray[np.int64], drawn: NDArray[np.uint64]) -> None:
    """Draw the bitmap of a text: its first "the" turns one bit over, its second "the" another."""
    drawn[:] = _ZERO
    times, before = _ZERO, np.int64(-1)
    for place in range(len(keys)):
        token = _token(keys[place])
        times = times + _ONE if token == before else _ZERO
        before = token
        bit = ((_U64(token) * _PRIME + times) * _MIX) >> _U64(55)
        drawn[bit >> _U64(6)] ^= _ONE << (bit & _U64(63))


@inlined
def _ones(value: np.uint64) -> np.uint64:
    """Count the bits that are set; LLVM knows the form and makes it one instruction."""
    value = value - ((value >> _ONE) & _U64(0x5555555555555555))
    value = (value & _U64(0x3333333333333333)) + ((value >> _U64(2)) & _U64(0x3333333333333333))
    value = (value + (value >> _U64(4))) & _U64(0x0F0F0F0F0F0F0F0F)
    return (value * _U64(0x0101010101010101)) >> _U64(56)


@kernel
def _gather(size: int, limit: float, pool: Pool, desk: Desk) -> int:
    """List the accepted texts that pass the first filter in `desk.found`; return how many."""
    serial, found, place = pool.counts[SERIAL], 0, 0
    mine, last = _U64(min(size, MOST)), size - _least_of(size, limit)
    while place <= last:
        token = _token(desk.keys[place])
        longest = _U64(_longest(size - place, size, limit))
        begin = pool.lists[token, FIRST]
        for at in range(begin, begin + pool.lists[token, SIZE]):
            one = pool.listed[at]
            if (one >> _U64(48)) <= longest and mine <= ((one >> _U64(32)) & _U64(MOST)):
                row = np.int64(one & _U64(0xFFFFFFFF))
                if pool.met[row] != serial:
                    pool.met[row] = serial
                    desk.found[found] = row
                    found += 1
        place += 1
        while place <= last and _token(desk.keys[place]) == token:
            place += 1
    return found


@kernel
def _lay(mine: NDArray[np.int32], desk: Desk) -> None:
    """Note where each token of a text stands."""
    if len(mine) <= WORD_BITS:
        for place in range(len(mine)):
            desk.masks[mine[place]] |= _ONE << _U64(place)
        return
    count = 0
    for place in range(len(mine)):
        token, word = mine[place], place // WORD_BITS
        tail = desk.tails[token]
        if tail < 0 or desk.runs[tail, 0] != word:
            desk.runs[count, 0], desk.runs[count, 1], desk.bits[count] = word, -1, _ZERO
            if tail < 0:
                desk.heads[token] = count
            else:
                desk.runs[tail, 1] = count
            desk.tails[token] = tail = count
            count += 1
        desk.bits[tail] |= _ONE << _U64(place % WORD_BITS)


@kernel
def _clear(mine: NDArray[np.int32], desk: Desk) -> None:
    for token in mine:
        desk.masks[token] = _ZERO
        desk.heads[token] = desk.tails[token] = -1


@kernel
def _common_short(masks: NDArray[np.uint64], other: NDArray[np.int32], least: int) -> int:
    """As `_common`, for a text of up to 64 tokens."""
    row, missing = _FULL, len(other) - least
    for token in other:
        mask = masks[token]
        moved = row + (row & mask)
        missing -= moved >= row
        if missing < 0:
            return -1
        row = moved | (row & ~mask)
    return least + missing


@kernel
def _common(size: int, other: NDArray[np.int32], least: int, desk: Desk) -> int:
    """Length of the longest common subsequence, or -1 as soon as it cannot reach `least`.

    The zeros among the first k bits of the row are as many as the first k tokens of the text have
    in common, in order, with the tokens of the other so far. A carry out of the last word says that
    there is one zero more. Words above `top` are all ones still.

    Args:
        size: tokens of the text that `_lay` has noted.
        other: tokens of the other text, int32.
        least: common tokens wanted.
        desk: working memory.
    """
    row, words, top = desk.row, (size + WORD_BITS - 1) // WORD_BITS, -1
    row[:words] = _FULL
    missing = len(other) - least
    for token in other:
        run, word, carry = desk.heads[token], 0, _ZERO
        while True:
            if carry == _ZERO or word > top:  # above the top, words pass a carry on and stay
                if run < 0:
                    break
                word = desk.runs[run, 0]
            mask = _ZERO
            if run >= 0 and desk.runs[run, 0] == word:
                mask, run = desk.bits[run], desk.runs[run, 1]
                top = max(top, word)
            value = row[word]
            half = value + (value & mask)
            moved = half + carry
            carry = _ONE if half < value or moved < half else _ZERO
            row[word] = moved | (value & ~mask)
            word += 1
            if word == words:
                break
        missing -= carry == _ZERO
        if missing < 0:
            return -1
    return least + missing


@kernel
def _nearest(mine: NDArray[np.int32], limit: float, pool: Pool, desk: Desk) -> tuple[float, int]:
    """The highest F-measure above a limit and the first accepted text that has it, or (0, -1)."""
    size, best, nearest, laid = len(mine), limit, -1, False
    for place in range(_gather(size, limit, pool, desk)):
        row = np.int64(desk.found[place])
        begin = pool.ends[row - 1] if row > 0 else 0
        length = pool.ends[row] - begin
        least, apart = _least(size + length, best), _ZERO
        for word in range(MAP_WORDS):
            apart += _ones(desk.map[word] ^ pool.maps[row, word])
        if size + length - np.int64(apart) < 2 * least:
            continue
        if not laid:
            _lay(mine, desk)
            laid = True
        other = pool.tokens[begin : begin + length]
        if size <= WORD_BITS:
            common = _common_short(desk.masks, other, least)
        else:
            common = _common(size, other, least, desk)
        if common < 1:
            continue
        precision, recall = common / length, common / size
        score = 2 * precision * recall / (precision + recall)
        if score > best or (score == best and 0 <= row < nearest):
            best, nearest = score, row
    if laid:
        _clear(mine, desk)
    return (best, nearest) if nearest >= 0 else (0.0, -1)


@kernel
def _list(size: int, row: int, limit: float, pool: Pool, desk: Desk) -> bool:
    """Put a text into the lists of its first tokens; False if there is no room, and none is."""
    last = size - _least_of(size, limit)
    for listing in range(2):  # first see whether there is room
        wanted, before = pool.counts[LISTED], -1
        for place in range(last + 1):
            token = _token(desk.keys[place])
            if token == before:
                continue
            before, mine = token, pool.lists[token]
            if mine[SIZE] == mine[ROOM]:
                room = max(4, 2 * mine[ROOM])
                if listing:
                    old = pool.listed[mine[FIRST] : mine[FIRST] + mine[SIZE]]
                    pool.listed[wanted : wanted + mine[SIZE]] = old
                    mine[FIRST], mine[ROOM] = wanted, room
                wanted += room
            if listing:
                longest = _longest(size - place, size, limit)
                one = (_U64(min(size, MOST)) << _U64(48)) | (_U64(longest) << _U64(32)) | _U64(row)
                pool.listed[mine[FIRST] + mine[SIZE]] = one
                mine[SIZE] += 1
        if wanted > len(pool.listed):
            return False
    pool.counts[LISTED] = wanted
    return True


@kernel
def list_again(limit: float, pool: Pool, desk: Desk) -> bool:
    """Put all texts into empty lists, after the order has changed; False if there is no room."""
    start = 0
    for row in range(pool.counts[ROWS]):
        mine = pool.tokens[start : pool.ends[row]]
        _sort(mine, pool.order, desk.keys)
        if not _list(len(mine), row, limit, pool, desk):
            return False
        start = pool.ends[row]
    return True


@kernel
def judge(
    tokens: NDArray[np.int32],
    ends: NDArray[np.int64],
    ways: NDArray[np.int8],
    begin: int,
    limit: float,
    pool: Pool,
    desk: Desk,
    scores: NDArray[np.float64],
    nearest: NDArray[np.int64],
) -> int:
    """Judge texts one after the other; each that is accepted counts for the next.

    Args:
        tokens: of all texts, one after the other, int32.
        ends: where each text's end, int64, (n,).
        ways: ADDED, JUDGED or PASSED, int8, (n,).
        begin: the text to begin with.
        limit: F-measure; above it a text is rejected.
        pool: the accepted texts.
        desk: working memory.
        scores: filled with the F-measure of rejected texts, float64, (n,).
        nearest: filled with the accepted text that is nearest to them, int64, (n,).

    Returns:
        The text for which there is no room, or n.
    """
    counts = pool.counts
    for row in range(begin, len(ends)):
        if ways[row] == PASSED:
            continue
        mine = tokens[ends[row - 1] if row > 0 else 0 : ends[row]]
        size = len(mine)
        keys = desk.keys[:size]
        _sort(mine, pool.order, keys)
        _draw(keys, desk.map)
        if ways[row] == JUDGED and size > 0:
            counts[SERIAL] += 1
            scores[row], nearest[row] = _nearest(mine, limit, pool, desk)
            if nearest[row] >= 0:
                continue
        number = counts[ROWS]
        start = pool.ends[number - 1] if number > 0 else 0
        if number == len(pool.ends) or start + size > len(pool.tokens):
            return row
        if number >= 2 * counts[RENEWED] or not _list(size, number, limit, pool, desk):
            return row
        pool.tokens[start : start + size] = mine
        pool.ends[number] = start + size
        pool.maps[number] = desk.map
        counts[ROWS] += 1
    return len(ends)
