"""Commands that take versions to the Hub and back: publish, pull, retract; and what binds them."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from imitation_data.cli.dataset import REFERENCE, open_store, say
from imitation_data.cli.options import (
    JsonOption,
    QuietOption,
    SourceOption,
    StoreOption,
    WorkersOption,
    paths_of,
)

FormatOption = Annotated[
    list[str] | None,
    typer.Option("--format", help="Also put the rows beside in this form; may be repeated."),
]
LOST_SHOWN = 10
ToOption = Annotated[str, typer.Option("--to", help="org/name on the Hub, or folder:PATH.")]


def publish(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Annotated[str, typer.Argument(help=REFERENCE)],
    to: ToOption,
    private: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")
    ] = False,
    form: FormatOption = None,
    evidence: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--with-evidence", help="Keep the ledger's short quotes of rows.")
    ] = False,
    card: Annotated[
        Path | None,
        typer.Option(
            "--card",
            help="Folder with the dataset's own CHANGELOG.md, which is kept up.",
            show_default="cards/NAME, if it is there",
        ),
    ] = None,
    overwrite_card: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--overwrite-card", help="Give up what was edited by hand.")
    ] = False,
    replace: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--replace", help="Take away files under data/ that are not ours.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Publish a version: one commit, one tag on it, read back. Run again, it goes on."""
    from imitation_data.publish.publication import Wanted  # noqa: PLC0415 - keeps --help fast
    from imitation_data.publish.publish import Target, publish_version  # noqa: PLC0415

    where = open_store(store)
    target = Target(to, private=private, replace=replace, overwrite=overwrite_card, card=card)
    wanted = Wanted(tuple(dict.fromkeys(form or ())), evidence)
    done = publish_version(where.find(dataset), where, target, wanted, dry_run=dry_run, told=_tell)
    if json:
        typer.echo(orjson.dumps(done.plain()).decode())
        return
    for line in done.lines():
        say(line)


def _tell(words: str) -> None:
    say(words, err=True)


