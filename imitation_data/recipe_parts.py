"""The parts of a recipe that travel to worker processes: sources with their readers, and steps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imitation_data.dataset_step import DatasetStep
from imitation_data.generate import Generator, Labels
from imitation_data.generate.teacher import Teacher
from imitation_data.options import nearest, plain_options
from imitation_data.readers.reader import Reader
from imitation_data.report.terms import known_terms
from imitation_data.rows.step import RowStep

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")


@dataclass(frozen=True)
class Source:
    """Where rows come from: a local path, or files of a Hub dataset at a pinned revision.

    Attributes:
        name: as reports and the `source` column have it.
        reader: name in `READERS`; for `answers` and `labels` it may be left out where the form of
            the files can be told.
        generate: name in `GENERATORS`: the source is made by a teacher. `path` names the seeds; for
            `answers` and `labels` the rows that are given, as a path, a dataset folder, or
            `NAME@VERSION` of the store.
        path: file, folder, glob or archive; relative paths start at the recipe's folder.
        hub: `org/name` of a Hub dataset, instead of `path`.
        revision: tag, branch or commit of the Hub dataset; required with `hub`.
        files: which files to read, as patterns; all that the reader can when empty.
        license: SPDX, or the source's own words; a record that names its own keeps it.
        teacher: model that wrote the assistant turns; a record that names its own keeps it. For
            `generate` a table that says whom to ask, see `imitation_data.generate.teacher`.
        bad_records: `stop` at the first record that cannot be read, or `drop` and count them.
        options: the reader's own options; those of the procedure where there is `generate`.
        reader_options: of the reader, where there is `generate`.
    """

    name: str
    reader: str = ""
    generate: str = ""
    path: str = ""
    hub: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    license: str = ""
    teacher: str | Teacher = ""
    bad_records: Literal["stop", "drop"] = "stop"
    options: Mapping[str, object] | None = None
    reader_options: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {self.name!r}; expected lower-case letters, digits, '-', '_' and '.'"
            )
        if not self.reader and not self.generate:
            raise ValueError("a source has a reader, or generate")
        if self.reader_options and not (self.reader and self.generate):
            raise ValueError("reader_options needs reader and generate; else say options")
        if bool(self.path) == bool(self.hub):
            raise ValueError("a source has either path or hub")
        if self.hub and not self.revision:
            raise ValueError("hub needs revision: a tag or a commit, so that a rebuild is the same")


@dataclass(frozen=True)
class Accepts:
    """What may be published though it stops a publish otherwise; the card says so.

    Attributes:
        unlicensed: sources whose rows name no licence.
        terms: teachers' terms that bar or bind models trained on their outputs, by the keys of
            `report/terms.yaml`.
    """

    unlicensed: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = [terms.key for terms in known_terms()]
        for name in self.terms:
            if name not in known:
                raise ValueError(f"terms: {name!r} is not known{nearest(name, known)}")


@dataclass(frozen=True)
class BoundSource:
    """A source with its reader made and its path resolved.

    Attributes:
        given: reads what a procedure is given; None where the form is to be told from the files.
    """

    settings: Source
    reader: Reader
    path: Path
    procedure: Generator | None = None
    given: Reader | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def kind(self) -> str:
        """Name of the reader, or of the procedure."""
        return self.settings.generate or self.settings.reader

    @property
    def teacher(self) -> str:
        """The model that wrote the assistant turns, as the recipe says."""
        named = self.settings.teacher
        if isinstance(self.procedure, Labels):
            return ""  # it wrote none
        return named.model if isinstance(named, Teacher) else named


@dataclass(frozen=True)
class StepUse:
    """One step of a recipe.

    Attributes:
        number: 1 for the first; 0 is reading.
        type: name in `ROW_STEPS` or `DATASET_STEPS`.
        step: the step itself.
        sources: names of the sources it applies to; empty for all.
    """

    number: int
    type: str
    step: RowStep | DatasetStep
    sources: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, object]:
        """The step's options as plain values, defaults included."""
        return plain_options(self.step)
