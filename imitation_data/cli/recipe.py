"""Commands about recipes: build, check."""

import sys
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer

from imitation_data.cli.generate import (
    BatchOption,
    BudgetOption,
    EndpointOption,
    JournalOption,
    LimitOption,
    ModelOption,
    RequestsOption,
    TokensOption,
    orders_of,
)
from imitation_data.cli.options import (
    JsonOption,
    QuietOption,
    SourceOption,
    StoreOption,
    WorkersOption,
    paths_of,
)

if TYPE_CHECKING:
    from imitation_data.runner import Built


Size = Literal["patch", "minor", "major"]
LOADED = ("imitation_data.stages.read", "imitation_data.stages.rows")  # by workers, at once

RecipeArgument = Annotated[
    Path, typer.Argument(help="A recipe file, or a folder with recipe.yaml.")
]
ChannelOption = Annotated[
    str, typer.Option("--channel", help="Make a preview on this channel, as rc: v1.3.0-rc.1.")
]
AtLeastOption = Annotated[
    Size | None,
    typer.Option("--at-least", help="The smallest bump; rows and columns may ask for more."),
]


def build(  # noqa: PLR0913, PLR0917 - one parameter an option
    recipe: RecipeArgument,
    store: StoreOption = None,
    source: SourceOption = None,
    workers: WorkersOption = None,
    budget: BudgetOption = None,
    max_requests: RequestsOption = None,
    max_tokens: TokensOption = None,
    limit: LimitOption = 0,
    batch: BatchOption = False,  # noqa: FBT002 - a flag
    journal: JournalOption = None,
    endpoint: EndpointOption = "",
    model: ModelOption = "",
    channel: ChannelOption = "",
    at_least: AtLeastOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Build a recipe into a version. Killed or interrupted, it resumes when run again."""
    from imitation_data.engines.local import Local, cores  # noqa: PLC0415 - keeps --help fast

    paths = paths_of(source)
    with Local(workers or cores(), LOADED) as engine:  # while we load our modules
        from imitation_data.cli.progress import Progress  # noqa: PLC0415
        from imitation_data.recipe import load_recipe  # noqa: PLC0415
        from imitation_data.runner import build as build_recipe  # noqa: PLC0415
        from imitation_data.versions.coming import Release  # noqa: PLC0415

        made, shown = load_recipe(recipe, paths, endpoint, model), not (quiet or json)
        release = Release(at_least or "none", channel)
        ceilings = (budget, max_requests, max_tokens)
        orders = orders_of(*ceilings, journal, limit=limit, wait=True, batch=batch, shown=shown)
        with Progress(shown=shown) as progress:
            built = build_recipe(
                made,
                store=store,
                workers=engine,
                progress=progress.update,
                orders=orders,
                release=release,
            )
    if json:
        typer.echo(orjson.dumps(_plain(built)).decode())
        return
    _print(built, store, at_least)


def _plain(built: "Built") -> dict[str, object]:
    return {
        "name": built.stored.name,
        "version": str(built.stored.version),
        "new": built.new,
        "path": str(built.stored.path),
        "read": built.read,
        "created": built.created,
        "kept": built.kept,
        "dropped": built.dropped,
        "warnings": list(built.warnings),
        "seconds": round(built.seconds, 3),
    }


def _print(built: "Built", store: str | None, at_least: Size | None) -> None:
    from imitation_data.display import terminal  # noqa: PLC0415 - keeps --help fast

    dropped = sum(built.dropped.values())
    state = "written" if built.new else "stands, nothing changed"
    created = f" + {built.created:,} created" if built.created else ""
    balance = f"{built.read:,} read{created} = {built.kept:,} kept + {dropped:,} dropped"
    typer.echo(terminal(f"{built.stored} {state}: {balance}"))
    if at_least and not built.new:
        typer.echo(f"--at-least {at_least} makes no version of what did not change")
    for reason, count in sorted(built.dropped.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"  {count:>9,}  {reason}")
    for warning in built.warnings:
        typer.echo(terminal(f"warning: {warning}"), err=True)
    rate = built.read / built.seconds
    typer.echo(f"{built.seconds:.1f} s, {rate:,.0f} records/s")
    typer.echo(f"look at: {built.stored.path / 'report.html'}")
    elsewhere = f" --store {store}" if store is not None else ""
    named = built.stored if built.stored.version.channel else built.stored.name
    typer.echo(f"         {_command()} sample {named}{elsewhere}")


def _command() -> str:
    """How this program was called, so that the hint works where no environment is activated."""
    called = Path(sys.argv[0])
    return "imitation-data" if which(called.name) or called.stem == "__main__" else str(called)


def check(
    recipe: RecipeArgument,
    source: SourceOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Check a recipe without reading any data."""
    from imitation_data.cli.dataset import say  # noqa: PLC0415
    from imitation_data.publish.gate import foreseen  # noqa: PLC0415 - keeps --help fast
    from imitation_data.recipe import load_recipe  # noqa: PLC0415

    made = load_recipe(recipe, paths_of(source))
    warnings = foreseen(made)
    counts = {"sources": len(made.sources), "steps": len(made.steps), "checks": len(made.checks)}
    if json:
        told = {"name": made.name, **counts, "problems": [], "warnings": list(warnings)}
        typer.echo(orjson.dumps(told).decode())
        return
    words = ", ".join(f"{name}: {count}" for name, count in counts.items())
    typer.echo(f"{made.name} is well formed ({words})")
    for warning in warnings:
        say(f"warning: {warning}", err=True)
