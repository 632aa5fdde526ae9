"""Sources made ready to be read: files found and summed, cut into units, keyed for resuming."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

from imitation_data.checksum import checksum
from imitation_data.options import plain_options
from imitation_data.readers import find_files
from imitation_data.readers.files import SourceFile
from imitation_data.recipe_parts import BoundSource
from imitation_data.report.summary import SourceFact
from imitation_data.stages.read import Unit
from imitation_data.stages.shards import CHARACTERS, ROWS, Shard, read_table
from imitation_data.stages.stage import digest, library_versions

READ_REVISION = 2


@dataclass(frozen=True)
class Reading:
    """One source, ready to be read.

    Attributes:
        source: as the recipe has it.
        units: what workers read, in row order.
        key: digest of all that the rows follow from.
        folder: of the source's stage.
        files: the source files, in order.
        sums: SHA-256 of each file on disk.
        commit: the commit of a Hub dataset, or empty.
    """

    source: BoundSource
    units: Sequence[Unit]
    key: str
    folder: Path
    files: Sequence[SourceFile]
    sums: dict[Path, str]
    commit: str

    @property
    def listed(self) -> list[dict[str, object]]:
        """Names and checksums of the files, for the manifest."""
        return [{"name": file.name, "sha256": self.sums[file.path]} for file in self.files]

    def fact(self, results: Sequence[dict[str, object]]) -> SourceFact:
        """What reading came to, from the results of the units."""
        settings, sums = self.source.settings, self.sums
        whole = sha256("".join(sums[file.path] for file in self.files).encode()).hexdigest()
        return SourceFact(
            name=self.source.name,
            reader=self.source.kind,
            license=settings.license,
            teacher=self.source.teacher or None,
            files=len(self.files),
            bytes=sum(path.stat().st_size for path in sums),
            checksum=self.commit or (next(iter(sums.values())) if len(sums) == 1 else whole),
            records=sum(cast("int", result["records"]) for result in results),
            bad=sum(cast("int", result["bad"]) for result in results),
            generated=self.source.procedure is not None,
        )


def prepare(number: int, source: BoundSource, build_folder: Path) -> Reading:
    """Find a source's files, sum them, and cut them into units.

    Args:
        number: the source's index in the recipe.
        source: it may be fetched from the Hub here.
        build_folder: where its stage's folder goes.

    Raises:
        SourceError: the files are not there, or cannot be fetched or read.
    """
    path, commit = _fetched(source)
    files = find_files(path, source.reader.SUFFIXES, source.settings.files)
    sums = {file.path: checksum(file.path) for file in files}
    listed = [[file.name, sums[file.path]] for file in files]
    key = digest([number, READ_REVISION, ROWS, CHARACTERS, _identity(source), listed])
    folder = build_folder / f"read-{number:02d}-{key[:16]}"
    groups = [files] if source.reader.TOGETHER else [[file] for file in files]
    settings = source.settings
    units = [
        Unit(
            f"{number:02d}-{place:05d}",
            source.name,
            source.reader,
            tuple(group),
            settings.license,
            "" if source.procedure else source.teacher,
            settings.bad_records == "drop",
            folder,
        )
        for place, group in enumerate(groups)
    ]
    return Reading(source, units, key, folder, files, sums, commit)


def _fetched(source: BoundSource) -> tuple[Path, str]:
    if not source.settings.hub:
        return source.path, ""
    from imitation_data.readers.hub import fetch  # noqa: PLC0415 - imports the Hub's client

    settings = source.settings
    return fetch(settings.hub, settings.revision, settings.files)


def _identity(source: BoundSource) -> list[object]:
    """All of a source that its rows follow from, except the files themselves."""
    settings, reader = source.settings, source.reader
    words = [source.name, settings.license, source.teacher, settings.bad_records]
    versions = library_versions(reader.LIBRARIES)
    return [*words, source.kind, reader.REVISION, versions, plain_options(reader)]


def with_repeats(shard: Shard, repeats: Sequence[tuple[int, int]]) -> Shard:
    """Give a shard the repeats among its own records; `repeats` is sorted by record."""
    if not repeats or not shard.rows:
        return shard
    records = read_table(shard.root / shard.path, ["record"]).column("record")
    first = bisect_left(repeats, (records[0].as_py(),))
    last = bisect_left(repeats, (records[-1].as_py() + 1,))
    return replace(shard, repeats=tuple(repeats[first:last]))
