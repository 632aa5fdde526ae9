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
    from imitation_data.leakage.checked import Check
    from imitation_data.leakage.known import Columns

AGAINST = (
    "Benchmarks, with commas between them: NAME (koala, vicuna and human_eval come with the "
    "package, others from the Hub), NAME@REVISION of the Hub, or NAME=PATH for your own files."
)
FINDS = 5  # shown on the terminal
_FIELDS = ("choices", "answers")
_COMMA = re.compile(r",\s*(?=[\w.-]+(?:[=@,]|$))")


def leakage(  # noqa: PLR0913, PLR0917 - one parameter an option
    inputs: Annotated[list[str], typer.Argument(help=ANYWHERE.partition(";")[0] + ".")],
    against: Annotated[list[str], typer.Option("--against", help=AGAINST)],
    on: Annotated[str, typer.Option("--on", help=ON)] = "conversation",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            help="Fields of your own file: NAME:question=Q,choices=A+B,answers=C,id=D; repeat it.",
        ),
    ] = None,
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

    if out is not None:
        refuse_taken(out, inputs)
    references = [one.strip(" ,") for given in against for one in _COMMA.split(given)]
    references = [one for one in references if one]
    if not references:
        raise typer.BadParameter("names no benchmark", param_hint="--against")
    check = _check(bleu, seed, certificate=certificate)
    benchmarks = load_all(references, dict(map(_columns, columns or ())))
    wanted, threads = Wanted(on, id=name), workers or cores()
    done = check_leakage(inputs, wanted, benchmarks, check, open_store(store), threads)
    if out is not None:
        write(done, out)
    if json:
        typer.echo(orjson.dumps(done.summary).decode())
    else:
        _print(done, out, quiet=quiet)


def _check(bleu: float, seed: int, *, certificate: bool) -> "Check":
    from imitation_data.errors import StepError  # noqa: PLC0415 - keeps --help fast
    from imitation_data.leakage.checked import Check  # noqa: PLC0415

    try:
        return Check(bleu, certificate, seed)
    except ValueError as error:
        raise StepError(str(error)) from error


def _columns(told: str) -> "tuple[str, Columns]":
    """Read `NAME:question=Q,choices=A+B,answers=C,id=D`."""
    from imitation_data.leakage.known import Columns  # noqa: PLC0415 - keeps --help fast

    name, _, rest = told.partition(":")
    fields = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    if not name or not fields.get("question") or set(fields) - {*_FIELDS, "question", "id"}:
        raise typer.BadParameter(
            f"found {told!r}; expected NAME:question=Q,choices=A+B,answers=C,id=D; all but the "
            "question may be left out",
            param_hint="--columns",
        )
    several = {key: tuple(filter(None, fields.get(key, "").split("+"))) for key in _FIELDS}
    return name, Columns(fields["question"], **several, id=fields.get("id", ""))


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
    best = {int(leaks.item[leak]): leak for leak in reversed(order)}  # one of each item
    for leak in sorted(best.values(), key=order.index)[:FINDS]:
        say(f"{done.names.shown(int(leaks.row[leak]))}: {checked.found(leak)}")
        say(f"  {checked.evidence(leak)}")
    if out is not None:
        say(f"look at: {out / 'leaks.parquet'}; what stays is in {out / 'kept'}")
