"""Signatures: bit for bit datasketch's where that is promised, and fair estimates elsewhere."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.dedup.minhash import xxh32
from imitation_data.dedup.near import find
from imitation_data.dedup.shingling import Shingling
from tests.conftest import SHARED
from tests.dedup import oracle

REAL = pytest.mark.skipif(not (SHARED / "data").exists(), reason="needs the shared data")
TEXT = st.text(st.sampled_from("ab é你+👍\u0301가ß\u00ad,\n"), max_size=60)
KINDS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]
MIXED = ["a b c d é", None, "", "x", "a b c d", "e\u0301 + 你好 ", None, "ß a b c d", "a b c d é"]


def reference(text: str, shingling: Shingling) -> MinHash:
    """What datasketch itself makes of a text's shingles."""
    found = MinHash(
        num_perm=shingling.permutations,
        seed=shingling.seed,
        hashfunc=xxhash.xxh32_intdigest,
        scheme="affine32",
    )
    found.update_batch([" ".join(one).encode() for one in oracle.shingles(text, shingling.ngram)])
    return found


def equal_to_datasketch(texts: list[str], shingling: Shingling) -> None:
    signed = shingling.signatures(pa.array(texts, pa.string()))
    assert signed.values.dtype == np.uint32
    assert signed.values.shape == (len(texts), shingling.permutations)
    for text, mine, count in zip(texts, signed.values, signed.counts.tolist(), strict=True):
        assert np.array_equal(mine, reference(text, shingling).hashvalues), text
        assert count == len(oracle.shingles(text, shingling.ngram))


@pytest.mark.parametrize("seed", [0, 1, 7, (1 << 32) - 1])
@pytest.mark.parametrize("permutations", [1, 16, 100, 128, 256])
@pytest.mark.parametrize("ngram", [1, 2, 5, 13])
def test_literal_texts_sign_as_in_datasketch(ngram, permutations, seed):
    """Signatures under xxh32 are datasketch's for any n-gram, length and seed."""
    shingling = Shingling(ngram, permutations, seed, "xxh32")
    texts = ["", "one", "one two three", "The quick brown fox jumps over the lazy dog, twice. " * 3]
    equal_to_datasketch(
        [*texts, "你好世界，你好世界！3+4=7 👍🏽", "naïve cafe\u0301 Straße " * 5], shingling
    )


@given(st.lists(TEXT, max_size=6), st.integers(1, 6), st.integers(1, 70), st.integers(0, 1 << 31))
def test_any_text_signs_as_in_datasketch(texts, ngram, permutations, seed):
    """The same for texts of any script, and those that must be normalised as a whole."""
    equal_to_datasketch(texts, Shingling(ngram, permutations, seed, "xxh32"))


@REAL
def test_real_text_signs_as_in_datasketch():
    """The same for real conversations."""
    equal_to_datasketch(oracle.real_texts(300), Shingling(scheme="xxh32"))


@REAL
@pytest.mark.full
@pytest.mark.parametrize("ngram", [1, 3, 5])
def test_much_real_text_signs_as_in_datasketch(ngram):
    """The same for thousands of them."""
    equal_to_datasketch(oracle.real_texts(9_000), Shingling(ngram, 256, 3, "xxh32"))


def test_an_index_of_datasketch_takes_them():
    """Signatures go into MinHashLSH and are found there, by ours and by datasketch's own."""
    shingling = Shingling(ngram=2, permutations=64, scheme="xxh32")
    texts = [f"the {name} sat on the mat and looked at all of us" for name in ("cat", "dog", "owl")]
    texts += ["something else altogether, which is about ships and the sea"]
    signed = shingling.signatures(pa.array(texts))
    lsh = MinHashLSH(threshold=0.4, num_perm=64)
    for place, signature in enumerate(signed.values):
        lsh.insert(place, shingling.minhash(signature))
    for place, text in enumerate(texts):
        near = [0, 1, 2] if place < 3 else [3]
        assert sorted(lsh.query(shingling.minhash(signed.values[place]))) == near
        assert sorted(lsh.query(reference(text, shingling))) == near
        assert reference(text, shingling).jaccard(shingling.minhash(signed.values[place])) == 1.0


