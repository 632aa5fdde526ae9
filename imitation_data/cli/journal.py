"""Commands about journals: export, import, forget."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from imitation_data.cli.options import JsonOption

journal = typer.Typer(no_args_is_help=True, help="Look at answers of teachers, or take them along.")
JournalArgument = Annotated[Path, typer.Argument(help="A journal, as journal.sqlite in a store.")]


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
