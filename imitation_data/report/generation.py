"""What generated sources came to: requests, tokens and money, a row made and a row kept."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from imitation_data.dataset_step import Table
from imitation_data.report.facts import Facts, Tally


def with_kept(
    generation: Mapping[str, Mapping[str, object]], facts: Facts
) -> dict[str, dict[str, Any]]:
    """Add the rows that the version holds of each source, and what one of them cost."""
    found = {}
    for name, given in generation.items():
        kept = facts.sources.get(name, Tally()).rows
        usd, rows = cast("float | None", given["usd"]), cast("int", given["rows"])
        each = {"usd_per_row": _per(usd, rows), "usd_per_kept_row": _per(usd, kept)}
        found[name] = {**given, "kept": kept, **each}
    return found


def _per(usd: float | None, rows: int) -> float | None:
    return round(usd / rows, 9) if usd is not None and rows else None


def generation_tables(
    generation: Mapping[str, Mapping[str, object]], facts: Facts
) -> tuple[Table, ...]:
    """One table for the card; none when nothing was generated."""
    if not generation:
        return ()
    header = ("source", "teacher", "requests", "tokens in", "tokens out", "US$", "rows made")
    rows = []
    for name, one in with_kept(generation, facts).items():
        usd = "not known" if one["usd"] is None else f"{one['usd']:.4f}"
        each, kept = one["usd_per_row"], one["usd_per_kept_row"]
        costs = ("" if each is None else f"{each:.6f}", "" if kept is None else f"{kept:.6f}")
        numbers = tuple(f"{one[key]:,}" for key in ("requests", "input_tokens", "output_tokens"))
        models = ", ".join(one["models"])
        rows.append((name, models, *numbers, usd, f"{one['rows']:,}", f"{one['kept']:,}", *costs))
    more = ("rows kept", "US$ a row made", "US$ a row kept")
    found = [Table("What a teacher made", (*header, *more), tuple(rows), card=True)]
    found.append(Table("What it started from", _READ_HEADER, tuple(_read(generation)), card=True))
    for name, one in with_kept(generation, facts).items():
        for label, counts in one["labels"].items():
            ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            cells = tuple((word or "none", f"{count:,}") for word, count in ranked)
            title = f"Labels {label!r} of source {name!r}"
            found.append(Table(title, ("label", "rows"), cells, card=True))
    return tuple(found)


_READ_HEADER = ("source", "version", "file", "SHA-256")
_FILES = 20  # of a source that are shown; the manifest has all


def _read(generation: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, ...]]:
    """Seeds, or rows that were given: their files."""
    for name, one in generation.items():
        read = cast("dict[str, Any]", one["read"])
        version, files = str(read.get("version", "")), read["files"]
        for file, checksum in files[:_FILES]:
            yield (name, version, file, checksum)
        if files[_FILES:]:
            yield (name, version, f"and {len(files) - _FILES:,} more", "see manifest.json")


def generation_warnings(generation: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """What of a version is unfinished, or a try-out."""
    for name, one in generation.items():
        if not one["complete"]:
            wanted = f" of {one['wanted']:,} that are wanted" if one["wanted"] else ""
            yield f"source {name!r} stopped at a ceiling: {one['rows']:,} rows made{wanted}"
        if one["limit"]:
            yield f"source {name!r} is a try-out, made with --limit {one['limit']:,}"


def generation_limits(generation: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """What holds for all that a teacher made."""
    for name, one in generation.items():
        what = "The labels" if one["labels"] else "The answers"
        yield (
            f"{what} of source {name!r} are those of a model ({one['model']}); nobody has checked "
            "that they are right, and its provider's terms may limit what they are used for."
        )
