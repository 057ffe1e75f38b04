"""Images a quarter and four times as large: bicubic, and by a network; of any size, tile by tile."""

from collections.abc import Callable

import torch
from gantool.api import USAGE, UserError, as_bytes
from torch import Tensor
from torch.nn.functional import interpolate

FACTOR = 4
LARGEST = 400_000_000  # pixels that an image may come to
LUMA = (0.299, 0.587, 0.114)


def bicubic(x: Tensor) -> Tensor:
    """Four times as large, as Pillow and MATLAB do it."""
    size = [FACTOR * side for side in x.shape[2:]]
    return interpolate(x, size, mode="bicubic", antialias=True)  # only so has torch their kernel, a = -1/2


def reduced(x: Tensor) -> Tensor:
    """A quarter as large, antialiased, in bytes."""
    size = [side // FACTOR for side in x.shape[2:]]
    return interpolate(x.float(), size, mode="bicubic", antialias=True).round().clamp(0, 255).byte()


def nearest(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=float(FACTOR), mode="nearest")


def luma(x: Tensor) -> Tensor:
    return (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def enlarged(network: Callable[[Tensor], Tensor], channels: int, x: Tensor) -> Tensor:
    """Images (n, C, h, w), C of 1, 3 or 4, as a network for 1 or 3 channels enlarges them; alpha is bicubic."""
    seen, alpha = x[:, :3], x[:, 3:]
    if seen.shape[1] == channels:
        large = network(seen)
    elif channels == 1:  # it adds to colours what it adds to their brightness, as is usual
        grey = luma(seen)
        large = bicubic(seen) + network(grey) - bicubic(grey)
    else:
        large = luma(network(seen.expand(-1, 3, -1, -1)))
    return torch.cat([large, bicubic(alpha)] if alpha.shape[1] else [large], 1).clamp(-1, 1)


def of_any_size(enlarge: Callable[[Tensor], Tensor], x: Tensor, side: int, overlap: int) -> Tensor:
    """enlarge(x), where x is larger than a tile in tiles; what no file would hold is refused."""
    h, w = x.shape[2:]
    if FACTOR**2 * h * w > LARGEST:
        raise UserError(f"{w} x {h} pixels are too many to be {FACTOR**2} times as many.", "Cut it up first.", USAGE)
    return enlarge(x) if max(h, w) <= side else tiled(enlarge, x, side, overlap)


def tiled(enlarge: Callable[[Tensor], Tensor], x: Tensor, side: int, overlap: int) -> Tensor:
    """The same as enlarge(x), in bytes, made of tiles of `side` pixels; each is seen with `overlap` more around it."""
    n, c, h, w = x.shape
    out = torch.empty(n, c, FACTOR * h, FACTOR * w, dtype=torch.uint8)
    for top in range(0, h, side):
        for left in range(0, w, side):
            above, before = min(top, overlap), min(left, overlap)
            part = x[:, :, top - above : top + side + overlap, left - before : left + side + overlap]
            tall, wide = (FACTOR * min(side, most - at) for most, at in ((h, top), (w, left)))
            y, z = FACTOR * above, FACTOR * before
            made = enlarge(part)[:, :, y : y + tall, z : z + wide]
            y, z = FACTOR * top, FACTOR * left
            out[:, :, y : y + tall, z : z + wide] = as_bytes(made)
    return out
