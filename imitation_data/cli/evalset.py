"""The command that makes a set of prompts to evaluate with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from imitation_data.cli.dedup import ANYWHERE, ON, QuietOption
from imitation_data.cli.options import JsonOption, StoreOption, WorkersOption

if TYPE_CHECKING:
    from imitation_data.evalset import EvalsetOptions


def evalset(  # noqa: PLR0913, PLR0917 - one parameter an option
    pool: Annotated[list[str], typer.Argument(help=ANYWHERE.partition(";")[0] + ".")],
    against: Annotated[
        list[str], typer.Option("--against", help="Training data, in the same forms; repeat it.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for prompts and ledger.")],
    on: Annotated[str, typer.Option("--on", help=ON)] = "prompt",
    count: Annotated[
        int, typer.Option("--count", "-n", help="Prompts wanted; 0 for all that are left.")
    ] = 255,
    bleu: Annotated[
        float, typer.Option("--bleu", help="BLEU with a training prompt above which one goes.")
    ] = 20,
    language: Annotated[
        str, typer.Option("--language", help="Language that stays, ISO 639-1; any for all.")
    ] = "en",
    code: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--code/--no-code", help="Whether prompts about code stay.")
    ] = False,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Similarity of near copies among the prompts.")
    ] = 0.7,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    name: Annotated[
        str, typer.Option("--id", help="Column with your own ids.", show_default="id, if there")
    ] = "",
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Make a held-out set of prompts from a pool, apart from training data."""
    if on in {"", "column:"}:
        raise typer.BadParameter("names nothing to take prompts from", param_hint="--on")
    from imitation_data.atomic import refuse_taken  # noqa: PLC0415 - keeps --help fast
    from imitation_data.cli.dataset import open_store, say  # noqa: PLC0415
    from imitation_data.engines.local import cores  # noqa: PLC0415
    from imitation_data.evalset import make_evalset, write  # noqa: PLC0415
    from imitation_data.file_rows import Wanted  # noqa: PLC0415

    refuse_taken(out, [*pool, *against])
    options = _options(count, bleu, language, threshold, seed, code=code)
    where, threads = open_store(store), workers or cores()
    made = make_evalset(pool, against, Wanted(on, id=name), options, where, threads)
    write(made, out)
    facts = made.summary
    if json:
        typer.echo(orjson.dumps(facts).decode())
        return
    dropped = sum(facts["dropped"].values())
    say(f"{facts['read']:,} prompts read = {facts['kept']:,} kept + {dropped:,} dropped")
    for reason, number in facts["dropped"].items():
        say(f"  {number:>9,}  {reason}")
    for words in facts["left_out"]:
        say(f"left out: {words}", err=True)
    if facts["kept"] < count:
        say(f"fewer than the {count:,} that were wanted are left")
    if not quiet:
        say(f"look at: {out / 'prompts.jsonl'}; why the others went is in {out / 'ledger.parquet'}")


def _options(
    count: int, bleu: float, language: str, threshold: float, seed: int, *, code: bool
) -> "EvalsetOptions":
    from imitation_data.errors import StepError  # noqa: PLC0415 - keeps --help fast
    from imitation_data.evalset import EvalsetOptions  # noqa: PLC0415

    kept = "" if language == "any" else language
    try:
        return EvalsetOptions(count, bleu, kept, code, threshold, seed)
    except ValueError as error:
        raise StepError(str(error)) from error
