"""Removal requests: a list of ids and origins that binds every later build of a dataset.

store/NAME/removals.txt and removals.txt beside the recipe: one request a line, `# ` begins a
comment. Both lists are bound, and so are the requests that the version before was built with: a
list that gets lost is not forgotten. Comments stay where they are; requests stand in the version's
recipe.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from imitation_data.atomic import write_whole
from imitation_data.errors import SourceError, StoreError
from imitation_data.recipe import Recipe
from imitation_data.recipe_parts import StepUse
from imitation_data.rows.removal_requests import RemovalRequests
from imitation_data.splits import Split
from imitation_data.versions.store import Store, StoredVersion
from imitation_data.yaml_file import load_yaml

FILE = "removals.txt"
STEP = "removal_requests"


def read_requests(path: Path) -> tuple[str, ...]:
    """Read a list of requests; empty when there is no such file.

    Raises:
        SourceError: it cannot be read as UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: cannot be read as UTF-8 text ({error}); expected an id or origin a line"
        ) from error
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and line != "#" and not line.startswith("# "))


def requests_of(stored: StoredVersion) -> tuple[str, ...]:
    """Return the requests that a version was built with."""
    value = load_yaml(stored.path / "recipe.yaml")
    steps = value.get("steps") if isinstance(value, dict) else None
    found: list[str] = []
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and step.get("type") == STEP:
            found += map(str, step.get("requests") or ())
    return tuple(found)


def with_requests(recipe: Recipe, store: Store) -> Recipe:
    """Bind a recipe to all requests there are: its own list, the store's, the last version's."""
    found = {*read_requests(recipe.folder / FILE), *read_requests(_list_of(store, recipe.name))}
    versions = store.versions(recipe.name)
    released = [stored for stored in versions if not stored.version.channel]
    for stored in {*versions[-1:], *released[-1:]}:
        found.update(requests_of(stored))
    uses = [use for use in recipe.steps if not isinstance(use.step, RemovalRequests)]
    for use in recipe.steps:
        if isinstance(use.step, RemovalRequests):
            found.update(use.step.requests)
    if not found:
        return recipe
    step = StepUse(0, STEP, RemovalRequests(tuple(sorted(found))))
    last = len(uses) - bool(uses and isinstance(uses[-1].step, Split))
    bound = (step, *uses[:last], step, *uses[last:])
    steps = tuple(replace(use, number=number) for number, use in enumerate(bound, start=1))
    return replace(recipe, steps=steps)


@dataclass(frozen=True, slots=True)
class Removal:
    """What a request comes to in the versions there are.

    Attributes:
        requests: what was added to the list.
        rows: keys of rows of the version that go.
        lost: keys of rows that had lost to one of them (duplicates, so the same text or nearly);
            their records are requested, too, or they would take its place.
        versions: versions that hold one of the rows and stay as they are.
    """

    requests: tuple[str, ...]
    rows: tuple[str, ...]
    lost: tuple[str, ...]
    versions: tuple[str, ...]


def request(
    store: Store, reference: str, what: Iterable[str], note: str = "", file: Path | None = None
) -> Removal:
    """Ask for rows to be left out of every later build of a dataset.

    Args:
        store: which.
        reference: `NAME` or `NAME@VERSION`, in which they are looked for.
        what: an id, an origin, `source/origin` or a key `source/origin:part` each.
        note: a comment for the list, which is not published.
        file: the list, as `removals.txt` beside the recipe; the store's own when not given.

    Raises:
        StoreError: there is no such version, one of them is not in it, or the store is remote and
            no list is named.
    """
    stored = store.find(reference)
    if store.remote is not None and file is None:
        raise StoreError(
            f"{store}: keeps no list of requests; name the one beside the recipe with --list"
        )
    rows, lost = list[dict[str, Any]](), list[dict[str, Any]]()
    for one in what:
        mine = _rows_named(_rows(stored), one) or _rows_named(_rows_left_out(stored), one)
        if not mine:
            raise StoreError(
                f"{stored} has no row or record {one!r}; expected an id, an origin or a key "
                f"source/origin:part (`imitation-data explain {one}` looks into every dataset)"
            )
        rows += mine
    losers = _lost_to(stored, {_key(row) for row in rows})
    lost += [row for row in losers if _key(row) not in {_key(mine) for mine in rows}]
    records = (f"{row['source']}/{row['origin']}" for row in (*rows, *lost))
    requests = dict.fromkeys(record for record in records if len(record.splitlines()) == 1)
    requests |= dict.fromkeys(row["id"] for row in rows if row.get("id"))
    path = file or _list_of(store, stored.name)
    known = read_requests(path)
    new = [one for one in requests if one not in known]
    _append(path, new, note)
    holding = [
        str(version)
        for version in store.versions(stored.name)
        if any(_rows_named(_rows(version), one) for one in requests)
    ]
    return Removal(
        tuple(new), tuple(map(_key, rows)), tuple(dict.fromkeys(map(_key, lost))), tuple(holding)
    )


def _list_of(store: Store, name: str) -> Path:
    return store.root / name / FILE


def _append(path: Path, requests: list[str], note: str) -> None:
    if not requests:
        return
    comment = [f"# {line}" for line in note.splitlines() if line.strip()]
    try:
        before = path.read_bytes() if path.exists() else b""
        before += b"" if before.endswith(b"\n") or not before else b"\n"
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    lines = "".join(f"{line}\n" for line in (*comment, *requests))
    write_whole(path, before + lines.encode(), StoreError)


def _key(row: dict[str, Any]) -> str:
    return f"{row['source']}/{row['origin']}:{row['part']}"


def _rows(stored: StoredVersion) -> pl.LazyFrame:
    data = [path for paths in stored.data_files().values() for path in paths]
    return pl.scan_parquet(data, glob=False).select("id", "source", "origin", "part")


def _rows_left_out(stored: StoredVersion) -> pl.LazyFrame:
    gone = pl.scan_parquet(stored.ledger_files(), glob=False)
    gone = gone.filter(pl.col("action").is_in(["drop", "bad_record"]))
    return gone.select(pl.lit("").alias("id"), "source", "origin", "part")


def _rows_named(rows: pl.LazyFrame, what: str) -> list[dict[str, Any]]:
    record = pl.concat_str("source", pl.lit("/"), "origin")
    key = pl.concat_str(record, pl.lit(":"), pl.col("part").cast(pl.String))
    named = (pl.col("id") == what) | (pl.col("origin") == what) | (record == what) | (key == what)
    return rows.filter(named).collect().to_dicts()


def _lost_to(stored: StoredVersion, keys: set[str]) -> list[dict[str, Any]]:
    """Rows that had lost to these, or to one that had."""
    gone = pl.scan_parquet(stored.ledger_files(), glob=False)
    gone = gone.filter((pl.col("action") == "drop") & (pl.col("other") != ""))
    pairs = gone.select("source", "origin", "part", "other").collect()
    found: dict[str, dict[str, Any]] = {}
    waiting = keys
    while waiting:
        more = pairs.filter(pl.col("other").is_in(sorted(waiting))).to_dicts()
        fresh = {_key(row): row for row in more if _key(row) not in found}
        found |= fresh
        waiting = set(fresh)
    return list(found.values())
