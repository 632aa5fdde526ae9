"""Plots stand where their numbers say, inside their frame."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.report.facts import Histogram
from imitation_data.report.plots import Distribution, distribution

PATIENT = settings(deadline=None)  # a busy machine is no failure
VALUES = st.lists(st.integers(0, 40) | st.integers(0, 10**7), min_size=1)


def plot(values):
    return distribution(Histogram.of(np.array(values, np.int64)))


@PATIENT
@given(VALUES)
def test_every_value_is_in_one_bar_inside_the_frame(values):
    """Bars count all values, do not overlap and, like ticks and marks, stay in the frame."""
    found = plot(values)
    assert sum(bar.count for bar in found.bars) == len(values)
    for bar in found.bars:
        assert bar.count == sum(bar.first <= value <= bar.last for value in values)
        assert 0 <= bar.left <= bar.left + bar.width <= 100.02
        assert 0 < bar.height <= 100 or bar.count < len(values) / 1000
    ends = [(bar.left, bar.left + bar.width) for bar in found.bars]
    assert all(end <= start + 0.02 for (_, end), (start, _) in pairwise(ends))
    assert all(0 <= mark.left <= 100 for mark in (*found.ticks, *found.marks))


def test_few_integers_have_a_bar_each_and_the_rest_share_one():
    """Turns read off as integers; outliers do not squeeze them."""
    found = plot([2] * 90 + [4] * 6 + [5000, 6000])
    assert [(bar.first, bar.last, bar.count) for bar in found.bars] == [
        (2, 2, 90),
        (4, 4, 6),
        (24, 6000, 2),
    ]
    assert "24+" in [tick.label for tick in found.ticks]


def test_area_of_a_bar_is_its_count_on_the_log_axis():
    """Bars of unequal width are drawn by density."""
    found = plot([100] * 50 + [120] * 50 + [1000] * 10)
    areas = {bar.first: bar.width * bar.height / bar.count for bar in found.bars}
    assert max(areas.values()) == pytest.approx(min(areas.values()), rel=0.01)


def test_nothing_gives_an_empty_plot():
    """A dataset without token counts has no plot of them."""
    assert distribution(Histogram()) == Distribution()