def test_other_signatures_are_kept_from_datasketch():
    """Signatures that datasketch could not continue are refused, and the message says why."""
    with pytest.raises(ValueError, match=r"poly64.*xxh32"):
        Shingling().minhash(np.zeros(128, np.uint32))


@pytest.mark.parametrize("scheme", ["poly64", "xxh32"])
def test_estimates_are_fair(scheme):
    """Over many pairs the share of equal minima is the Jaccard similarity, and scatters as coins.

    Each pair is two runs of words of its own, so the pairs are independent.
    """
    rng, permutations, pairs = Random(11), 128, 3_000
    texts, truth = [], []
    for number in range(pairs):
        size, apart = rng.randrange(2, 60), rng.randrange(60)
        words = [f"{number}x{place}" for place in range(size + apart)]
        texts += [" ".join(words[:size]), " ".join(words[apart:])]
        sets = [set(words[:size]), set(words[apart:])]
        truth.append(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
    values = Shingling(1, permutations, 5, scheme).signatures(pa.array(texts)).values
    estimates = (values[0::2] == values[1::2]).mean(axis=1)
    expected = np.array(truth)
    variance = expected * (1 - expected) / permutations
    error = (estimates - expected).sum() / np.sqrt(variance.sum())
    assert abs(error) < 4
    scatter = (estimates - expected)[variance > 0] ** 2 / variance[variance > 0]
    assert abs(scatter.mean() - 1) < 4 * scatter.std() / np.sqrt(len(scatter))


def test_xxh32_is_xxh32():
    """The kernel's hash is that of the xxhash package, for every length and alignment."""
    rng = np.random.RandomState(2)
    raw = rng.randint(0, 256, 230, np.uint8)
    for length in range(201):
        for start in (0, 1, 2, 3, 7):
            wanted = xxhash.xxh32_intdigest(raw[start : start + length].tobytes())
            assert int(xxh32(raw.ctypes.data + start, length)) == wanted


@pytest.mark.parametrize("scheme", ["poly64", "xxh32"])
def test_threads_do_not_matter(scheme):
    """Signatures, keys and sets are the same for one thread and for several."""
    rng = Random(3)
    words = ["one", "two", "trois", "quat\u0301re", "你", "👍", "six", "STRASSE"]
    texts = [" ".join(rng.choices(words, k=rng.randrange(40))) for _ in range(5_000)]
    column = pa.array([*texts, "long " * 300_000])
    shingling = Shingling(3, 32, 1, scheme)
    signed = [shingling.signatures(column, threads) for threads in (1, 2, 3)]
    keyed = [shingling.band_keys(column, 8, 4, threads) for threads in (1, 2, 3)]
    for first, *others in (signed, keyed):
        for other in others:
            assert all(map(np.array_equal, first, other))
    sets = [sets_of(column, shingling, threads) for threads in (1, 2, 3)]
    assert sets[0] == sets[1] == sets[2]


def sets_of(column: pa.Array, shingling: Shingling, threads: int = 1) -> list[list[int]]:
    """The shingle sets of a column, as lists of hashes."""
    counts = shingling.signatures(column).counts
    ends = np.cumsum(counts.astype(np.int64))
    starts, sizes = ends - counts, np.zeros(len(column), np.int32)
    sets = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint64)
    shingling.sets(column, starts, sizes, sets, threads)
    return [sets[start : start + size].tolist() for start, size in zip(starts, sizes, strict=True)]


