"""Croissant: a description that mlcroissant takes without a word and reads the rows by."""

import json
import logging
import math
import socket
from dataclasses import replace
from hashlib import sha256

import mlcroissant as mlc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.conversation import MESSAGE, SCHEMA
from imitation_data.publish.croissant import COLUMNS, TURN, Place, PublishedFile, croissant_json
from imitation_data.report.example import SUMMARY
from imitation_data.report.facts import Facts, Tally, measure
from imitation_data.report.summary import SourceFact, StepCount
from tests.report.conftest import HOSTILE, poison

pytestmark = [  # of mlcroissant's own making
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index"),
]
PLACE = Place("https://example.org/datasets/o/trial", "v1.0.0", "2024-05-06")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def described(stored, place=PLACE):
    """The description of a stored version, written beside its files."""
    facts, files = Facts(), {}
    for split, paths in stored.data_files().items():
        for path in paths:
            facts += measure(pq.read_table(path), split)
            content = path.read_bytes()
            name = path.relative_to(stored.path).as_posix()
            files[name] = PublishedFile(len(content), sha256(content).hexdigest())
    content = croissant_json(replace(SUMMARY, facts=facts), place, files)
    (stored.path / "croissant.json").write_bytes(content)
    return json.loads(content)


def validated(jsonld, caplog):
    """What mlcroissant makes of it; it must neither raise nor warn."""
    with caplog.at_level(logging.WARNING):
        found = mlc.Dataset(jsonld=jsonld)
    issues = found.metadata.ctx.issues
    assert (issues.errors, issues.warnings, caplog.records) == (set(), set(), [])
    return found


def test_mlcroissant_reads_the_rows(stored, caplog):
    """Each split's record set gives the rows of its files, one file or several, turns and all."""
    described(stored)
    found = validated(stored.path / "croissant.json", caplog)
    assert [one.uuid for one in found.metadata.record_sets] == ["test", "train"]
    for split, paths in stored.data_files().items():
        expected = pa.concat_tables(map(pq.read_table, paths)).to_pylist()
        assert [plain(record, split) for record in found.records(split)] == expected


def plain(record, split):
    return {name: _plain(record[f"{split}/{name}"], split) for name in SCHEMA.names}


def _plain(value, split):
    if isinstance(value, list):
        return [
            {part: _plain(turn[f"{split}/messages/{part}"], split) for part in ("role", "content")}
            for turn in value
        ]
    if isinstance(value, bytes):
        return value.decode()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return int(value)


def test_checksums_are_those_of_the_files(stored, caplog):
    """Every file is listed with its size and SHA-256, and a changed file is noticed on reading."""
    jsonld = described(stored)
    listed = {one["contentUrl"]: one for one in jsonld["distribution"] if "sha256" in one}
    paths = [path for some in stored.data_files().values() for path in some]
    assert sorted(listed) == sorted(path.relative_to(stored.path).as_posix() for path in paths)
    for path in paths:
        one = listed[path.relative_to(stored.path).as_posix()]
        assert one["contentSize"] == f"{path.stat().st_size} B"
        assert one["sha256"] == sha256(path.read_bytes()).hexdigest()
    found = validated(stored.path / "croissant.json", caplog)
    (path,) = stored.data_files()["test"]
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(mlc.GenerationError) as refused:
        list(found.records("test"))
    assert "is not identical" in str(refused.value.__cause__)


def test_absolute_addresses(stored, caplog):
    """Files that lie elsewhere get their whole address; a local copy is read without them."""
    place = replace(PLACE, files_at="https://example.org/datasets/o/trial/resolve/v1.0.0/")
    jsonld = described(stored, place)
    validated(jsonld, caplog)
    name = "data/test-00000-of-00001.parquet"
    (listed,) = [one for one in jsonld["distribution"] if one["@id"] == name]
    assert listed["contentUrl"] == f"https://example.org/datasets/o/trial/resolve/v1.0.0/{name}"
    copy = mlc.Dataset(stored.path / "croissant.json", mapping={name: stored.path / name})
    assert [len(list(copy.records(split))) for split in ("test", "train")] == [3, 20]


def test_every_column_has_a_field_and_a_description():
    """A new column of the row cannot be forgotten here."""
    assert list(COLUMNS) == SCHEMA.names
    assert list(TURN) == [part.name for part in MESSAGE]
    content = croissant_json(SUMMARY, PLACE, {"data/train-00000-of-00001.parquet": FILE})
    (records,) = json.loads(content)["recordSet"]
    assert [one["name"] for one in records["field"]] == SCHEMA.names
    assert records["field"][0]["dataType"] == "sc:Text"
    assert records["field"][SCHEMA.names.index("tokens")]["dataType"] == "cr:Int32"


FILE = PublishedFile(3, "ab" * 32)
FILES = {
    "data/train-00001-of-00002.parquet": FILE,
    "data/train-00000-of-00002.parquet": FILE,
    "ledger/ledger-00000.parquet": FILE,
    "README.md": FILE,
    "sharegpt/data/train-00000-of-00001.jsonl": FILE,
}


def test_equal_arguments_give_equal_bytes():
    """Neither the order of the files nor anything else outside of the arguments shows."""
    backwards = dict(reversed(FILES.items()))
    assert croissant_json(SUMMARY, PLACE, FILES) == croissant_json(SUMMARY, PLACE, backwards)


