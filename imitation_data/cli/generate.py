"""The command that asks teachers, and the options it shares with `build`."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.options import (
    JsonOption,
    QuietOption,
    SourceOption,
    StoreOption,
    paths_of,
)

if TYPE_CHECKING:
    from imitation_data.generate.job import Progress
    from imitation_data.generation import Estimate, Orders

BudgetOption = Annotated[
    float | None,
    typer.Option("--budget", min=0, help="US dollars the dataset may cost, all runs together."),
]
RequestsOption = Annotated[
    int | None,
    typer.Option("--max-requests", min=0, max=10**15, help="The same in answered requests."),
]
TokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", min=0, max=10**15, help="The same in tokens, in and out."),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="File with all answers so far.",
        envvar="IMITATION_JOURNAL",
        show_default="journal.sqlite in the store",
    ),
]
EndpointOption = Annotated[
    str, typer.Option("--endpoint", help="Base URL of another teacher for all sources.")
]
ModelOption = Annotated[str, typer.Option("--model", help="Another model for all sources.")]
BatchOption = Annotated[
    bool, typer.Option("--batch", help="Use the Batch API: half the price, within a day.")
]
LimitOption = Annotated[
    int,
    typer.Option(
        "--limit", min=0, max=10**9, help="Rows of each generated source at most, for a try-out."
    ),
]


def orders_of(  # noqa: PLR0913 - one parameter an option
    budget: float | None,
    requests: int | None,
    tokens: int | None,
    journal: Path | None,
    *,
    limit: int,
    wait: bool,
    batch: bool = False,
    shown: bool,
) -> "Orders":
    """What the options allow."""
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.generate.budget import Ceiling  # noqa: PLC0415
    from imitation_data.generation import Orders  # noqa: PLC0415

    try:
        ceiling = Ceiling(budget, requests, tokens)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    seen = _line() if shown else _nothing
    return Orders(journal, ceiling, limit, wait, batch, seen, lambda words: say(words, err=True))


def generate(  # noqa: PLR0913, PLR0917 - one parameter an option
    recipe: Annotated[Path, typer.Argument(help="A recipe file, or a folder with recipe.yaml.")],
    estimate: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--estimate", help="Tell what it may cost; send nothing.")
    ] = False,
    source: SourceOption = None,
    limit: LimitOption = 0,
    budget: BudgetOption = None,
    max_requests: RequestsOption = None,
    max_tokens: TokensOption = None,
    journal: JournalOption = None,
    endpoint: EndpointOption = "",
    model: ModelOption = "",
    wait: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--wait/--no-wait", help="Wait for another run that uses the journal.")
    ] = True,
    batch: BatchOption = False,  # noqa: FBT002 - a flag
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Ask the teachers of a recipe for rows; `build` then makes a version of the answers."""
    from imitation_data.cli.dataset import open_store  # noqa: PLC0415 - keeps --help fast
    from imitation_data.generation import estimate as estimated  # noqa: PLC0415
    from imitation_data.generation import generate as ask  # noqa: PLC0415
    from imitation_data.recipe import load_recipe  # noqa: PLC0415

    made = load_recipe(recipe, paths_of(source), endpoint, model)
    orders = orders_of(
        budget,
        max_requests,
        max_tokens,
        journal,
        limit=limit,
        wait=wait,
        batch=batch,
        shown=not (quiet or json),
    )
    if estimate:
        _print_estimates(estimated(made, open_store(store), orders), json=json, batch=batch)
        return
    found = ask(made, open_store(store), orders)
    if json:
        rejected: dict[str, int] = {}
        for facts in found.values():
            for reason, count in facts["rejected"].items():
                rejected[reason] = rejected.get(reason, 0) + count
        kept = sum(facts["rows"] for facts in found.values())
        books = {"read": kept + sum(rejected.values()), "kept": kept, "dropped": rejected}
        typer.echo(orjson.dumps({"name": made.name, **books, "sources": found}).decode())
        return
    for name, facts in found.items():
        _print_facts(name, facts)


def _print_facts(name: str, facts: dict[str, object]) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    rejected = facts["rejected"]
    assert isinstance(rejected, dict)  # noqa: S101 - as it is written
    state = "" if facts["complete"] else "; stopped before the end, run again with more to go on"
    usd = "cost not known" if facts["usd"] is None else f"${facts['usd']:.4f}"
    say(f"{name}: {facts['rows']:,} rows from {facts['requests']:,} answers, {usd}{state}")
    for reason, count in rejected.items():
        say(f"  {count:>9,}  rejected: {reason}")


def _dollars(usd: float) -> str:
    """Cents; of less than a dollar two digits that tell something."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.2g}"


def _print_estimates(found: list["Estimate"], *, json: bool, batch: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    if json:
        typer.echo(orjson.dumps({"sources": [asdict(one) for one in found]}).decode())
        return
    for one in found:
        cost = "no price is known"
        if one.usd is not None and one.usd_most is not None:
            cost = f"about {_dollars(one.usd)}, at most {_dollars(one.usd_most)}"
            cost += ", in batches" if batch else ""
        tokens = f"{one.input_tokens:,} tokens in and {one.output_tokens:,} out"
        say(f"{one.source}: about {one.requests:,} requests, {tokens}: {cost}")
    if not found:
        say("no source of this recipe is generated")


def _nothing(progress: "Progress") -> None:
    del progress


def _line() -> "Callable[[Progress], None]":
    """A live line on a terminal; elsewhere a line now and then."""
    last = [0.0]
    live = sys.stderr is not None and sys.stderr.isatty()

    def show(progress: "Progress") -> None:
        now = time.monotonic()
        soon = not live and not progress.finished and now - last[0] < 10  # noqa: PLR2004 - seconds
        if sys.stderr is None or soon:
            return
        last[0] = now
        end = "\x1b[K\r" if live and not progress.finished else "\n"
        print(_words(progress), end=end, file=sys.stderr, flush=True)

    return show


def _words(progress: "Progress") -> str:
    tally, wanted = progress.tally, f" of {progress.wanted:,}" if progress.wanted else ""
    parts = [f"{progress.source}: {tally.rows:,}{wanted} accepted"]
    parts += [f"{count:,} {reason}" for reason, count in tally.drops.most_common(3)]
    rate = progress.sent / progress.seconds if progress.seconds else 0.0
    if progress.finished:
        parts.append(f"{tally.requests:,} answers, {progress.from_journal:,} of them there before")
    else:
        parts.append(f"{rate:,.1f} requests/s, {progress.under_way} under way")
    if progress.usd is not None:
        expected = progress.expected_usd
        total = f", about ${expected:,.4f} expected in all" if expected else ""
        parts.append(f"${progress.usd:,.4f} of the dataset's ceiling spent or set aside{total}")
    return "; ".join(parts)
