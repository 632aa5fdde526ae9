"""The command that writes a version in a form that trainers load."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.dataset import REFERENCE
from imitation_data.cli.options import JsonOption, QuietOption, StoreOption

if TYPE_CHECKING:
    from imitation_data.publish.export import ExportedFile
    from imitation_data.publish.form import Form

FORM_NAMES = ("messages", "sharegpt", "alpaca", "chatml-jsonl")


def export(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Annotated[str, typer.Argument(help=REFERENCE)],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORM_NAMES)}.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    split: Annotated[
        list[str] | None,
        typer.Option("--split", help="Export this split alone; repeat it.", show_default="all"),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a version's rows in a form that trainers load as they are."""
    if form not in FORM_NAMES:
        expected = ", ".join(FORM_NAMES)
        raise typer.BadParameter(f"found {form!r}; expected {expected}", param_hint="--format")
    from imitation_data.cli.dataset import open_store, say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.publish.export import export as write  # noqa: PLC0415
    from imitation_data.publish.forms import FORMS  # noqa: PLC0415
    from imitation_data.readers.files import utf8  # noqa: PLC0415

    found = open_store(store).find(dataset)
    files = write(found, FORMS[form], out, split or ())
    rows = sum(file.rows for file in files)
    snippets = _how_to_load(FORMS[form], out, files)
    if json:
        answer = {
            "version": str(found),
            "format": form,
            "read": rows,
            "kept": rows,
            "dropped": {},
            "files": [
                {"path": utf8(str(file.path)), "split": file.split, "rows": file.rows}
                for file in files
            ],
            "how_to_load": snippets,
        }
        typer.echo(orjson.dumps(answer).decode())
        return
    say(f"{found} written as {form}: {rows:,} rows")
    for file in files:
        say(f"{file.rows:>9,}  {file.path}")
    for trainer, text in {} if quiet else snippets.items():
        say(f"{trainer}:")
        for line in text.splitlines():
            say(f"    {line}")


def _how_to_load(form: "Form", out: Path, files: "list[ExportedFile]") -> dict[str, str]:
    """What loads the split that is trained on: train, or the first."""
    from imitation_data.publish.forms import how_to_load  # noqa: PLC0415 - keeps --help fast
    from imitation_data.readers.files import utf8  # noqa: PLC0415

    splits = [file.split for file in files]
    split = "train" if "train" in splits else splits[0]
    return how_to_load(form, utf8(str(out)), split, splits.count(split))
