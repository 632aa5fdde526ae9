"""Commands about near-duplicates: dedup, and index with its verbs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from imitation_data.cli.options import JsonOption, StoreOption, WorkersOption

if TYPE_CHECKING:
    from imitation_data.dedup.sketch import NearOptions
    from imitation_data.deduplicate import Asked, Deduplicated

ANYWHERE = (
    "Files, folders (also saved ones), NAME[@VERSION], or org/name[@revision] on the Hub; rows of "
    "those named first stay first."
)
ON = (
    "conversation, prompt (first user turn), user, assistant, or a column with text "
    "(column:prompt where it is called so)."
)
CALLS = 5  # shown on the terminal

QuietOption = Annotated[bool, typer.Option("--quiet", help="Print the counts only.")]
AddOption = Annotated[
    bool, typer.Option("--add", help="Add rows that stay to the index, making it if needed.")
]

index = typer.Typer(
    no_args_is_help=True, help="Look into, check and merge indexes.", rich_markup_mode=None
)


def dedup(  # noqa: PLR0913, PLR0917 - one parameter an option
    inputs: Annotated[list[str], typer.Argument(help=ANYWHERE)],
    on: Annotated[str, typer.Option("--on", help=ON)] = "conversation",
    threshold: Annotated[
        float, typer.Option("--threshold", help="Least Jaccard similarity of shingles.")
    ] = 0.7,
    ngram: Annotated[int, typer.Option("--ngram", help="Tokens in a shingle.")] = 5,
    keep: Annotated[
        str, typer.Option("--keep", help="Who stays: longest, earliest or best.")
    ] = "longest",
    by: Annotated[
        str,
        typer.Option(
            "--by",
            help="What earliest and best go by: a column; of conversations tokens or meta.NAME.",
        ),
    ] = "",
    name: Annotated[
        str, typer.Option("--id", help="Column with your own ids.", show_default="id, if there")
    ] = "",
    against: Annotated[
        str, typer.Option("--against", help="An index, or a dataset: its rows stay.")
    ] = "",
    against_on: Annotated[
        str, typer.Option("--against-on", help="What of it is compared, if not --on.")
    ] = "",
    add: AddOption = False,  # noqa: FBT002 - a flag
    prefix: Annotated[str, typer.Option("--prefix", help="Put before ids that are added.")] = "",
    what_if: Annotated[
        list[float] | None, typer.Option("--what-if", help="Count drops at a higher threshold.")
    ] = None,
    recall: Annotated[
        float, typer.Option("--recall", help="Wanted share of pairs found at the threshold.")
    ] = 0.985,
    scheme: Annotated[
        str, typer.Option("--scheme", help="poly64, or xxh32 to be read by datasketch.")
    ] = "poly64",
    permutations: Annotated[
        int, typer.Option("--permutations", help="Minima in a signature; low thresholds need more.")
    ] = 128,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for what stays and the evidence.")
    ] = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
    quiet: QuietOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Find near-duplicates in any files, verified, and say which row each one loses to."""
    _refuse_usage(on, against, against_on, add=add)
    from imitation_data.atomic import refuse_taken  # noqa: PLC0415 - keeps --help fast
    from imitation_data.cli.dataset import open_store  # noqa: PLC0415
    from imitation_data.deduplicate import deduplicate, write  # noqa: PLC0415
    from imitation_data.engines.local import cores  # noqa: PLC0415
    from imitation_data.growing_index import Growing  # noqa: PLC0415

    options = _options(threshold, recall, (ngram, permutations, scheme))
    asked = _asked((on, by, name), options, keep, tuple(what_if or ()), against_on)
    if out is not None:
        refuse_taken(out, [*inputs, *([against] if against else [])])
    threads = workers or cores()
    index_ = Growing.begin(Path(against), prefix) if add else None
    if index_:
        index_.refuse(out)
    held = "" if index_ and index_.fresh else against
    done = deduplicate(inputs, asked, open_store(store), held, threads)
    if index_:
        index_.refuse_ids(done)
    if out is not None:
        write(done, out)
    if index_:
        index_.add(done, threads)
    if json:
        typer.echo(orjson.dumps(done.summary).decode())
    else:
        _print_counts(done)
        if not quiet:
            _print(done, out)


def _refuse_usage(on: str, against: str, against_on: str, *, add: bool) -> None:
    if add and not against:
        raise typer.BadParameter("needs --against INDEX, the index to add to", param_hint="--add")
    if against_on and not against:
        raise typer.BadParameter("needs --against", param_hint="--against-on")
    if on in {"", "column:"}:
        raise typer.BadParameter("names nothing to compare", param_hint="--on")


