"""Commands about stored datasets: show, sample, explain."""

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from imitation_data.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from imitation_data.conversation import Conversation
    from imitation_data.explanation import Explanation
    from imitation_data.ledger import Entry
    from imitation_data.versions.store import Store

REFERENCE = "NAME (its latest release), NAME@VERSION, or NAME@CHANNEL for its newest preview."
ANYWHERE = "NAME[@VERSION], a file, a folder (also a saved one), or org/name[@revision] on the Hub."


def show(
    dataset: Annotated[str, typer.Argument(help=REFERENCE)],
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what a version holds: rows, splits, sources, and what every step did."""
    found = open_store(store).find(dataset)
    manifest: dict[str, Any] = found.manifest
    steps = manifest["steps"]
    if json:
        books = {
            "read": steps[0]["rows_in"],
            "kept": manifest["rows"],
            "dropped": _dropped(steps),
        }
        typer.echo(orjson.dumps(manifest | books).decode())
        return
    tokens = (
        f", {manifest['tokens']:,} tokens ({manifest['encoding']})" if manifest["tokens"] else ""
    )
    say(f"{found}  {found.path}")
    say(f"{manifest['rows']:,} rows{tokens}; fingerprint {manifest['fingerprint'][:16]}")
    say("splits: " + ", ".join(f"{name} {rows:,}" for name, rows in manifest["splits"].items()))
    for source in manifest["sources"]:
        license_ = source["license"] or "no licence"
        words = f"{source['records']:,} records, {source['bad']:,} bad, {license_}"
        say(f"source {source['name']} ({source['reader']}): {words}")
    say(f"{'step':<24}{'in':>10}{'created':>10}{'dropped':>10}{'out':>10}")
    for step in steps:
        label = f"{step['step']} {step['name']}"
        counts = (step[key] for key in ("rows_in", "created", "dropped", "rows_out"))
        say(f"{label:<24}" + "".join(f"{count:>10,}" for count in counts))
        for reason, count in {**step["drops"], **step["edits"]}.items():
            kind = "drop" if reason in step["drops"] else "edit"
            say(f"    {kind} {reason}: {count:,}")


def sample(
    dataset: Annotated[str, typer.Argument(help=ANYWHERE)],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many rows.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds draw equal rows.")] = 0,
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Print random rows."""
    from imitation_data.inputs import open_input  # noqa: PLC0415 - keeps --help fast
    from imitation_data.inputs import sample as draw  # noqa: PLC0415

    found = open_input(dataset, open_store(store))
    rows, total = draw(found.rows(), count, seed)
    if json:
        plain = [_plain(row) | {"split": split} for split, row in rows]
        books = {"read": total, "kept": len(rows), "dropped": {"not_drawn": total - len(rows)}}
        more = {"left_out": found.left_out, "rows": plain}
        typer.echo(orjson.dumps(books | more).decode())
        return
    for words in found.left_out:
        say(f"left out: {words}", err=True)
    for split, row in rows:
        _print_row(split, row)


def explain(
    what: Annotated[
        str, typer.Argument(help="An origin, a row's id, or a key source/origin:part.")
    ],
    dataset: Annotated[
        str, typer.Option("--in", help=REFERENCE, show_default="the latest of each")
    ] = "",
    store: StoreOption = None,
    json: JsonOption = False,  # noqa: FBT002 - a flag
) -> None:
    """Tell everything that happened to a record, kept or dropped."""
    from dataclasses import asdict  # noqa: PLC0415

    from imitation_data.explanation import explain as find  # noqa: PLC0415 - keeps --help fast

    stories = find(what, dataset, open_store(store))
    if json:
        plain = [
            {
                "version": story.version,
                "source": story.source,
                "origin": story.origin,
                "entries": [asdict(entry) for entry in story.entries],
                "rows": [_plain(row) | {"split": split} for split, row in story.rows],
                "dropped": [_plain(row) | {"step": step} for step, row in story.dropped],
            }
            for story in stories
        ]
        typer.echo(orjson.dumps({"records": plain}).decode())
        return
    for story in stories:
        _print_story(story)


def _print_story(story: "Explanation") -> None:
    say(f"{story.version}: record {story.source}/{story.origin}")
    for entry in story.entries:
        say(f"  step {entry.step} {entry.name}: {_sentence(entry)}")
    if not story.entries:
        say("  no step dropped or edited it")
    for step, row in story.dropped:
        say(f"  part {row.part}, as it was when step {step} dropped it:")
        _print_row("", row)
        _print_beside(story, step, row)
    for split, row in story.rows:
        say(f"  part {row.part} is in the version:")
        _print_row(split, row)


def _print_beside(story: "Explanation", step: int, row: "Conversation") -> None:
    """Show a dropped row beside the one it lost to, unless the two are equal."""
    import shutil  # noqa: PLC0415 - keeps --help fast

    from imitation_data.dedup.evidence import side_by_side  # noqa: PLC0415
    from imitation_data.display import terminal  # noqa: PLC0415

    lost = {
        entry.other
        for entry in story.entries
        if entry.action == "drop" and (entry.step, entry.part) == (step, row.part)
    }
    for key, other in story.others.items():
        if key in lost and other.messages != row.messages:
            say(f"  beside {key}, which it lost to:")
            left, right = (
                terminal("\n".join(f"{role}: {text}" for role, text in one.messages))
                for one in (row, other)
            )
            for line in side_by_side(left, right, shutil.get_terminal_size().columns - 4):
                say(f"    {line}")
            say("")


def _sentence(entry: "Entry") -> str:
    what = {
        "drop": "dropped",
        "bad_record": "could not be read",
        "create": "made",
        "edit": "edited",
    }
    words = f"part {entry.part} {what[entry.action]}: {entry.reason}"
    if entry.action == "edit":
        words += f" ({entry.count:,} times)"
    if entry.found:
        words += f"; found {entry.found}"
    if entry.limit:
        words += f"; expected {entry.limit}" if entry.action != "drop" else f"; limit {entry.limit}"
    if entry.other:
        words += f"; {'piece of' if entry.action == 'create' else 'lost to'} {entry.other}"
    return words + (f"; evidence: {entry.evidence}" if entry.evidence else "")


def _print_row(split: str, row: "Conversation") -> None:
    facts = [split, row.key, row.language or "", row.teacher or "", row.license]
    if row.tokens is not None:
        facts.append(f"{row.tokens:,} tokens")
    say(f"── {row.id}  " + " · ".join(fact for fact in facts if fact))
    for role, text in row.messages:
        say(f"{role}:")
        for line in text.split("\n"):
            say(f"    {line}")
    say("")


def _plain(row: "Conversation") -> dict[str, object]:
    names = ("id", "source", "origin", "part", "teacher", "language", "license", "tokens", "meta")
    messages = [{"role": role, "content": text} for role, text in row.messages]
    return {name: getattr(row, name) for name in names} | {"messages": messages}


def _dropped(steps: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in steps:
        for reason, count in step["drops"].items():
            found[reason] = found.get(reason, 0) + count
    return found


def say(text: str, *, err: bool = False) -> None:
    from imitation_data.display import terminal  # noqa: PLC0415 - keeps --help fast

    typer.echo(terminal(text, line=True), err=err)


def open_store(location: str | None) -> "Store":
    from imitation_data.versions.store import open_store as opened  # noqa: PLC0415

    return opened(location)
