"""The rows that a source gives to a procedure, in a form that is named or told from the files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imitation_data.checksum import checksum
from imitation_data.errors import SourceError
from imitation_data.inputs import UnknownFormError, open_input, own_rows
from imitation_data.options import plain_options
from imitation_data.readers import READERS, BadRecord, Reader, Record, SourceFile, find_files
from imitation_data.readers.hub import fetch
from imitation_data.readers.quoting import names_of
from imitation_data.readers.raw import SUFFIXES, read_raw
from imitation_data.recipe_parts import BoundSource
from imitation_data.stages.stage import library_versions
from imitation_data.versions.store import Store

PROMPTS = ("prompt", "instruction", "question", "query")
"""Columns that hold prompts, where records have no answers."""


@dataclass(frozen=True)
class GivenRows:
    """Files, and what reads them.

    Attributes:
        forms: files by their reader; None for rows of this project.
        version: `NAME@VERSION`, where they are those of a version of the store.
    """

    forms: tuple[tuple[Reader | None, tuple[SourceFile, ...]], ...]
    version: str = ""

    def records(self) -> Iterator[Record | BadRecord]:
        """Yield records in the order of the files.

        Raises:
            SourceError: a file cannot be read.
        """
        for reader, files in self.forms:
            if reader is not None:
                yield from reader.read(files)
                continue
            for file in files:
                for _, row in own_rows(file):
                    origin = f"{row.source}/{row.origin}:{row.part}"
                    yield Record(origin, (row._replace(origin=origin, part=0),))

    def readers(self) -> list[object]:
        """All of what reads the files that the rows follow from."""
        return [
            "rows of ours"
            if reader is None
            else [
                type(reader).__name__,
                reader.REVISION,
                library_versions(reader.LIBRARIES),
                plain_options(reader),
            ]
            for reader, _ in self.forms
        ]

    def listed(self) -> list[list[str]]:
        """Names and SHA-256 of the files."""
        return [[file.name, checksum(file.path)] for _, files in self.forms for file in files]


def given_rows(source: BoundSource, store: Store) -> GivenRows:
    """Find what a source gives.

    Args:
        source: with a procedure that takes rows.
        store: looked into for `NAME@VERSION`.

    Raises:
        SourceError: the files are not there, or the form of one cannot be told.
        StoreError: there is no such version.
    """
    settings = source.settings
    path = source.path
    if settings.hub:
        path, _ = fetch(settings.hub, settings.revision, settings.files)
    if source.given is not None:
        files = find_files(path, source.given.SUFFIXES, settings.files)
        if source.given.TOGETHER:
            return GivenRows(((source.given, tuple(files)),))
        return GivenRows(tuple((source.given, (file,)) for file in files))
    version = "" if path.exists() else settings.path
    if version and store.versions(version.partition("@")[0]):
        version = str(store.find(version))
    try:
        found = open_input(str(path) if path.exists() else version, store)
    except UnknownFormError:
        return _prompts(path)
    if found.left_out:
        raise SourceError(f"{found.left_out[0]}; name a `reader` for source {source.name!r}")
    return GivenRows(tuple((reader, tuple(files)) for reader, files in found.forms), version)


def _prompts(path: Path) -> GivenRows:
    """Files whose records have a prompt and no answer."""
    forms = []
    for file in find_files(path, SUFFIXES):
        first = next(iter(read_raw([file])), None)
        if isinstance(first, BadRecord):
            raise SourceError(str(first))
        row = first.value if first is not None else {}
        names = row if isinstance(row, dict) else {}
        column = next((name for name in PROMPTS if name in names), "")
        if first is not None and not column:
            raise SourceError(
                f"{first.where}: found the fields {names_of(names)}, and none of "
                f"{', '.join(PROMPTS)}; name what reads it, as "
                "`reader: columns` with `reader_options: {prompt: NAME OF THE COLUMN}`"
            )
        reader = READERS["columns"](prompt=column or "prompt")  # type: ignore[call-arg]
        forms.append((reader, (file,)))
    return GivenRows(tuple(forms))
