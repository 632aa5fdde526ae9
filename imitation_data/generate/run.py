"""The driver: a procedure's requests answered from the journal or by the teacher, in order."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from imitation_data.errors import BudgetError, TeacherError
from imitation_data.generate.batches import Batches
from imitation_data.generate.budget import PICO, Budget, Ceiling, price_unpriced
from imitation_data.generate.client import Client
from imitation_data.generate.collector import old_objects_left_alone
from imitation_data.generate.job import Job, Progress, Tally
from imitation_data.generate.journal import Journal
from imitation_data.generate.procedure import Ask, Candidate, Procedure
from imitation_data.generate.request import Answer
from imitation_data.generate.sender import CeilingReachedError, EndedError, Sender
from imitation_data.generate.writer import Writer

AHEAD = 4096  # requests pulled before the first of them is answered; what is pulled follows from it
GIVEN_AHEAD = 50_000  # the same where it does not
GIVEN_BYTES = 150 << 20  # and no more than this
EVERY = 0.25  # seconds between two looks at how far it is


@dataclass
class Run:
    """One run of a procedure. Candidates go to `out` as they are finished, in order."""

    job: Job
    procedure: Procedure
    journal: Journal
    out: Callable[[Candidate], None]
    tally: Tally = field(default_factory=Tally)
    sender: Sender | Batches | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _asked: deque[tuple[Ask, Answer | None]] = field(default_factory=deque)
    _answers: dict[int, Answer] = field(default_factory=dict)
    _missing: deque[Ask] = field(default_factory=deque)
    _waiting: dict[str, list[int]] = field(default_factory=dict)  # numbers by key, first one asks
    _bytes: int = 0
    _elsewhere: frozenset[str] = frozenset()  # keys under way in batches
    _in_the_way: bool = False
    _taken: int = 0
    _pulled: int = 0
    _began: float = field(default_factory=monotonic)
    _shown: float = 0.0
    _finished: deque[asyncio.Task[Answer]] = field(default_factory=deque)
    _some_finished: asyncio.Event = field(default_factory=asyncio.Event)
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.job.source, self.procedure.wanted, self.tally)
        if self.job.teacher.paid_at is None:
            self.tally.cost = None

    def replay(self) -> bool:
        """Go as far as the journal's answers reach; tell whether that is the end."""
        while True:
            self._pull()
            if not self._asked or not self._take():
                break
        return not self._asked

    async def go_on(self) -> None:
        """Ask the teacher for what the journal does not have.

        Raises:
            BudgetError: it may cost money and there is no ceiling, or one that cannot be kept.
            TeacherError: the teacher cannot be asked.
            StoreError: the journal cannot be written, or is in use.
        """
        job = self.job
        price = job.teacher.paid_at
        if not job.ceiling and (price is None or not price.free):
            raise BudgetError(self._refusal())
        self.journal.hold(wait=job.wait, waiting=job.say)
        if price is not None:
            price_unpriced(self.journal, job.dataset, job.teacher.told(), price)
        self.progress.lost_before = self.journal.settle_lost()
        if self.progress.lost_before:
            job.say(
                f"{self.progress.lost_before:,} requests were under way when an earlier run was "
                "killed; they are sent again, and may be paid for twice"
            )
        if self._refresh():
            return
        self._loop = asyncio.get_running_loop()
        paid = price.in_batches() if price and job.batch else price
        try:
            budget = Budget.after(self.journal.spent(job.dataset), job.ceiling, paid)
        except BudgetError as error:
            who = f"{job.teacher.model!r} at {job.teacher.where}"
            raise BudgetError(f"source {job.source!r} ({who}): {error}") from error
        async with Client(job.teacher, self.procedure.given) as client:
            self.sender = Batches(client, self.journal, budget, job.dataset, job.say)
            await self.sender.find()
            if job.batch:
                await self._in_batches(self.sender)
            elif not await self._end_batches(self.sender):
                with Writer(self.journal) as writer, old_objects_left_alone():
                    self.sender = Sender(client, writer, budget, job.dataset)
                    await self._exchange(self.sender)

    def _refresh(self) -> bool:
        """Look again: another process may have answered while this one waited."""
        missing, self._missing = self._missing, deque()
        for ask in missing:
            answer = self.journal.get(ask.request.key)
            if answer is None:
                self._missing.append(ask)
            else:
                self._answered(ask.request.key, answer)
        return self.replay()

    def _answered(self, key: str, answer: Answer) -> None:
        """Hand an answer to every request that asked the same."""
        for number in self._waiting.pop(key):
            self._answers[number] = answer

    def end(self) -> None:
        """Send nothing more; called from another thread."""
        if self.sender is not None:
            self.sender.ending = True
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.sender.wake)

    def _refusal(self) -> str:
        job = self.job
        done = f"{self.tally.rows:,} rows are made" if self.tally.rows else "no row is made"
        return (
            f"source {job.source!r} needs answers of {job.teacher.model!r} at {job.teacher.where} "
            f"that are not in the journal {self.journal.path} ({done} without), and they may cost "
            "money: nothing is sent without a ceiling. See what it may come to with "
            "`imitation-data generate RECIPE --estimate`; then give --budget USD, --max-requests "
            "or --max-tokens; for a free teacher say `price: {input: 0, output: 0}` in "
            "the source's teacher"
        )

    async def _in_batches(self, batches: Batches) -> None:
        """Hand in what is missing and collect it, until nothing is left or something ends it."""
        full = False
        while self._asked and not batches.ending:
            if await batches.collect() and self._refresh():
                return
            if not full:
                full = await self._submit(batches)
            if not batches.open:
                return
            self._show(batches)
            await batches.wait()

    async def _submit(self, batches: Batches) -> bool:
        """Hand in what is missing; tell whether the ceiling left something of it out.

        That is the last batch then: what it does not use up would do for ever smaller ones, each of
        which may take a day.
        """
        wanted = sum(ask.request.key not in batches.keys for ask in self._missing)
        count = await batches.submit(self._missing)
        if not batches.full:
            return False
        self.job.say(
            f"source {self.job.source!r}: the ceiling of {self.job.ceiling.words()} leaves room "
            f"for {count:,} of {wanted:,} requests in a batch, each at its most; when they are "
            "collected, the same command goes on with what they left"
        )
        return True

    async def _end_batches(self, batches: Batches) -> bool:
        """Collect what earlier runs left in batches; tell whether that is all that was missing.

        Raises:
            TeacherError: requests of this run are under way there.
        """
        await batches.collect()
        if self._refresh():
            return True
        shared = sum(ask.request.key in batches.keys for ask in self._missing)
        if shared:
            names = ", ".join(batch.id for batch in batches.open)
            raise self._shared(f"{shared:,} requests", names)
        self._elsewhere = frozenset(batches.keys)
        return False

    def _shared(self, what: str, names: str) -> TeacherError:
        return TeacherError(
            f"{what} of source {self.job.source!r} are under way in batches ({names}) and would be "
            "paid for twice; collect them with `imitation-data generate RECIPE --batch`, or cancel "
            "them at the provider and run again"
        )

    async def _exchange(self, sender: Sender) -> None:
        """Keep requests under way and take answers, until nothing is left or something ends it."""
        tasks: dict[asyncio.Task[Answer], str] = {}
        failure: Exception | None = None
        stopped = False
        try:
            while self._asked:
                while self._missing and not stopped and len(tasks) < self.job.teacher.concurrency:
                    stopped = not await self._start(sender, tasks)
                if not tasks:
                    break
                await self._some()
                for error in self._harvest(tasks):
                    stopped = True
                    if not isinstance(error, CeilingReachedError | EndedError):
                        failure, sender.ending = failure or error, True
                self._show(sender)
            if self._asked and not sender.ending and not self._in_the_way:
                self._say_ceiling(sender)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if failure is not None:
            raise failure
        if self._in_the_way:
            raise self._shared("requests", "of an earlier run")

    def _say_ceiling(self, sender: Sender) -> None:
        budget, words = sender.budget, self.job.ceiling.words()
        spent = [f"{budget.requests:,} requests", f"{budget.tokens:,} tokens"]
        spent += [f"${budget.money / PICO:,.4f}"] if budget.price else []
        lost = ""
        if sender.lost:
            lost = f", {sender.lost:,} lost answers at their most among it (last: {sender.loss})"
        told = (
            f"source {self.job.source!r}: stopped at the ceiling of {words}: {', '.join(spent)} "
            f"are spent{lost}, and another request might take more than is left"
        )
        if sender.lost and not sender.sent:
            raise TeacherError(f"{told}; no answer could be read, so look at the endpoint first")
        self.job.say(told)

    def left(self) -> str:
        """What an interrupted run leaves, in words."""
        sent = 0 if self.sender is None else self.sender.sent
        words = f"{sent:,} answers of this run are in the journal"
        if isinstance(self.sender, Batches) and self.sender.open:
            names = ", ".join(batch.id for batch in self.sender.open)
            words += f"; {names} stays at the provider, the same command with --batch collects it"
        return words

    async def _start(self, sender: Sender, tasks: dict[asyncio.Task[Answer], str]) -> bool:
        """Send the next request; False when no more may be sent."""
        ask = self._missing[0]
        if ask.request.key in self._elsewhere:  # pulled only now, after an answer
            self._in_the_way = True
            return False
        try:
            most = await sender.admit(ask.request)
        except (CeilingReachedError, EndedError):
            return False
        self._missing.popleft()
        task = asyncio.create_task(sender.send(ask.request, most, ask.sample))
        task.add_done_callback(self._note)
        tasks[task] = ask.request.key
        return True

    def _note(self, task: asyncio.Task[Answer]) -> None:
        self._finished.append(task)
        self._some_finished.set()

    async def _some(self) -> None:
        """Wait until a request is finished, or it is time to say how far it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY):
                await self._some_finished.wait()
        self._some_finished.clear()

    def _harvest(self, tasks: dict[asyncio.Task[Answer], str]) -> list[Exception]:
        """Take what is answered; return what went wrong."""
        failures: list[Exception] = []
        while self._finished:
            task = self._finished.popleft()
            key = tasks.pop(task)
            error = task.exception()
            if error is None:
                self._answered(key, task.result())
            elif isinstance(error, Exception):
                failures.append(error)
        while self._asked and self._take():
            self._pull()
        return failures

    def _pull(self) -> None:
        """Pull requests while there is room; look each up in the journal."""
        given = self.procedure.given
        while len(self._asked) < (GIVEN_AHEAD if given else AHEAD):
            if given and self._bytes >= GIVEN_BYTES:
                return
            ask = self.procedure.pull()
            if ask is None:
                return
            key = ask.request.key
            answer = self.journal.get(key)
            self._asked.append((ask, answer))
            self._bytes += len(ask.request.body)
            if answer is None:
                if key not in self._waiting:
                    self._missing.append(ask)
                self._waiting.setdefault(key, []).append(self._pulled)
            self._pulled += 1

    def _take(self) -> bool:
        """Give the procedure the next answer, if it is there."""
        ask, answer = self._asked[0]
        if answer is None:
            answer = self._answers.pop(self._taken, None)
            if answer is None:
                return False
        else:
            self.progress.from_journal += 1
        self._asked.popleft()
        self._bytes -= len(ask.request.body)
        self._taken += 1
        self._count(ask, answer)
        self.procedure.take(ask, answer)
        self._let_out()
        return True

    def _count(self, ask: Ask, answer: Answer) -> None:
        tally, teacher = self.tally, self.job.teacher
        tally.requests += 1
        tally.keys = (tally.keys[0] or ask.request.key, ask.request.key)
        tally.outcomes[answer.outcome] += 1
        tally.models[answer.model] += 1
        price = teacher.paid_at
        tally.batched += answer.batch
        counted = Budget(Ceiling(), price.in_batches() if price and answer.batch else price)
        given = answer.input_tokens if answer.input_tokens >= 0 else ask.request.input_limit
        made = answer.output_tokens if answer.output_tokens >= 0 else ask.request.output_limit
        tally.input_tokens += given
        tally.output_tokens += made
        tally.uncounted += min(answer.input_tokens, answer.output_tokens) < 0
        if tally.cost is not None:
            tally.cost += counted.real(ask.request, answer).money

    def _let_out(self) -> None:
        while self.procedure.made:
            candidate = self.procedure.made.popleft()
            self.tally.rows += len(candidate.rows)
            self.tally.drops.update(drop.reason for drop in candidate.drops)
            self.out(candidate)

    def close(self) -> None:
        """Let the procedure finish what can be finished."""
        self.tally.complete = not self._asked
        self.procedure.close()
        self._let_out()

    def _show(self, sender: Sender | Batches) -> None:
        now = monotonic()
        if now - self._shown < EVERY:
            return
        self._shown = now
        shown = self.progress
        shown.seconds, shown.sent = now - self._began, sender.sent
        shown.under_way, shown.lost = sender.under_way, sender.lost
        shown.retried = sum(sender.failed.values())
        shown.usd = sender.budget.money / PICO if sender.budget.price else None
        self.job.seen(shown)
