"""Sheets of images as people look at them: large enough, with the names of what is in columns and rows."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantool.viz.drawing import Pixels, grid

SEEN = 640  # pixels, at least, of a sheet's longer side
GAP = 2
TALL = 18  # pixels of a line of writing
MARGIN = 6
BEHIND, INK = 0, 235


def sheet(
    images: Pixels, columns: int | None = None, across: Sequence[str] = (), down: Sequence[str] = (),
    scale: int | None = None,
) -> Pixels:  # fmt: skip
    """Tile (N, H, W, C), each pixel `scale` times as large, or as large as it takes to be seen."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    tiles = grid(images, columns, GAP, BEHIND)
    times = scale or large_enough(tiles)
    height, width = (times * (side + GAP) for side in images.shape[1:3])
    tiles = enlarged(tiles, times)
    if not across and not down:
        return tiles
    left = max((wide(name) for name in down), default=-MARGIN) + MARGIN
    top = TALL if across else 0
    page = np.full((top + tiles.shape[0], left + tiles.shape[1], tiles.shape[2]), BEHIND, np.uint8)
    if page.shape[2] == 4:
        page[:top, :, 3] = page[:, :left, 3] = 255
    page[top:, left:] = tiles
    for i, name in enumerate(across):
        room = width - times * GAP
        write(page, name, left + i * width + max(0, room - wide(name)) // 2, 0, room)
    for i, name in enumerate(down):
        write(page, name, 0, max(0, top + i * height + (height - TALL) // 2), left)
    return page


def large_enough(tiles: Pixels) -> int:
    height, width, _ = tiles.shape
    return max(1, math.ceil(SEEN / max(int(height), int(width))))


def enlarged(pixels: Pixels, times: int) -> Pixels:
    """By a whole number: every pixel stays a square."""
    return pixels.repeat(times, 0).repeat(times, 1) if times > 1 else pixels


def captioned(pixels: Pixels, text: str) -> Pixels:
    """A line of writing below."""
    strip = np.full((TALL, *pixels.shape[1:]), BEHIND, np.uint8)
    if strip.shape[2] == 4:
        strip[..., 3] = 255
    write(strip, text, MARGIN // 2, 0, strip.shape[1])
    return np.concatenate([pixels, strip])


def write(page: Pixels, text: str, left: int, top: int, width: int) -> None:
    """As much of the text as there is room for."""
    while text and wide(text) > width:
        text = text[:-1]
    if text:
        line = Image.new("L", (wide(text), TALL), BEHIND)
        ImageDraw.Draw(line).text((0, TALL // 2), text, fill=INK, font=font(), anchor="lm")
        letters = np.asarray(line)[: page.shape[0] - top, : page.shape[1] - left, None]
        page[top : top + letters.shape[0], left : left + letters.shape[1], : min(page.shape[2], 3)] = letters


def wide(text: str) -> int:
    return math.ceil(font().getlength(text)) + 1


@cache
def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(13)
