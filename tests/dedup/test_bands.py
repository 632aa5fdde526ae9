"""Bands: as long as the wanted recall allows, and the curve says what they find."""

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imitation_data.dedup.bands import Banding, banding
from imitation_data.dedup.near import NearOptions
from imitation_data.dedup.shingling import Shingling


@given(
    st.floats(0.01, 1),
    st.floats(0.001, 0.999999),
    st.integers(1, 600),
)
def test_reaches_the_recall_with_the_longest_bands(threshold, recall, permutations):
    """What is chosen finds pairs at the threshold often enough; any longer bands would not."""
    try:
        chosen = banding(threshold, recall, permutations)
    except ValueError:
        assert Banding(permutations, 1).found(threshold) < recall
        return
    assert chosen.bands * chosen.rows <= permutations < (chosen.bands + 1) * chosen.rows
    assert chosen.found(threshold) >= recall
    for rows in range(chosen.rows + 1, permutations + 1):
        assert Banding(permutations // rows, rows).found(threshold) < recall


@pytest.mark.parametrize(
    ("threshold", "recall", "permutations", "shape"),
    [
        (0.7, 0.98, 128, (25, 5)),
        (0.5, 0.98, 128, (42, 3)),
        (0.9, 0.98, 128, (11, 11)),
        (1.0, 0.999, 128, (1, 128)),
        (0.8, 0.9, 1, None),
        (0.95, 0.9, 1, (1, 1)),
    ],
)
def test_literal_shapes(threshold, recall, permutations, shape):
    """Bands and rows for a few settings, written out; None where they cannot be reached."""
    if shape is None:
        with pytest.raises(ValueError, match="ask for more permutations or less recall"):
            banding(threshold, recall, permutations)
        return
    assert banding(threshold, recall, permutations) == Banding(*shape)


@given(st.integers(1, 200), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_found_is_a_probability_that_grows(bands, rows, one, two):
    """More alike is found no less often; nothing alike is never found, equal texts always."""
    shape = Banding(bands, rows)
    low, high = sorted((one, two))
    assert 0 <= shape.found(low) <= shape.found(high) + 1e-12
    assert shape.found(high) <= 1
    assert shape.found(0.0) == 0
    assert shape.found(1.0) == 1


@pytest.mark.parametrize(("bands", "rows", "similarity"), [(25, 5, 0.5), (4, 3, 0.7), (1, 1, 0.3)])
def test_found_is_what_coins_say(bands, rows, similarity):
    """The formula equals throwing a coin for each minimum, within 4 standard errors."""
    rng, throws = Random(1), 4_000
    hits = sum(
        any(all(rng.random() < similarity for _ in range(rows)) for _ in range(bands))
        for _ in range(throws)
    )
    chance = Banding(bands, rows).found(similarity)
    assert abs(hits - throws * chance) < 4 * (throws * chance * (1 - chance)) ** 0.5


def test_the_curve():
    """The curve goes from never at 0 to always at 1 in the steps asked for."""
    shape = Banding(25, 5)
    curve = shape.curve()
    assert [at for at, _ in curve] == [round(step / 20, 2) for step in range(21)]
    assert curve[0] == (0.0, 0.0)
    assert curve[-1] == (1.0, 1.0)
    assert all(chance == pytest.approx(shape.found(at)) for at, chance in curve)
    assert [at for at, _ in shape.curve(0.25)] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("threshold", "recall", "permutations", "message"),
    [
        (0.0, 0.9, 128, "threshold is 0.0; expected above 0 and up to 1"),
        (1.1, 0.9, 128, "threshold is 1.1; expected above 0 and up to 1"),
        (float("nan"), 0.9, 128, "threshold is nan; expected"),
        (0.7, 0.0, 128, "recall is 0.0; expected above 0 and below 1"),
        (0.7, 1.0, 128, "recall is 1.0; expected above 0 and below 1"),
        (0.7, float("nan"), 128, "recall is nan; expected"),
        (0.01, 0.99, 128, r"128 permutations .* 0\.01 .* 0\.724 at most, and recall is 0\.99; ask"),
    ],
)
def test_errors_name_what_to_do(threshold, recall, permutations, message):
    """What is out of range is named with its value; what cannot be reached says how far it goes."""
    with pytest.raises(ValueError, match=message):
        banding(threshold, recall, permutations)


@given(st.floats(0.3, 1), st.floats(0.5, 0.999), st.integers(16, 256))
def test_options_band_as_asked(threshold, recall, permutations):
    """The options of a search have the bands of their own threshold, recall and permutations."""
    assume(Banding(permutations, 1).found(threshold) >= recall)
    options = NearOptions(threshold, recall, shingling=Shingling(permutations=permutations))
    assert options.banding == banding(threshold, recall, permutations)


def test_options_are_checked_at_once():
    """Options that cannot work are refused when they are made, not when texts come."""
    with pytest.raises(ValueError, match="most_compared is 0; expected 1 or more"):
        NearOptions(most_compared=0)
    with pytest.raises(ValueError, match="threshold is 2; expected"):
        NearOptions(2)
    with pytest.raises(ValueError, match="4 permutations find"):
        NearOptions(0.5, 0.98, shingling=Shingling(permutations=4))
