"""Line charts drawn with Pillow: panels of series over one step axis."""

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Panel = tuple[str, Mapping[str, Sequence[tuple[float, float]]]]
Range = tuple[float, float]

MAX_BUCKETS = 300  # per chart width
RAW_POINTS = 300  # a line of no more points is drawn point by point
SCALE = 2  # charts are drawn this many times larger, then reduced, which smooths the lines
INK, FAINT, RULE = "#222222", "#777777", "#e4e4e4"
# Okabe and Ito's colours without yellow (unreadable on white), then more after Paul Tol.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
           "#000000", "#882255", "#999933", "#332288", "#888888", "#44aa99")  # fmt: skip
font = functools.cache(ImageFont.load_default)
TEXT, TITLE = 12 * SCALE, 15 * SCALE


def curves(panels: Sequence[Panel], size: tuple[int, int] = (900, 520), unit: str = "step") -> Pixels:
    """A line chart of (title, {name: [(step, value), ...]}) panels stacked over one axis, of steps or another unit.

    A long series is the mean of neighbouring points over a pale band from their least to their greatest.
    Values that are not finite are gaps. Rare outliers may leave the frame.
    """
    charts = [(title, {name: _points(s) for name, s in series.items()}) for title, series in panels]
    charts = charts or [("", {})]
    width, height = size[0] * SCALE, size[1] * SCALE
    bottom = height - 42 * SCALE  # the strip below the last panel holds the step labels
    x_range = _join([(p[0, 0], p[-1, 0]) for _, lines in charts for p in lines.values() if len(p)], 0.01)
    y_ranges = [_join([_usual(p) for p in lines.values()], 0.05) for _, lines in charts]
    y_ticks = [ticks(y_range, bottom // len(charts) // (35 * SCALE)) for y_range in y_ranges]
    left = 18 * SCALE + math.ceil(max(font(TEXT).getlength(s) for each in y_ticks for s in each.values()))
    right = max(width - 24 * SCALE, left + SCALE)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    edges = np.linspace(0, bottom, len(charts) + 1).astype(int).tolist()
    x_ticks = ticks(x_range, (right - left) // (100 * SCALE))
    for i, (title, lines) in enumerate(charts):
        top = _heading(draw, title, lines, (left, right), edges[i] + 20 * SCALE)
        box = (left, top, right, max(edges[i + 1], top + SCALE))
        for value, label in y_ticks[i].items():
            y = box[3] - share(value, y_ranges[i]) * (box[3] - top)
            draw.line([(left, y), (right, y)], RULE, SCALE)
            draw.text((left - 6 * SCALE, y), label, INK, font(TEXT), anchor="rm")
        for value in x_ticks:
            x = left + share(value, x_range) * (right - left)
            draw.line([(x, top), (x, box[3])], RULE, SCALE)
        plot = image.crop(box)  # drawn apart, so that lines which leave the frame are cut off
        _draw_lines(plot, list(lines.values()), x_range, y_ranges[i])
        image.paste(plot, box[:2])
        draw.line([(left, top), (left, box[3]), (right, box[3])], FAINT, SCALE)
    for value, label in x_ticks.items():
        x = left + share(value, x_range) * (right - left)
        draw.text((x, bottom + 7 * SCALE), label, INK, font(TEXT), anchor="mt")
    draw.text(((left + right) / 2, height - 6 * SCALE), unit, INK, font(TEXT), anchor="mb")
    return np.asarray(image.reduce(SCALE))


def _heading(draw: ImageDraw.ImageDraw, title: str, names: Iterable[str], span: Range, y: int) -> int:
    """Write the title and the legend above a panel, and return where the panel may begin."""
    left, right = span
    draw.text((left, y), title, INK, font(TITLE), anchor="lm")
    x = left + font(TITLE).getlength(title) + 20 * SCALE * bool(title)
    for i, name in enumerate(names):
        if not name:  # the title says it
            continue
        end = x + 22 * SCALE + font(TEXT).getlength(name)
        if end > right and x > left:
            x, y, end = left, y + 18 * SCALE, left + end - x
        draw.line([(x, y), (x + 16 * SCALE, y)], COLOURS[i % len(COLOURS)], 3 * SCALE)
        draw.text((end, y), name, INK, font(TEXT), anchor="rm")
        x = end + 18 * SCALE
    return y + 14 * SCALE


def _draw_lines(plot: Image.Image, lines: Sequence[Floats], x_range: Range, y_range: Range) -> None:
    blend, draw = ImageDraw.Draw(plot, "RGBA"), ImageDraw.Draw(plot)  # the first for the pale bands; it is slower
    strokes: list[tuple[str, list[Any]]] = []
    for i, points in enumerate(lines):
        x = share(points[:, 0], x_range) * plot.width
        # Outliers keep to a frame's distance, so that they do not swamp the mean beside them.
        y = np.clip(1 - share(points[:, 1], y_range), -1, 2) * plot.height
        for middle, band in _runs(np.column_stack([x, y]), plot.width):
            strokes.append((COLOURS[i % len(COLOURS)], [tuple(p) for p in middle]))
            if len(band):
                blend.polygon([tuple(p) for p in band], COLOURS[i % len(COLOURS)] + "38")
    for colour, path in strokes:  # after all bands
        draw.line(path, colour, 2 * SCALE, joint="curve")
        if len(path) == 1:
            draw.circle(path[0], 3 * SCALE, colour)
    if not strokes:
        draw.text((plot.width / 2, plot.height / 2), "no data yet", FAINT, font(TITLE), anchor="mm")


def _runs(points: Floats, width: int) -> Iterator[tuple[Floats, Floats]]:
    """Each unbroken run of points, in buckets if it is long: the means, and the outline of the extremes."""
    good = np.isfinite(points[:, 1])
    for run in np.split(points, np.flatnonzero(good[1:] != good[:-1]) + 1):
        if len(run) == 0 or np.isnan(run[0, 1]):
            continue
        if len(run) <= RAW_POINTS:
            yield run, run[:0]
            continue
        wanted = math.ceil((run[-1, 0] - run[0, 0]) / width * MAX_BUCKETS)
        starts = np.linspace(0, len(run), max(1, min(wanted, len(run) // 4)), endpoint=False).astype(int)
        means = np.add.reduceat(run, starts) / np.diff(starts, append=len(run))[:, None]
        least = np.column_stack([means[:, 0], np.minimum.reduceat(run[:, 1], starts)])
        greatest = np.column_stack([means[:, 0], np.maximum.reduceat(run[:, 1], starts)])
        yield means, np.concatenate([least, greatest[::-1]])


def _points(series: Sequence[tuple[float, float]]) -> Floats:
    """The series as (n, 2) in step order; values that cannot be drawn become NaN."""
    points = np.array(series, dtype=np.float64).reshape(-1, 2)
    points[~(np.abs(points) < 1e30)] = np.nan  # beyond this, differences could overflow
    points = points[np.isfinite(points[:, 0])]
    return points[np.argsort(points[:, 0], kind="stable")]


def _usual(points: Floats) -> Range | None:
    """The range of a series' values, less the outliers far beyond its 0.5 and 99.5 percentiles."""
    values = np.sort(points[np.isfinite(points[:, 1]), 1])
    if len(values) < 8:
        return (values[0], values[-1]) if len(values) else None
    cut = math.ceil(0.005 * len(values))
    low, high = values[cut], values[-1 - cut]
    # In a short series a lone extreme may well be its honest start, so that gets more room.
    slack = (high - low) * (0.5 if len(values) >= 200 else 4.0)
    return max(values[0], low - slack), min(values[-1], high + slack)


def _join(ranges: Sequence[Range | None], margin: float) -> Range:
    """The range that holds all ranges, with a margin as a share of its size; never empty."""
    ends = [end for limits in ranges if limits for end in limits] or [0.0, 1.0]
    low, high = float(min(ends)), float(max(ends))
    pad = (high - low) * margin
    if high - low <= max(1e-9 * abs(low), 1e-30):
        pad = abs(low) * 0.1 if abs(low) > 1e-30 else 1.0
    return low - pad, high + pad


def share(value: Any, limits: Range) -> Any:
    """Where a value (or an array of values) lies in the range: 0 at its start, 1 at its end."""
    return (value - limits[0]) / (limits[1] - limits[0])


def ticks(limits: Range, wanted: int) -> dict[float, str]:
    """About as many round values inside the range as wanted (at least 2), with their labels."""
    rough = (limits[1] - limits[0]) / max(2, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    values = [n * step for n in range(math.ceil(limits[0] / step), math.floor(limits[1] / step) + 1)]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    form = f",.{decimals}f" if 1e-4 <= max(map(abs, limits)) < 1e8 else ".4g"
    return {value: format(value, form) for value in values}