def pull(
    dataset: Annotated[
        str, typer.Argument(help="org/name@v1.2.0 on the Hub (or a branch), or folder:PATH.")
    ],
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Fetch a published version into the store, every file held against its checksum."""
    from imitation_data.publish.pull import pull as fetch  # noqa: PLC0415 - keeps --help fast

    stored, new = fetch(dataset, open_store(store))
    manifest: dict[str, Any] = stored.manifest
    told = {
        "name": stored.name,
        "version": str(stored.version),
        "path": str(stored.path),
        "new": new,
        "rows": manifest["rows"],
        "fingerprint": manifest["fingerprint"],
    }
    if json:
        typer.echo(orjson.dumps(told).decode())
        return
    state = "is as it was published, and now in the store" if new else "is in the store already"
    say(f"{stored} {state}: {manifest['rows']:,} rows, fingerprint {manifest['fingerprint'][:16]}")
    say(f"look at: {stored.path}")


def retract(
    dataset: Annotated[str, typer.Argument(help="org/name@v1.2.0 on the Hub.")],
    reason: Annotated[str, typer.Option("--reason", help="For the changelog.")] = "",
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Withdraw a published version: its tag goes; what stays public is said."""
    from imitation_data.publish.repo import Repo  # noqa: PLC0415 - keeps --help fast
    from imitation_data.publish.retract import retract as withdraw  # noqa: PLC0415
    from imitation_data.versions.semver import Version  # noqa: PLC0415

    name, _, wanted = dataset.partition("@")
    version = Version.parse(wanted)
    if version is None or "/" not in name:
        words = f"found {dataset!r}; expected org/name@v1.2.0"
        raise typer.BadParameter(words, param_hint="DATASET")
    repo = Repo.named(name, "DATASET")
    done = withdraw(repo, version, reason)
    commit = f"its commit {done.commit}" if done.commit else "its commit"
    left = [
        f"{commit} stays in the history of {repo.url}, where anybody can read it",
        "copies that were made of it (caches, mirrors, forks) stay where they are",
    ]
    if done.head:
        left.insert(0, "the head of main still holds its rows: publish a mended version")
    if json:
        told = {"repo": name, "version": str(version), "commit": done.commit, "stays": left}
        typer.echo(orjson.dumps(told).decode())
        return
    say(f"v{version} of {name} is withdrawn: the tag is gone, its number will not be used again")
    say("what stays public:")
    for line in left:
        say(f"  - {line}")
    say("to take it out of the history, too, squash it (huggingface_hub: super_squash_history)")


def remove(
    dataset: Annotated[str, typer.Argument(help=REFERENCE)],
    what: Annotated[list[str], typer.Argument(help="Ids, origins, or keys source/origin:part.")],
    note: Annotated[str, typer.Option("--note", help="A comment for the list.")] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            "--list",
            help="The list, as removals.txt beside the recipe.",
            show_default="NAME/removals.txt in the store",
        ),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Bind every later build of a dataset to leave rows out, as somebody asked."""
    from dataclasses import asdict  # noqa: PLC0415

    from imitation_data.removals import request  # noqa: PLC0415 - keeps --help fast

    found = request(open_store(store), dataset, what, note, file)
    if json:
        typer.echo(orjson.dumps(asdict(found)).decode())
        return
    new = f"{len(found.requests):,} requests added to the list"
    say(f"{new if found.requests else 'on the list already'}; the next build leaves out:")
    for key in found.rows:
        say(f"  {key}")
    for key in found.lost[:LOST_SHOWN]:
        say(f"  {key} (a duplicate of one of them)")
    if (more := len(found.lost) - LOST_SHOWN) > 0:
        say(f"  {more:,} more duplicates of them; --json names all")
    if found.versions:
        say(f"these versions hold such rows and stay as they are: {', '.join(found.versions)}")


def rebuild(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Annotated[str, typer.Argument(help=REFERENCE)],
    source: SourceOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="Folder where relative paths of the recipe start."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", help="File with answers of teachers.", show_default="the store's"
        ),
    ] = None,
    workers: WorkersOption = None,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Build a version again from its own recipe; say whether the same rows come out."""
    from imitation_data.cli.progress import Progress  # noqa: PLC0415 - keeps --help fast
    from imitation_data.engines.local import Local, cores  # noqa: PLC0415
    from imitation_data.generation import Orders  # noqa: PLC0415
    from imitation_data.rebuild import Sources  # noqa: PLC0415
    from imitation_data.rebuild import rebuild as build_again  # noqa: PLC0415

    where = open_store(store)
    stored = where.find(dataset)
    sources = Sources(folder, paths_of(source))
    with Local(workers or cores()) as engine, Progress(shown=not (quiet or json)) as progress:
        done = build_again(
            stored,
            where,
            sources,
            workers=engine,
            orders=Orders(journal),
            progress=progress.update,
        )
    now = done.built.stored.manifest["fingerprint"]
    if json:
        told = {
            "version": str(stored),
            "same_rows": done.rows,
            "same_files": done.files,
            "fingerprint": now,
            "expected": stored.manifest["fingerprint"],
            "differences": list(done.differences),
            "path": str(done.built.stored.path),
        }
        typer.echo(orjson.dumps(told).decode())
    else:
        same = "the same rows" if done.rows else "OTHER ROWS"
        files = ", the same bytes" if done.files else ", in other bytes" if done.rows else ""
        say(f"{stored}: {same}{files}; fingerprint {str(now)[:16]}")
        for line in done.differences:
            say(f"  {line}")
        if not done.rows:
            say(f"compare: imitation-data diff {stored} {done.built.stored.path}")
            if not done.differences:
                say("  sources and libraries are the same: please report this")
    if not done.rows:
        raise typer.Exit(3)
