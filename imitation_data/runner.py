"""The runner: recipe to version. The only place that knows the order of things.

    sources --read--> shards --row steps--> shards --dataset step--> selections --> ... --> version

Neighbouring row steps run as one stage, so that a row is unpacked once. A dataset step leaves the
shards where they are and writes which of their rows still count. Every stage lies in a folder
named by a digest of all that it was made from, so a killed build goes on where it was and a changed
recipe repeats only what follows the change.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import cast

import orjson

from imitation_data.dataset_step import DatasetStep, Table
from imitation_data.engines.local import Local, cores, give_back
from imitation_data.errors import BuildError, CheckError, StepError
from imitation_data.generation import Orders, generate_source
from imitation_data.leakage.step import CheckLeakage
from imitation_data.recipe import Recipe, load_recipe
from imitation_data.recipe_parts import BoundSource, StepUse
from imitation_data.removals import with_requests
from imitation_data.report.summary import CheckResult, SourceFact
from imitation_data.rows.tokens import load as load_encoding
from imitation_data.sources import Reading, prepare, with_repeats
from imitation_data.stages.books import Books
from imitation_data.stages.finish import (
    LedgerFile,
    MeasureTask,
    Total,
    judge,
    measure_shard,
    refusal,
)
from imitation_data.stages.narrow import NarrowTask, narrow
from imitation_data.stages.read import number_repeats, read_unit
from imitation_data.stages.rows import RowsTask, run_rows
from imitation_data.stages.select import ApplyTask, apply_decision, apply_tasks, tables
from imitation_data.stages.select import decide as decide_rows
from imitation_data.stages.shards import Shard
from imitation_data.stages.stage import digest, library_versions
from imitation_data.stages.version import Draft, warnings, write_version
from imitation_data.versions.coming import PLAIN, Release, coming_version
from imitation_data.versions.store import Store, StoredVersion, open_store

Progress = Callable[[str, int, int, int], None]
"""Called with a stage's name, its finished and all tasks, and the rows done so far."""

