"""An index that grows by what `deduplicate` leaves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.dedup.index import MANIFEST, Index, is_free
from imitation_data.deduplicate import Deduplicated
from imitation_data.errors import StoreError
from imitation_data.file_rows import FileRows


@dataclass(frozen=True)
class Growing:
    """An index to which the rows that stay are added; it is made when it is not there.

    Attributes:
        path: its folder.
        fresh: whether it is still to be made.
        prefix: put before the ids.
    """

    path: Path
    fresh: bool
    prefix: str = ""

    @classmethod
    def begin(cls, path: Path, prefix: str = "") -> "Growing":
        """Look whether there is an index; what is added later is added to that."""
        return cls(path, is_free(path), prefix)

    def refuse(self, out: Path | None) -> None:
        """Refuse what cannot work, before anything is read.

        Raises:
            StoreError: what lies there is no index, or `out` lies in it.
        """
        if not self.fresh and not (self.path / MANIFEST).is_file():
            raise StoreError(
                f"{self.path}: is no index, it has no {MANIFEST}; --add needs an index, or a new "
                "folder to make one in"
            )
        if out is not None and self.path.resolve() in (out.resolve(), *out.resolve().parents):
            raise StoreError(f"{out}: lies in the index; name a folder elsewhere for --out")

    def refuse_ids(self, done: Deduplicated) -> None:
        """Refuse ids that would stand in the index twice, before anything is written.

        Raises:
            StoreError: names the first one, and where it stands; or the index is another one now.
        """
        now = () if is_free(self.path) else Index.open(self.path).segments
        if now != (done.index.segments if done.index else ()) or self.fresh != is_free(self.path):
            raise StoreError(f"{self.path}: was changed by somebody else meanwhile; run again")
        there = done.index.ids() if done.index else []
        seen: dict[str, int | None] = dict.fromkeys(there)
        for row, name in self._ids(done):
            if name in seen:
                first = seen[name]
                other = "is there already" if first is None else f"is {done.names.stands(first)}"
                raise StoreError(
                    f"{self.path}: the id {name!r} of {done.names.stands(row)} would stand in the "
                    f"index twice, it {other}; --prefix TEXT puts something before the ids, "
                    "--id COLUMN takes other ones"
                )
            seen[name] = row

    def add(self, done: Deduplicated, threads: int = 1) -> Index:
        """Add the rows that stay and have a text.

        Raises:
            StoreError: an id is there already, or the index is not the one that was looked into.
        """
        asked = done.asked
        on = replace(asked.wanted, on=asked.against_on or asked.wanted.on).name
        shingling = asked.options.shingling
        index = done.index or Index.create(self.path, shingling, on)
        added = dict(self._ids(done))
        some = np.zeros(len(done.rows), bool)
        some[np.array([*added], np.int64) - done.known] = True
        return index.add([*added.values()], _some(done.rows, some), threads)

    def _ids(self, done: Deduplicated) -> Iterator[tuple[int, str]]:
        """Rows to be added, as places among the names, and their ids."""
        says = ~done.matches.silent
        for row in done.staying:
            if says[row]:
                at = done.rows.at[row - done.known]
                # Many files are called data.jsonl: where a row stands does not tell it apart.
                more = f"#{at.digest:016x}"[:9] if at.id is None else ""
                yield row, f"{self.prefix}{done.names.ids[row]}{more}"


def _some(rows: FileRows, wanted: NDArray[np.bool_]) -> Iterator[pa.Array]:
    before = 0
    for piece in rows.texts:
        yield piece.filter(pa.array(wanted[before : before + len(piece)]))
        before += len(piece)
