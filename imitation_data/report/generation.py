"""What generated sources came to: requests, tokens and money, a row made and a row kept."""

from collections.abc import Mapping
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
    return (Table("What a teacher made", (*header, *more), tuple(rows), card=True),)