def test_only_data_makes_record_sets(caplog):
    """Other files are listed with their form; the ledger's tables are not taken for rows."""
    jsonld = json.loads(croissant_json(SUMMARY, PLACE, FILES))
    validated(jsonld, caplog)
    assert {one["name"]: one["encodingFormat"] for one in jsonld["distribution"]} == {
        "README.md": "text/markdown",
        "data/train-00000-of-00002.parquet": "application/x-parquet",
        "data/train-00001-of-00002.parquet": "application/x-parquet",
        "ledger/ledger-00000.parquet": "application/x-parquet",
        "sharegpt/data/train-00000-of-00001.jsonl": "application/jsonlines",
        "train-files": "application/x-parquet",
    }
    assert [one["name"] for one in jsonld["recordSet"]] == ["train"]


def test_hostile_text_is_shown_as_text(caplog):
    """Whatever stands in names and reasons, it is JSON, valid, and nothing in it is hidden."""
    summary = poison(SUMMARY, HOSTILE)
    facts = replace(summary.facts, splits=SUMMARY.facts.splits)  # checked by the recipe
    summary = replace(summary, facts=facts, version="1.0.0")
    content = croissant_json(summary, PLACE, FILES)
    validated(json.loads(content), caplog)
    text = content.decode()
    assert not {"\u202e", "\x1b", "\ud800", "\U000e0041", "\u200d"} & set(text)
    assert "\\\\u202e" in text
    citation = json.loads(content)["citeAs"]
    assert citation.count("{") == citation.count("}") == 6


@pytest.mark.parametrize(
    ("own", "rows", "expected"),
    [
        ("cc-by-4.0", [], ["https://spdx.org/licenses/CC-BY-4.0"]),
        (
            "",
            ["MIT", "Apache-2.0"],
            [f"https://spdx.org/licenses/{n}" for n in ("Apache-2.0", "MIT")],
        ),
        ("MIT OR Apache-2.0", [], ["MIT OR Apache-2.0"]),
        ("ask me", [], ["ask me"]),
        ("", [""], ["not stated"]),
        ("", [], ["not stated"]),
    ],
)
def test_licences(own, rows, expected):
    """A licence that SPDX knows goes by its address, another by its own words."""
    facts = replace(SUMMARY.facts, licenses={name: Tally(rows=1) for name in rows})
    content = croissant_json(replace(SUMMARY, license=own, facts=facts), PLACE, FILES)
    assert json.loads(content)["license"] == expected


def test_what_was_done_is_said_in_figures(caplog):
    """Steps, limits, personal data and shares are told as they were measured, and nothing else."""
    pii = StepCount(2, "pii", "", 2, 0, 2, 0, edits={"pii_email": 3, "pii_phone": 1})
    made = SourceFact("seeds", "few_shot", "", "gpt-4", 2, 100, "cd" * 32, 1, generated=True)
    facts = replace(SUMMARY.facts, languages={"en": Tally(rows=1), "": Tally(rows=1)})
    summary = replace(
        SUMMARY, steps=(*SUMMARY.steps, pii), sources=(*SUMMARY.sources, made), facts=facts
    )
    jsonld = json.loads(croissant_json(summary, PLACE, FILES))
    found = validated(jsonld, caplog).metadata
    assert jsonld["rai:dataPreprocessingProtocol"][1] == (
        "Step 1, length (characters: [1, 1000]): 4 rows in, 0 created, 2 dropped (too_long 2), "
        "2 out; 1 edit (trimmed 1)."
    )
    assert found.data_limitations == list(summary.limits)
    (personal,) = jsonld["rai:personalSensitiveInformation"]
    assert personal == (
        "Personal data was masked where its form gives it away: 4 places (pii_email 3, pii_phone "
        "1). Names and postal addresses were not looked for."
    )
    assert jsonld["rai:dataBiases"] == [
        "Rows by language, as detected: not known 50.0 %, en 50.0 %.",
        "Rows by source: forum 100.0 %.",
    ]
    assert jsonld["rai:dataCollectionType"] == ["Others", "Secondary Data analysis"]
    assert "Source seeds: 1 record made by a teacher" in jsonld["rai:dataCollection"]
    assert "from 2 files of 100 bytes" in jsonld["rai:dataCollection"]
    assert "rai:dataSocialImpact" not in jsonld


def test_without_a_step_for_personal_data():
    """A recipe that masks nothing says so; languages that nobody detected are not shared out."""
    facts = replace(SUMMARY.facts, languages={"": Tally(rows=2)})
    jsonld = json.loads(croissant_json(replace(SUMMARY, facts=facts), PLACE, FILES))
    assert "neither looked for nor masked" in jsonld["rai:personalSensitiveInformation"][0]
    assert [one.split(":")[0] for one in jsonld["rai:dataBiases"]] == ["Rows by source"]


@pytest.mark.parametrize("day", ["", "yesterday", "20240506", "2024-13-01", "2024-05-06T00:00:00"])
def test_dates_are_days(day):
    """A publication date of another form is refused."""
    with pytest.raises(ValueError, match="expected YYYY-MM-DD"):
        Place("", "", day)
