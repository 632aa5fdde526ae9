"""Clusters are the connected components of the verified pairs that share a bucket."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from imitation_data.dedup.near import Matches, NearOptions, find, sketch
from imitation_data.dedup.shingling import Shingling
from tests.dedup import oracle

FEW_BANDS = NearOptions(0.5, 0.5, shingling=Shingling(ngram=1, permutations=32))


def components(texts: list[str], options: NearOptions, found: Matches) -> list[int]:
    """The same by looking at every pair; fixed rows are not compared with each other."""
    keys = sketch(pa.array(texts), options).keys
    sets = [set(oracle.shingles(text, options.shingling.ngram)) for text in texts]
    pairs = [
        (one, two)
        for two in range(len(texts))
        for one in range(two)
        if (keys[:, one] == keys[:, two]).any()
        and oracle.jaccard(sets[one], sets[two]) >= options.threshold
    ]
    assert found.work.capped == 0
    return oracle.connected(len(texts), range(len(texts)), pairs)


def words(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


@pytest.mark.parametrize("seed", [7, 26, *range(100, 140)])
def test_a_row_between_two_clusters_joins_them(seed):
    """Chains that are hung together while a row passes are looked at all the same."""
    a, b, c = (words(f"{name}{seed}x", 24) for name in "abc")
    z = words(f"z{seed}x", 40)
    rows = [c + z, a + z, b + z, a[:12] + b[:12] + z, c[:16] + a[:9] + z]
    texts = [" ".join(row) for row in rows]
    found = find(pa.array(texts), FEW_BANDS, order=np.arange(len(texts)))
    assert found.cluster.tolist() == components(texts, FEW_BANDS, found)


@pytest.mark.parametrize("seed", range(40))
def test_families_that_touch(seed):
    """Random families of copies, changed a little, with many identical rows among them."""
    draw = Random(seed)
    texts = []
    for family in range(draw.randint(1, 4)):
        base = words(f"f{family % 3}x", 40)
        for _ in range(draw.randint(1, 14)):
            row = list(base)
            for _ in range(draw.choice((0, 0, 1, 4, 8, 12))):
                row[draw.randrange(len(row))] = f"w{draw.randrange(40)}"
            texts.append(" ".join(row))
    draw.shuffle(texts)
    for options in (FEW_BANDS, NearOptions(0.6, shingling=Shingling(ngram=1))):
        found = find(pa.array(texts), options, order=np.arange(len(texts)), threads=2)
        assert found.cluster.tolist() == components(texts, options, found)


@pytest.mark.parametrize("more", ["", " x"])
def test_a_row_connects_fixed_ones_whether_or_not_it_is_a_copy(more):
    """Fixed rows look for nothing, so a copy of one has to look for itself."""
    same = words("w", 40)
    texts = [" ".join(same), " ".join([*same[:38], "q", "r"]), " ".join(same) + more]
    fixed = np.array([True, True, False])
    found = find(pa.array(texts), FEW_BANDS, order=np.arange(3), fixed=fixed)
    assert found.cluster.tolist() == [0, 0, 0]
