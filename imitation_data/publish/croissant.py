"""A version in Croissant 1.1, which dataset search and loaders of many frameworks read.

Source: MLCommons, "Croissant Format Specification" (http://mlcommons.org/croissant/1.1) and
"Croissant RAI" 1.0. One record set a split, with all columns of the row; turns are a field with
subfields. Everything that comes from data is made visible first (`display.terminal`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from urllib.parse import quote

import orjson
import pyarrow as pa

from imitation_data.conversation import MESSAGE, SCHEMA
from imitation_data.display import terminal
from imitation_data.publish.croissant_rai import rai
from imitation_data.report.hub import front_matter
from imitation_data.report.summary import BuildSummary
from imitation_data.versions.store import split_of

# The context of the specification; short names for what is written below, and no download.
CONTEXT: Mapping[str, object] = MappingProxyType(
    {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "arrayShape": "cr:arrayShape",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "containedIn": "cr:containedIn",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileObject": "cr:fileObject",
        "fileProperty": "cr:fileProperty",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isArray": "cr:isArray",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "name": {"@container": "@language"},
        "parentField": "cr:parentField",
        "path": "cr:path",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    }
)
CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "id": "Content identity: equal turns, equal id.",
        "messages": "The turns of the conversation, in order.",
        "source": "The source that the row came from.",
        "origin": "The record of the source that the row was made of.",
        "part": "0, or the piece's number where one record became several rows.",
        "teacher": "The model that wrote the assistant turns, when known.",
        "language": "ISO 639-1, or ISO 639-3 for languages without such a code, as detected.",
        "license": "SPDX, or the source's own words.",
        "tokens": "Tokens of the row, when they were counted.",
        "meta": "A JSON object of what else the source said.",
    }
)
TURN: Mapping[str, str] = MappingProxyType(
    {"role": "system, user or assistant.", "content": "What was said."}
)
KEY = ("source", "origin", "part")  # no two rows of a version have the same

_TYPES: Mapping[pa.DataType, str] = {pa.string(): "sc:Text", pa.int32(): "cr:Int32"}
_FORMATS = {
    ".parquet": "application/x-parquet",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".html": "text/html",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
}


@dataclass(frozen=True)
class Place:
    """Where and when a version is published.

    Attributes:
        url: the page of the dataset; "" where it has none.
        revision: the tag or commit at which the version lies there; "" where there is none.
        date_published: `YYYY-MM-DD`.
        files_at: the address under which the files lie at that revision, as
            `https://huggingface.co/datasets/o/n/resolve/v1.0.0`; "" for files that lie beside the
            description.
    """

    url: str
    revision: str
    date_published: str
    files_at: str = ""

    def __post_init__(self) -> None:
        try:
            right = date.fromisoformat(self.date_published).isoformat() == self.date_published
        except ValueError:
            right = False
        if not right:
            raise ValueError(f"date_published: found {self.date_published!r}; expected YYYY-MM-DD")


@dataclass(frozen=True)
class PublishedFile:
    """A file of a version: its size in bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


def croissant_json(
    summary: BuildSummary, place: Place, files: Mapping[str, PublishedFile]
) -> bytes:
    """Describe a version as JSON-LD; equal arguments give equal bytes.

    Args:
        summary: the version.
        place: where it is published.
        files: by path inside the version (`data/train-00000-of-00001.parquet`), in any order. Those
            of `data/` that are Parquet make the record sets; all are listed with their checksums.
    """
    matter = front_matter(summary)
    splits = _splits(files)
    described: dict[str, object] = {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": terminal(summary.name, line=True),
        "description": terminal(summary.description) or f"{summary.facts.total.rows:,} rows.",
        "version": terminal(summary.version, line=True),
        "license": _licenses(summary),
        "url": terminal(place.url, line=True),
        "datePublished": place.date_published,
        "inLanguage": matter.get("language"),
        "keywords": matter["tags"],
        "citeAs": _citation(summary, place),
        "distribution": [
            *(_file_object(path, files[path], place) for path in sorted(files)),
            *(_file_set(split, paths) for split, paths in splits.items() if len(paths) > 1),
        ],
        "recordSet": [
            _record_set(split, paths, summary.facts.splits[split].rows)
            for split, paths in splits.items()
            if split in summary.facts.splits
        ],
        **rai(summary),
    }
    known = {name: value for name, value in described.items() if value not in ("", None)}
    return orjson.dumps(known, option=orjson.OPT_INDENT_2) + b"\n"


