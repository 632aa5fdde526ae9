"""Who answers whom in a Discord channel, and which answers make a conversation.

An exchange is a prompt and its answer: one message of a person (or the prompt that a bot echoes)
and one or more messages of one bot. All of it is held in arrays, about 30 bytes a message.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

import numpy as np

from imitation_data.readers.discord_log import ANY_BOT, NOBODY, UNKNOWN, Fate, Log, Mark, Post
from imitation_data.readers.trees import MAX_TURNS


class How(IntEnum):
    """How an answer was paired with its prompt, the surest first."""

    REPLY = 0
    INTERACTION = 1
    NEAREST = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """How to pair.

    Attributes:
        window: milliseconds between a prompt and an answer that does not refer to it.
        continuation: milliseconds between the pieces of one answer.
        least: the least sure way of pairing that counts.
        chain: follow replies to answers back to the start of a conversation.
    """

    window: int
    continuation: int
    least: How
    chain: bool


class Pairs:
    """The exchanges of a channel.

    Attributes:
        fate: by message, a `Fate`; `NONE` while it is in a conversation.
        after: by message, the next piece of the same answer, or -1.
        exchange: by message, the exchange it is in, or -1; of several the last.
        prompt: by exchange, the place of the prompt, or -1 when the answer echoes it.
        first: by exchange, the place of the answer's first piece.
        parent: by exchange, the exchange before it in the conversation, or -1.
        start: by exchange, the place of the message that its conversation starts with.
        how: by exchange, a `How`.
        lost: by exchange, 1 when the prompt refers to an answer that is in no exchange.
        by: by exchange, the exchange that answers the same prompt anew, or -1. Where its own answer
            was replied to, it stays as part of that conversation.
    """

    def __init__(self, log: Log, rules: Rules) -> None:
        count = len(log)
        self.log, self.rules = log, rules
        self.fate = bytearray(count)
        self.after = array("i", [-1]) * count
        self.exchange = array("i", [-1]) * count
        self.prompt, self.first = array("i"), array("i")
        self.parent, self.start = array("i"), array("i")
        self.how, self.lost = bytearray(), bytearray()
        self._answered = bytearray(count)
        self._last: dict[int, int] = {}  # by bot, its latest message that could be an answer
        self._speaker = NOBODY
        self._waiting: dict[int, list[int]] = {}  # by bot, unanswered prompts of the speaker
        for at in range(count):
            self.fate[at] = self._place(at, log[at])
        self.by = self._regenerated()

    def _place(self, at: int, post: Post) -> int:
        if post.fate:
            if post.fate == Fate.PLACEHOLDER and post.marks & Mark.REPLY:
                self._wait(self.log.find(post.target), post.author)
            elif post.fate in (Fate.ATTACHMENT_ONLY, Fate.BLANK_CONTENT):
                self._hear(post)
            return post.fate
        if not post.marks & Mark.BOT:
            return self._question(at, post)
        fate = self._answer(at, post)
        self._last[post.author] = at
        return fate

    def _hear(self, post: Post) -> None:
        """Note who speaks: with another person in between, nothing is the nearest prompt."""
        if not post.marks & Mark.BOT and post.author != self._speaker:
            self._speaker = post.author
            self._waiting.clear()

    def _wait(self, at: int, bot: int) -> None:
        """Let a prompt wait for a bot's answer, if its author still has the word."""
        post = self.log[at] if at >= 0 else None
        if post and not post.fate and post.author == self._speaker and not post.marks & Mark.BOT:
            self._waiting.setdefault(bot, []).append(at)

    def _question(self, at: int, post: Post) -> int:
        self._hear(post)
        target = self._target(at, post)
        to = post.to
        if target >= 0 and self.log[target].marks & Mark.BOT:
            to = self.log[target].author
        if to == NOBODY:
            return Fate.NOT_ADDRESSED
        self._waiting.setdefault(to, []).append(at)
        return Fate.UNANSWERED

    def _answer(self, at: int, post: Post) -> int:
        if post.marks & Mark.COMMAND:
            return self._open(at, -1, How.INTERACTION)
        target = self._target(at, post)
        if refused := self._refused(post, target):
            return refused
        if target >= 0 and self._is_bot(target):
            target = -1  # the bot goes on, or answers what its placeholder stood for
        before = self._last.get(post.author, -1)
        if self._continues(at, post, before, target):
            return self._extend(at, before)
        how = How.REPLY
        if target < 0:
            target, how = self._nearest(post), How.NEAREST
        return self._open(at, target, how) if target >= 0 else Fate.BOT_CHATTER

    def _refused(self, post: Post, target: int) -> Fate:
        """Tell why what a bot's message refers to cannot be its prompt."""
        if not post.marks & Mark.REPLY:
            return Fate.NONE
        if target < 0:
            elsewhere = post.marks & Mark.ELSEWHERE
            return Fate.TARGET_IN_OTHER_CHANNEL if elsewhere else Fate.TARGET_MISSING
        said = self.log[target]
        if said.marks & Mark.BOT:
            return Fate.NONE if said.author == post.author else Fate.TARGET_IS_BOT
        if said.fate == Fate.OTHER_BOT:
            return Fate.TARGET_IS_BOT
        return Fate.TARGET_WITHOUT_TEXT if said.fate else Fate.NONE

    def _target(self, at: int, post: Post) -> int:
        """Return the place of an earlier message here that a message refers to, or -1."""
        if not post.marks & Mark.REPLY or post.marks & Mark.ELSEWHERE:
            return -1
        target = self.log.find(post.target)
        return target if target < at else -1

    def _continues(self, at: int, post: Post, before: int, target: int) -> bool:
        if before < 0:
            return False
        last = self.log[before]
        # A bot that edits its message as it writes starts the next one after the last edit.
        limit, gap = self.rules.continuation, post.time - last.time
        if gap > limit and (not last.edited or abs(post.time - last.edited) > limit):
            return False
        if target >= 0:
            exchange = self.exchange[before]
            return exchange >= 0 and self.prompt[exchange] == target
        return before == at - 1 or bool(last.marks & Mark.LONG)

    def _extend(self, at: int, before: int) -> int:
        exchange = self.exchange[before]
        if exchange < 0:
            return self.fate[before]  # the rest of an answer shares its fate
        self.exchange[at] = exchange
        self.after[before] = at
        return Fate.NONE

    def _nearest(self, post: Post) -> int:
        """Return the speaker's latest waiting prompt for this bot, or -1."""
        found = -1
        for to in (post.author, ANY_BOT):
            waiting = self._waiting.get(to, [])
            while waiting and self._answered[waiting[-1]]:
                waiting.pop()
            found = max(found, waiting[-1] if waiting else -1)
        if found >= 0 and post.time - self.log[found].time > self.rules.window:
            return -1
        return found

    def _open(self, at: int, prompt: int, how: How) -> int:
        if prompt < 0 and not self.log[at].prompt:
            return Fate.PROMPT_NOT_RECOVERABLE
        if how > self.rules.least:
            return Fate.LOW_CONFIDENCE
        parent, lost = -1, 0
        if prompt >= 0 and self.rules.chain:
            asked, bot = self.log[prompt], self.log[at].author
            above = self._target(prompt, asked)
            if above >= 0 and self.log[above].author == bot:
                parent = self.exchange[above]
            lost = asked.marks & Mark.REPLY and parent < 0 and (above < 0 or self._is_bot(above))
        self.exchange[at] = len(self.first)
        begins = prompt if prompt >= 0 else at
        self.start.append(begins if parent < 0 else self.start[parent])
        self.prompt.append(prompt)
        self.first.append(at)
        self.parent.append(parent)
        self.how.append(how)
        self.lost.append(bool(lost))
        if prompt >= 0:
            self._answered[prompt] = 1
            self.exchange[prompt] = self.exchange[at]
            self.fate[prompt] = Fate.NONE
        return Fate.NONE

    def _is_bot(self, at: int) -> bool:
        return bool(self.log[at].marks & Mark.BOT)

    def _regenerated(self) -> "array[int]":
        """Find prompts that their author sent again next, to the same bot, at the same point."""
        count = len(self.first)
        by = array("i", [-1]) * count
        latest: dict[tuple[int, int], tuple[int, int, int]] = {}
        for now in range(count):
            answer = self.log[self.first[now]]
            asked = answer if self.prompt[now] < 0 else self.log[self.prompt[now]]
            author = answer.to if self.prompt[now] < 0 else asked.author
            key = author, answer.author
            same = asked.digest, self.parent[now]
            before = latest.get(key)
            if before and author != UNKNOWN and before[1:] == same:
                by[before[0]] = now
            latest[key] = now, *same
        return by

    def messages(self, exchange: int) -> Iterator[int]:
        """Yield the places of an exchange's messages, the prompt first."""
        if self.prompt[exchange] >= 0:
            yield self.prompt[exchange]
        at = self.first[exchange]
        while at >= 0:
            yield at
            at = self.after[at]

    def path(self, end: int) -> list[int]:
        """List the exchanges of the conversation that ends with `end`, in order."""
        found = [end]
        while (above := self.parent[found[-1]]) >= 0:
            found.append(above)
        return found[::-1]


