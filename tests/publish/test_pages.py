"""What is published beside the rows is read by those it is written for."""

import json
import logging

import mlcroissant as mlc
import pytest
from huggingface_hub import DatasetCard

from imitation_data.publish.publication import Wanted
from imitation_data.publish.publish import Target, publish_version
from imitation_data.report.hub import hub_licenses
from imitation_data.stored import load

pytestmark = [  # of mlcroissant's own making
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index"),
]

# The fields of a dataset card's front matter, and what each holds: huggingface/hub-docs,
# datasetcard.md, and https://huggingface.co/docs/hub/datasets-manual-configuration.
TEXT, TEXTS = (str,), (list, str)
FIELDS = {
    "annotations_creators": TEXTS,
    "language_creators": TEXTS,
    "language": TEXTS,
    "license": TEXTS,
    "license_name": TEXT,
    "license_link": TEXT,
    "license_details": TEXT,
    "multilinguality": TEXTS,
    "size_categories": TEXTS,
    "source_datasets": TEXTS,
    "task_categories": TEXTS,
    "task_ids": TEXTS,
    "paperswithcode_id": TEXT,
    "pretty_name": TEXT,
    "tags": TEXTS,
    "configs": (list,),
    "dataset_info": (dict, list),
    "viewer": (bool,),
    "thumbnail": TEXT,
}


@pytest.fixture
def folder(versions, tmp_path):
    stored = versions.find("trial@1.1.0")
    target, wanted = Target(f"folder:{tmp_path / 'out'}"), Wanted(("sharegpt",))
    publish_version(stored, versions, target, wanted)
    return tmp_path / "out"


def test_the_card_survives_a_round_trip(folder):
    """`DatasetCard` reads the metadata and writes the same."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    card = DatasetCard(text)
    again = DatasetCard(str(card))
    assert again.data.to_dict() == card.data.to_dict()
    assert again.text.strip() == card.text.strip()
    assert card.data.license == "cc0-1.0"


def test_the_metadata_fits_the_published_fields(folder):
    """Every key is one that the Hub knows, and holds what it should."""
    data = DatasetCard((folder / "README.md").read_text(encoding="utf-8")).data.to_dict()
    for key, value in data.items():
        assert isinstance(value, FIELDS[key]), key
    assert data["license"] in hub_licenses() | {"other", "unknown"}
    for config in data["configs"]:
        assert set(config) <= {"config_name", "data_files", "default", "data_dir", "description"}
        for one in config["data_files"]:
            assert set(one) == {"split", "path"}
            assert list(folder.glob(one["path"]))


def test_the_card_has_the_sections_people_look_for(folder):
    """Composition, sources and terms, processing, leakage, limits, loading, citation."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("## ") for line in text.split("\n") if line.startswith("## ")]
    assert headings == [
        "Load it",
        "What it holds",
        "Sources and licences",
        "How it was made",
        "Benchmark leakage",
        "Checks",
        "Known limits",
        "Rebuild it",
        "Citation",
    ]


def test_mlcroissant_takes_the_description_without_a_word(folder, versions, caplog):
    """It validates, its checksums are those of the files, and its records are the rows."""
    with caplog.at_level(logging.WARNING):
        described = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert not caplog.records
    plain = json.loads((folder / "croissant.json").read_bytes())
    record = json.loads((folder / "publish.json").read_bytes())
    files = {one["contentUrl"]: one for one in plain["distribution"]}
    assert set(files) == {
        name for name in record["files"] if name.startswith(("data/", "sharegpt/"))
    }
    for name, one in files.items():
        assert one["sha256"] == record["files"][name]["sha256"]
    assert plain["version"] == "1.1.0"
    assert {key for key in plain if key.startswith("rai:")}
    rows = load("trial@1.1.0", versions.root)
    for one in described.metadata.record_sets:
        found = list(described.records(one.name))
        assert len(found) == len(rows[one.name.removeprefix("split-")])
