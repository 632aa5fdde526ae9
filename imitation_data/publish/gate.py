"""The gate every publish goes through: licences of sources, terms of teachers."""

from collections.abc import Mapping
from typing import Any, cast

import polars as pl

from imitation_data.errors import TermsError
from imitation_data.recipe import Recipe
from imitation_data.report.facts import Facts
from imitation_data.report.terms import by_terms
from imitation_data.versions.store import StoredVersion
from imitation_data.yaml_file import load_yaml


def refuse_terms(stored: StoredVersion) -> None:
    """Stop a publish that licences or terms speak against, unless the recipe accepts them by name.

    Raises:
        TermsError: rows of a source name no licence, or rows were written by a model whose
            provider's terms bar or bind models trained on them; all of them at once.
    """
    accepted = _accepted(stored)
    problems = []
    for source, rows in _unlicensed(stored).items():
        if source not in accepted.get("unlicensed", ()):
            problems.append(
                f"{rows:,} rows of source {source!r} name no licence; set its `license`, or accept "
                f"it in the recipe: `accepts: {{unlicensed: [{source}]}}`"
            )
    facts = Facts.from_json(stored.manifest["facts"])
    for terms, models in by_terms(facts.teachers):
        if terms.key not in accepted.get("terms", ()):
            rows = sum(facts.teachers[model].rows for model in models)
            problems.append(
                f"{rows:,} rows were written by {', '.join(models)}: by the terms of "
                f"{terms.provider}, {terms.bars} ({terms.url}); if you may publish them, say so in "
                f"the recipe: `accepts: {{terms: [{terms.key}]}}`"
            )
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise TermsError(
            f"{stored} is not published:\n{lines}\nthen build it again: what a recipe accepts "
            "stands on the card, so it makes a new version"
        )


def foreseen(recipe: Recipe) -> tuple[str, ...]:
    """What would stop a publish as far as the recipe alone can tell, one sentence each."""
    accepts = recipe.accepts
    bare = [
        f"source {source.name!r} names no licence; records that name none themselves would stop a "
        "publish"
        for source in recipe.sources
        if not source.settings.license and source.name not in accepts.unlicensed
    ]
    teachers = {source.teacher for source in recipe.sources if source.teacher}
    bound = [
        f"the terms of {terms.provider} would stop a publish: {', '.join(models)}; {terms.bars} "
        f"({terms.url}); `accepts: {{terms: [{terms.key}]}}` says that you may"
        for terms, models in by_terms(teachers)
        if terms.key not in accepts.terms
    ]
    return (*bare, *bound)


def _accepted(stored: StoredVersion) -> Mapping[str, list[str]]:
    recipe = load_yaml(stored.path / "recipe.yaml")
    accepts = recipe.get("accepts") if isinstance(recipe, dict) else None
    return cast("Mapping[str, list[str]]", accepts or {})


def _unlicensed(stored: StoredVersion) -> dict[str, int]:
    """Rows without a licence, by source."""
    data = [path for paths in stored.data_files().values() for path in paths]
    rows = pl.scan_parquet(data, glob=False).filter(pl.col("license") == "")
    counts: list[dict[str, Any]] = rows.group_by("source").len().sort("source").collect().to_dicts()
    return {row["source"]: row["len"] for row in counts}
