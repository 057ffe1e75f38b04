"""eval.png: samples beside the training images nearest to them, what was taken for what, the numbers, the curves."""

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from gantool.data.images import as_images
from gantool.data.points import viewable
from gantool.evaluation import report
from gantool.evaluation.scores import COPIES, Ground, Seen
from gantool.metrics import measures
from gantool.metrics.judge import opaque
from gantool.runtime import files
from gantool.viz import charts, drawing
from gantool.viz.charts import COLOURS, FAINT, INK, RULE

WIDTH, MARGIN = 1000, 40
INNER = WIDTH - 2 * MARGIN
TALL = 2_400  # more than is ever filled; cut off where the page ends
TILE, ROWS = 64, 4  # the widest an image is shown; rows of samples as they came, before the likeliest copies
BINS = 40
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


class Page:
    """White, filled from the top; `y` is how far."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, TALL), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.y = MARGIN

    def text(
        self, x: float, y: float, text: str, size: int = 13, colour: Any = INK, anchor: str = "ls", wide: float = INNER
    ) -> None:
        """A line, cut short where it would be wider."""
        self.draw.text((x, y), cut(text, size, wide), colour, charts.font(size), anchor=anchor)

    def line(self, text: str, size: int = 13, colour: Any = INK) -> None:
        self.y += round(size * 1.6)
        self.text(MARGIN, self.y, text, size, colour)

    def done(self) -> drawing.Pixels:
        return np.asarray(self.image.crop((0, 0, WIDTH, self.y + MARGIN)))


def write(
    path: Path, found: dict[str, Any], drawn: Seen, on: Ground, training: Tensor | None, classes: Sequence[str],
    lines: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    files.write(path, drawing.encode_png(page(found, drawn, on, training, classes, lines)))


def page(
    found: dict[str, Any], drawn: Seen, on: Ground, training: Tensor | None, classes: Sequence[str],
    lines: Sequence[dict[str, Any]],
) -> drawing.Pixels:  # fmt: skip
    """`training` are the pixels of `on.training`; `lines` those of the run's log."""
    names = [legible(name, i) for i, name in enumerate(classes)]
    sheet = Page()
    about = f" on {found['data']}" if "data" in found else ""
    sheet.line(f"{found['variant']}{about}, step {found['step']:,}", 22)
    sheet.line(f"{found['n']:,} samples of {found['run']}, judged by {found['judge']}", colour=FAINT)
    if said := report.verdict(found):
        sheet.line(said, colour=ORANGE if "fails" in said else INK)
    far = samples(sheet, drawn, on, training, names)
    sheet.y += 16
    top = sheet.y
    if "confusion" in found:
        bottom = confusion(sheet, np.array(found["confusion"]), names, top)
    elif len(names) > 1:
        bottom = balance(sheet, drawn, names, top)
    else:
        bottom = top
    sheet.y = max(bottom, numbers(sheet, found, top, beside=bottom > top))
    history(sheet, lines, on, far)
    return sheet.done()


