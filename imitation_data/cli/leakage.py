"""The command about leakage."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.dedup import ANYWHERE, ON, QuietOption
from imitation_data.cli.options import JsonOption, StoreOption, WorkersOption

if TYPE_CHECKING:
    from imitation_data.check_leakage import LeakageReport

AGAINST = (
    "Benchmarks, with commas between them: NAME (koala, vicuna and human_eval come with the "
    "package, others from the Hub), NAME@REVISION of the Hub, or NAME=PATH for your own files."
)
FINDS = 5  # shown on the terminal
_COMMA = re.compile(r",(?=[\w.-]+(?:[=@,]|$))")


def leakage(  # noqa: PLR0913, PLR0917 - one parameter an option
    inputs: Annotated[list[str], typer.Argument(help=ANYWHERE.partition(";")[0] + ".")],
    against: Annotated[list[str], typer.Option("--against", help=AGAINST)],
    on: Annotated[str, typer.Option("--on", help=ON)] = "conversation",
    bleu: Annotated[
        float,
        typer.Option(
            "--bleu", help="Also flag rows whose prompt has a higher BLEU with an item; 0: off."
        ),
    ] = 0,
    certificate: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--certificate/--no-certificate", help="Measure recall by planting items."),
    ] = True,
    seed: Annotated[int, typer.Option("--seed", help="Of what is planted where.")] = 0,
    name: Annotated[
        str, typer.Option("--id", help="Column with your own ids.", show_default="id, if there")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for what is found, and what stays.")
    ] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Look for benchmark items in rows, and measure what such a look can see."""
    if on in {"", "column:"}:
        raise typer.BadParameter("names nothing to look at", param_hint="--on")
    from imitation_data.atomic import refuse_taken  # noqa: PLC0415 - keeps --help fast
    from imitation_data.check_leakage import check_leakage, write  # noqa: PLC0415
    from imitation_data.cli.dataset import open_store  # noqa: PLC0415
    from imitation_data.engines.local import cores  # noqa: PLC0415
    from imitation_data.file_rows import Wanted  # noqa: PLC0415
    from imitation_data.leakage.benchmarks import load_all  # noqa: PLC0415
    from imitation_data.leakage.checked import Check  # noqa: PLC0415

    if out is not None:
        refuse_taken(out, inputs)
    references = [one for given in against for one in _COMMA.split(given) if one]
    benchmarks = load_all(references)
    check = Check(bleu, certificate, seed)
    wanted, threads = Wanted(on, id=name), workers or cores()
    done = check_leakage(inputs, wanted, benchmarks, check, open_store(store), threads)
    if out is not None:
        write(done, out)
    if json:
        typer.echo(orjson.dumps(done.summary).decode())
    else:
        _print(done, out, quiet=quiet)


def _print(done: "LeakageReport", out: Path | None, *, quiet: bool) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    facts, checked = done.summary, done.checked
    dropped = sum(facts["dropped"].values())
    say(f"{facts['read']:,} rows read = {facts['kept']:,} kept + {dropped:,} dropped")
    for reason, count in facts["dropped"].items():
        say(f"  {count:>9,}  {reason}")
    for words in facts["left_out"]:
        say(f"left out: {words}", err=True)
    for benchmark, one in facts["benchmarks"].items():
        say(
            f"{benchmark}: {one['touched_items']:,} of {one['items']:,} items stand in "
            f"{one['flagged_rows']:,} rows; {one['unseeable']:,} items cannot be seen"
        )
        if seen := one.get("certificate"):
            told = ", ".join(
                f"{100 * value:.1f} {way.replace('_', ' ')}"
                for way, value in seen["recall"].items()
            )
            say(f"  found when planted, of 100: {told}")
            wrong = 100 * seen["false_flags"]
            say(f"  flagged for another item: {wrong:.2f} of 100, among {seen['control']:,}")
    if quiet:
        return
    leaks = checked.leaks
    order = sorted(range(len(leaks)), key=lambda leak: (-leaks.score[leak], leak))
    for leak in order[:FINDS]:
        say(f"{done.names.shown(int(leaks.row[leak]))}: {checked.found(leak)}")
        say(f"  {checked.evidence(leak)}")
    if out is not None:
        say(f"look at: {out / 'leaks.parquet'}; what stays is in {out / 'kept'}")
