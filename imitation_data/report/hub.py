"""What the Hub reads at the head of a card: licence, languages, size, splits and their files.

Keys and words: https://huggingface.co/docs/hub/datasets-cards and .../repositories-licenses.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from imitation_data.display import terminal
from imitation_data.report.breakdown import split_order
from imitation_data.report.facts import Tally
from imitation_data.report.summary import BuildSummary
from imitation_data.report.templates import FOLDER

NAME_LENGTH = 80  # a longer list of licences is called "mixed"

# The Hub names some families without the version that SPDX gives.
_FAMILIES = {"odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl"}
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)


def front_matter(summary: BuildSummary) -> dict[str, object]:
    """Return the metadata of a version as measured; what is not known is left out.

    Languages with less than 1 % of the rows are left out, unless all have less.
    """
    facts = summary.facts
    own = [summary.license] if summary.license else list(facts.licenses)
    matter: dict[str, object] = {
        "pretty_name": terminal(summary.name, line=True),
        **license_keys(own),
        "language": _main(facts.languages, facts.total.rows),
        "size_categories": [size_category(facts.total.rows)],
        "task_categories": ["text-generation"],
        "tags": ["conversational", "imitation", "imitation-data"],
        "configs": _configs(facts.splits),
    }
    return {key: value for key, value in matter.items() if value}


def license_keys(names: Iterable[str]) -> dict[str, str]:
    """Return the licence keys of rows under these licences ("" for none stated).

    One that the Hub knows goes by the Hub's identifier, none at all is `unknown`, and everything
    else is `other` with a `license_name` made of all of them.
    """
    found = sorted({hub_license(name) or _slug(name) for name in names})
    if not found:
        return {"license": "unknown"}
    if len(found) == 1 and found[0] in hub_licenses():
        return {"license": found[0]}
    joined = "-and-".join(found)
    return {"license": "other", "license_name": joined if len(joined) <= NAME_LENGTH else "mixed"}


def hub_license(name: str) -> str | None:
    """Return the Hub's identifier of a licence; None if the Hub does not list it."""
    lower = name.strip().lower().removesuffix("-only").removesuffix("-or-later")
    found = _FAMILIES.get(lower, lower)
    return found if found in hub_licenses() else None


@cache
def hub_licenses() -> frozenset[str]:
    """Return the identifiers the Hub lists for works that are not model weights."""
    return frozenset((FOLDER / "hub_licenses.txt").read_text(encoding="utf-8").split())


def size_category(rows: int) -> str:
    """Return the Hub's word for so many rows."""
    return next((word for limit, word in _SIZES if rows < limit), "n>1T")


def _slug(name: str) -> str:
    """Write a licence's name as the Hub wants names: lower-case letters, digits, `-` and `.`."""
    return re.sub("[^a-z0-9.]+", "-", name.lower()).strip("-.") or "unknown"


def _main(languages: Mapping[str, Tally], rows: int) -> list[str]:
    coded = (code for code in languages if re.fullmatch("[a-z]{2,3}", code))
    order = sorted(coded, key=lambda code: (-languages[code].rows, code))
    return [code for code in order if 100 * languages[code].rows >= rows] or order


def _configs(splits: Mapping[str, Tally]) -> list[dict[str, object]]:
    files = [
        {"split": split, "path": f"data/{split}-*.parquet"} for split, _ in split_order(splits)
    ]
    return [{"config_name": "default", "data_files": files}] if files else []
