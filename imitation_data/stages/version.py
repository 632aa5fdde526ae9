"""From measured and checked rows to a version in the store: data, ledger, recipe, card, report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import cast

import pyarrow as pa

from imitation_data.checksum import checksum
from imitation_data.dataset_step import Table
from imitation_data.engines.local import Local
from imitation_data.errors import BuildError
from imitation_data.ledger import Entry
from imitation_data.options import brief_options
from imitation_data.recipe import Recipe
from imitation_data.report.card import TEMPLATE, card_md
from imitation_data.report.facts import Facts, Tally
from imitation_data.report.generation import (
    generation_limits,
    generation_tables,
    generation_warnings,
    with_kept,
)
from imitation_data.report.html import report_html
from imitation_data.report.summary import BuildSummary, CheckResult, SourceFact, StepCount
from imitation_data.report.terms import terms_notes
from imitation_data.stages.books import Books
from imitation_data.stages.finish import (
    LedgerFile,
    write_data,
    write_ledger_files,
    write_tasks,
)
from imitation_data.stages.shards import Shard
from imitation_data.stages.stage import digest, library_versions
from imitation_data.versions.coming import Coming, columns
from imitation_data.versions.manifest import FORMAT
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store, StoredVersion

Examples = dict[int, tuple[Entry, ...]]
"""By step, a few of its drops."""

LIBRARIES = ("datasets", "orjson", "polars", "pyarrow", "xxhash")


@dataclass(frozen=True)
class Draft:
    """Everything a version is written from."""

    recipe: Recipe
    store: Store
    engine: Local
    shards: tuple[Shard, ...]
    tallies: Sequence[Mapping[str, Tally]]
    coming: Coming
    splits: tuple[str, ...]
    facts: Facts
    checks: tuple[CheckResult, ...]
    books: Mapping[int, Books]
    notes: Mapping[int, str]
    tables: Mapping[int, tuple[Table, ...]]
    sources: tuple[SourceFact, ...]
    files: Mapping[str, list[dict[str, object]]]
    ledgers: tuple[LedgerFile, ...]
    stages: tuple[str, ...]
    more: Mapping[str, bytes]
    generation: Mapping[str, Mapping[str, object]]


def write_version(draft: Draft) -> tuple[StoredVersion, bool]:
    """Write the draft as the next version, unless nothing changed.

    Returns:
        The version, and whether it is new.
    """
    coming, number = draft.coming, draft.coming.number
    try:
        folder = draft.store.start(draft.recipe.name, number)
        examples = _write_rows(draft, folder)
        for name, content in draft.more.items():
            (folder / name).write_bytes(content)
        files = _checksums(folder)
        inputs = _inputs(draft, files)
        if standing := coming.standing(inputs):
            rmtree(folder)
            return standing, False
        summary = _summary(draft, number, coming.fingerprint, examples)
        _render(summary, folder)
        manifest = _manifest(draft, summary, files)
        manifest |= {**coming.told(), "inputs": inputs}
        return draft.store.finish(folder, draft.recipe.name, number, manifest), True
    except (OSError, pa.ArrowException) as error:
        raise BuildError(
            f"{draft.store}: the version cannot be written ({error}); make room or mend the "
            "store, then run again to resume"
        ) from error


def _inputs(draft: Draft, files: Mapping[str, object]) -> str:
    """Digest of all that would make another version of the same rows: data, ledger, recipe, card.

    Where a source lies does not count, what it holds does.
    """
    recipe = draft.recipe.resolved()
    sources = [
        {key: value for key, value in source.items() if key != "path"}
        for source in cast("list[dict[str, object]]", recipe["sources"])
    ]
    written = {name: entry for name, entry in files.items() if name != "recipe.yaml"}
    return digest([recipe | {"sources": sources}, written, draft.files])


def _write_rows(draft: Draft, folder: Path) -> Examples:
    """Write data, ledger, recipe and its own card template; return a few drops of each step."""
    (folder / "data").mkdir()
    (folder / "ledger").mkdir()
    tasks = write_tasks(folder / "data", draft.shards, draft.tallies, draft.splits)
    ledger = partial(write_ledger_files, folder / "ledger", draft.ledgers)
    files: list[Callable[[], Examples | None]] = [ledger]
    files += [partial(write_data, task) for task in tasks]
    written = list(draft.engine.map(_call, files))
    (folder / "recipe.yaml").write_text(draft.recipe.yaml(), encoding="utf-8")
    template = draft.recipe.folder / TEMPLATE
    if template.is_file():
        (folder / TEMPLATE).write_bytes(template.read_bytes())
    return written[0]


def _call(work: Callable[[], Examples | None]) -> Examples:
    return work() or {}


def _checksums(folder: Path) -> dict[str, object]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": checksum(path),
        }
        for path in paths
    }


def _summary(
    draft: Draft,
    number: Version,
    print_of_rows: str,
    examples: Mapping[int, tuple[Entry, ...]],
) -> BuildSummary:
    recipe = draft.recipe
    first = _step_count(0, "read", "", draft.books[0], examples)
    steps = [replace(first, tables=generation_tables(draft.generation, draft.facts))]
    for use in recipe.steps:
        options = brief_options(use.step)
        note = draft.notes.get(use.number)
        words = "; ".join(filter(None, (options, note)))
        step = _step_count(use.number, use.type, words, draft.books[use.number], examples)
        steps.append(replace(step, tables=draft.tables.get(use.number, ())))
    return BuildSummary(
        name=recipe.name,
        version=str(number),
        fingerprint=print_of_rows,
        description=recipe.description,
        license=recipe.license,
        encoding=recipe.encoding,
        facts=draft.facts,
        steps=tuple(steps),
        sources=draft.sources,
        checks=draft.checks,
        limits=(
            *known_limits(recipe),
            *generation_limits(draft.generation),
            *_warned(draft),
        ),
        recipe_yaml=recipe.yaml(),
        tool_versions=_tool_versions(recipe),
        terms=(
            *terms_notes(draft.facts.teachers, recipe.accepts.terms),
            *(
                f"Rows of source {name!r} name no licence; the recipe accepts that."
                for name in recipe.accepts.unlicensed
            ),
        ),
    )


def _warned(draft: Draft) -> list[str]:
    found = warnings(draft.recipe, draft.facts, draft.splits, draft.generation)
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in found]


def _step_count(
    number: int, name: str, options: str, books: Books, examples: Mapping[int, tuple[Entry, ...]]
) -> StepCount:
    return StepCount(
        number,
        name,
        options,
        books.rows_in,
        books.created,
        books.rows_out,
        books.dropped,
        dict(sorted(books.drops.items())),
        dict(sorted(books.edits.items())),
        examples.get(number, ()),
    )


def warnings(
    recipe: Recipe,
    facts: Facts,
    splits: Sequence[str],
    generation: Mapping[str, Mapping[str, object]],
) -> tuple[str, ...]:
    """What a curator should look at: sources or splits without rows, rows without a licence."""
    names = [source.name for source in recipe.sources]
    return (
        *generation_warnings(generation),
        *(f"no row of source {name!r} is left" for name in names if name not in facts.sources),
        *(f"split {name!r} has no rows" for name in splits if name not in facts.splits),
        *(
            f"rows of source {source.name!r} name no licence; set its `license`"
            for source in recipe.sources
            if not source.settings.license and "" in facts.licenses
        ),
    )


def known_limits(recipe: Recipe) -> tuple[str, ...]:
    """What this build did not do, in sentences that follow from the recipe."""
    types = {use.type for use in recipe.steps}
    limits = [
        (recipe.encoding is None, "Tokens were not counted: the recipe says tokens: none."),
        ("language" not in types, "Languages were not detected."),
        ("pii" not in types, "Personal data was not masked."),
        ("exact_dedup" not in types, "Exact duplicates were not removed."),
        ("near_dedup" not in types, "Near-duplicates were not looked for."),
        ("leakage" not in types, "Overlap with benchmarks was not looked for."),
        ("split" not in types, "All rows are in one split."),
    ]
    return tuple(sentence for applies, sentence in limits if applies)


def _tool_versions(recipe: Recipe) -> dict[str, str]:
    names = {"imitation-data", *LIBRARIES}
    for use in recipe.steps:
        names.update(use.step.LIBRARIES)
    for source in recipe.sources:
        names.update(source.reader.LIBRARIES)
    return {name: number for name, number in library_versions(tuple(names)).items() if number}


def _render(summary: BuildSummary, folder: Path) -> None:
    template = folder / TEMPLATE
    own = template.read_text(encoding="utf-8") if template.is_file() else None
    (folder / "README.md").write_text(card_md(own, summary), encoding="utf-8")
    (folder / "report.html").write_text(report_html(summary), encoding="utf-8")


def _plain_step(step: StepCount) -> dict[str, object]:
    """A step without what quotes rows, examples and last columns: the manifest is published."""
    told = tuple(
        replace(
            table,
            header=table.header[:-1],
            rows=[row[:-1] for row in table.rows],
        )
        if table.quotes
        else table
        for table in step.tables
    )
    plain = asdict(replace(step, tables=told))
    return {key: value for key, value in plain.items() if key != "examples"}


def _manifest(
    draft: Draft, summary: BuildSummary, files: Mapping[str, object]
) -> dict[str, object]:
    facts = draft.facts
    return {
        "format": FORMAT,
        "name": summary.name,
        "version": summary.version,
        "fingerprint": summary.fingerprint,
        "description": summary.description,
        "license": summary.license,
        "encoding": summary.encoding,
        "rows": facts.total.rows,
        "tokens": facts.total.tokens if summary.encoding else None,
        "splits": {name: tally.rows for name, tally in sorted(facts.splits.items())},
        "columns": columns(),
        "sources": [
            asdict(source) | {"list": draft.files[source.name]} for source in draft.sources
        ],
        "steps": [_plain_step(step) for step in summary.steps],
        "limits": list(summary.limits),
        "terms": list(summary.terms),
        "checks": [asdict(check) for check in draft.checks],
        **({"generation": with_kept(draft.generation, facts)} if draft.generation else {}),
        "facts": facts.to_json(),
        "stages": list(draft.stages),
        "libraries": dict(summary.tool_versions),
        "files": dict(files),
    }
