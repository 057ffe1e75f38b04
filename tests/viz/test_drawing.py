"""Tests of the images module."""

from __future__ import annotations

import io
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from rich.color import ColorSystem
from rich.text import Text

from gantool.viz.charts import Panel, curves
from gantool.viz.drawing import (
    MAX_FRAMES,
    Pixels,
    animate,
    encode_png,
    grid,
    half_blocks,
)


def flat(value: int, height: int = 2, width: int = 2, channels: int = 3) -> Pixels:
    return np.full((height, width, channels), value, dtype=np.uint8)


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def durations(gif: bytes) -> list[int]:
    with Image.open(io.BytesIO(gif)) as image:
        found = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            found.append(int(image.info["duration"]))
        return found


def coloured(pixels: Pixels) -> int:
    """How many pixels are not grey: only the lines and the legend are coloured."""
    values = pixels.astype(int)
    return int((np.ptp(values, axis=2) > 20).sum())


def test_grid_places_images_row_by_row() -> None:
    images = np.stack([flat(v) for v in (10, 20, 30)])
    sheet = grid(images, gap=1, background=7)
    assert sheet.shape == (5, 5, 3) and sheet.dtype == np.uint8
    assert sheet[:, :, 0].tolist() == [
        [10, 10, 7, 20, 20],
        [10, 10, 7, 20, 20],
        [7, 7, 7, 7, 7],
        [30, 30, 7, 7, 7],
        [30, 30, 7, 7, 7],
    ]


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(1, None, (3, 4)), (5, None, (8, 16)), (5, 2, (13, 10)), (3, 3, (3, 16)), (2, 3, (3, 16))],
)
def test_grid_shape(count: int, columns: int | None, shape: tuple[int, int]) -> None:
    assert grid(np.zeros((count, 3, 4, 1), np.uint8), columns).shape == (*shape, 1)


def test_grid_needs_images() -> None:
    with pytest.raises(ValueError, match="N >= 1"):
        grid(np.zeros((0, 3, 4, 1), np.uint8))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_is_exact_and_deterministic(channels: int) -> None:
    pixels = noise(5, 6, channels)
    data = encode_png(pixels)
    assert data == encode_png(pixels.copy())
    with Image.open(io.BytesIO(data)) as image:
        assert (np.asarray(image).reshape(pixels.shape) == pixels).all()


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8)])
def test_png_refuses_other_arrays(wrong: Pixels) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        encode_png(wrong)


WEIRD: dict[str, list[Panel]] = {
    "one point": [("t", {"a": [(3, 4.0)]})],
    "constant": [("t", {"a": [(i, 2.5) for i in range(9)]})],
    "zero": [("t", {"a": [(i, 0.0) for i in range(9)]})],
    "gaps": [("t", {"a": [(0, 1.0), (1, math.nan), (2, math.inf), (3, -math.inf), (4, 2.0), (5, 3.0)]})],
    "same step": [("t", {"a": [(1, 0.0), (1, 5.0)]})],
    "huge": [("t", {"a": [(0, 1e308), (1, -1e308), (2, 1e29), (3, -1e29)]})],
    "tiny": [("t", {"a": [(0, 5e-324), (1, 1e-320)]})],
    "close": [("t", {"a": [(0, 1.0), (1, 1.0 + 1e-15)]})],
    "spike": [("t", {"a": [(i, 1e9 if i == 500 else math.sin(i)) for i in range(1000)]})],
    "broken": [("t", {"a": [(i, math.nan if i % 7 == 0 else 1.0 * i) for i in range(5000)]})],
    "many": [("t", {f"series {i}": [(s, float(i + s)) for s in range(5)] for i in range(14)})],
    "two panels": [("t", {"a": [(0, 1.0), (9, 2.0)]}), ("", {})],
}


@pytest.mark.parametrize("name", WEIRD)
@pytest.mark.filterwarnings("error")
def test_curves_draw_weird_series(name: str) -> None:
    pixels = curves(WEIRD[name])
    assert pixels.shape == (520, 900, 3) and pixels.dtype == np.uint8
    assert coloured(pixels[40:]) > 20


@pytest.mark.parametrize("panels", [[], [("t", {})], [("t", {"a": []})], [("t", {"a": [(0, math.nan)]})]])
def test_curves_say_when_there_is_no_data(panels: list[Panel]) -> None:
    pixels = curves(panels, (300, 200))
    assert pixels.shape == (200, 300, 3)
    assert coloured(pixels[40:]) == 0
    middle = pixels[80:130, 120:200]
    assert (middle < 180).any(), "the words are darker than the grid lines"


def test_curves_survive_a_tiny_size() -> None:
    assert curves(WEIRD["two panels"], (20, 20)).shape == (20, 20, 3)


def test_curves_are_deterministic_and_ignore_the_order_of_points() -> None:
    points = [(float(i), math.sin(i)) for i in range(50)]
    assert (curves([("t", {"a": points})]) == curves([("t", {"a": points[::-1]})])).all()