ONE_SPLIT = ("train",)


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Attributes:
        stored: the version, new or standing.
        new: whether this build wrote it; False when nothing changed.
        read: records read, good and bad.
        created: rows that steps and readers made beyond one a record.
        kept: rows in the version.
        dropped: rows dropped, by reason; read + created = kept + dropped.
        warnings: what a curator should look at, one sentence each.
        seconds: time of the whole build; and of each step over all workers, by name.
    """

    stored: StoredVersion
    new: bool
    read: int
    created: int
    kept: int
    dropped: dict[str, int]
    warnings: tuple[str, ...]
    seconds: float
    step_seconds: dict[str, float]


@dataclass
class _State:
    """What lies on disk between two stages."""

    keys: list[str] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    books: dict[int, Books] = field(default_factory=dict)
    ledgers: list[LedgerFile] = field(default_factory=list)
    sources: list[SourceFact] = field(default_factory=list)
    files: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    splits: tuple[str, ...] = ONE_SPLIT
    notes: dict[int, str] = field(default_factory=dict)
    tables: dict[int, tuple[Table, ...]] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    more: dict[str, bytes] = field(default_factory=dict)
    generation: dict[str, dict[str, object]] = field(default_factory=dict)


def build(
    recipe: Recipe | str | Path,
    *,
    store: str | Path | None = None,
    workers: int | Local | None = None,
    progress: Progress | None = None,
    orders: Orders | None = None,
    release: Release = PLAIN,
) -> Built:
    """Build a recipe into a version in the store.

    The same inputs give the same bytes, whatever the number of workers. A build that was killed
    resumes when it is run again.

    Args:
        recipe: a recipe, its file, or the folder with its `recipe.yaml`.
        store: folder of versions or `s3://` URL; `$IMITATION_STORE` or `./store` when not given.
        workers: worker processes, or what runs them; all cores when not given. With more than
            one, a script needs the usual `if __name__ == "__main__":`.
        progress: called as work is done.
        orders: what may be asked of teachers; without, only answers of the journal are used.
        release: whether it is a preview, and how large the bump is at least.

    Raises:
        RecipeError: the recipe is wrong.
        SourceError: a source cannot be read, or holds a bad record under `bad_records: stop`.
        StepError: a step cannot do its work.
        CheckError: a check refused the rows; no version is written.
        StoreError: the store cannot be written, or the dataset is being built already.
        BuildError: a worker died, or the disk is full.
        BudgetError: a generated source needs answers that may cost money.
        TeacherError: a teacher cannot be asked.
    """
    made = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    where = open_store(store)
    own = nullcontext(workers) if isinstance(workers, Local) else Local(workers or cores())
    with where.locked(made.name) as folder, own as engine:
        made = with_requests(made, where)
        run = _Run(
            made, where, folder, engine, progress or (lambda *_: None), orders or Orders(), release
        )
        return run.run()


def _groups(steps: Sequence[StepUse]) -> Iterator[tuple[StepUse, ...]]:
    """Neighbouring row steps together, each dataset step alone."""
    for whole, uses in groupby(steps, lambda use: isinstance(use.step, DatasetStep)):
        if whole:
            yield from ((use,) for use in uses)
        else:
            yield tuple(uses)


@dataclass
class _Run:
    """One build."""

    recipe: Recipe
    store: Store
    folder: Path
    engine: Local
    progress: Progress
    orders: Orders
    release: Release

    def run(self) -> Built:
        started = time.perf_counter()
        state = _State()
        if self.recipe.encoding:
            load_encoding(self.recipe.encoding)  # before hours of work, not after
        self._read(state)
        state.books[0].check("read")
        groups = list(_groups(self.recipe.steps))
        for place, uses in enumerate(groups):
            if isinstance(uses[0].step, DatasetStep):
                self._select(state, uses[0])
            else:
                self._rows(state, uses, groups[place + 1][0] if groups[place + 1 :] else None)
            for use in uses:
                books, before = state.books[use.number], state.books[use.number - 1]
                books.check(f"{use.number} {use.type}")
                if books.rows_in != before.rows_out:
                    raise BuildError(
                        f"step {use.number} {use.type}: got {books.rows_in:,} rows, and "
                        f"{before.rows_out:,} came out of the step before; please report this "
                        "fault of imitation-data"
                    )
        total, checks = self._measure(state)
        facts = total.facts
        stored, new = write_version(self._draft(state, total, checks))
        dropped = [books.drops for books in state.books.values()]
        return Built(
            stored,
            new,
            state.books[0].rows_in,
            sum(books.created for books in state.books.values()),
            facts.total.rows,
            dict(sum(dropped, Counter())),
            warnings(self.recipe, facts, state.splits, state.generation),
            time.perf_counter() - started,
            {self._label(number): books.seconds for number, books in state.books.items()},
        )

    def _label(self, number: int) -> str:
        return f"{number} {self.recipe.steps[number - 1].type}" if number else "0 read"

    def _read(self, state: _State) -> None:
        """Read all sources; their files are one queue, so that workers stay busy."""
        readings = [
            prepare(number, self._made(state, number, source), self.folder)
            for number, source in enumerate(self.recipe.sources)
        ]
        units = [unit for reading in readings for unit in reading.units]
        results: list[dict[str, object]] = []
        rows = 0
        for result in self.engine.map(read_unit, units):
            results.append(result)
            rows += Books.from_json(result["books"]).rows_out
            self.progress("read", len(results), len(units), rows)
        left = iter(results)
        for reading in readings:
            self._take(state, reading, list(islice(left, len(reading.units))))

    def _made(self, state: _State, number: int, source: BoundSource) -> BoundSource:
        """A source that can be read: candidates of one that a teacher makes."""
        if source.procedure is None:
            return source
        path, facts = generate_source(self.recipe, number, source, self.store, self.orders)
        state.generation[source.name] = facts
        return replace(source, path=path)

    def _take(self, state: _State, reading: Reading, results: Sequence[dict[str, object]]) -> None:
        """Add what one source's units came to."""
        repeats = number_repeats(reading.folder, [unit.name for unit in reading.units])
        for unit, result in zip(reading.units, results, strict=True):
            state.books.setdefault(0, Books()).add(Books.from_json(result["books"]))
            mine = repeats.get(unit.name, {})
            ordered = sorted(mine.items())
            for plain in cast("list[object]", result["shards"]):
                shard = with_repeats(Shard.from_json(plain, self.folder), ordered)
                state.ledgers.append(LedgerFile(reading.folder / f"{shard.name}.ledger", mine))
                if shard.rows:
                    state.shards.append(shard)
        state.keys.append(reading.key)
        state.stages.append(reading.folder.name)
        state.files[reading.source.name] = reading.listed
        state.sources.append(reading.fact(results))

    def _rows(self, state: _State, uses: tuple[StepUse, ...], following: StepUse | None) -> None:
        folder = self._stage(state, "rows", uses)
        after = (
            (following, self._folder(state, following.type, (following,))) if following else None
        )
        tasks = [RowsTask(shard, uses, folder, after) for shard in state.shards]
        label = ", ".join(use.type for use in uses)
        shards: list[Shard] = []
        rows = 0
        for task, result in zip(tasks, self.engine.map(run_rows, tasks), strict=True):
            shard = Shard.from_json(result["shard"], self.folder)
            for number, books in cast("dict[str, object]", result["books"]).items():
                state.books.setdefault(int(number), Books()).add(Books.from_json(books))
            state.ledgers.append(LedgerFile(folder / f"{shard.name}.ledger", {}))
            shards.append(shard)
            rows += task.shard.rows
            self.progress(label, len(shards), len(tasks), rows)
        for use in uses:
            state.books.setdefault(use.number, Books())
        state.shards = [shard for shard in shards if shard.rows]

    def _select(self, state: _State, use: StepUse) -> None:
        folder = self._stage(state, use.type, (use,))
        started = time.perf_counter()
        tasks = [NarrowTask(shard, use, folder) for shard in state.shards]
        narrowed = []
        for path in self.engine.map(narrow, tasks):
            narrowed.append(path)
            self.progress(f"{use.type}: comparing", len(narrowed), len(tasks), 0)
        names = [source.name for source in self.recipe.sources]
        books = state.books.setdefault(use.number, Books())
        if not narrowed:
            return
        seed = f"{self.recipe.seed}/{use.type}"
        threads = self.engine.workers
        decision = decide_rows(use, narrowed, state.shards, names, seed, threads)
        books.seconds = time.perf_counter() - started
        state.splits = decision.splits or state.splits
        state.notes[use.number] = decision.note
        state.tables[use.number] = tables(decision, state.shards)
        for name, value in decision.files.items():
            only = {"sources": list(use.sources)} if use.sources else {}
            content = orjson.dumps({**only, **value}, option=orjson.OPT_INDENT_2)
            state.more[name if name not in state.more else f"{use.number:02d}-{name}"] = content
        apply = apply_tasks(use, state.shards, decision, folder, self.recipe.encoding)
        self._apply(state, apply, books, folder, use.type)
        del decision, apply
        give_back()

    def _apply(
        self, state: _State, tasks: Iterator[ApplyTask], books: Books, folder: Path, label: str
    ) -> None:
        shards: list[Shard] = []
        for result in self.engine.map(apply_decision, tasks):
            shard = Shard.from_json(result["shard"], self.folder)
            books.add(Books.from_json(result["books"]))
            state.ledgers.append(LedgerFile(folder / f"{shard.name}.ledger", {}))
            shards.append(shard)
            self.progress(label, len(shards), len(state.shards), books.rows_in)
        state.shards = [shard for shard in shards if shard.rows]

    def _folder(self, state: _State, label: str, uses: Sequence[StepUse]) -> Path:
        """The folder of the stage that comes next, named by all that its output follows from."""
        steps = [
            [
                use.type,
                use.options,
                use.sources,
                use.step.REVISION,
                library_versions(use.step.LIBRARIES),
                *([use.step.depends()] if isinstance(use.step, CheckLeakage) else []),
            ]
            for use in uses
        ]
        numbers = [use.number for use in uses]
        key = digest([state.keys, self.recipe.seed, label, numbers, steps])
        return self.folder / f"{numbers[0]:02d}-{label}-{key[:16]}"

    def _stage(self, state: _State, label: str, uses: Sequence[StepUse]) -> Path:
        """Enter the next stage; return its folder."""
        folder = self._folder(state, label, uses)
        state.keys = [folder.name]
        state.stages.append(folder.name)
        return folder

    def _measure(self, state: _State) -> tuple[Total, tuple[CheckResult, ...]]:
        if not state.shards:
            raise StepError(_nothing_left(state.books, self._label))
        counted = self.recipe.encoding is not None
        tasks = [
            MeasureTask(shard, state.splits, self.recipe.checks, counted) for shard in state.shards
        ]
        total = Total()
        for finished, one in enumerate(self.engine.map(measure_shard, tasks), start=1):
            total.add(one)
            self.progress("check", finished, len(tasks), total.facts.total.rows)
        if not total.distinct():
            raise BuildError(
                "two rows have the same source, origin and part; no version is written. "
                "This is a fault of imitation-data, please report it"
            )
        results = judge(total, self.recipe.checks)
        failed = [result for result in results if not result.passed]
        if failed:
            raise CheckError(refusal(failed))
        last = max(state.books)
        rows = total.facts.total.rows
        if rows != state.books[last].rows_out:
            raise BuildError(
                f"{rows:,} rows would be written, {state.books[last].rows_out:,} came "
                "out of the last step; this is a fault of imitation-data, please report it"
            )
        return total, results

    def _draft(self, state: _State, total: Total, checks: tuple[CheckResult, ...]) -> Draft:
        pairs = total.pairs(state.splits)
        coming = coming_version(self.store, self.recipe.name, pairs, self.release)
        del pairs
        give_back()
        return Draft(
            recipe=self.recipe,
            store=self.store,
            engine=self.engine,
            shards=tuple(state.shards),
            tallies=total.tallies,
            coming=coming,
            splits=state.splits,
            facts=total.facts,
            checks=checks,
            books=state.books,
            notes=state.notes,
            tables=state.tables,
            sources=tuple(state.sources),
            files=state.files,
            ledgers=tuple(state.ledgers),
            stages=tuple(state.stages),
            more=state.more,
            generation=state.generation,
        )


def _nothing_left(books: dict[int, Books], label: Callable[[int], str]) -> str:
    lines = ["no row is left; no version is written"]
    for number, step in sorted(books.items()):
        lines += [
            f"  - step {label(number)} dropped {count:,} of {step.rows_in:,}: {reason}"
            for reason, count in sorted(step.drops.items())
        ]
    return "\n".join(lines)
