"""Commands about recipes: build, check."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from imitation_data.cli.options import JsonOption, QuietOption, StoreOption, WorkersOption

RecipeArgument = Annotated[
    Path, typer.Argument(help="A recipe file, or a folder with recipe.yaml.")
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help="NAME=PATH: read this source from elsewhere.")
]


def build(
    recipe: RecipeArgument,
    store: StoreOption = None,
    source: SourceOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Build a recipe into a version. Killed or interrupted, it resumes when run again."""
    from imitation_data.cli.progress import Progress  # noqa: PLC0415
    from imitation_data.recipe import load_recipe  # noqa: PLC0415
    from imitation_data.runner import build as build_recipe  # noqa: PLC0415 - keeps --help fast

    made = load_recipe(recipe, _paths(source))
    with Progress(shown=not (quiet or json)) as progress:
        built = build_recipe(made, store=store, workers=workers, progress=progress.update)
    dropped = sum(built.dropped.values())
    if json:
        answer = {
            "name": built.stored.name,
            "version": str(built.stored.version),
            "new": built.new,
            "path": str(built.stored.path),
            "read": built.read,
            "kept": built.kept,
            "dropped": built.dropped,
            "seconds": round(built.seconds, 3),
        }
        typer.echo(orjson.dumps(answer).decode())
        return
    state = "written" if built.new else "stands, nothing changed"
    typer.echo(
        f"{built.stored} {state}: {built.kept:,} of {built.read:,} rows, {dropped:,} dropped"
    )
    for reason, count in sorted(built.dropped.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"  {count:>9,}  {reason}")
    rate = built.read / built.seconds
    typer.echo(f"{built.seconds:.1f} s, {rate:,.0f} rows/s")
    typer.echo(f"look at: {built.stored.path / 'report.html'}")
    typer.echo(f"         imitation-data sample {built.stored.name}")


def check(
    recipe: RecipeArgument,
    source: SourceOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Check a recipe without reading any data."""
    from imitation_data.recipe import load_recipe  # noqa: PLC0415 - keeps --help fast

    made = load_recipe(recipe, _paths(source))
    counts = {"sources": len(made.sources), "steps": len(made.steps), "checks": len(made.checks)}
    if json:
        typer.echo(orjson.dumps({"name": made.name, **counts, "problems": []}).decode())
        return
    words = ", ".join(f"{name}: {count}" for name, count in counts.items())
    typer.echo(f"{made.name} is well formed ({words})")


def _paths(source: list[str] | None) -> dict[str, str]:
    paths = {}
    for pair in source or []:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(f"found {pair!r}; expected NAME=PATH", param_hint="--source")
        paths[name] = path
    return paths