def legible(name: str, number: int) -> str:
    """A class's name in the letters that the font has, else its number."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain if len(plain) >= len(name) and plain.isprintable() else f"class {number}"


def cut(text: str, size: int, wide: float) -> str:
    length = charts.font(size).getlength
    if length(text) <= wide:
        return text
    while text and length(text + "…") > wide:
        text = text[:-1]
    return text.rstrip() + "…"


def tile(pixels: Tensor) -> Image.Image:
    """An image at whole multiples of its pixels, or reduced."""
    (array,) = as_images(opaque(viewable(pixels[None])))
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).convert("RGB")
    if (times := TILE // image.width) >= 1:
        return image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)
    return image.resize((TILE, max(1, round(TILE * image.height / image.width))), Image.Resampling.LANCZOS)


def samples(sheet: Page, drawn: Seen, on: Ground, training: Tensor | None, names: Sequence[str]) -> Tensor | None:
    """Rows of samples, each beside its nearest real image. Returns how far they are."""
    side, high = tile(drawn.pixels[0]).size
    known, pixels = (on.training, training) if on.training is not None else (None, None)
    kind = "training"
    if known is None and on.real is not None:
        known, pixels, kind = on.real.features, on.real.pixels, "real"
    wide = side if known is None else 2 * side + 2
    columns = (INNER + 16) // (wide + 16)
    step = wide + (INNER - columns * wide) / (columns - 1)
    sheet.y += 14
    seen = drawn.part(torch.arange(min(COPIES, len(drawn.features))))
    plain = list(range(min(ROWS * columns, len(seen.features))))
    if known is None or pixels is None:
        sheet.line("Samples", 16)
        far, which, rows = None, None, [("", plain)]
    else:
        far, which = measures.closest(seen.features, known)
        own = measures.nearest(known[which], known, 2)  # how far such real images are from each other
        nearest = (far / own.clamp_min(1e-12)).argsort()[:columns].tolist()
        far = far / max(on.usual if kind == "training" else float(far.median()), 1e-12)
        unit = "of what is usual for new real images" if kind == "training" else "of the samples' median"
        sheet.line(f"Samples, each beside the {kind} image nearest to it", 16)
        label = "the class asked for, in orange if another is seen, and " if names and drawn.labels is not None else ""
        sheet.line(f"Below: {label}how far apart the judge finds them, as a share {unit}.", 12, FAINT)
        copies = f"The likeliest copies: of {len(far):,} samples, those nearest for images of their kind"
        rows = [("", plain), (copies, nearest)]
    for title, chosen in rows:
        if title:
            sheet.line(title, 12, FAINT)
        sheet.y += 10
        for i, k in enumerate(chosen):
            x, y = MARGIN + round(i % columns * step), sheet.y + i // columns * (high + 22)
            sheet.image.paste(tile(seen.pixels[k]), (x, y))
            if far is not None and which is not None and pixels is not None:
                sheet.image.paste(tile(pixels[which[k]]), (x + side + 2, y))
            caption(sheet, x, y + high + 14, wide, seen, k, names, None if far is None else float(far[k]))
        sheet.y += math.ceil(len(chosen) / columns) * (high + 22)
    return far if kind == "training" else None


def caption(
    sheet: Page, x: int, y: int, wide: int, seen: Seen, k: int, names: Sequence[str], far: float | None
) -> None:
    """Below a pair: its class, in orange if another is seen, and at the right how far apart it is."""
    distance = "" if far is None else f"{far:.2f}" if far < 10 else f"{far:.0f}"
    room = wide - charts.font(12).getlength(distance) - 4
    if names and seen.labels is not None:
        label, found = int(seen.labels[k]), int(seen.probabilities[k].argmax())
        right = label == found or seen.probabilities.shape[1] != len(names)
        both = f"{names[label]} seen as {names[found]}"
        words = names[label] if right or cut(both, 12, room) != both else both
        sheet.text(x, y, words, 12, INK if right else ORANGE, wide=room)
    sheet.text(x + wide, y, distance, 12, FAINT, anchor="rs")


def confusion(sheet: Page, table: Any, names: Sequence[str], top: int) -> int:
    """Rows are what was asked for, columns what was seen, in percent of the row. Returns where it ends."""
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    if (count := len(names)) > 30:
        sheet.text(MARGIN, top + 16, "The classes least often seen as such", 16)
        return worst(sheet, share, names, top + 40)
    sheet.text(MARGIN, top + 16, "Asked for (rows), seen as (columns), in %", 16)
    cell = min(32, 380 // count)
    size = max(8, min(12, cell - 2))
    label = min(110, max(math.ceil(charts.font(size).getlength(name)) for name in names)) + 8
    upright = max(charts.font(size).getlength(name) for name in names) <= cell - 4
    cell = min(cell, (400 - label) // count)
    left, y = MARGIN + label, top + 30 + (size + 6 if upright else label)
    for i, name in enumerate(names):
        sheet.text(left - 6, y + (i + 0.5) * cell, name, size, anchor="rm", wide=label - 8)
        if upright:
            sheet.text(left + (i + 0.5) * cell, y - 5, name, size, anchor="ms")
        else:
            turned = Image.new("L", (label, cell))
            ImageDraw.Draw(turned).text((4, cell / 2), cut(name, size, label - 8), 255, charts.font(size), anchor="lm")
            turned = turned.rotate(90, expand=True)
            sheet.image.paste(INK, (left + i * cell, y - label, left + (i + 1) * cell, y), turned)
    for row in range(count):
        for column in range(count):
            value = float(share[row, column])
            x0, y0 = left + column * cell, y + row * cell
            colour = tint(BLUE, 0.85 * value) if row == column else tint(ORANGE, value**0.5)
            sheet.draw.rectangle((x0, y0, x0 + cell, y0 + cell), colour, RULE if cell > 6 else None)
            if cell >= 22 and value >= 0.005:
                dark = value > 0.6 if row == column else value > 0.3
                ink = "white" if dark else INK
                sheet.text(x0 + cell / 2, y0 + cell / 2, f"{100 * value:.0f}", min(12, size + 1), ink, anchor="mm")
    return y + count * cell


def worst(sheet: Page, share: Any, names: Sequence[str], y: int) -> int:
    """The classes that do worst and what they are taken for, where all would be too many to show."""
    for i in np.diagonal(share).argsort(kind="stable")[:15]:
        other = int(np.where(np.arange(len(names)) == i, -1, share[i]).argmax())
        y += 18
        sheet.text(MARGIN, y, names[i], wide=140)
        sheet.text(MARGIN + 180, y, f"{share[i, i]:.0%}", anchor="rs")
        sheet.text(MARGIN + 196, y, f"{share[i, other]:.0%} as {names[other]}", 12, FAINT, wide=190)
    return y


def balance(sheet: Page, drawn: Seen, names: Sequence[str], top: int) -> int:
    """How often each class is drawn, where none is asked for."""
    share = torch.bincount(drawn.probabilities.argmax(1), minlength=len(names)).double() / len(drawn.features)
    order = list(range(len(names))) if len(names) <= 25 else share.argsort(descending=True)[:25].tolist()
    sheet.text(MARGIN, top + 16, "Classes as drawn" + (", the most frequent" if len(order) < len(names) else ""), 16)
    label = min(130, max(math.ceil(charts.font(12).getlength(names[i])) for i in order)) + 10
    left, high = MARGIN + label, min(24, 380 // len(order))
    unit = (400 - label - 64) / max(float(share.max()), 1e-9)
    y = top + 34
    even = left + unit / len(names)
    for i in order:
        value = float(share[i])
        sheet.text(left - 8, y + high / 2, names[i], min(12, high), anchor="rm", wide=label - 10)
        sheet.draw.rectangle((left, y + 2, left + max(1.0, unit * value), y + high - 3), COLOURS[0])
        sheet.text(MARGIN + 384, y + high / 2, f"{value:.1%}", min(12, high), FAINT, anchor="rm")
        y += high
    sheet.draw.line((even, top + 32, even, y), COLOURS[1], 1)
    sheet.text(even, y + 14, "even", 12, COLOURS[1], anchor="ms")
    return y + 18


def numbers(sheet: Page, found: dict[str, Any], top: int, beside: bool) -> int:
    """The table of `eval`, at the right, or over the whole width. Returns where it ends."""
    left = MARGIN + 410 if beside else MARGIN
    right = WIDTH - MARGIN
    sheet.text(left, top + 16, "Scores", 16)
    y, ends = top + 40, [left + 180, left + 246, left + 326, left + 380]
    header = dict(zip(("value", "floor", "ceiling", "reached"), ends, strict=True))
    for name, x in header.items():
        sheet.text(x, y, name, 12, FAINT, anchor="rs")
    if any(row[-1] for row in report.rows(found)):
        sheet.text(left + 394, y, "verdict", 12, FAINT)
    sheet.draw.line((left, y + 6, right, y + 6), RULE)
    for name, *cells, threshold in report.rows(found):
        y += 21
        sheet.text(left, y, name.partition("[")[0], 12, wide=110)
        for x, cell in zip(ends, cells, strict=True):
            sheet.text(x, y, cell, 12, anchor="rs")
        sheet.text(
            left + 394,
            y,
            threshold,
            12,
            ORANGE if threshold.startswith("FAIL") else COLOURS[2],
            wide=right - left - 394,
        )
    y += 8
    for note in report.notes(found):
        sheet.text(left, y := y + 17, note, 12, FAINT, wide=right - left)
    return y


def history(sheet: Page, lines: Sequence[dict[str, Any]], on: Ground, far: Tensor | None) -> None:
    """What the probes saw as it trained, and how far samples are from the training images."""
    probes = [line for line in lines if "probe" in line]
    panels = {"distance": "Distance to real images", "diversity": "Variety, as a share of real images'"}
    series: list[charts.Panel] = [
        (title, {"": [(line["step"], line["probe"][name]) for line in probes if name in line["probe"]]})
        for name, title in panels.items()
    ]
    charted: list[tuple[list[charts.Panel], str]] = []
    if any(panel[1][""] for panel in series):
        charted.append(([panel for panel in series if panel[1][""]], "step"))
    if far is not None and on.apart is not None:
        both = {"samples": far, "new real images": on.apart / max(on.usual, 1e-12)}
        edge = min(6.0, max(2.0, *(float(t.quantile(0.99)) for t in both.values())))
        title = "Distance to the nearest training image"
        shares = {name: histogram(t, edge) for name, t in both.items()}
        charted.append(([(title, shares)], "as a share of what is usual for new real images"))
    if not charted:
        return
    sheet.y += 30
    wide = INNER if len(charted) == 1 else (INNER - 20) // 2
    for i, (shown, unit) in enumerate(charted):
        image = Image.fromarray(charts.curves(shown, (wide, 270), unit))
        sheet.image.paste(image, (MARGIN + i * (wide + 20), sheet.y))
    sheet.y += 270


def histogram(values: Tensor, edge: float) -> list[tuple[float, float]]:
    """The density of values from 0 to the edge, at the middles of bins."""
    counts = torch.histc(values.float(), BINS, 0, edge)
    return [((i + 0.5) * edge / BINS, float(c) / len(values) * BINS / edge) for i, c in enumerate(counts)]


def tint(colour: tuple[int, int, int], strength: float) -> tuple[int, ...]:
    """From white to the colour."""
    return tuple(round(255 + (c - 255) * min(1.0, strength)) for c in colour)
