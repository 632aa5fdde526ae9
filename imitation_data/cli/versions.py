"""Commands about a store: versions, verify, gc."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from imitation_data.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from pathlib import Path

    from imitation_data.versions.store import Store, StoredVersion
    from imitation_data.versions.verify import Examined

REFUSED = 3  # exit code
SHOWN = 12  # digits of a fingerprint


def versions(
    name: Annotated[str, typer.Argument(help="A dataset.", show_default="all")] = "",
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """List the versions of a dataset, or of all."""
    from imitation_data.cli.dataset import open_store, say  # noqa: PLC0415 - keeps --help fast

    where = open_store(store)
    if name and not where.versions(name):
        where.find(name)  # says which names there are
    found = [
        _summary(stored)
        for one in ([name] if name else where.names())
        for stored in where.versions(one)
    ]
    if json:
        typer.echo(orjson.dumps({"versions": found}).decode())
        return
    if not found:
        say(f"the store {where} has no versions")
        return
    width = max(len(f"{one['name']}@{one['version']}") for one in found) + 2
    counted = f"{'rows':>12}  {'bump':<7}{'fingerprint':<14}{'bytes':>16}"
    say(f"{'version':<{width}}{'channel':<9}{counted}")
    for one in found:
        label = f"{one['name']}@{one['version']}"
        if one["problem"]:
            say(f"{label:<{width}}{one['problem']}")
            continue
        counts = f"{one['rows']:>12,}  {one['bump']:<7}{one['fingerprint'][:SHOWN]:<14}"
        say(f"{label:<{width}}{one['channel']:<9}{counts}{one['bytes']:>16,}")


def _summary(stored: "StoredVersion") -> dict[str, Any]:
    """What a line of the table says; a manifest that cannot be read is told and hides no other."""
    from imitation_data.errors import StoreError  # noqa: PLC0415
    from imitation_data.versions.manifest import listed_files  # noqa: PLC0415

    known = {
        "name": stored.name,
        "version": str(stored.version),
        "channel": stored.version.channel,
    }
    try:
        manifest = stored.manifest
        files = listed_files(manifest, str(stored))
    except StoreError as error:
        return known | {"problem": str(error)}
    rows = manifest.get("rows")
    return known | {
        "rows": rows if isinstance(rows, int) else 0,
        "bump": str(manifest.get("bump", "")),
        "fingerprint": str(manifest.get("fingerprint", "")),
        "bytes": sum(one.bytes for one in files.values()),
        "problem": "",
    }


def verify(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME[@VERSION] of the store, or a version's folder.", show_default="all versions"
        ),
    ] = None,
    deep: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--deep", help="Compute the id of every row anew, too.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Hold versions against their manifests: files, rows, fingerprint. Exit code 3 on a fault."""
    from dataclasses import asdict  # noqa: PLC0415

    from imitation_data.cli.dataset import open_store  # noqa: PLC0415 - keeps --help fast
    from imitation_data.versions.verify import examine  # noqa: PLC0415

    where = open_store(store)
    told, rows, faults = [], 0, 0
    for label, stored in _wanted(what or [], where):
        with _folder_of(stored) as folder:
            found = examine(folder, deep=deep)
        told.append({"version": label, **asdict(found)})
        rows, faults = rows + found.rows, faults + len(found.faults)
        if not json:
            _print_examined(label, found)
    if json:
        books = {"read": rows, "kept": rows, "dropped": {}}
        typer.echo(orjson.dumps({**books, "faults": faults, "versions": told}).decode())
    if faults:
        raise typer.Exit(REFUSED)


def _print_examined(label: str, found: "Examined") -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    state = f"{len(found.faults):,} faults" if found.faults else "as its manifest says"
    counts = f"{found.files:,} files, {found.bytes:,} bytes, {found.rows:,} rows"
    rendered = f"; {found.uncovered:,} rendered files not covered" if found.uncovered else ""
    say(f"{label}: {state} ({counts}{rendered})")
    for fault in found.faults:
        say(f"  {fault}")


def _wanted(what: list[str], store: "Store") -> Iterator[tuple[str, "StoredVersion | Path"]]:
    """The versions that are named, or all: a label for each."""
    from pathlib import Path  # noqa: PLC0415

    from imitation_data.versions.manifest import MANIFEST  # noqa: PLC0415

    if not what:
        yield from ((str(one), one) for name in store.names() for one in store.versions(name))
    for reference in what:
        path = Path(reference)
        if (path / MANIFEST).is_file() and not store.versions(reference.partition("@")[0]):
            yield reference, path
        else:
            stored = store.find(reference)
            yield str(stored), stored


@contextmanager
def _folder_of(stored: "StoredVersion | Path") -> "Iterator[Path]":
    """A version's folder; of a remote store a fresh copy, since a cached one proves nothing."""
    from pathlib import Path  # noqa: PLC0415
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    from imitation_data.versions.fetch import copy_as_it_is  # noqa: PLC0415

    if isinstance(stored, Path):
        yield stored
    elif stored.remote is None:
        yield stored.folder
    else:
        with TemporaryDirectory(prefix="imitation-data-") as folder:
            copy = Path(folder) / f"v{stored.version}"
            copy_as_it_is(stored.remote, stored.name, stored.version, copy)
            yield copy


def gc(
    name: Annotated[str, typer.Argument(help="A dataset.", show_default="all")] = "",
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="Only tell what would be removed.")
    ] = False,
    older_than: Annotated[
        float, typer.Option("--older-than", min=0, help="Hours that it has lain untouched.")
    ] = 24,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Remove what builds left; never a version, never answers of teachers."""
    from imitation_data.cli.dataset import open_store, say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.versions.leftovers import clear  # noqa: PLC0415

    done = clear(open_store(store), name, older_than, dry_run=dry_run)
    if json:
        removed = [{"kind": o.kind, "path": o.path, "bytes": o.bytes} for o in done.removed]
        told = {"dry_run": dry_run, "bytes": done.bytes, "removed": removed}
        typer.echo(orjson.dumps(told | {"skipped": done.skipped}).decode())
        return
    for one in done.removed:
        say(f"{one.bytes:>16,}  {one.kind}  {one.path}")
    for words in done.skipped:
        say(words, err=True)
    verb = "would be removed" if dry_run else "removed"
    say(f"{len(done.removed):,} leftovers with {done.bytes:,} bytes {verb}")
