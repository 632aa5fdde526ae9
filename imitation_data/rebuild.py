"""Build a version again from its own recipe, and say whether the same rows come out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from imitation_data.engines.local import Local
from imitation_data.errors import RecipeError
from imitation_data.generation import Orders
from imitation_data.options import nearest
from imitation_data.recipe import Recipe, parse_recipe
from imitation_data.runner import Built, Progress, build
from imitation_data.versions.store import Store, StoredVersion
from imitation_data.yaml_file import load_yaml

FOLDER = ".rebuild"
"""Where rebuilt versions lie in the store: each in a store of its own, with nothing before it."""


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild came to.

    Attributes:
        built: the version made now, in a store of its own.
        rows: whether it has the same fingerprint: the same rows in the same splits.
        files: whether data and ledger are the same bytes, too.
        differences: sources, libraries and recipe parts that are not as they were, one sentence
            each.
    """

    built: Built
    rows: bool
    files: bool
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Sources:
    """Where the sources of a recipe lie now.

    Attributes:
        folder: where relative paths of the recipe start; None for where the recipe lies.
        paths: other paths for some sources, by source name.
    """

    folder: Path | None = None
    paths: Mapping[str, str] | None = None


def rebuild(
    stored: StoredVersion,
    store: Store,
    sources: Sources,
    *,
    workers: int | Local | None = None,
    orders: Orders | None = None,
    progress: Progress | None = None,
) -> Rebuilt:
    """Build a version again and compare.

    Removal requests that came later do not bind it: it is to be the version that was.

    Args:
        stored: the version.
        store: where it lies; answers of teachers come from its journal.
        sources: where its sources lie.
        workers: worker processes, or an engine that runs the tasks; all cores when not given.
        orders: what may be asked of teachers; without, only answers of the journal are used.
        progress: called as work is done.

    Raises:
        RecipeError: a source is not where the recipe says; the message says how to name it.
        ImitationDataError: whatever a build may raise.
    """
    recipe = _recipe(stored, sources)
    own = orders or Orders()
    if own.journal is None and store.remote is None:
        own = replace(own, journal=store.journal())
    # Under one roof the requests that a newer version was built with would bind an older one.
    where = store.root / FOLDER / f"v{stored.version}"
    built = build(recipe, store=where, workers=workers, orders=own, progress=progress)
    then, now = stored.manifest, built.stored.manifest
    rows = then["fingerprint"] == now["fingerprint"]
    ours = ("data/", "ledger/")
    files = [_files(manifest, ours) for manifest in (then, now)]
    if (stored.path / "publish.json").is_file():  # pulled: its ledger may be without evidence
        files = [_files(manifest, ("data/",)) for manifest in (then, now)]
    return Rebuilt(built, rows, files[0] == files[1], tuple(_differences(then, now)))


def _recipe(stored: StoredVersion, sources: Sources) -> Recipe:
    path = stored.path / "recipe.yaml"
    value = load_yaml(path)
    folder = sources.folder or stored.path
    named = {str(one["name"]) for one in cast("list[Any]", stored.manifest["sources"])}
    for unknown in sorted((sources.paths or {}).keys() - named):
        raise RecipeError(
            [f"no source is called {unknown!r}{nearest(unknown, sorted(named))}"], str(path)
        )
    tables = value.get("sources") if isinstance(value, dict) else None
    for table in tables if isinstance(tables, list) else ():
        if isinstance(table, dict) and table.get("path"):
            other = (sources.paths or {}).get(str(table.get("name")))
            where = Path(other) if other else folder / str(table["path"])
            table["path"] = str(where.absolute())
    try:
        recipe = parse_recipe(value, folder, str(path))
    except RecipeError as error:
        hint = "name where the sources lie: --source NAME=PATH for each, or --from DIR for all"
        raise RecipeError([*error.problems, hint], error.where) from error
    return replace(recipe, folder=stored.path)


def _files(manifest: Mapping[str, object], folders: tuple[str, ...]) -> dict[str, object]:
    files = cast("dict[str, object]", manifest["files"])
    return {name: told for name, told in files.items() if name.startswith(folders)}


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What was not the same going in."""
    sources = {one["name"]: one for one in now["sources"]}
    for old in then["sources"]:
        yield from _source_differences(old, sources[old["name"]])
    for name in sorted({*then["libraries"], *now["libraries"]}):
        before, after = then["libraries"].get(name), now["libraries"].get(name)
        if before != after:
            yield f"{name} {after or 'none'} instead of {before or 'none'}"
    benchmarks = [_benchmarks(manifest) for manifest in (then, now)]
    if benchmarks[0] != benchmarks[1]:
        yield "benchmarks of the leakage step hold other items"


def _source_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["checksum"] == new["checksum"]:
        return
    name = old["name"]
    before = {one["name"]: one["sha256"] for one in old["list"]}
    after = {one["name"]: one["sha256"] for one in new["list"]}
    if set(before.values()) == set(after.values()):
        return  # other names, the same files
    for file in sorted({*before, *after}):
        if before.get(file) != after.get(file):
            state = "is new" if file not in before else "is missing" if file not in after else ""
            words = state or f"has SHA-256 {after[file][:16]}… instead of {before[file][:16]}…"
            yield f"source {name!r}: {file} {words}"


def _benchmarks(manifest: Mapping[str, Any]) -> list[object]:
    tables = (table for step in manifest["steps"] for table in step["tables"])
    return [table["rows"] for table in tables if table["title"] == "Benchmarks looked for"]
