"""A small finished version with something in every field: a template that renders it is sound."""

from imitation_data.ledger import Entry
from imitation_data.report.facts import Facts, Histogram, Speech, Tally
from imitation_data.report.summary import BuildSummary, CheckResult, SourceFact, StepCount

_TALLY = Tally(rows=2, turns=4, characters=120, tokens=30)

FACTS = Facts(
    total=_TALLY,
    splits={"train": _TALLY},
    sources={"forum": _TALLY},
    languages={"en": _TALLY},
    licenses={"CC-BY-4.0": _TALLY},
    teachers={"a-model": _TALLY},
    roles={"assistant": Speech(turns=2, characters=80), "user": Speech(turns=2, characters=40)},
    turns=Histogram({2: 2}, total=4, smallest=2, largest=2),
    characters=Histogram({40: 1, 80: 1}, total=120, smallest=40, largest=80),
    tokens=Histogram({10: 1, 20: 1}, total=30, smallest=10, largest=20),
)

SUMMARY = BuildSummary(
    name="example",
    version="0.1.0",
    fingerprint="00112233445566778899aabbccddeeff",
    description="An example.",
    license="",
    encoding="cl100k_base",
    facts=FACTS,
    steps=(
        StepCount(0, "read", "", rows_in=3, created=1, rows_out=4, dropped=0),
        StepCount(
            step=1,
            name="length",
            options="characters: [1, 1000]",
            rows_in=4,
            created=0,
            rows_out=2,
            dropped=2,
            drops={"too_long": 2},
            edits={"trimmed": 1},
            examples=(
                Entry(
                    step=1,
                    name="length",
                    action="drop",
                    source="forum",
                    origin="7",
                    part=0,
                    reason="too_long",
                    found="1204",
                    limit="1000",
                    other="forum/3:0",
                    evidence="as long as",
                ),
            ),
        ),
    ),
    sources=(SourceFact("forum", "messages", "CC-BY-4.0", "a-model", 1, 4096, "ab" * 32, 3, 1),),
    checks=(CheckResult("min_rows", passed=True, found="2 rows", limit="at least 1"),),
    limits=("Languages of a few words are guessed.",),
    recipe_yaml="name: example\n",
    tool_versions={"imitation-data": "0.1.0"},
)