def rows_of_line(values: list[float]) -> int:
    """Over how many rows of pixels the first series' colour spreads, left of the last tenth."""
    pixels = curves([("", {"a": list(enumerate(values))})], (600, 400)).astype(int)[40:, :540]
    blue = np.abs(pixels - (0, 0x72, 0xB2)).sum(axis=2) < 30
    return int(np.ptp(np.flatnonzero(blue.any(axis=1))))


@pytest.mark.parametrize("count", [50, 150, 250, 20000])
def test_one_spike_does_not_flatten_the_rest(count: int) -> None:
    wave = [10 * math.sin(8 * i / count) for i in range(count)]
    assert rows_of_line([*wave[:-1], 1e9]) > (150 if count > 200 else 50)


def test_a_steep_start_stays_in_the_frame() -> None:
    assert rows_of_line([100.0, 40.0] + [20.0 - i for i in range(20)]) > 250


def test_long_series_are_drawn_as_their_mean() -> None:
    assert rows_of_line([(-1.0) ** i for i in range(40000)]) < 10


def test_gif_durations_and_loop() -> None:
    gif = animate([flat(v) for v in (0, 100, 200)], milliseconds=50, hold=700)
    assert durations(gif) == [50, 50, 700]
    with Image.open(io.BytesIO(gif)) as image:
        assert image.info["loop"] == 0


def test_gif_of_one_frame() -> None:
    assert durations(animate([flat(9)], hold=300)) == [300]


def test_gif_needs_a_frame() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        animate([])


def test_gif_skips_other_shapes() -> None:
    assert len(durations(animate([flat(0), flat(50, height=3), flat(100)]))) == 2


def test_gif_is_thinned_but_keeps_the_ends() -> None:
    frames = (flat(v) for v in range(250))
    gif = animate(frames, hold=990)
    assert len(durations(gif)) == MAX_FRAMES and durations(gif)[-1] == 990
    with Image.open(io.BytesIO(gif)) as image:
        assert image.convert("L").getpixel((0, 0)) == 0
        image.seek(MAX_FRAMES - 1)
        assert image.convert("L").getpixel((0, 0)) == 249


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_keeps_greys_exact(channels: int) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    frames = [np.repeat(f, channels, axis=2) for f in (ramp, ramp[::-1], 255 - ramp.transpose(1, 0, 2))]
    with Image.open(io.BytesIO(animate(frames))) as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            assert (np.asarray(image.convert("L")) == frame[:, :, 0]).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_gif_colours_are_close(channels: int) -> None:
    frames = [noise(4, 4, channels), noise(4, 4, channels)[::-1]]
    if channels == 4:
        frames = [np.dstack([f[:, :, :3], np.full((4, 4), 255, np.uint8)]) for f in frames]
    with Image.open(io.BytesIO(animate(frames))) as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            error = np.asarray(image.convert("RGB")).astype(int) - frame[:, :, :3]
            assert np.abs(error).max() <= 8


@pytest.mark.parametrize(
    ("height", "width", "limit", "lines", "columns"),
    [
        (8, 8, 8, 4, 8),
        (8, 8, 4, 2, 4),
        (8, 8, 100, 4, 8),
        (5, 4, 4, 3, 4),
        (64, 128, 40, 10, 40),
        (1, 9, 3, 1, 3),
    ],
)
def test_half_blocks_size(height: int, width: int, limit: int, lines: int, columns: int) -> None:
    rows = half_blocks(noise(height, width, 3), limit, ColorSystem.TRUECOLOR)
    assert [Text.from_ansi(row).plain for row in rows] == ["▀" * columns] * lines


def styles(pixels: Pixels, width: int, system: ColorSystem = ColorSystem.TRUECOLOR) -> list[str]:
    """Of each block, as rich reads them."""
    text = Text.from_ansi("\n".join(half_blocks(pixels, width, system)))
    return [str(span.style) for span in text.spans for _ in range(span.start, span.end)]


def test_half_blocks_colours() -> None:
    pixels = np.array([[[255], [0]], [[10], [20]], [[7], [9]]], dtype=np.uint8)
    assert styles(pixels, 10) == ["#ffffff on #0a0a0a", "#000000 on #141414", "#070707", "#090909"]
    assert styles(pixels, 10, ColorSystem.EIGHT_BIT) == [
        "color(231) on color(232)",
        "color(16) on color(233)",
        *["color(232)"] * 2,
    ]
    assert styles(pixels, 10, ColorSystem.STANDARD) == [
        "color(15) on color(0)",
        "color(0) on color(0)",
        "color(0)",
        "color(0)",
    ]


def test_half_blocks_alike_are_one_run() -> None:
    assert half_blocks(flat(255), 4, ColorSystem.TRUECOLOR)[0] == "\x1b[38;2;255;255;255;48;2;255;255;255m▀▀\x1b[0m"


def test_half_blocks_average_areas() -> None:
    pixels = np.array([[[0], [200]], [[200], [0]]], dtype=np.uint8)
    assert styles(pixels, 1) == ["#646464"]


def test_transparency_is_laid_over_black_or_white() -> None:
    clear = flat(200, channels=4)
    clear[:, :, 3] = 0
    assert styles(clear, 1) == ["#000000"]
    with Image.open(io.BytesIO(animate([clear]))) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_import_is_light() -> None:
    code = "import sys, gantool.viz.drawing; print([m for m in ('torch', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