def _options(threshold: float, recall: float, signed: tuple[int, int, str]) -> "NearOptions":
    from imitation_data.dedup.shingling import Shingling  # noqa: PLC0415 - keeps --help fast
    from imitation_data.dedup.sketch import NearOptions  # noqa: PLC0415
    from imitation_data.errors import StepError  # noqa: PLC0415

    ngram, permutations, scheme = signed
    try:
        shingling = Shingling(ngram, permutations, scheme=scheme)  # type: ignore[arg-type]
        return NearOptions(threshold, recall, shingling=shingling)
    except ValueError as error:
        raise StepError(str(error)) from error


def _asked(
    wanted: tuple[str, str, str],
    options: "NearOptions",
    keep: str,
    what_if: tuple[float, ...],
    against_on: str,
) -> "Asked":
    from imitation_data.deduplicate import Asked  # noqa: PLC0415 - keeps --help fast
    from imitation_data.errors import StepError  # noqa: PLC0415
    from imitation_data.file_rows import Wanted  # noqa: PLC0415

    if low := [value for value in what_if if not options.threshold <= value <= 1]:
        raise StepError(f"what-if is {low[0]}; expected {options.threshold} to 1")
    return Asked(Wanted(*wanted), options, keep, what_if, against_on)


def _print_counts(done: "Deduplicated") -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    facts = done.summary
    dropped = sum(facts["dropped"].values())
    against = f", held against {facts['against']:,}" if facts["against"] else ""
    say(f"{facts['read']:,} rows read{against} = {facts['kept']:,} kept + {dropped:,} dropped")
    for reason, count in facts["dropped"].items():
        say(f"  {count:>9,}  {reason}")
    for words in facts["left_out"]:
        say(f"left out: {words}", err=True)


def _print(done: "Deduplicated", out: Path | None) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    facts = done.summary
    if facts["without_text"]:
        say(f"{facts['without_text']:,} rows have no {facts['on']} text; they stay")
    if facts["without_value"]:
        by = done.asked.wanted.by
        say(f"{facts['without_value']:,} rows have no number or date in {by}; they come last")
    found = 100 * facts["recall_at_threshold"]
    say(f"{done.findings.note()}, all verified; {found:.1f} % of pairs at {facts['threshold']:g}")
    say("would be found, and more of those that are more alike")
    say(f"clusters: {facts['clusters']:,}; kept though they begin alike: {facts['begin_alike']:,}")
    for value, count in facts["what_if"].items():
        say(f"at {value}: {count:,} dropped")
    names, matches = done.names, done.matches
    for row in matches.closest_calls(CALLS).tolist():
        other = names.shown(int(matches.other[row]))
        say(f"{matches.similarity[row]:.3f}  {names.shown(row)} lost to {other}")
        if span := done.findings.evidence[row]:
            say(f"       {span}")
    if out is not None:
        say(f"look at: {out / 'duplicates.parquet'}; what stays is in {out / 'kept'}")


IndexArgument = Annotated[Path, typer.Argument(help="Folder of an index.")]


@index.command("show")
def show(path: IndexArgument, json: JsonOption = False) -> None:  # noqa: FBT002 - a flag
    """Show how an index was made and how much is in it."""
    from imitation_data.dedup.index import Index  # noqa: PLC0415 - keeps --help fast

    found = Index.open(path)
    facts: dict[str, Any] = {"rows": len(found), "on": found.on, "segments": len(found.segments)}
    _tell(facts | found.shingling.identity(), json=json)


@index.command("check")
def check(path: IndexArgument, json: JsonOption = False) -> None:  # noqa: FBT002 - a flag
    """Read all of an index and say what is wrong with it."""
    from imitation_data.dedup.index import Index  # noqa: PLC0415 - keeps --help fast
    from imitation_data.errors import CheckError  # noqa: PLC0415

    found = Index.open(path)
    if problems := found.check():
        raise CheckError("\n".join([f"{path}: {len(problems)} problems", *problems]))
    _tell({"rows": len(found), "problems": []}, json=json)


@index.command("merge")
def merge(
    path: IndexArgument,
    other: Annotated[Path, typer.Argument(help="The index whose rows are added to it.")],
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Add all that another index holds."""
    from imitation_data.dedup.index import Index  # noqa: PLC0415 - keeps --help fast

    merged = Index.open(path).merge(Index.open(other))
    _tell({"rows": len(merged), "segments": len(merged.segments)}, json=json)


def _tell(facts: dict[str, Any], *, json: bool) -> None:
    from imitation_data.cli.dataset import say  # noqa: PLC0415 - keeps --help fast

    if json:
        typer.echo(orjson.dumps(facts).decode())
        return
    for name, value in facts.items():
        say(f"{name}: {value}")
