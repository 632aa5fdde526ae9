"""The contract of a reader: a frozen dataclass of named options that reads source files.

The contract suite in `tests/contract/` runs over every reader of `imitation_data.readers.READERS`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from imitation_data.readers.files import SourceFile, find_files
from imitation_data.readers.record import BadRecord, Record


class Reader(Protocol):
    """Reads one raw format.

    Attributes:
        REVISION: raised whenever the output for some input changes.
        LIBRARIES: distributions whose version can change the output.
        SUFFIXES: what files end in, without `.gz` or `.zst` (`.json`, `.jsonl`).
        TOGETHER: True when all files of a source must be seen at once (a channel split over files);
            otherwise each file may be read by another worker.
    """

    REVISION: ClassVar[int]
    LIBRARIES: ClassVar[tuple[str, ...]]
    SUFFIXES: ClassVar[tuple[str, ...]]
    TOGETHER: ClassVar[bool]

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield every record of the files, in order, in constant memory; skip none in silence."""
        ...


def read(path: str | Path, reader: Reader) -> Iterator[Record | BadRecord]:
    """Read a file, folder, glob or archive with a reader.

    Raises:
        SourceError: nothing fitting is there.
    """
    yield from reader.read(find_files(Path(path), reader.SUFFIXES))
