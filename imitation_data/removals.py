"""Removal requests: a list of ids and origins that binds every later build of a dataset.

store/NAME/removals.txt and removals.txt beside the recipe: one request a line, `# ` begins a
comment, and what a line cannot hold as it is (line breaks, spaces at its ends) stands as a JSON
string. Both lists are bound, and so are the requests that the version before was built with: a
list that gets lost is not forgotten. Comments stay where they are; requests stand in the version's
recipe.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
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
SAME_TEXT = ("duplicate_conversation", "near_duplicate_conversation")
"""Reasons for which a row loses to one that says the same as a whole, not just in its query."""


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
    return tuple(_read(line) for line in lines if line and not _comment(line))


def _comment(line: str) -> bool:
    return line == "#" or line.startswith("# ")


def _read(line: str) -> str:
    """A request of a line: a JSON string, or the line itself where it is none."""
    if not line.startswith('"'):
        return line
    try:
        return str(orjson.loads(line))
    except orjson.JSONDecodeError:
        return line


def _line(request: str) -> str:
    """A line that gives this request back."""
    plain = request.splitlines() == [request.strip()] and not _comment(request)
    if plain and _read(request) == request:
        return request
    # Escaped, since splitting into lines also breaks at U+0085, U+2028 and their like.
    return json.dumps(request, ensure_ascii=True)


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
        lost: keys of rows with the same text, or nearly: those that had lost to one of them in any
            version, or that one of them had lost to. Their records are requested, too: the text
            would stay, or come back in their place.
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
    rows = list[dict[str, Any]]()
    for one in what:
        mine = _rows_named(_rows(stored), one) or _rows_named(_rows_left_out(stored), one)
        if not mine:
            raise StoreError(
                f"{stored} has no row or record {one!r}; expected an id, an origin or a key "
                f"source/origin:part (`imitation-data explain {one}` looks into every dataset)"
            )
        rows += mine
    versions = store.versions(stored.name)
    asked = {_key(row) for row in rows}
    alike = sorted(_alike(versions, asked) - asked)
    lost = [row for version in (stored, *versions) for row in _rows_of(version, alike)]
    records = (f"{row['source']}/{row['origin']}" for row in (*rows, *lost))
    requests = dict.fromkeys(records)
    requests |= dict.fromkeys(row["id"] for row in (*rows, *lost) if row.get("id"))
    new = _append(file or _list_of(store, stored.name), list(requests), note)
    holding = [
        str(version)
        for version in versions
        if any(_rows_named(_rows(version), one) for one in requests)
    ]
    return Removal(
        tuple(new), tuple(map(_key, rows)), tuple(dict.fromkeys(map(_key, lost))), tuple(holding)
    )


def _list_of(store: Store, name: str) -> Path:
    return store.root / name / FILE


def _append(path: Path, requests: list[str], note: str) -> list[str]:
    """Add what is not on the list yet; two that add at once wait for each other."""
    comment = [f"# {line}" for line in note.splitlines() if line.strip()]
    with _held(path.parent):
        known = read_requests(path)
        new = [one for one in requests if one not in known]
        if not new:
            return []
        try:
            before = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
        before += b"" if before.endswith(b"\n") or not before else b"\n"
        lines = "".join(f"{line}\n" for line in (*comment, *map(_line, new)))
        write_whole(path, before + lines.encode("utf-8", "backslashreplace"), StoreError)
    return new


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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


def _rows_of(stored: StoredVersion, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Rows and left-out rows with these keys."""
    both = (_rows(stored), _rows_left_out(stored))
    record = pl.concat_str("source", pl.lit("/"), "origin", pl.lit(":"), pl.col("part").cast(str))
    return [row for rows in both for row in rows.filter(record.is_in(keys)).collect().to_dicts()]


def _alike(versions: Iterable[StoredVersion], keys: set[str]) -> set[str]:
    """Keys of rows with the same text, or nearly: what lost to these, or these to it; and so on."""
    near: dict[str, set[str]] = {}
    for stored in versions:
        gone = pl.scan_parquet(stored.ledger_files(), glob=False)
        gone = gone.filter((pl.col("action") == "drop") & pl.col("reason").is_in(SAME_TEXT))
        for row in gone.select("source", "origin", "part", "other").collect().to_dicts():
            near.setdefault(row["other"], set()).add(_key(row))
            near.setdefault(_key(row), set()).add(row["other"])
    found, waiting = set(keys), list(keys)
    while waiting:
        fresh = near.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found
