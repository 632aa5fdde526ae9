"""Prompts of any source, answered by a teacher: one turn, or all of a conversation."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, cast

from imitation_data.conversation import Conversation, Message
from imitation_data.generate.given import Given, Subject, Subjects, meta_of
from imitation_data.generate.procedure import UNFIT, Ask, Candidate, MadeRow, lineage
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.teacher import Teacher
from imitation_data.ledger import Drop, Edit

MOST_SAMPLES = 1000
LENGTH = 400.0  # tokens an answer is taken to have, for estimates


@dataclass(frozen=True)
class Answers:
    """Sends conversations to a teacher and keeps its answers.

    Attributes:
        turns: which answers are made: the `last`, after everything that stands before it, or
            `every` one, each after the teacher's own earlier ones. Answers that were there are
            replaced; an opening turn of the assistant stays.
        system: text of a system turn, in place of the conversation's own.
        samples: answers to each conversation, each a row.
        count: rows that are sent; 0 for all.
        max_tokens: of an answer.
        temperature, top_p: of the draw; the endpoint's own when left out.
    """

    turns: Literal["last", "every"] = "last"
    system: str = ""
    samples: int = 1
    count: int = 0
    max_tokens: int = 2048
    temperature: float | None = None
    top_p: float | None = None

    REVISION: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= MOST_SAMPLES or self.count < 0:
            raise ValueError(f"samples: expected 1 to {MOST_SAMPLES:,}; count: 0 or more")
        Sampling(self.max_tokens, self.temperature, self.top_p)

    def limited(self, count: int) -> "Answers":
        """The same for fewer rows."""
        return replace(self, count=min(self.count or count, count))

    def start(self, teacher: Teacher, given: Given) -> "AnswersRun":
        """Make the machine.

        Raises:
            SourceError: a record cannot be read, and is not to be dropped.
        """
        return AnswersRun(self, teacher, replace(given, count=self.count))


@dataclass
class _Chain:
    """One conversation being answered.

    Attributes:
        turns: so far.
        left: what follows the next answer: the turns up to the one after that, and so on.
        requests: keys so far.
    """

    subject: Subject
    row: Conversation
    part: int
    sample: int
    turns: list[Message]
    left: deque[list[Message]]
    requests: list[str] = field(default_factory=list)


@dataclass
class AnswersRun:
    """One run; see `imitation_data.generate.procedure.Procedure`."""

    options: Answers
    teacher: Teacher
    source: Given
    given: ClassVar[bool] = True
    following: deque[Ask] = field(default_factory=deque)

    def __post_init__(self) -> None:
        options = self.options
        self.subjects = Subjects(self.source, options.samples)
        self.made: deque[Candidate] = self.subjects.made
        self.sampling = Sampling(options.max_tokens, options.temperature, options.top_p)
        counts = [len(self._rounds(row)) for row in self.source.rows()]
        self.wanted = sum(count > 0 for count in counts) * options.samples
        self.requests = sum(counts) * options.samples

    def expected(self) -> list[tuple[float, float, float, int]]:
        """Requests, tokens of prompts (0: as counted) and answers, and most; for estimates."""
        limit = self.options.max_tokens
        return [(float(self.requests), 0.0, min(LENGTH, limit), limit)]

    def _rounds(self, row: Conversation) -> list[list[Message]]:
        """The turns before each answer that is to be made, without those of the round before."""
        turns = list(row.messages)
        if self.options.system:
            own = [turn for turn in turns if turn.role != "system"]
            turns = [Message("system", self.options.system), *own]
        asked = [place for place, turn in enumerate(turns) if turn.role == "user"]
        if not asked:
            return []
        if self.options.turns == "last":
            end = asked[-1] + 1
            while end < len(turns) and turns[end].role == "system":
                end += 1
            return [turns[:end]]
        rounds: list[list[Message]] = [[]]
        for place, turn in enumerate(turns):
            if turn.role == "assistant" and place > asked[0]:
                continue  # made anew
            after = turns[place + 1].role if place + 1 < len(turns) else ""
            rounds[-1].append(turn)
            if place >= asked[0] and after not in {"user", "system"}:
                rounds.append([])
        while not any(turn.role == "user" for turn in rounds[-1]):
            rounds.pop()
        return rounds

    def pull(self) -> Ask | None:
        """Go on with a conversation whose last answer came, else begin the next."""
        return self.subjects.pull(self.following, self._begin)

    def _begin(self, subject: Subject, row: Conversation) -> None:
        rounds = self._rounds(row)
        subject.edits += self._edits(row, rounds) if rounds else ()
        blank = any(turn.role == "user" and not turn.content.strip() for turn in row.messages)
        for sample in range(self.options.samples):
            part = row.part * self.options.samples + sample
            if not rounds or blank:
                found = "a blank user turn" if rounds else "no user turn"
                self.subjects.drop(subject, part, Drop("no_prompt", found, "text to answer"))
                continue
            turns, *left = rounds
            self._ask(_Chain(subject, row, part, sample, list(turns), deque(left)))

    def _edits(self, row: Conversation, rounds: list[list[Message]]) -> Iterator[Edit]:
        """What of a row is replaced, or stands behind its last answer."""
        sent = Counter(turn.role for turns in rounds for turn in turns)
        sent["system"] -= bool(self.options.system)
        there = Counter(turn.role for turn in row.messages)
        for role, kind in (("assistant", "answer_replaced"), ("system", "system_turn_left_out")):
            if there[role] > sent[role]:
                yield Edit(kind, there[role] - sent[role])

    def _ask(self, chain: _Chain) -> None:
        request = self.teacher.request(chain.turns, self.sampling, sample=chain.sample)
        chain.requests.append(request.key)
        self.following.append(Ask(request, chain.sample, chain))

    def take(self, ask: Ask, answer: Answer) -> None:
        """Take an answer: it ends the row, or its next user turn is sent."""
        chain = cast("_Chain", ask.about)
        drop = UNFIT.get(answer.outcome)
        if drop is None and not answer.text.strip():
            drop = Drop("empty_output", 0, 1)
        if drop is not None:
            self.subjects.drop(chain.subject, chain.part, drop, answer.text)
            return
        chain.turns.append(Message("assistant", answer.text))
        if chain.left:
            chain.turns += chain.left.popleft()
            self._ask(chain)
            return
        self.subjects.settle(chain.subject, self._row(ask, answer, chain))

    def _row(self, ask: Ask, answer: Answer, chain: _Chain) -> MadeRow:
        row, more = chain.row, dict[str, object](sampling=self.sampling.sent())
        if len(chain.requests) > 1:
            more["requests"] = chain.requests
        if self.options.samples > 1:
            more["sample"] = chain.sample
        if row.license:
            more["prompt_license"] = row.license  # that of the answer is the source's
        meta = {**meta_of(row), **lineage(ask, answer, **more)}
        return MadeRow(tuple(chain.turns), meta, answer.model, chain.part, "", row.language)

    def close(self) -> None:
        """Let out what is finished behind a conversation that is not."""
        self.subjects.flush()
