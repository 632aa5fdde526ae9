"""What goes out of a version: its files, and what is written anew for whoever reads them.

data/*.parquet · recipe.yaml · leakage.json · manifest.json     as they are in the store
ledger/*.parquet                                               without the evidence, unless asked
FORM/*.jsonl                                                   the rows in other forms, if asked
README.md · CHANGELOG.md · croissant.json                      rendered; people may edit them
publish.json                                                   checksums of all these

Texts of dropped rows and of benchmarks never go out: they are in no file named here, and the report
stays at home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from imitation_data.atomic import whole_file
from imitation_data.checksum import checksum
from imitation_data.errors import PublishError, StoreError
from imitation_data.ledger import Entry
from imitation_data.publish.export import export
from imitation_data.publish.forms import FORMS
from imitation_data.publish.record import FORMAT
from imitation_data.report.facts import Facts
from imitation_data.report.summary import BuildSummary, CheckResult, SourceFact, StepCount
from imitation_data.stages.finish import note_examples
from imitation_data.versions.manifest import MANIFEST, listed_files
from imitation_data.versions.store import StoredVersion
from imitation_data.versions.verify import examine, published

CARD, CHANGELOG, CROISSANT = "README.md", "CHANGELOG.md", "croissant.json"
BENCHMARKS = "leakage"  # the step whose evidence quotes benchmark items


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes out: where it lies, its size in bytes, its SHA-256 in hex."""

    path: Path
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "File":
        return cls(path, path.stat().st_size, checksum(path))

    def plain(self) -> dict[str, object]:
        return {"bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True)
class Wanted:
    """What a curator asks for.

    Attributes:
        forms: names in `FORMS`, beside the rows as they are.
        evidence: whether the ledger keeps the spans its decisions rest on.
    """

    forms: tuple[str, ...] = ()
    evidence: bool = False


@dataclass(frozen=True)
class Publication:
    """A version as it goes out, before the card and its like are rendered.

    Attributes:
        stored: the version.
        wanted: what was asked for.
        files: by their path in the repository.
        summary: what card and croissant are made of.
    """

    stored: StoredVersion
    wanted: Wanted
    files: Mapping[str, File]
    summary: BuildSummary

    @property
    def tag(self) -> str:
        return f"v{self.stored.version}"

    @property
    def digest(self) -> str:
        """Names what goes out: the version, by its manifest, and what was asked for with it."""
        manifest, wanted = self.files[MANIFEST].sha256, self.wanted
        plain = [self.stored.name, manifest, sorted(wanted.forms), wanted.evidence]
        return sha256(orjson.dumps(plain)).hexdigest()

    def record(
        self, rendered: Mapping[str, bytes], prints: object, retracted: Sequence[str]
    ) -> bytes:
        """Write `publish.json`: everything that goes out with it, by checksum."""
        files = {name: file.plain() for name, file in self.files.items()}
        for name, content in rendered.items():
            files[name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
        plain = {
            "format": FORMAT,
            "name": self.stored.name,
            "version": str(self.stored.version),
            "fingerprint": self.summary.fingerprint,
            "publication": self.digest,
            "evidence": self.wanted.evidence,
            "forms": list(self.wanted.forms),
            "files": files,
            "rendered": sorted(rendered),
            "prints": prints,
            "retracted": list(retracted),
        }
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def prepare(stored: StoredVersion, wanted: Wanted, work: Path) -> Publication:
    """Gather what goes out of a version.

    Args:
        stored: the version.
        wanted: in which forms, with how much of the ledger.
        work: an empty folder for files that are not those of the store.

    Raises:
        PublishError: a file of the version is not what its manifest says.
        StoreError: it cannot be read.
    """
    leave = published(stored.path)
    if faults := examine(stored.path, leave).faults:
        lines = "\n".join(f"  - {fault}" for fault in faults[:20])
        raise PublishError(f"{stored}: is not what its manifest says; nothing goes out:\n{lines}")
    listed = {**listed_files(stored.manifest, str(stored)), **leave.replaced}
    files = {name: File(stored.path / name, one.bytes, one.sha256) for name, one in listed.items()}
    for name in [name for name in files if name.startswith("ledger/")]:
        files[name] = _ledger(files[name], work / name, evidence=wanted.evidence)
    for form in wanted.forms:
        if form not in FORMS:
            raise PublishError(f"no form is called {form!r}; known: {', '.join(FORMS)}")
        for made in export(stored, FORMS[form], work / form):
            files[f"{form}/{made.path.name}"] = File.of(made.path)
    files[MANIFEST] = File.of(stored.path / MANIFEST)
    return Publication(stored, wanted, files, summary_of(stored, wanted))


def _ledger(file: File, path: Path, *, evidence: bool) -> File:
    """A ledger without what quotes rows; quotes of benchmark items never go out.

    What was found in a bad record is a quote, too: a role, a field's name, a short value.
    """
    table = pq.read_table(file.path)
    quoted = pc.not_equal(table["evidence"], "")
    taken = pc.and_(quoted, pc.equal(table["name"], BENCHMARKS)) if evidence else quoted
    bad = pc.and_(pc.equal(table["action"], "bad_record"), pc.not_equal(table["found"], ""))
    emptied = {"evidence": taken} if evidence else {"evidence": taken, "found": bad}
    if not any(pc.any(rows).as_py() for rows in emptied.values()):
        return file
    for column, rows in emptied.items():
        place = table.schema.get_field_index(column)
        left = pc.if_else(rows, pa.scalar("", pa.string()), table[column])
        table = table.set_column(place, table.schema.field(place), left)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, PublishError) as out:  # a full disk aborts Arrow's own file writer
        pq.write_table(table, out, compression="zstd")
    return File.of(path)


def summary_of(stored: StoredVersion, wanted: Wanted) -> BuildSummary:
    """What a card says of a version, read back from its manifest and ledger.

    Raises:
        StoreError: the manifest does not have that form.
    """
    manifest = cast("dict[str, Any]", stored.manifest)
    examples: dict[tuple[int, str], list[Entry]] = {}
    for path in stored.ledger_files():
        with pq.ParquetFile(path) as ledger:
            for group in range(ledger.num_row_groups):
                note_examples(ledger.read_row_group(group), examples)
    steps = []
    for step in manifest["steps"]:
        mine = [
            entry
            for (number, _), some in examples.items()
            for entry in some
            if number == step["step"]
        ]
        told = [_quoted(entry, evidence=wanted.evidence) for entry in mine]
        steps.append({**step, "examples": told})
    try:
        return BuildSummary(
            name=manifest["name"],
            version=manifest["version"],
            fingerprint=manifest["fingerprint"],
            description=manifest["description"],
            license=manifest["license"],
            encoding=manifest["encoding"],
            facts=Facts.from_json(manifest["facts"]),
            steps=TypeAdapter(tuple[StepCount, ...]).validate_python(steps),
            sources=TypeAdapter(tuple[SourceFact, ...]).validate_python(
                [{k: v for k, v in one.items() if k != "list"} for one in manifest["sources"]]
            ),
            checks=TypeAdapter(tuple[CheckResult, ...]).validate_python(manifest["checks"]),
            limits=tuple(manifest["limits"]),
            recipe_yaml=(stored.path / "recipe.yaml").read_text(encoding="utf-8"),
            tool_versions=manifest["libraries"],
            terms=tuple(manifest["terms"]),
            forms=wanted.forms,
            evidence=wanted.evidence,
        )
    except (KeyError, ValueError, OSError) as error:
        raise StoreError(
            f"{stored.path}: its manifest cannot be read as one of this version of imitation-data "
            f"({type(error).__name__}: {error}); build the recipe again"
        ) from error


def _quoted(entry: Entry, *, evidence: bool) -> Entry:
    if evidence and entry.name != BENCHMARKS:
        return entry
    return Entry(
        entry.step,
        entry.name,
        entry.action,
        entry.source,
        entry.origin,
        entry.part,
        entry.reason,
        entry.count,
        "" if entry.action == "bad_record" and not evidence else entry.found,
        entry.limit,
        entry.other,
    )
