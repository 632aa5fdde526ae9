"""The command about diversity."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.dedup import ANYWHERE, ON, QuietOption
from imitation_data.cli.options import JsonOption, StoreOption, WorkersOption

if TYPE_CHECKING:
    from imitation_data.diversity.options import DiversityOptions
    from imitation_data.measure_diversity import Measured

BAR = 40  # characters


def diversity(  # noqa: PLR0913, PLR0917 - one parameter an option
    inputs: Annotated[list[str], typer.Argument(help=ANYWHERE.partition(";")[0] + ".")],
    on: Annotated[str, typer.Option("--on", help=ON)] = "prompt",
    tokenizer: Annotated[
        str, typer.Option("--tokenizer", help="Of sacrebleu: 13a, intl, zh, char or none.")
    ] = "13a",
    direction: Annotated[
        str,
        typer.Option("--direction", help="Which text is the hypothesis: query, corpus or both."),
    ] = "query",
    copies: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--copies/--no-copies", help="Whether texts of the same words count."),
    ] = True,
    limit: Annotated[
        float, typer.Option("--limit", help="BLEU above which pairs are counted.")
    ] = 20,
    sample: Annotated[
        int, typer.Option("--sample", help="Texts held against all others.", show_default="all")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample.")] = 0,
    name: Annotated[
        str, typer.Option("--id", help="Column with your own ids.", show_default="id, if there")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the figures and each row's nearest.")
    ] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Measure how alike texts are: BLEU of each with the most similar other."""
    if on in {"", "column:"}:
        raise typer.BadParameter("names nothing to compare", param_hint="--on")
    options = _options(tokenizer, direction, limit, (sample, seed), copies=copies)
    from imitation_data.atomic import refuse_taken  # noqa: PLC0415 - keeps --help fast
    from imitation_data.cli.dataset import open_store  # noqa: PLC0415
    from imitation_data.engines.local import cores  # noqa: PLC0415
    from imitation_data.file_rows import Wanted  # noqa: PLC0415
    from imitation_data.measure_diversity import measure_diversity, write  # noqa: PLC0415

    if out is not None:
        refuse_taken(out, inputs)
    wanted = Wanted(on, id=name)
    done = measure_diversity(inputs, wanted, options, open_store(store), workers or cores())
    if out is not None:
        write(done, out)
    if json:
        typer.echo(orjson.dumps(done.summary).decode())
    else:
        _print(done, out, quiet=quiet)


def _options(
    tokenizer: str, direction: str, limit: float, sample: tuple[int, int], *, copies: bool
) -> "DiversityOptions":
    from imitation_data.diversity.options import DiversityOptions  # noqa: PLC0415
    from imitation_data.errors import StepError  # noqa: PLC0415 - keeps --help fast

    try:
        return DiversityOptions(tokenizer, direction, copies, limit, *sample)  # type: ignore[arg-type]
    except ValueError as error:
        raise StepError(str(error)) from error


def _print(done: "Measured", out: Path | None, *, quiet: bool) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast
    from imitation_data.diversity.report import note, tables  # noqa: PLC0415

    facts, found = done.summary, done.diversity
    say(f"{facts['read']:,} rows read, {facts['texts']:,} with text")
    for reason, count in facts["dropped"].items():
        say(f"  {count:>9,}  {reason}")
    for words in facts["left_out"]:
        say(f"left out: {words}", err=True)
    say(note(found, done.wanted.on))
    if quiet or not facts["texts"]:
        return
    for table in tables(found, done.wanted.on):
        say("")
        say(table.title)
        bars = table.bars or (0.0,) * len(table.rows)
        widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
        if not table.bars:
            cells = [f"{cell:>{width}}" for cell, width in zip(table.header, widths, strict=True)]
            say(f"  {'  '.join(cells)}")
        for row, bar in zip(table.rows, bars, strict=True):
            cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)]
            say(f"  {'  '.join(cells)}  {'#' * round(BAR * bar / 100)}".rstrip())
    if done.most_similar:
        say("")
        say("Most similar pairs of different words")
    for one, other, score, span in done.most_similar:
        say(f"{score:6.1f}  {done.names.shown(one)} and {done.names.shown(other)}")
        say(f"        {span}")
    if out is not None:
        say(f"look at: {out / 'nearest.parquet'}")
