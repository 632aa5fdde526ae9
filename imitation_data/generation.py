"""Sources that a teacher makes: from a recipe's source to a file of candidates in the build folder.

Answers come from the journal; what is not there is asked for, within a ceiling. The file follows
from recipe, seeds and answers alone, so that a rebuild reads the same rows.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson

from imitation_data.checksum import checksum
from imitation_data.errors import RecipeError, StepError
from imitation_data.generate import TAKES_ROWS, Generator
from imitation_data.generate.budget import PICO, Ceiling
from imitation_data.generate.candidates import FILE, line_of
from imitation_data.generate.given import Given
from imitation_data.generate.job import Job, Progress, Tally
from imitation_data.generate.journal import Journal
from imitation_data.generate.procedure import Candidate, Procedure
from imitation_data.generate.seeds import Seed, read_seeds
from imitation_data.generate.teacher import Teacher
from imitation_data.given_rows import given_rows
from imitation_data.options import plain_options
from imitation_data.recipe import Recipe
from imitation_data.recipe_parts import BoundSource
from imitation_data.rows.tokens import load as load_encoding
from imitation_data.stages.stage import digest, whole_file, write_file
from imitation_data.versions.store import Store

if TYPE_CHECKING:
    from imitation_data.generate.run import Run

FACTS = "generated.json"
GRACE = 20.0  # seconds that answers under way are waited for, when a run is interrupted
NO_CEILING = Ceiling()
SAMPLE = 16  # prompts of which an estimate takes the mean


@dataclass(frozen=True)
class Orders:
    """What a run may do.

    Attributes:
        journal: of answers; `journal.sqlite` in the store when not given.
        ceiling: what the dataset may cost, all runs together.
        limit: rows of each source at most, for a try-out; 0 for what the recipe says.
        wait: whether to wait for another process that uses the journal.
        batch: whether requests go through the Batch API: half the price, answers within a day.
        seen: told how far it is.
        say: told what a user should know.
    """

    journal: Path | None = None
    ceiling: Ceiling = NO_CEILING
    limit: int = 0
    wait: bool = True
    batch: bool = False
    seen: Callable[[Progress], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Estimate:
    """What a source may come to.

    Attributes:
        source: its name.
        requests: expected.
        input_tokens, output_tokens: expected; the first counted on prompts of this recipe.
        usd: expected; None where no price is known.
        usd_most: if every answer were as long as it may be.
    """

    source: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    usd_most: float | None


@dataclass(frozen=True)
class _Plan:
    """A source as it is to be generated: options, what the procedure starts from, and its files."""

    recipe: Recipe
    source: BoundSource
    options: Generator
    start: tuple[Seed, ...] | Given
    read: dict[str, object]
    readers: object

    @classmethod
    def of(cls, recipe: Recipe, source: BoundSource, store: Store, limit: int) -> "_Plan":
        options = source.procedure
        if options is None:
            raise ValueError(f"{source.name} is not generated")
        used = options.limited(limit) if limit else options
        if isinstance(options, TAKES_ROWS):
            rows = given_rows(source, store)
            given = Given(rows.records, source.settings.bad_records == "drop")
            version = {"version": rows.version} if rows.version else {}
            return cls(
                recipe, source, used, given, {"files": rows.listed(), **version}, rows.readers()
            )
        seeds = [[source.path.name, checksum(source.path)]]
        return cls(recipe, source, used, read_seeds(source.path), {"files": seeds}, [])

    @property
    def teacher(self) -> Teacher:
        return cast("Teacher", self.source.settings.teacher)

    def machine(self) -> Procedure:
        options, start = self.options, self.start
        if isinstance(options, TAKES_ROWS):
            return options.start(self.teacher, cast("Given", start))
        seeds = cast("tuple[Seed, ...]", start)
        try:
            return options.start(self.teacher, f"{self.recipe.seed}/{self.source.name}", seeds)
        except ValueError as error:
            name = self.recipe.name
            raise RecipeError([f"source {self.source.name!r}: {error}"], name) from error

    def key(self) -> str:
        """Digest of all that the candidates follow from, but for the answers."""
        options, source = self.options, self.source
        settings = source.settings
        said = [
            options.REVISION,
            settings.generate,
            plain_options(options),
            self.readers,
            settings.bad_records,
        ]
        return digest([source.name, self.recipe.seed, said, self.teacher.told(), self.read])


def generate_source(
    recipe: Recipe, number: int, source: BoundSource, store: Store, orders: Orders
) -> tuple[Path, dict[str, Any]]:
    """Make a source's candidates.

    Args:
        recipe: to which the source belongs.
        number: of the source.
        source: with a procedure.
        store: in whose build folder the stage's folder goes.
        orders: what may be done.

    Returns:
        The file of candidates, and what generating them came to, as plain values.

    Raises:
        BudgetError: requests are needed that may cost money, without a ceiling.
        TeacherError: the teacher cannot be asked.
        StoreError: the journal cannot be used.
    """
    _refuse_a_mixture(store, recipe, orders)
    plan = _Plan.of(recipe, source, store, orders.limit)
    teacher = plan.teacher
    folder = store.build_folder(recipe.name) / f"generate-{number:02d}-{plan.key()[:16]}"
    facts = _made(folder, orders)
    if facts is not None and facts["complete"]:
        return folder / FILE, facts
    price = teacher.paid_at
    paid = not orders.ceiling and (price is None or not price.free)
    asks = facts is None or not paid  # else what a ceiling left, and what the journal got since
    machine = plan.machine()
    job = Job(
        source.name,
        recipe.name,
        teacher,
        orders.ceiling,
        orders.wait,
        orders.batch,
        orders.seen,
        orders.say,
    )
    path = orders.journal or store.journal()
    folder.mkdir(parents=True, exist_ok=True)
    from imitation_data.generate.run import Run  # noqa: PLC0415 - loads a teacher's client

    with Journal(path) as journal, whole_file(folder / FILE) as out:
        written = _Written(out, source.name)
        tally = _run(Run(job, machine, journal, written.add), asks=asks)
    if not asks and not tally.complete:
        orders.say(
            f"source {source.name!r} stopped at its ceiling with {tally.rows:,} rows; a higher one "
            "goes on from there"
        )
    made = {"wanted": machine.wanted, "limit": orders.limit, "read": plan.read}
    facts = facts_of(tally, teacher) | made | {"labels": written.labels}
    write_file(folder / FACTS, orjson.dumps(facts, option=orjson.OPT_SORT_KEYS))
    return folder / FILE, facts


def _refuse_a_mixture(store: Store, recipe: Recipe, orders: Orders) -> None:
    """A try-out is no version after one that was made in earnest.

    Raises:
        RecipeError: it would be.
    """
    versions = store.versions(recipe.name) if orders.limit else []
    before = versions[-1].manifest.get("generation") if versions else None
    if isinstance(before, dict) and any(one.get("limit", 0) == 0 for one in before.values()):
        words = f"--limit makes a try-out, and {versions[-1]} was made without it"
        raise RecipeError([f"{words}; name another store with --store"], recipe.name)


def _made(folder: Path, orders: Orders) -> dict[str, Any] | None:
    """The facts of candidates that are there, unless the journal named has not their answers."""
    if not (folder / FACTS).is_file() or not (folder / FILE).is_file():
        return None
    try:
        facts: dict[str, Any] = orjson.loads((folder / FACTS).read_bytes())
        keys = facts["keys"]
    except (ValueError, KeyError, TypeError):
        return None  # damaged: it follows from the journal
    if orders.journal is not None:
        with Journal(orders.journal) as journal:
            if any(journal.get(key) is None for key in keys if key):
                return None
    return facts


@dataclass
class _Written:
    """Candidates on their way to the file, and the labels on them, counted."""

    out: BinaryIO
    source: str
    labels: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, candidate: Candidate) -> None:
        self.out.write(line_of(candidate, self.source))
        for row in candidate.rows:
            labels = row.meta.get("labels")
            for name, told in labels.items() if isinstance(labels, dict) else ():
                counts = self.labels.setdefault(name, {})
                label = str(told.get("label") or "") if isinstance(told, dict) else ""
                counts[label] = counts.get(label, 0) + 1


def _run(run: "Run", *, asks: bool) -> Tally:
    if not run.replay() and asks:
        in_a_thread(run)
    run.close()
    run.progress.finished = True
    run.job.seen(run.progress)
    return run.tally


def in_a_thread(run: "Run") -> None:
    """Run the event loop beside this thread, so that an interrupt is heard and ends it cleanly."""
    failures: list[BaseException] = []
    finished = threading.Event()  # an interrupted `join` takes the thread for ended (Python 3.11)

    def work() -> None:
        try:
            asyncio.run(run.go_on())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            finished.set()

    threading.Thread(target=work, name="teacher", daemon=True).start()
    try:
        while not finished.wait(0.2):
            pass
    except BaseException:
        run.end()
        finished.wait(GRACE if run.sender is not None else 0)
        run.job.say(run.left())
        raise
    if failures:
        raise failures[0]


def facts_of(tally: Tally, teacher: Teacher) -> dict[str, Any]:
    """What generating came to, for manifest and card; it follows from answers that were taken."""
    return {
        "model": teacher.model,
        "endpoint": teacher.where,
        "complete": tally.complete,
        "keys": tally.keys,
        "requests": tally.requests,
        "outcomes": dict(sorted(tally.outcomes.items())),
        "models": dict(sorted(tally.models.items())),
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "batched": tally.batched,
        "uncounted": tally.uncounted,
        "usd": None if tally.cost is None else tally.cost / PICO,
        "rows": tally.rows,
        "rejected": dict(sorted(tally.drops.items())),
    }


def estimate(recipe: Recipe, store: Store, orders: Orders) -> list[Estimate]:
    """What each generated source may come to, without a request.

    Raises:
        SourceError: rows that are given cannot be read.
        StepError: the encoding for counting tokens cannot be loaded.
    """
    return [_estimate(recipe, one, store, orders) for one in recipe.sources if one.procedure]


def _estimate(recipe: Recipe, source: BoundSource, store: Store, orders: Orders) -> Estimate:
    plan = _Plan.of(recipe, source, store, orders.limit)
    machine, teacher = plan.machine(), plan.teacher
    try:
        counter = load_encoding(teacher.encoding)
    except StepError as error:
        raise StepError(
            f"source {source.name!r}: its prompts are counted under {teacher.encoding!r}, which "
            "cannot be loaded. Say `encoding: bytes` in the source's teacher (a token a byte, "
            f"some four times too many for English), or: {error}"
        ) from error
    asks = [ask for ask in (machine.pull() for _ in range(SAMPLE)) if ask is not None]
    bodies = [orjson.loads(ask.request.body)["messages"] for ask in asks]
    tokens = sum(counter(turn["content"]) + 4 for body in bodies for turn in body)
    prompt = tokens / max(len(bodies), 1)
    requests, given, made, most = 0.0, 0.0, 0.0, 0.0
    for count, own_prompt, answer, limit in machine.expected():
        requests += count
        given += count * (own_prompt or prompt)
        made += count * answer
        most += count * limit
    price = teacher.paid_at
    if price and orders.batch:
        price = price.in_batches()
    costs = (
        [price.cost(round(given), round(one)) / PICO for one in (made, most)]
        if price
        else [None, None]
    )
    return Estimate(source.name, round(requests), round(given), round(made), costs[0], costs[1])


def generate(recipe: Recipe, store: Store, orders: Orders) -> dict[str, dict[str, Any]]:
    """Make the candidates of all generated sources of a recipe; answers go to the journal.

    Returns:
        What each source came to, by name.

    Raises:
        RecipeError: no source is generated.
        BudgetError, TeacherError, StoreError: as `generate_source`.
    """
    sources = [(place, one) for place, one in enumerate(recipe.sources) if one.procedure]
    if not sources:
        raise RecipeError(["no source is generated; expected one with `generate`"], recipe.name)
    with store.locked(recipe.name):
        return {
            one.name: generate_source(recipe, place, one, store, orders)[1]
            for place, one in sources
        }
