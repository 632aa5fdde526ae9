"""A column of texts that may be larger than memory, gone through as often as wanted."""

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa

from imitation_data.errors import StepError

HELD = (
    1 << 29
)  # bytes in memory; a larger column lies in a file without a name, gone with the process
PIECE_ROWS, PIECE_BYTES = 8192, 16 << 20

_SCHEMA = pa.schema([pa.field("text", pa.large_string())])


class Spool:
    """Texts in the order they were added; None for rows without one.

    Args:
        held: bytes that stay in memory before the texts go to a file.
    """

    def __init__(self, held: int = HELD) -> None:
        self._held, self._bytes, self._rows = held, 0, 0
        self._pieces: list[pa.Array] = []
        self._waiting: list[str | None] = []
        self._file: BinaryIO | None = None
        self._mapped: pa.Buffer | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def __len__(self) -> int:
        return self._rows

    def add(self, text: str | None) -> None:
        """Add one text.

        Raises:
            StepError: there is no room for it on disk.
        """
        self._waiting.append(text)
        self._bytes += len(text) if text else 0
        self._rows += 1
        if len(self._waiting) >= PIECE_ROWS or self._bytes >= PIECE_BYTES:
            self._flush()

    def extend(self, texts: pa.Array) -> None:
        """Add a string array."""
        self._flush()
        self._rows += len(texts)
        self._put(texts.cast(pa.large_string()))

    def __iter__(self) -> Iterator[pa.Array]:
        self._flush()
        if self._file is None:
            yield from self._pieces
            return
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._file.flush()
            whole = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            self._mapped = pa.py_buffer(whole)
        reader = pa.ipc.open_file(pa.BufferReader(self._mapped))
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number).column(0)

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting, self._bytes = self._waiting, [], 0
            self._put(pa.array(waiting, pa.large_string()))

    def _put(self, texts: pa.Array) -> None:
        if self._file is not None:
            self._write([texts])
            return
        self._pieces.append(texts)
        if sum(piece.nbytes for piece in self._pieces) > self._held:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the spool
            self._writer = pa.ipc.new_file(self._file, _SCHEMA)
            pieces, self._pieces = self._pieces, []
            self._write(pieces)

    def _write(self, pieces: Sequence[pa.Array]) -> None:
        if self._writer is None:
            raise ValueError("nothing can be added to a spool that was gone through")
        try:
            for piece in pieces:
                self._writer.write_batch(pa.record_batch([piece], schema=_SCHEMA))
        except OSError as error:
            raise StepError(
                f"{tempfile.gettempdir()}: cannot hold the texts ({error.strerror or error}); make "
                "room there, or let TMPDIR name another folder"
            ) from error
