"""Requests sent until they are answered: money set aside, noted, let through, tried again, noted.

Requests are let through in the order of their numbers. One for which there is no money waits until
what is under way has cost less than was set aside for it; when nothing is under way any more, that
is the end, whatever came first.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random
from sqlite3 import Connection
from time import monotonic

from imitation_data.errors import TeacherError
from imitation_data.generate.budget import Budget, Cost
from imitation_data.generate.client import Client, TransientError
from imitation_data.generate.journal import (
    Try,
    note_answer,
    note_cost,
    note_lost,
    note_tries,
    note_unpaid,
)
from imitation_data.generate.limiter import Limiter, Rate
from imitation_data.generate.request import Answer, Request
from imitation_data.generate.writer import Writer

TRIES = 12  # of a request that fails in passing
UNREACHED = 5  # of a request to an endpoint that was never there
BACKOFF = 0.25  # seconds; doubled each time, less up to a half by chance
LONGEST = 30.0  # seconds between two tries, unless the endpoint asks for more
TOO_LONG = 900.0  # seconds an endpoint may ask to wait


class CeilingReachedError(Exception):
    """There is no money for a request."""


class EndedError(Exception):
    """The run was told to end."""


@dataclass
class _Sending:
    """A request on its way.

    Attributes:
        most: set aside for a try.
        number: of the try under way; -1 before it is noted.
        lost: numbers of tries that may have been paid for without an answer.
    """

    request: Request
    most: Cost
    sample: int
    number: int = -1
    lost: list[int] = field(default_factory=list)


@dataclass
class Sender:
    """Sends the requests of one source.

    Attributes:
        client: one try at a time.
        writer: to the journal.
        budget: of the dataset.
        dataset: who pays.
        sent: answers that came over the network.
        failed: tries that failed, by reason.
        lost: tries that may have been paid for without an answer; `loss` is the last reason.
    """

    client: Client
    writer: Writer
    budget: Budget
    dataset: str
    sent: int = 0
    lost: int = 0
    loss: str = ""
    failed: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _luck: Random = field(default_factory=Random)
    _reached: bool = False
    ending: bool = False
    waiting: int = 0
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        teacher = self.client.teacher
        requests = Rate(teacher.requests_per_minute, monotonic)
        tokens = Rate(teacher.tokens_per_minute, monotonic)
        self.limiter = Limiter(teacher.concurrency, requests, tokens, monotonic)

    @property
    def under_way(self) -> int:
        return self.limiter.under_way

    def wake(self) -> None:
        """Look again whether to go on."""
        self._changed.set()

    async def admit(self, request: Request) -> Cost:
        """Set the cost of a request aside.

        Raises:
            CeilingReachedError: there is no money for it, and none will come back.
            EndedError: nothing more is to be sent.
        """
        most = self.budget.most(request)
        while not self.budget.fits(most):
            if self.ending:
                raise EndedError
            if not self.waiting:
                raise CeilingReachedError
            self._changed.clear()
            await self._changed.wait()
        if self.ending:
            raise EndedError
        self.budget.take(most)
        self.waiting += 1
        return most

    async def send(self, request: Request, most: Cost, sample: int = 0) -> Answer:
        """Send an admitted request until it is answered.

        Raises:
            TeacherError: no further try would help.
            CeilingReachedError: an answer was lost, and there is no money for another.
            EndedError: the run was told to end while the request waited for another try.
        """
        try:
            return await self._send(_Sending(request, most, sample))
        finally:
            self.waiting -= 1
            self._changed.set()

    async def _send(self, one: "_Sending") -> Answer:  # noqa: C901 - one try after the other
        tokens = one.request.input_limit // 4 + one.request.output_limit
        for count in range(1, TRIES + 1):
            await self.limiter.enter(tokens)
            if self.ending:
                self.limiter.leave(None, tokens)
                await self._unpaid(one)
                raise EndedError
            unused, seconds = 0, None
            try:
                if one.number < 0:
                    one.number = await self._note(one)
                began = monotonic()
                answer = await self.client.ask(one.request)
                seconds = monotonic() - began
                self._reached = True
                if answer.input_tokens >= 0 and answer.output_tokens >= 0:
                    unused = tokens - answer.input_tokens - answer.output_tokens
                return await self._keep(one, answer)
            except TransientError as error:
                self._count(error)
                paid, wait = error.paid, self._wait(count, error)
                if paid:
                    await self._lose(one, str(error))
                unreached = not self._reached and not error.reached
                if count == (UNREACHED if unreached else TRIES) or error.wait > TOO_LONG:
                    if not paid:
                        await self._unpaid(one)
                    raise self._given_up(error, count) from error
                if error.crowded:
                    self.limiter.congested(error.wait)
            except TeacherError:
                await self._unpaid(one)
                raise
            finally:
                self.limiter.leave(seconds, unused)
            if paid:  # without a place, or nobody could finish and give money back
                await self._again(one.most)
            await self._rest(wait, one)
        raise AssertionError("unreachable")

    async def _note(self, one: "_Sending") -> int:
        noted = self._try_of(one, self._money(one.most))
        numbers: list[int] = await self.writer.write(partial(note_tries, tries=[noted]))
        return numbers[0]

    def _try_of(self, one: "_Sending", money: int) -> Try:
        return Try(one.request, self.client.teacher.where, self.dataset, money, one.sample)

    def _money(self, cost: Cost) -> int:
        return cost.money if self.budget.price is not None else -1

    async def _lose(self, one: "_Sending", reason: str) -> None:
        """The answer may have been paid for; what another try costs is set aside by `_again`."""
        self.lost += 1
        self.loss = reason
        await self.writer.write(partial(note_lost, number=one.number))
        one.lost.append(one.number)
        one.number = -1

    async def _keep(self, one: "_Sending", answer: Answer) -> Answer:
        real, lost = self.budget.real(one.request, answer), self.budget.lost(one.request, answer)

        def note(to: Connection) -> None:
            paid = (self._money(real), real.tokens)
            note_answer(to, self._try_of(one, 0), one.number, answer, paid)
            for number in one.lost:  # the same prompt: its tokens are known now
                note_cost(to, number, (self._money(lost), lost.tokens))

        await self.writer.write(note)
        self.budget.settle(one.most, real)
        for _ in one.lost:
            self.budget.settle(one.most, lost)
        self._changed.set()
        self.sent += 1
        return answer

    async def _again(self, most: Cost) -> None:
        """The cost of a lost answer stays spent; set aside that of another try."""
        while not self.budget.fits(most):
            self.waiting -= 1
            try:
                if not self.waiting or self.ending:
                    raise CeilingReachedError
                self._changed.clear()
                await self._changed.wait()
            finally:
                self.waiting += 1
        self.budget.take(most)

    async def _unpaid(self, one: "_Sending") -> None:
        """Give back what was set aside for a try that costs nothing."""
        self.budget.settle(one.most, None)
        if one.number >= 0:
            await self.writer.write(partial(note_unpaid, number=one.number))

    async def _rest(self, seconds: float, one: "_Sending") -> None:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.ending:  # noqa: ASYNC110
            await asyncio.sleep(min(left, 0.2))
        if self.ending:
            await self._unpaid(one)
            raise EndedError

    def _wait(self, count: int, error: TransientError) -> float:
        backoff = min(LONGEST, BACKOFF * 2 ** (count - 1)) * self._luck.uniform(0.5, 1)
        return float(max(error.wait, backoff))

    def _given_up(self, error: TransientError, count: int) -> TeacherError:
        where = self.client.teacher.where
        if error.wait > TOO_LONG:
            return TeacherError(
                f"{where} asks to wait {error.wait:,.0f} s ({error}); run the same command again "
                "later to resume"
            )
        if not error.reached and not self._reached:
            return TeacherError(f"{where} cannot be reached ({error}); is the server running?")
        return TeacherError(
            f"{where}: a request failed {count} times, last with: {error}; answers so far are in "
            "the journal, run the same command again to resume"
        )

    def _count(self, error: TransientError) -> None:
        self.failed["lost" if error.paid else "crowded" if error.crowded else "failed"] += 1
        self._reached |= error.reached
