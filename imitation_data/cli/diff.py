"""The command that compares two versions, or any two sets of rows."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.dataset import ANYWHERE
from imitation_data.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from imitation_data.diff.compare import Diff
    from imitation_data.diff.match import Kind
    from imitation_data.diff.shown import ShownMessage, ShownRow
    from imitation_data.diff.sides import Side
    from imitation_data.versions.store import Store

KINDS = ("added", "removed", "changed", "moved", "annotated", "rekeyed")  # as `diff.match` has them
_COLOURS = {"old": "31", "new": "32", "cut": "2"}
_EDGES = {"old": ("[-", "-]"), "new": ("{+", "+}")}


def diff(  # noqa: PLR0913, PLR0917 - one parameter an option
    old: Annotated[str, typer.Argument(help=ANYWHERE)],
    new: Annotated[
        str, typer.Argument(help="The same. Without it: OLD's latest version and what was before.")
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help=f"Show rows and causes of this kind alone: {', '.join(KINDS)}."
        ),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="Look at rows of this source only.")] = "",
    show: Annotated[int, typer.Option("--show", min=0, help="Rows shown of each kind.")] = 10,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to this file.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what became of every row from one version to another, and why."""
    from imitation_data.atomic import write_whole  # noqa: PLC0415 - keeps --help fast
    from imitation_data.cli.dataset import open_store, say  # noqa: PLC0415
    from imitation_data.diff.compare import compare  # noqa: PLC0415
    from imitation_data.diff.page import diff_html  # noqa: PLC0415
    from imitation_data.diff.shown import shown_rows  # noqa: PLC0415
    from imitation_data.diff.summary import summary  # noqa: PLC0415
    from imitation_data.errors import StoreError  # noqa: PLC0415

    kinds = _kinds(kind or [])
    found = compare(*_sides(old, new, open_store(store)), source).only(kinds)
    rows = shown_rows(found, kinds, show)
    if html is not None:
        write_whole(html, diff_html(found, rows).encode(), StoreError, "name another file")
    if json:
        typer.echo(orjson.dumps(summary(found, rows)).decode())
        return
    for words in (*found.old.left_out, *found.new.left_out):
        say(f"left out: {words}", err=True)
    _print(found)
    for name in kinds:
        mine = [row for row in rows if row.kind == name]
        _print_rows(mine, name, found.counts[name])
    if html is not None:
        say(f"look at: {html}")


def _kinds(wanted: list[str]) -> "list[Kind]":
    from imitation_data.diff.match import KINDS as KNOWN  # noqa: PLC0415 - keeps --help fast

    for name in wanted:
        if name not in KNOWN:
            known = ", ".join(KNOWN)
            raise typer.BadParameter(
                f"found {name!r}; expected one of {known}", param_hint="--kind"
            )
    return [name for name in KNOWN if not wanted or name in wanted]


def _sides(old: str, new: str, store: "Store") -> "tuple[Side, Side]":
    from imitation_data.diff.order import previous_of  # noqa: PLC0415 - keeps --help fast
    from imitation_data.diff.sides import open_sides, side_of  # noqa: PLC0415
    from imitation_data.errors import StoreError  # noqa: PLC0415

    if new:
        return open_sides(old, new, store)
    if not store.versions(old.partition("@")[0]) and (Path(old).exists() or "/" in old):
        raise typer.BadParameter(f"{old!r} is one side; name the other, too", param_hint="NEW")
    latest = store.find(old)
    before = previous_of(latest, store.versions(latest.name))
    if before is None:
        raise StoreError(f"{latest}: there is no release before it; name what to compare it with")
    return side_of(before), side_of(latest)


def _print(found: "Diff") -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    say(f"{found.old.label} → {found.new.label}: {found.old.count:,} → {found.new.count:,} rows")
    say(f"{found.bump}: {found.verdict(found.old.label)}")
    say(f"{found.read:,} rows before; {found.kept:,} of them have the same content and split")
    if sources := found.by_source:
        say(f"{'source':<20}" + "".join(f"{name:>11}" for name in KINDS))
        for source, counts in sources.items():
            numbers = "".join(f"{count:>11,}" for count in counts.values())
            say(f"{source or '(no source)':<20}{numbers}")
    for cause in found.causes:
        say(str(cause))
    sentences = (
        [one for some in found.changes.words.values() for one in some] if found.changes else []
    )
    if sentences:
        say("how they were made differs:")
    for sentence in sentences:
        say(f"  {sentence}")


def _print_rows(rows: "list[ShownRow]", kind: str, count: int) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    for row in rows:
        splits = " → ".join(dict.fromkeys(filter(None, (row.old_split, row.new_split))))
        was = f"was {row.was}" if row.was else ""
        say(f"── {kind} {row.key}  " + " · ".join(filter(None, (splits, was))))
        for name, before, after in row.columns:
            say(f"{name}: {before or '(none)'} → {after or '(none)'}")
        for message in row.messages:
            _print_message(message)
        say("")
    if rows and count > len(rows):
        say(f"{count - len(rows):,} more {kind} rows; --show {count} shows them all")


def _print_message(message: "ShownMessage") -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.display import terminal  # noqa: PLC0415

    if message.mark == "cut":
        say(f"({message.role} equal messages)")
        return
    say(f"{message.role}:")
    words = []
    for piece in message.pieces:
        text = terminal(piece.text) if piece.mark != "cut" else f"… {piece.length:,} characters …"
        left, right = _EDGES.get(piece.mark, ("", ""))
        words.append(_coloured(f"{left}{text}{right}", _COLOURS.get(piece.mark, "")))
    for line in "".join(words).split("\n"):
        typer.echo(f"    {line}")


def _coloured(text: str, colour: str) -> str:
    """Colour a stretch line by line, where somebody sees it."""
    if not colour or not text or "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return text
    return "\n".join(f"\x1b[{colour}m{line}\x1b[0m" for line in text.split("\n"))
