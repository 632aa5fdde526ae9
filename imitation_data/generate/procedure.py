"""The contract of a procedure: which requests it makes, and what it makes of the answers.

A procedure is a machine without time: the driver pulls requests until it has enough under way or
the procedure has none, then gives it answers in the order of the requests. So what it does depends
on answers only, never on which came first.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from imitation_data.conversation import Message
from imitation_data.generate.request import Answer, Request
from imitation_data.ledger import Drop, Edit


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A row made of answers.

    Attributes:
        part: among the rows of its candidate; they count from 0 and may have gaps.
        license: of a row that was given; empty for that of the source.
        language: of a row that was given.
    """

    messages: tuple[Message, ...]
    meta: Mapping[str, object]
    teacher: str = ""
    part: int = 0
    license: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a teacher made of which a row might have become.

    Attributes:
        origin: its identity: a digest of what it says, or of what was asked.
        rows: accepted, in the order of their parts.
        drops: rejected parts, with reasons.
        text: of what was rejected, for the build folder; never published.
        edits: what a reader changed in the record it comes from.
    """

    origin: str
    rows: tuple[MadeRow, ...] = ()
    drops: tuple[Drop, ...] = ()
    text: str = ""
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what the procedure remembers it by.

    Attributes:
        request: what is sent.
        sample: as in `Request.of`.
        about: the procedure's own.
    """

    request: Request
    sample: int = 0
    about: object = None


class Procedure(Protocol):
    """One run of a procedure.

    Attributes:
        wanted: rows that are wanted; 0 where that is not known.
        given: whether prompts come from outside: one may be too long for the teacher, and which are
            pulled does not depend on how many are under way.
        made: candidates that are finished, in order; the driver empties it.
    """

    wanted: int
    given: ClassVar[bool]
    made: deque[Candidate]

    def expected(self) -> list[tuple[float, float, float, int]]:
        """Kinds of requests: how many, tokens of a prompt (0: as counted), an answer, at most."""
        ...

    def pull(self) -> Ask | None:
        """The next request; None when answers are needed first, or when nothing is left."""
        ...

    def take(self, ask: Ask, answer: Answer) -> None:
        """Take the answer to a request; answers come in the order of the requests."""
        ...

    def close(self) -> None:
        """Nothing more comes; finish what can be finished without."""
        ...


def lineage(ask: Ask, answer: Answer, **more: object) -> dict[str, object]:
    """What a row's `meta` says of where it came from."""
    return {"request": ask.request.key, **more, "model": answer.model}


UNFIT: Mapping[str, Drop] = {
    "truncated": Drop("truncated", "finish_reason length", "a whole answer"),
    "filtered": Drop("filtered", "finish_reason content_filter", "a whole answer"),
    "refused": Drop("teacher_refused", "a refusal", "an answer"),
    "too_long": Drop("prompt_too_long", "more than the teacher's context", "a prompt that fits"),
}
"""Drops for answers that are not whole, by outcome."""


@dataclass
class Outbox:
    """Candidates in the order of their subjects, though some are finished before others."""

    made: deque[Candidate]
    _first: int = 0
    _finished: dict[int, Sequence[Candidate]] = field(default_factory=dict)

    def put(self, number: int, *candidates: Candidate) -> None:
        """Finish the subject of this number; numbers begin at 0 and leave no gap."""
        self._finished[number] = candidates
        while self._first in self._finished:
            self.made.extend(self._finished.pop(self._first))
            self._first += 1

    def flush(self) -> None:
        """Let out what is finished behind a gap."""
        for number in sorted(self._finished):
            self.made.extend(self._finished.pop(number))
