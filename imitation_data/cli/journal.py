"""Commands about journals: show, export, import, forget."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from imitation_data.cli.options import JsonOption

journal = typer.Typer(no_args_is_help=True, help="Look at answers of teachers, or take them along.")
JournalArgument = Annotated[Path, typer.Argument(help="A journal, as journal.sqlite in a store.")]


@journal.command()
def show(path: JournalArgument, json: JsonOption = False) -> None:  # noqa: FBT002 - a flag
    """Tell what was asked of whom, what each dataset has spent, and which batches are out."""
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.errors import StoreError  # noqa: PLC0415
    from imitation_data.generate.budget import PICO  # noqa: PLC0415
    from imitation_data.generate.journal import Journal  # noqa: PLC0415

    if not path.is_file():
        raise StoreError(f"{path}: there is no such journal")
    with Journal(path) as opened:
        answers, spent, batches = opened.summary()
    if json:
        datasets = {
            name: {
                "usd": None if one.cost < 0 else one.cost / PICO,
                "requests": one.requests,
                "tokens": one.tokens,
                "lost": one.lost,
            }
            for name, one in spent.items()
        }
        teachers = [
            dict(zip(("endpoint", "model", "answers"), row, strict=True)) for row in answers
        ]
        told = {"teachers": teachers, "datasets": datasets, "batches": batches}
        typer.echo(orjson.dumps(told).decode())
        return
    for endpoint, model, count in answers:
        say(f"{count:>9,} answers of {model} at {endpoint}")
    for name, one in spent.items():
        usd = "cost not known" if one.cost < 0 else f"${one.cost / PICO:,.4f}"
        words = f"{one.requests:,} requests, {one.tokens:,} tokens, {usd}"
        say(f"dataset {name}: {words}" + (f", {one.lost:,} answers lost" if one.lost else ""))
    for batch in batches:
        say(f"batch {batch} is not collected yet")


@journal.command("export")
def export(path: JournalArgument) -> None:
    """Write every answer with its request to standard output, as JSON Lines."""
    from imitation_data.errors import StoreError  # noqa: PLC0415 - keeps --help fast
    from imitation_data.generate.journal import Journal  # noqa: PLC0415
    from imitation_data.generate.journal_lines import lines_of  # noqa: PLC0415

    if not path.is_file():
        raise StoreError(f"{path}: there is no such journal")
    with Journal(path) as opened:
        for line in lines_of(opened):
            sys.stdout.buffer.write(line)


@journal.command("import")
def import_(
    path: JournalArgument,
    lines: Annotated[Path, typer.Argument(help="What `journal export` wrote.")],
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Add the answers of a file that the journal does not have."""
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.generate.journal import Journal  # noqa: PLC0415
    from imitation_data.generate.journal_lines import add_lines  # noqa: PLC0415

    with lines.open("rb") as file, Journal(path) as opened:
        opened.hold(wait=True, waiting=lambda words: say(words, err=True))
        added, there = add_lines(opened, file, lines.name)
    if json:
        books = {"read": added + there, "kept": added, "dropped": {"there_already": there}}
        typer.echo(orjson.dumps(books).decode())
        return
    say(f"{added:,} answers added, {there:,} were there already")


@journal.command()
def forget(
    path: JournalArgument,
    batch: Annotated[str, typer.Argument(help="What the provider calls a batch that is gone.")],
) -> None:
    """Give a batch up that the provider does not know any more; its requests are sent again.

    They count as paid for, since they may have been.
    """
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.errors import StoreError  # noqa: PLC0415
    from imitation_data.generate.journal import Journal  # noqa: PLC0415
    from imitation_data.generate.journal_batches import give_up  # noqa: PLC0415

    if not path.is_file():
        raise StoreError(f"{path}: there is no such journal")
    with Journal(path) as opened:
        opened.hold(wait=True, waiting=lambda words: say(words, err=True))
        count = give_up(opened, batch)
    say(f"{count:,} requests are given up and count as paid for")