@dataclass(frozen=True, slots=True)
class Group:
    """The conversations that start with one message.

    Attributes:
        start: place of that message.
        branches: the exchanges of each, in order; a branch that comes later stands last.
    """

    start: int
    branches: tuple[tuple[int, ...], ...]


def groups(pairs: Pairs) -> Iterator[Group]:
    """Yield the conversations by the message they start with, in the channel's order.

    Before the first is yielded, `pairs.fate` is settled for all messages.
    """
    ends = _ends(pairs)
    _settle(pairs, ends)
    for start, group in groupby(ends, key=pairs.start.__getitem__):
        yield Group(start, tuple(tuple(pairs.path(end)) for end in group))


def _ends(pairs: Pairs) -> "array[int]":
    """List the last exchanges of conversations by start and branch, up to `MAX_TURNS` each."""
    count = len(pairs.first)
    branch, depth = array("i"), array("i")
    last = bytearray([1]) * count
    for now, above in enumerate(pairs.parent):
        # The first answer goes on with its parent's branch, so that new ones only add to the end.
        branch.append(now if above < 0 or not last[above] else branch[above])
        depth.append(1 if above < 0 else depth[above] + 1)
        if pairs.by[now] >= 0:
            last[now] = 0
        elif above >= 0:
            last[above] = 0
    places = np.flatnonzero(np.frombuffer(last, np.uint8))
    keys = np.frombuffer(branch, np.int32)[places], np.frombuffer(pairs.start, np.int32)[places]
    found, start, turns = array("i"), -1, 0
    for end in places[np.lexsort(keys)].tolist():
        turns = turns if pairs.start[end] == start else 0
        start = pairs.start[end]
        if turns == 0 or turns + 2 * depth[end] <= MAX_TURNS:
            turns += 2 * depth[end]
            found.append(end)
    return found


def _settle(pairs: Pairs, ends: "array[int]") -> None:
    """Give the messages of exchanges that are in no conversation their fate."""
    seen = bytearray(len(pairs.first))
    for end in ends:
        at = end
        while at >= 0 and not seen[at]:
            seen[at] = 1
            at = pairs.parent[at]
    for now, used in enumerate(seen):
        if not used:
            fate = Fate.REGENERATED if pairs.by[now] >= 0 else Fate.BRANCH_LEFT_OUT
            for at in pairs.messages(now):
                pairs.fate[at] = fate
    for now, used in enumerate(seen):
        if used and pairs.prompt[now] >= 0:
            pairs.fate[pairs.prompt[now]] = Fate.NONE
