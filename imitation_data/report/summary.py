"""What the report and the card are made of: one frozen value that the build fills in.

Everything here is published. It holds keys, reasons, numbers and evidence whose personal data is
masked, never dropped text; and it knows no clock, host or path, so that equal builds give equal
bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imitation_data.dataset_step import Table
from imitation_data.ledger import Entry
from imitation_data.report.facts import Facts


@dataclass(frozen=True, slots=True)
class SourceFact:
    """Where rows came from.

    Attributes:
        name: the recipe's name of the source.
        reader: the reader's name in the recipe.
        license: SPDX or the source's own words.
        teacher: the model that wrote the assistant turns, as the recipe says; None if it does not.
        files: how many files were read.
        bytes: their size on disk, in bytes.
        checksum: SHA-256 over the files, or the commit of a Hub dataset.
        records: raw records read, good and bad.
        bad: raw records that did not have the form the reader expects.
        generated: whether a teacher made it; files and records are those of its candidates.
    """

    name: str
    reader: str
    license: str
    teacher: str | None
    files: int
    bytes: int
    checksum: str
    records: int
    bad: int = 0
    generated: bool = False


@dataclass(frozen=True, slots=True)
class StepCount:
    """The books of one step: rows_in + created = rows_out + dropped.

    Attributes:
        step: 0 is reading; then the recipe's steps in order.
        name: the step's name in the recipe.
        options: its options on one line, as in `limit: 4096, roles: [user]`.
        rows_in, created, rows_out, dropped: rows.
        drops: rows dropped, by reason; sums to `dropped`.
        edits: edits made to rows that stay, by kind.
        examples: a few ledger entries of this step, evidence masked.
        tables: what else the step has to say.
    """

    step: int
    name: str
    options: str
    rows_in: int
    created: int
    rows_out: int
    dropped: int
    drops: Mapping[str, int] = field(default_factory=dict)
    edits: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[Entry, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the finished rows: what was found, held against what, and the ids that fail."""

    name: str
    passed: bool
    found: str
    limit: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """A finished version, as report and card show it.

    Attributes:
        name: the dataset's name, as `sharegpt-mix`.
        version: as `1.2.0`.
        fingerprint: the hash over the multiset of (split, id).
        description: the recipe's, in plain words.
        license: of the dataset as a whole; empty if the recipe leaves it to the sources.
        encoding: what tokens are counted under; None under `tokens: none`.
        facts: measured over the rows of all splits.
        steps: reading first, then every step in order.
        sources: in the recipe's order.
        checks: in the recipe's order.
        limits: known limits, one sentence each.
        recipe_yaml: the resolved recipe.
        tool_versions: distribution name to version.
        terms: what licences and teachers' terms ask for, one sentence each.
        repo: `org/name` on the Hub, where it is published; empty before.
        forms: forms that lie beside the rows, each in a folder of its name, as JSON Lines.
        evidence: whether the ledger beside the card quotes what its decisions rest on.
    """

    name: str
    version: str
    fingerprint: str
    description: str
    license: str
    encoding: str | None
    facts: Facts
    steps: tuple[StepCount, ...] = ()
    sources: tuple[SourceFact, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    limits: tuple[str, ...] = ()
    recipe_yaml: str = ""
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[str, ...] = ()
    repo: str = ""
    forms: tuple[str, ...] = ()
    evidence: bool = True