@pytest.mark.parametrize("scheme", ["poly64", "xxh32"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_kind_of_column_does_not_matter(kind, scheme):
    """Any Arrow column of strings is signed alike, sliced or not; nulls count as empty."""
    shingling = Shingling(2, 16, 1, scheme)
    column = pa.array(MIXED)
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column
    column = column.cast(kind)
    wanted = shingling.signatures(pa.array([text or "" for text in MIXED]))
    assert all(map(np.array_equal, shingling.signatures(column), wanted))
    for start in range(len(MIXED)):
        part = shingling.signatures(column.slice(start, 4))
        for mine, whole in zip(part, wanted, strict=True):
            assert np.array_equal(mine, whole[start : start + 4])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_columns_of_nothing(kind):
    """No rows, only nulls and only empty texts are columns, too."""
    for texts in ([], [None], [None, None], [""], ["", None, ""]):
        signed = Shingling(permutations=8).signatures(pa.array(texts, kind))
        assert signed.counts.tolist() == [0] * len(texts)
        assert signed.openings.tolist() == [0] * len(texts)
        assert (signed.values == 0xFFFFFFFF).all()
        assert signed.values.shape == (len(texts), 8)


@given(st.lists(TEXT, max_size=6), st.integers(1, 4))
def test_sets_are_the_distinct_shingles(texts, ngram):
    """A text's set has as many hashes as it has distinct shingles, and equal sets are equal."""
    found = sets_of(pa.array(texts, pa.string()), Shingling(ngram, 1))
    wanted = [set(oracle.shingles(text, ngram)) for text in texts]
    assert [len(one) for one in found] == [len(one) for one in wanted]
    for one, mine in zip(found, wanted, strict=True):
        assert len(set(one)) == len(one)
        for two, theirs in zip(found, wanted, strict=True):
            assert len(set(one) & set(two)) == len(mine & theirs)


@given(st.lists(TEXT, max_size=6), st.sampled_from([(1, 1), (4, 4), (5, 3), (2, 8)]))
def test_band_keys_are_equal_where_the_minima_are(texts, shape):
    """Texts share a band's key if and only if all its minima are equal; empty ones have none."""
    bands, rows = shape
    shingling, column = Shingling(1, 16), pa.array(texts, pa.string())
    signed = shingling.signatures(column)
    keyed = shingling.band_keys(column, bands, rows)
    assert np.array_equal(keyed.counts, signed.counts)
    assert np.array_equal(keyed.openings, signed.openings)
    assert ((keyed.values == 0) == (signed.counts == 0)).all()
    for band, keys in enumerate(keyed.values):
        minima = signed.values[:, band * rows : (band + 1) * rows]
        same = (minima[:, None] == minima[None]).all(axis=2)
        assert ((keys[:, None] == keys[None]) == same).all()


def test_openings_are_the_first_tokens():
    """Texts open alike if and only if their first 32 tokens are equal; short ones never do."""
    start = " ".join(f"w{number}" for number in range(32))
    texts = [start, start.upper() + " and more", "\u00ad" + start + "!", start + "x", "w0 w1"]
    openings = Shingling().signatures(pa.array(texts)).openings.tolist()
    assert openings[0] == openings[1] == openings[2] != 0
    assert openings[3] not in {0, openings[0]}
    assert openings[4] == 0


@given(TEXT, st.integers(1, 4))
def test_shingles_in_words(text, ngram):
    """What `shingles` lists is what is hashed: the plain definition's, joined by spaces."""
    wanted = [" ".join(one) for one in oracle.shingles(text, ngram)]
    assert Shingling(ngram).shingles(text) == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngram": 0}, "ngram is 0; expected 1 or more"),
        ({"permutations": 0}, "permutations is 0; expected 1 to 4096"),
        ({"permutations": 5000}, "permutations is 5000; expected 1 to 4096"),
        ({"seed": -1}, "seed is -1; expected 0 to"),
        ({"seed": 1 << 32}, "seed is 4294967296; expected 0 to"),
        ({"scheme": "md5"}, "scheme is 'md5'; expected one of"),
    ],
)
def test_bad_settings_are_named(options, message):
    """A setting that makes no sense is refused with its value and what was expected."""
    with pytest.raises(ValueError, match=message):
        Shingling(**options)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (pa.array([1, 1]), "texts are of type int64; expected strings"),
        (["a b c"], "texts hold str; expected Arrow arrays"),
        ("a b c", "texts hold str; expected Arrow arrays"),
        (pa.array([["a"], ["b"]]), "expected strings"),
    ],
)
def test_what_is_no_column_of_texts_is_refused(texts, says):
    """Numbers are not made into words, and a list of strings is not taken for arrays."""
    with pytest.raises(TypeError, match=says):
        find(texts)
