"""What a segment of an index holds of its texts, and how it is read again."""

import numpy as np
import pyarrow as pa

from imitation_data.dedup.minhash import band_keys
from imitation_data.dedup.shingling import Shingling
from imitation_data.dedup.sketch import NearOptions, Sketch, StoredSets, equal_keys


def stored_sets(batch: pa.RecordBatch) -> StoredSets:
    lists = batch.column("shingles")
    return StoredSets(lists.offsets.to_numpy(), lists.values.to_numpy())


def sketched(table: pa.Table, options: NearOptions) -> Sketch:
    """The sketch of texts whose signatures are known."""
    bands, count = options.banding, table.num_rows
    permutations = options.shingling.permutations
    raw = table.column("signature").combine_chunks()
    signatures = np.frombuffer(raw.buffers()[1], np.uint32)
    signatures = signatures[raw.offset * permutations :][: count * permutations]
    counts = table.column("count").to_numpy().astype(np.int32)
    keys = np.zeros((bands.bands, count), np.uint32)
    band_keys(signatures.reshape(count, permutations), counts, bands.rows, keys)
    equal = np.stack([table.column("equal_high").to_numpy(), table.column("equal_low").to_numpy()])
    return Sketch(counts, table.column("opening").to_numpy(), keys, equal)


def made_of(shingling: Shingling, texts: pa.Array, threads: int) -> pa.Table:
    """The rows of a segment, without their ids."""
    signed = shingling.signatures(texts, threads)
    equal = equal_keys(texts, signed.counts)
    room = signed.counts.astype(np.int64)
    starts = np.cumsum(room) - room
    sizes = np.zeros(len(texts), np.int32)
    sets = np.empty(int(room.sum()), np.uint64)
    shingling.sets(texts, starts, sizes, sets, threads)
    used = np.arange(len(sets)) - np.repeat(starts, room) < np.repeat(sizes, room)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    raw = pa.py_buffer(np.ascontiguousarray(signed.values).tobytes())
    width = pa.binary(4 * shingling.permutations)
    return pa.table(
        {
            "count": pa.array(signed.counts),
            "opening": pa.array(signed.openings),
            "equal_high": pa.array(equal[0]),
            "equal_low": pa.array(equal[1]),
            "signature": pa.Array.from_buffers(width, len(texts), [None, raw]),
            "shingles": pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(sets[used])),
        }
    )