def _splits(files: Iterable[str]) -> dict[str, list[str]]:
    """Parquet files by split, as people order them."""
    found: dict[str, list[str]] = {}
    for name in sorted(files):
        path = PurePosixPath(name)
        if (
            path.parent.name == "data"
            and path.suffix == ".parquet"
            and (split := split_of(Path(name)))
        ):
            found.setdefault(split, []).append(name)
    return found


def _licenses(summary: BuildSummary) -> list[str]:
    names = [summary.license] if summary.license else sorted(summary.facts.licenses)
    return [_license(name) for name in names] or ["not stated"]


def _license(name: str) -> str:
    """Return the SPDX address of a licence, or its own words."""
    from packaging.licenses import (  # noqa: PLC0415 - only needed here
        InvalidLicenseExpression,
        canonicalize_license_expression,
    )

    try:
        spdx = canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        return terminal(name, line=True) or "not stated"
    single = " " not in spdx and not spdx.startswith("LicenseRef-")
    return f"https://spdx.org/licenses/{spdx}" if single else spdx


def _citation(summary: BuildSummary, place: Place) -> str:
    """A BibTeX entry; what BibTeX would read as its own is left out of names."""
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"{summary.name}-{summary.version}").strip("-")
    title, version = (_bibtex(text) for text in (summary.name, summary.version))
    at = f"revision {_bibtex(place.revision)}, " if place.revision else ""
    lines = [
        f"title = {{{title}}}",
        f"version = {{{version}}}",
        f"year = {{{place.date_published[:4]}}}",
        *([f"url = {{{_bibtex(place.url)}}}"] if place.url else []),
        f"note = {{{at}fingerprint {_bibtex(summary.fingerprint)}}}",
    ]
    return "@misc{" + ",\n  ".join([key, *lines]) + "\n}"


def _bibtex(text: str) -> str:
    return re.sub(r"[{}\\]", "", terminal(text, line=True))


def _file_object(path: str, file: PublishedFile, place: Place) -> dict[str, object]:
    shown = terminal(path, line=True)
    address = quote(path.encode("utf-8", "replace")) if place.files_at else shown
    return {
        "@type": "cr:FileObject",
        "@id": shown,
        "name": shown,
        "contentUrl": f"{place.files_at.rstrip('/')}/{address}" if place.files_at else address,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _FORMATS.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "sha256": file.sha256,
    }


def _file_set(split: str, paths: list[str]) -> dict[str, object]:
    """The files of a split that has several: read from where the description lies."""
    return {
        "@type": "cr:FileSet",
        "@id": _set_id(split),
        "name": _set_id(split),
        "description": f"The {len(paths):,} files of the split {split}.",
        "encodingFormat": _FORMATS[".parquet"],
        "includes": f"{PurePosixPath(paths[0]).parent}/{split}-*.parquet",
    }


def _set_id(split: str) -> str:
    return f"{split}-files"


def _record_set(split: str, paths: list[str], rows: int) -> dict[str, object]:
    """A split's rows, with a field for every column of the row."""
    several = len(paths) > 1
    files = {"fileSet": {"@id": _set_id(split)}} if several else {"fileObject": {"@id": paths[0]}}
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"The {rows:,} rows of the split {split}: one conversation each.",
        "key": [{"@id": f"{split}/{name}"} for name in KEY],
        "field": [_field(split, column, files) for column in SCHEMA],
    }


def _field(split: str, column: pa.Field, files: Mapping[str, object]) -> dict[str, object]:
    at = f"{split}/{column.name}"
    field = {
        "@type": "cr:Field",
        "@id": at,
        "name": column.name,
        "description": COLUMNS[column.name],
    }
    source = {**files, "extract": {"column": column.name}}
    if column.type in _TYPES:
        return {**field, "dataType": _TYPES[column.type], "source": source}
    turns = [
        {
            "@type": "cr:Field",
            "@id": f"{at}/{part.name}",
            "name": part.name,
            "description": TURN[part.name],
            "dataType": _TYPES[part.type],
            "source": {**source, "transform": {"jsonPath": part.name}},
        }
        for part in MESSAGE
    ]
    return {**field, "isArray": True, "arrayShape": "-1", "subField": turns}
