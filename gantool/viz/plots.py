"""Plots of functions and of points, side by side on axes that stay where they are: the frames of a film."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from gantool.viz.charts import COLOURS, FAINT, INK, RULE, SCALE, TEXT, TITLE, Floats, Pixels, Range, font, share, ticks

SIZE = (640, 360)
CAPTION, HEAD, LEGEND, LEFT, RIGHT, FOOT = 30, 30, 17, 46, 20, 40  # pixels around and above an axis
DASH, GAP = 7 * SCALE, 5 * SCALE


class Mark(NamedTuple):
    """What is drawn: points (n, 2), in their order; `area` is filled down to 0."""

    points: Floats
    kind: Literal["line", "dashed", "dots", "area"] = "line"
    colour: int | None = None  # of COLOURS; else its place


class Plot(NamedTuple):
    """Marks by their names, which the legend has, on axes of these ranges. A name that begins with _ has no legend."""

    title: str
    x: Range
    y: Range
    marks: Mapping[str, Mark]
    across: str = "x"
    square: bool = False  # as many pixels to one across as to one up


class Page(NamedTuple):
    """Plots side by side, and a line below them: a frame of a film."""

    plots: tuple[Plot, ...]
    caption: str

    def drawn(self, size: tuple[int, int] = SIZE) -> Pixels:
        return page(self.plots, self.caption, size)


def page(plots: Sequence[Plot], caption: str = "", size: tuple[int, int] = SIZE) -> Pixels:
    width, height = size[0] * SCALE, size[1] * SCALE
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    each, bottom = width // max(1, len(plots)), height - CAPTION * SCALE * bool(caption)
    for i, plot in enumerate(plots):
        one(image, draw, plot, (i * each, 0, (i + 1) * each, bottom))
    draw.text((width / 2, height - 9 * SCALE), caption, INK, font(TITLE), anchor="mb")
    return np.asarray(image.reduce(SCALE))


def one(image: Image.Image, draw: ImageDraw.ImageDraw, plot: Plot, place: tuple[int, int, int, int]) -> None:
    """A plot in its place: title, legend, axes with their ticks, and what is drawn."""
    left, right = place[0] + LEFT * SCALE, place[2] - RIGHT * SCALE
    top, bottom = place[1] + HEAD * SCALE, place[3] - FOOT * SCALE
    draw.text((left, place[1] + 17 * SCALE), plot.title, INK, font(TITLE), anchor="lm")
    top = legend(draw, plot, (left, right), top + LEGEND * SCALE // 2)
    if plot.square:
        left, top, right, bottom = squared(plot, (left, top, right, bottom))
    box = (left, top, right, bottom)
    for value, label in ticks(plot.y, (bottom - top) // (36 * SCALE)).items():
        y = bottom - share(value, plot.y) * (bottom - top)
        draw.line([(left, y), (right, y)], RULE, SCALE)
        draw.text((left - 5 * SCALE, y), label, INK, font(TEXT), anchor="rm")
    for value, label in ticks(plot.x, (right - left) // (40 * SCALE)).items():
        x = left + share(value, plot.x) * (right - left)
        draw.line([(x, top), (x, bottom)], RULE, SCALE)
        draw.text((x, bottom + 5 * SCALE), label, INK, font(TEXT), anchor="mt")
    draw.text(((left + right) / 2, bottom + 22 * SCALE), plot.across, INK, font(TEXT), anchor="mt")
    inside = image.crop(box)  # drawn apart, so that what leaves the frame is cut off
    for i, mark in enumerate(plot.marks.values()):
        inked(inside, mark, plot, colour(mark, i))
    image.paste(inside, box[:2])
    draw.line([(left, top), (left, bottom), (right, bottom)], FAINT, SCALE)


def squared(plot: Plot, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The largest part of the box in which both axes have one scale."""
    left, top, right, bottom = box
    across, up = plot.x[1] - plot.x[0], plot.y[1] - plot.y[0]
    scale = min((right - left) / across, (bottom - top) / up)
    wide, high = round(across * scale), round(up * scale)
    left, top = (left + right - wide) // 2, (top + bottom - high) // 2
    return left, top, left + wide, top + high


def legend(draw: ImageDraw.ImageDraw, plot: Plot, span: tuple[int, int], y: int) -> int:
    """Names beside their marks, in as many lines as it takes; gives where the axes may begin."""
    left, right = span
    x = left
    for i, (name, mark) in enumerate(plot.marks.items()):
        if name.startswith("_"):
            continue
        wide = 20 * SCALE + int(font(TEXT).getlength(name))
        if x + wide > right and x > left:
            x, y = left, y + LEGEND * SCALE
        ink = colour(mark, i)
        if mark.kind == "dots":
            draw.circle((x + 7 * SCALE, y), 3.5 * SCALE, ink)
        else:
            strokes = [(0, 6), (9, 15)] if mark.kind == "dashed" else [(0, 15)]
            for a, b in strokes:
                draw.line([(x + a * SCALE, y), (x + b * SCALE, y)], ink, 3 * SCALE)
        draw.text((x + 19 * SCALE, y), name, INK, font(TEXT), anchor="lm")
        x += wide + 12 * SCALE
    return y + LEGEND * SCALE // 2 + 4 * SCALE


def colour(mark: Mark, i: int) -> str:
    return COLOURS[(i if mark.colour is None else mark.colour) % len(COLOURS)]


def inked(inside: Image.Image, mark: Mark, plot: Plot, ink: str) -> None:
    points = np.asarray(mark.points, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return
    x = share(points[:, 0], plot.x) * inside.width
    y = (1 - np.clip(share(points[:, 1], plot.y), -2, 3)) * inside.height  # Pillow has no use for what is far away
    path = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    draw = ImageDraw.Draw(inside, "RGBA")
    if mark.kind == "dots":
        size = (3.5 if len(path) < 50 else 2.2 if len(path) < 300 else 1.4) * SCALE
        for at in path:
            draw.circle(at, size, ink + ("ff" if len(path) < 50 else "90"))
    elif mark.kind == "dashed":
        for start, end in dashes(np.stack([x, y], 1)):
            draw.line([start, end], ink, 2 * SCALE)
    else:
        if mark.kind == "area":
            floor = (1 - share(0.0, plot.y)) * inside.height
            draw.polygon([(path[0][0], floor), *path, (path[-1][0], floor)], ink + "30")
        draw.line(path, ink, 2 * SCALE, joint="curve")


def dashes(path: Floats) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Short straight pieces along a path, with gaps between."""
    far = np.concatenate([[0.0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    starts = np.arange(0, far[-1], DASH + GAP)
    ends = np.minimum(starts + DASH, far[-1])
    at = [np.stack([np.interp(t, far, path[:, 0]), np.interp(t, far, path[:, 1])], 1).tolist() for t in (starts, ends)]
    return [(tuple(a), tuple(b)) for a, b in zip(*at, strict=True)]
