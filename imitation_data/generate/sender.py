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
from time import monotonic

from imitation_data.errors import TeacherError
from imitation_data.generate.budget import Budget, Cost
from imitation_data.generate.client import Client, TransientError
from imitation_data.generate.journal import (
    Try,
    note_answer,
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
            return await self._send(request, most, sample)
        finally:
            self.waiting -= 1
            self._changed.set()

    async def _send(  # noqa: C901 - one try after the other
        self, request: Request, most: Cost, sample: int
    ) -> Answer:
        tokens = request.input_limit // 4 + request.output_limit
        number = -1
        for count in range(1, TRIES + 1):
            await self.limiter.enter(tokens)
            if self.ending:
                self.limiter.leave(None, tokens)
                await self._unpaid(most, number)
                raise EndedError
            unused, seconds, began = 0, None, monotonic()
            try:
                if number < 0:
                    number = await self._note(request, most, sample)
                began = monotonic()
                answer = await self.client.ask(request)
                seconds = monotonic() - began
                self._reached = True
                if answer.input_tokens >= 0 and answer.output_tokens >= 0:
                    unused = tokens - answer.input_tokens - answer.output_tokens
                return await self._keep(request, most, sample, number, answer)
            except TransientError as error:
                self._count(error)
                paid, wait = error.paid, self._wait(count, error)
                if paid:
                    self.lost += 1
                    self.loss = str(error)
                    await self.writer.write(partial(note_lost, number=number))
                    number = -1
                unreached = not self._reached and not error.reached
                if count == (UNREACHED if unreached else TRIES) or error.wait > TOO_LONG:
                    if not paid:
                        await self._unpaid(most, number)
                    raise self._given_up(error, count) from error
                if error.crowded:
                    self.limiter.congested(error.wait)
            except TeacherError:
                await self._unpaid(most, number)
                raise
            finally:
                self.limiter.leave(seconds, unused)
            if paid:  # without a place, or nobody could finish and give money back
                await self._again(most)
            await self._rest(wait, most, number)
        raise AssertionError("unreachable")

    async def _note(self, request: Request, most: Cost, sample: int) -> int:
        noted = Try(request, self.client.teacher.where, self.dataset, self._money(most), sample)
        numbers: list[int] = await self.writer.write(partial(note_tries, tries=[noted]))
        return numbers[0]

    def _money(self, cost: Cost) -> int:
        return cost.money if self.budget.price is not None else -1

    async def _keep(
        self, request: Request, most: Cost, sample: int, number: int, answer: Answer
    ) -> Answer:
        real = self.budget.real(request, answer)
        noted = Try(request, self.client.teacher.where, self.dataset, 0, sample)
        paid = (self._money(real), real.tokens)
        await self.writer.write(
            partial(note_answer, one=noted, number=number, answer=answer, paid=paid)
        )
        self.budget.settle(most, real)
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

    async def _unpaid(self, most: Cost, number: int) -> None:
        """Give back what was set aside for a try that costs nothing."""
        self.budget.settle(most, None)
        if number >= 0:
            await self.writer.write(partial(note_unpaid, number=number))

    async def _rest(self, seconds: float, most: Cost, number: int) -> None:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.ending:  # noqa: ASYNC110
            await asyncio.sleep(min(left, 0.2))
        if self.ending:
            await self._unpaid(most, number)
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
