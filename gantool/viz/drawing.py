"""Images from arrays: sample grids, PNG bytes, GIF animations, terminal half blocks.

An image is a uint8 array (H, W, C), a batch of them (N, H, W, C), with C 1 (grey), 3 (RGB) or 4 (RGBA).
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from rich.color import ColorSystem

Pixels = NDArray[np.uint8]

MAX_FRAMES = 120


def grid(images: Pixels, columns: int | None = None, gap: int = 2, background: int = 0) -> Pixels:
    """Tile (N, H, W, C) row by row at 1:1 scale; gaps and the rest of the last row are background."""
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"expected images of shape (N, H, W, C), N >= 1, got {images.shape}")
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, background, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def encode_png(pixels: Pixels) -> bytes:
    """PNG bytes; the same image always gives the same bytes.

    Not by Pillow, which tries five filters on each row: grids and charts come out as small without any, and single
    images take half the time in grey, a third in colour.
    """
    _check(pixels)
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a row begins with the number of its filter
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.data, 3)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def animate(frames: Iterable[Pixels], milliseconds: int = 120, hold: int = 1500) -> bytes:
    """A looping GIF, the last frame shown for hold milliseconds.

    Frames whose shape differs from the first are skipped, and more than MAX_FRAMES are thinned evenly.
    Pillow stores equal neighbours once, with their durations added. GIF time has steps of 10 ms.
    """
    kept: list[Pixels] = []
    for frame in frames:
        if not kept or frame.shape == kept[0].shape:
            kept.append(frame)
    if not kept:
        raise ValueError("an animation needs at least one frame")
    chosen = np.linspace(0, len(kept) - 1, min(len(kept), MAX_FRAMES)).round().astype(int)
    images = _shared_palette([kept[i] for i in chosen])
    durations = [milliseconds] * (len(images) - 1) + [hold]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return buffer.getvalue()


def half_blocks(pixels: Pixels, width: int, system: ColorSystem) -> list[str]:
    """The image as rows for a terminal, `width` columns at most: each "▀" is an upper and a lower pixel.

    Rows are escape codes for terminals of that colour system: thousands of rich's styles take ten times as long.
    """
    from rich.color import Color

    @cache
    def code(pixel: tuple[int, ...], upper: bool) -> str:
        colour = Color.from_rgb(*pixel).downgrade(system)
        return ";".join(colour.get_ansi_codes(foreground=upper))

    image = _rgb(pixels, "black")
    columns = max(1, min(width, image.width))
    height = max(1, round(image.height * columns / image.width))
    lines = np.asarray(image.resize((columns, height), Image.Resampling.BOX)).tolist()
    rows = []
    for y in range(0, height, 2):
        # An odd height leaves the last row without lower pixels: those keep the terminal's colour.
        pair = [[tuple(pixel) for pixel in line] for line in lines[y : y + 2]]
        runs = ((block, len(list(alike))) for block, alike in groupby(zip(*pair, strict=True)))
        blocks = (f"\x1b[{';'.join(map(code, block, (True, False)))}m" + "▀" * count for block, count in runs)
        rows.append("".join(blocks) + "\x1b[0m")
    return rows


def _check(pixels: Pixels) -> None:
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.dtype != np.uint8:
        raise ValueError(f"expected uint8 (H, W, 1, 3 or 4), got {pixels.dtype} {pixels.shape}")


def _image(pixels: Pixels) -> Image.Image:
    _check(pixels)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _rgb(pixels: Pixels, behind: str) -> Image.Image:
    """The image as RGB, a transparent one laid over the colour behind."""
    image = _image(pixels).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, behind), image).convert("RGB")


def _shared_palette(frames: Sequence[Pixels]) -> list[Image.Image]:
    """Frames for a GIF: exact greys when all are grey, else one palette chosen from a sample of them."""
    arrays = [np.asarray(_rgb(frame, "white")) for frame in frames]
    if all((a == a[:, :, :1]).all() for a in arrays):
        return [Image.fromarray(a[:, :, 0]) for a in arrays]
    sample = Image.fromarray(np.concatenate(arrays[:: -(-len(arrays) // 16)] + arrays[-1:]))
    palette = sample.quantize(256, Image.Quantize.MEDIANCUT)
    # Dithering would flicker from frame to frame.
    return [Image.fromarray(a).quantize(palette=palette, dither=Image.Dither.NONE) for a in arrays]
