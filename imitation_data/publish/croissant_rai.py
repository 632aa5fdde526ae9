"""What a version's own figures say of it in the vocabulary of Croissant RAI 1.0.

Source: MLCommons, "Croissant RAI Specification" (http://mlcommons.org/croissant/RAI/1.0). Only what
was measured or follows from the recipe is said; properties that would need an opinion (social
impact, use cases, annotators) are left out.
"""

from collections.abc import Mapping

from imitation_data.display import terminal
from imitation_data.report.breakdown import holdings, ranked
from imitation_data.report.facts import Tally
from imitation_data.report.summary import BuildSummary, SourceFact, StepCount

EXISTING, WRITTEN = "Secondary Data analysis", "Others"  # of the values that the source recommends
_SHARES = {"Language": "Rows by language, as detected", "Source": "Rows by source"}


def rai(summary: BuildSummary) -> dict[str, object]:
    """Return the properties of a version; what is not known is not among them."""
    said: dict[str, object] = {
        "rai:dataCollection": _collection(summary.sources),
        "rai:dataCollectionType": sorted(
            {WRITTEN if source.generated else EXISTING for source in summary.sources}
        ),
        "rai:dataPreprocessingProtocol": [_step(step) for step in summary.steps],
        "rai:dataBiases": _shares(summary),
        "rai:dataLimitations": [_line(limit) for limit in summary.limits],
        "rai:personalSensitiveInformation": [_personal(summary.steps)] if summary.steps else [],
    }
    return {name: value for name, value in said.items() if value}


def _collection(sources: tuple[SourceFact, ...]) -> str:
    return " ".join(_source(source) for source in sources)


def _source(source: SourceFact) -> str:
    made = _many(source.records, "record") + (" made by a teacher" if source.generated else "")
    license_ = _line(source.license) or "no licence stated"
    teacher = f"; assistant turns by {_line(source.teacher)}" if source.teacher else ""
    return (
        f"Source {_line(source.name)}: {made}, {source.bad:,} of them bad, from "
        f"{_many(source.files, 'file')} of {source.bytes:,} bytes, read as {_line(source.reader)}; "
        f"{license_}{teacher}; checksum {_line(source.checksum)}."
    )


def _step(step: StepCount) -> str:
    options = f" ({_line(step.options)})" if step.options else ""
    return (
        f"Step {step.step}, {_line(step.name)}{options}: {_many(step.rows_in, 'row')} in, "
        f"{step.created:,} created, {step.dropped:,} dropped{_counts(step.drops)}, "
        f"{step.rows_out:,} out; {_many(sum(step.edits.values()), 'edit')}"
        f"{_counts(step.edits)}."
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _counts(counts: Mapping[str, int]) -> str:
    words = ", ".join(f"{_line(name)} {count:,}" for name, count in ranked(counts))
    return f" ({words})" if words else ""


def _personal(steps: tuple[StepCount, ...]) -> str:
    masking = [step for step in steps if step.name == "pii"]
    if not masking:
        return "Personal data was neither looked for nor masked."
    edits: dict[str, int] = {}
    for step in masking:
        for kind, count in step.edits.items():
            edits[kind] = edits.get(kind, 0) + count
    return (
        f"Personal data was masked where its form gives it away: "
        f"{_many(sum(edits.values()), 'place')}{_counts(edits)}. Names and postal addresses were "
        "not looked for."
    )


def _shares(summary: BuildSummary) -> list[str]:
    """Say how the rows are shared out, where that was measured."""
    total = summary.facts.total.rows
    groups = dict(holdings(summary.facts))
    return [
        f"{words}: {', '.join(_share(name, tally, total) for name, tally in groups[title])}."
        for title, words in _SHARES.items()
        if total and any(name for name, _ in groups[title])
    ]


def _share(name: str, tally: Tally, total: int) -> str:
    return f"{_line(name) or 'not known'} {100 * tally.rows / total:.1f} %"


def _line(text: str) -> str:
    return terminal(text, line=True)
