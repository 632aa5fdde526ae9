"""Requests sent through `/v1/files` and `/v1/batches`, at half the price, answered within a day.

A batch is on disk before it is uploaded; when a run ends in whatever way, the next one finds it at
the provider by its file or its name, and collects it. What came of a batch goes to the journal in
one go; requests that expired or failed in passing go into the next one.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from secrets import token_hex
from typing import TypeVar

import openai
from openai.types import Batch as Told

from imitation_data.errors import TeacherError
from imitation_data.generate.batch_lines import Lines, line_of
from imitation_data.generate.budget import Budget, Ceiling, Cost
from imitation_data.generate.client import Client, TransientError
from imitation_data.generate.journal import Journal, Try
from imitation_data.generate.journal_batches import (
    Batch,
    Collected,
    InBatch,
    keys_under_way,
    note_batch,
    note_collected,
    note_place,
    requests_of,
    uncollected,
)
from imitation_data.generate.procedure import Ask
from imitation_data.generate.redact import redacted

REQUESTS = 50_000  # that OpenAI takes in a batch
BYTES = 150 << 20  # of a file; OpenAI takes 200 MB
ROUNDS = 4  # batches in which a request may fail
TRIES = 8  # of a call that fails in passing
SOONEST, LATEST = 0.1, 60.0  # seconds between two looks at batches that are under way
ENDED = {"completed", "expired", "cancelled", "failed"}
NAME = "imitation_data"  # of the metadata that tells a batch
Done = TypeVar("Done")


def _word(value: object, name: str) -> str:
    """A field that must be there; endpoints without batches answer with anything."""
    found = getattr(value, name, None)
    if not isinstance(found, str) or not found:
        raise TypeError(f"no {name}")
    return found


class RefusedError(TeacherError):
    """The provider did not take what it was handed."""


@dataclass
class Batches:
    """The batches of one source's run.

    Attributes:
        client: to ask the provider.
        journal: held by this process.
        budget: of the dataset, at the price of batches.
        dataset: who pays.
        say: told what a user should know.
        sent: answers that came.
        lost: requests that may have been paid for without an answer.
        failed: requests that are sent again, by reason.
        keys: of requests that are under way.
        full: whether the ceiling left a request out.
    """

    client: Client
    journal: Journal
    budget: Budget
    dataset: str
    say: Callable[[str], None] = lambda _: None
    sent: int = 0
    lost: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    ending: bool = False
    full: bool = False
    open: list[Batch] = field(default_factory=list)
    _rounds: Counter[str] = field(default_factory=Counter)
    _most: int = REQUESTS
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _pause: float = SOONEST
    _luck: Random = field(default_factory=Random)

    @property
    def under_way(self) -> int:
        return len(self.keys)

    @property
    def where(self) -> str:
        return self.client.teacher.where

    def wake(self) -> None:
        """Look again whether to go on."""
        self._changed.set()

    async def find(self) -> None:
        """Find the batches that earlier runs left.

        Raises:
            TeacherError: the provider cannot be asked.
        """
        for batch in uncollected(self.journal, self.where):
            found = batch if batch.id or not batch.file else await self._adopted(batch)
            if found.id:
                self.open.append(found)
                self.say(f"batch {found.id} of an earlier run is to be collected")
            else:  # it was never handed in
                self._forget(batch)
        self.keys = keys_under_way(self.journal, self.where)

    async def _adopted(self, batch: Batch) -> Batch:
        """The batch with its id, if the provider has taken it."""

        async def look() -> str:
            async for told in self.client.api.batches.list(limit=100):
                named = (told.metadata or {}).get(NAME) == batch.name
                if named or told.input_file_id == batch.file:
                    return told.id
            return ""

        found = replace(batch, id=await self._try(look))
        if found.id:
            note_place(self.journal, found)
        return found

    async def submit(self, asks: Sequence[Ask]) -> int:
        """Hand in as many requests as there is money for.

        Args:
            asks: those that have no answer; some may be under way.

        Returns:
            How many were handed in.

        Raises:
            TeacherError: the provider refuses them.
        """
        count, chunk, size = 0, list[Try](), 0
        for ask in asks:
            request = ask.request
            if request.key in self.keys:
                continue
            most = self.budget.most(request)
            narrow = self._most < REQUESTS and (self.open or len(chunk) == self._most)
            self.full = not self.budget.fits(most)
            if self.ending or narrow or self.full:
                break
            if len(chunk) == REQUESTS or size + len(request.body) > BYTES:
                await self._hand_in(chunk)
                chunk, size = [], 0
            self.budget.take(most)
            self.keys.add(request.key)
            money = most.money if self.budget.price is not None else -1
            chunk.append(Try(request, self.where, self.dataset, money, ask.sample))
            size += len(request.body) + 128
            count += 1
        if chunk and not self.ending:
            await self._hand_in(chunk)
        return count

    async def _hand_in(self, tries: Sequence[Try]) -> None:
        batch = Batch(token_hex(16), "", "", self.dataset, self.budget.price)
        note_batch(self.journal, batch, tries)
        api, lines = self.client.api, b"".join(line_of(one) for one in tries)

        async def upload() -> str:
            made = await api.files.create(file=("requests.jsonl", lines), purpose="batch")
            return _word(made, "id")

        try:
            batch = replace(batch, file=await self._try(upload))
            note_place(self.journal, batch)
            batch = replace(batch, id=await self._try(self._creation(batch)))
        except RefusedError:
            self._forget(batch)
            raise
        note_place(self.journal, batch)
        self.open.append(batch)
        self._pause = SOONEST
        self.say(f"batch {batch.id}: {len(tries):,} requests handed in; answers come within a day")

    def _creation(self, batch: Batch) -> Callable[[], Awaitable[str]]:
        """Makes the batch; a try whose reply was lost may have made it already."""
        tried = False

        async def create() -> str:
            nonlocal tried
            if tried:
                try:
                    known = await self._adopted(batch)
                except RefusedError as error:  # it may have been made: not to be forgotten
                    raise TeacherError(str(error)) from error
                if known.id:
                    return known.id
            tried = True
            made = await self.client.api.batches.create(
                input_file_id=batch.file,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={NAME: batch.name, "dataset": self.dataset[:500]},
            )
            return _word(made, "id")

        return create

    def _forget(self, batch: Batch) -> None:
        """A batch that the provider never took costs nothing."""
        asked = requests_of(self.journal, batch)
        gone = [Collected(one, None, None) for one in asked.values()]
        note_collected(self.journal, batch, self.where, gone)
        for one in asked.values():
            self._settle(batch, one, None)
        self.keys -= asked.keys()

    async def wait(self) -> None:
        """Wait before the next look, longer each time."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._changed.wait()
        self._pause = min(LATEST, self._pause * 1.5)

    async def collect(self) -> bool:
        """Look at the batches under way; tell whether one of them ended.

        Raises:
            TeacherError: a batch or a request was refused, after all others were noted.
        """
        ended, failure = False, None
        for batch in list(self.open):
            try:
                told = await self._try(partial(self._told, batch.id))
                asked = requests_of(self.journal, batch)
                if told.status in ENDED:
                    failure = await self._take(batch, told, asked) or failure
            except RefusedError as error:
                raise TeacherError(
                    f"{error}. If batch {batch.id} is gone for good, `imitation-data journal "
                    f"forget {self.journal.path} {batch.id}` lets its requests be sent again"
                ) from error
            if told.status not in ENDED:
                continue
            ended = True
            self.open.remove(batch)
            self.keys -= asked.keys()
            self._pause = SOONEST
        if failure is not None:
            raise failure
        return ended

    async def _told(self, place: str) -> Told:
        told = await self.client.api.batches.retrieve(place)
        _word(told, "status")
        return told

    async def _take(
        self, batch: Batch, told: Told, asked: Mapping[str, InBatch]
    ) -> TeacherError | None:
        """Note what came of a batch; return what speaks against going on."""
        lines = Lines(self.client, Budget(Ceiling(), batch.price), dict(asked), told.status)
        for file in (told.output_file_id, told.error_file_id):
            if file:
                content = await self._try(partial(self.client.api.files.content, file))
                for line in content.content.splitlines():
                    lines.read(line)
        lines.rest()
        note_collected(self.journal, batch, self.where, lines.found)
        for one in lines.found:
            self._settle(batch, one.asked, one.paid)
            self.sent += one.answer is not None
            self.lost += one.answer is None and one.paid is not None
        for key, reason in lines.again.items():
            self._rounds[key] += 1
            self.failed[reason] += 1
            if self._rounds[key] >= ROUNDS and lines.failure is None:
                lines.failure = TeacherError(
                    f"{self.where}: a request failed in {ROUNDS} batches, last with: {reason}; "
                    "answers so far are in the journal, run the same command again to go on"
                )
        if told.status in {"failed", "cancelled"}:
            return self._ended_early(told, len(asked)) or lines.failure
        return lines.failure

    def _ended_early(self, told: Told, count: int) -> TeacherError | None:
        """What is wrong with a batch that the provider, or somebody, ended."""
        if told.status == "cancelled":
            return TeacherError(
                f"{self.where}: batch {told.id} was cancelled; its answers so far are in the "
                "journal, run the same command again to send the rest"
            )
        problems = getattr(told.errors, "data", None) or []
        problems = [one for one in problems if hasattr(one, "code")]
        codes = {one.code for one in problems}
        if "token_limit_exceeded" in codes and (count > 1 or len(self.open) > 1):
            # More than the account may have waiting: smaller batches, one after the other.
            self._most = max(1, count // 2)
            self.say(f"batch {told.id} is too large for the account; at most {self._most:,} next")
            return None
        words = "; ".join(str(one.message) for one in problems[:3]) or "no reason given"
        said = redacted(words, self.client.teacher.secrets())
        return TeacherError(f"{self.where}: batch {told.id} was refused: {said}")

    def _settle(self, batch: Batch, one: InBatch, paid: Cost | None) -> None:
        if batch.dataset == self.dataset:
            self.budget.settle(one.most, paid)

    async def _try(self, act: Callable[[], Awaitable[Done]]) -> Done:
        """Ask the provider for something that costs nothing, again when it fails in passing."""
        for count in range(1, TRIES + 1):
            try:
                return await act()
            except (TimeoutError, openai.APIError) as error:
                failure = self._kind(error)
            except (AttributeError, TypeError, ValueError) as error:
                raise TeacherError(
                    f"{self.where}: what came back is not of the Batch API "
                    f"({type(error).__name__}); is there one at this endpoint?"
                ) from error
            if count == TRIES or self.ending:
                break
            await asyncio.sleep(max(failure.wait, 0.25 * 2**count * self._luck.uniform(0.5, 1)))
        raise TeacherError(
            f"{self.where}: the Batch API does not answer ({failure}); what is under way is in the "
            "journal, run the same command again to go on"
        )

    def _kind(self, error: Exception) -> TransientError:
        try:
            self.client.failed(error)
        except TransientError as found:
            return found
        except TeacherError as found:
            raise RefusedError(f"{found} (of the Batch API)") from error
        raise RefusedError(f"{self.where}: the Batch API refuses ({error})")
