"""Images of two digits at once, made from gantool's own: a hundred modes."""

import torch
from gantool.api import ImageData, Recipe, open_data

NAMES = tuple(f"{i:02}" for i in range(100))
HELD = 10  # of so many digits, one is for images held out


def digit_pairs(recipe: Recipe, train: bool = True) -> ImageData:
    """two digits on one image, tens in red and units in green: 100 modes"""
    digits, count = open_data(Recipe(data="digits")), 20_000 if train else 5_000
    mine = (torch.arange(len(digits)) % HELD == 0) != train
    by_class = torch.stack([digits.pixels[mine & (digits.labels == y)] for y in range(10)])  # as many of each
    rng, y = torch.Generator().manual_seed(0 if train else 1), torch.arange(count) % 100
    tens, units = (by_class[of, torch.randint(by_class.shape[1], (count,), generator=rng)] for of in (y // 10, y % 10))
    return ImageData(torch.cat([tens, units, torch.zeros_like(tens)], 1), y, NAMES)
