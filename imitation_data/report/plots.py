"""Where the marks of a plot stand, in percent of its width and height; templates draw them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

from imitation_data.report.facts import Histogram

FEW = 24  # if most values are below, each integer has a bar and the last bar takes the rest
COARSE = 3  # leading bits of a value choose its bar: four bars an octave
MARKED = ((50, "median"), (95, "95th percentile"))


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on the ground: position and extent in percent, and the values it counts."""

    left: float
    width: float
    height: float
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at a place of the horizontal axis, in percent of the width."""

    left: float
    label: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram ready to be drawn; the area of a bar is its count."""

    bars: tuple[Bar, ...] = ()
    ticks: tuple[Mark, ...] = ()
    marks: tuple[Mark, ...] = ()


def distribution(histogram: Histogram) -> Distribution:
    """Lay a histogram out: a bar per integer where they are few, else four bars an octave."""
    if not histogram.bins:
        return Distribution()
    if histogram.percentile(95) < FEW:
        return _linear(histogram)
    return _logarithmic(histogram)


def _linear(histogram: Histogram) -> Distribution:
    counts = _gather(histogram, {edge: min(edge, FEW) for edge in histogram.bins})
    first, end = min(counts), max(counts) + 1
    scale, tallest = 100 / (end - first), max(counts.values())
    bars = tuple(
        Bar(
            left=round((value - first) * scale, 2),
            width=round(scale, 2),
            height=round(100 * count / tallest, 2),
            first=value,
            last=value if value < FEW else histogram.largest,
            count=count,
        )
        for value, count in counts.items()
    )

    def middle(value: int) -> float:
        return round((value - first + 0.5) * scale, 2)

    stride = 1 + (end - first) // 13
    ticks = (
        Mark(middle(value), f"{value}+" if value == FEW < histogram.largest else str(value))
        for value in range(first, end, stride)
    )
    marks = (Mark(middle(histogram.percentile(percent)), label) for percent, label in MARKED)
    return Distribution(bars, tuple(ticks), tuple(marks))


def _logarithmic(histogram: Histogram) -> Distribution:
    counts = _gather(histogram, {edge: _coarse(edge) for edge in histogram.bins})
    start, stop = _log(min(counts)), _log(_end(max(counts)))

    def place(value: int) -> float:
        return round(100 * (_log(value) - start) / (stop - start), 2)

    density = {edge: count / (_log(_end(edge)) - _log(edge)) for edge, count in counts.items()}
    tallest = max(density.values())
    bars = tuple(
        Bar(
            left=place(edge),
            width=round(place(_end(edge)) - place(edge), 2),
            height=round(100 * density[edge] / tallest, 2),
            first=edge,
            last=_end(edge) - 1,
            count=count,
        )
        for edge, count in counts.items()
    )
    ticks = (Mark(place(value), _short(value)) for value in _round_values(counts))
    marks = (Mark(place(histogram.percentile(percent)), label) for percent, label in MARKED)
    return Distribution(bars, tuple(ticks), tuple(marks))


def _gather(histogram: Histogram, bar_of: Mapping[int, int]) -> dict[int, int]:
    """Count values by bar, bars in order."""
    counts = dict.fromkeys(sorted(set(bar_of.values())), 0)
    for edge, count in histogram.bins.items():
        counts[bar_of[edge]] += count
    return counts


def _log(value: int) -> float:
    return log2(value or 0.5)  # 0 stands one octave below 1


def _coarse(value: int) -> int:
    shift = max(value.bit_length() - COARSE, 0)
    return value >> shift << shift


def _end(edge: int) -> int:
    """First value after the bar that begins at `edge`."""
    return edge + (1 << max(edge.bit_length() - COARSE, 0))


def _round_values(counts: Mapping[int, int]) -> list[int]:
    """Powers of ten on the axis, and 2 and 5 times them where the axis is short."""
    first, end = min(counts), _end(max(counts))
    steps = (1,) if end > 100 * max(first, 1) else (1, 2, 5)
    values = (step * 10**power for power in range(len(str(end))) for step in steps)
    return [value for value in values if first <= value < end]


def _short(value: int) -> str:
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= unit:
            return f"{value // unit}{letter}"
    return str(value)
