"""What a version tells about how it was made: its recipe, sources, tools and ledger.

A version may come from anywhere, so nothing here is taken for granted: what is missing, or has
another form than ours, counts as not told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from imitation_data.errors import RecipeError
from imitation_data.versions.store import StoredVersion
from imitation_data.yaml_file import load_yaml

HEAD = ("description", "license", "seed", "tokens")
_APART = ("name", "path")  # of a source: its name is its key, and where it lies does not count


@dataclass(frozen=True)
class StepTold:
    """A step (or check) of a resolved recipe.

    Attributes:
        number: from 1, as ledgers have it.
        type: its name in the recipe.
        options: all of them, with `sources` where it is limited to some.
    """

    number: int
    type: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class SourceTold:
    """A source.

    Attributes:
        settings: the recipe's, reader and options included; not where it lies.
        files: SHA-256 by file name.
        checksum: over all files, or the commit of a Hub dataset.
        records: raw records read.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, object] = field(default_factory=dict)
    checksum: object = None
    records: int = 0


@dataclass(frozen=True)
class History:
    """How a version was made, as far as it tells.

    Attributes:
        head: the recipe's keys beside its lists.
        steps, checks: in the recipe's order.
        sources: by name.
        tools: versions of distributions.
        benchmarks: checksums of those that rows were held against.
        ledger: its files.
    """

    head: Mapping[str, object]
    steps: tuple[StepTold, ...]
    checks: tuple[StepTold, ...]
    sources: Mapping[str, SourceTold]
    tools: Mapping[str, object]
    benchmarks: Mapping[str, object]
    ledger: tuple[Path, ...]


def history_of(stored: StoredVersion) -> History:
    """Read what a version tells.

    Raises:
        StoreError: its manifest cannot be read.
    """
    manifest = stored.manifest
    recipe = _recipe(stored.path / "recipe.yaml")
    return History(
        {name: recipe[name] for name in HEAD if name in recipe},
        _steps(recipe.get("steps")),
        _steps(recipe.get("checks")),
        _sources(recipe.get("sources"), manifest.get("sources")),
        _table(manifest.get("libraries")),
        _benchmarks(stored.path),
        tuple(stored.ledger_files()),
    )


def _recipe(path: Path) -> dict[str, object]:
    try:
        return _table(load_yaml(path))
    except RecipeError:
        return {}


def _table(value: object) -> dict[str, object]:
    return {str(key): one for key, one in value.items()} if isinstance(value, dict) else {}


def _tables(value: object) -> list[dict[str, object]]:
    return [_table(one) for one in value] if isinstance(value, list) else []


def _steps(value: object) -> tuple[StepTold, ...]:
    tables = enumerate(_tables(value), start=1)
    return tuple(StepTold(number, str(table.pop("type", "")), table) for number, table in tables)


def _sources(told: object, found: object) -> dict[str, SourceTold]:
    """What the recipe says of each source, with what the manifest says was read."""
    settings = {str(table.get("name")): table for table in _tables(told)}
    facts = {str(table.get("name")): table for table in _tables(found)}
    sources = {}
    for name in dict.fromkeys([*settings, *facts]):
        mine = {k: v for k, v in settings.get(name, {}).items() if k not in _APART}
        fact = facts.get(name, {})
        files = {str(one.get("name")): one.get("sha256") for one in _tables(fact.get("list"))}
        records = fact.get("records")
        count = records if isinstance(records, int) else 0
        sources[name] = SourceTold(mine, files, fact.get("checksum"), count)
    return sources


def _benchmarks(folder: Path) -> dict[str, object]:
    found = {}
    for path in sorted(folder.glob("*leakage.json")):
        try:
            told = _table(orjson.loads(path.read_bytes()))
        except (OSError, orjson.JSONDecodeError):
            continue
        for name, one in _table(told.get("benchmarks")).items():
            found[name] = _table(one).get("checksum")
    return found
