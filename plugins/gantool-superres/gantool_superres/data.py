"""ImageData, each beside itself a quarter as large."""

from dataclasses import replace
from pathlib import Path

import torch
from gantool.api import (
    USAGE,
    Data,
    FromImages,
    ImageData,
    Recipe,
    UserError,
    held_out,
    is_named,
    open_data,
    open_folder,
)
from torch import Tensor
from torch.nn.functional import interpolate, pad

from gantool_superres.enlarging import FACTOR, reduced


class Pairs(FromImages):
    """(large, small) images."""

    def __init__(self, images: ImageData) -> None:
        size = images.spec.size
        if size % FACTOR or size < 4 * FACTOR:
            near = max(size // FACTOR, 4) * FACTOR
            raise UserError(f"{size} pixels have no quarter that is 4 or more.", f"--size {near}", USAGE)
        super().__init__(images)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        large, _ = self.images.batch(index, rng)
        return large, reduced(large)


def small_large(recipe: Recipe, train: bool = True) -> Data:
    """the embedded digits at 32x32, each beside itself at 8x8; 1,000 of the 5,000 are held out"""
    digits = open_data(replace(recipe, data="digits", size=28))
    pixels = pad(digits.pixels, (2, 2, 2, 2))  # each pixel as it was written
    if recipe.size not in (None, 32):
        pixels = interpolate(pixels.float(), (recipe.size, recipe.size), mode="bilinear", antialias=True).byte()
    training, held = held_out(ImageData(pixels, digits.labels, digits.spec.classes, recipe.flip))
    return Pairs(training if train else held)


def opened(recipe: Recipe, train: bool) -> Data:
    """Pairs as they are, or made of images; of a folder, squares cut out of its images at their own size."""
    if not is_named(recipe.data):
        folder = Path(recipe.data).expanduser()
        return Pairs(open_folder(folder, recipe.size, recipe.channels, recipe.flip, crop=True))
    data = open_data(recipe, train, of=Data)  # type: ignore[type-abstract]
    return Pairs(data) if isinstance(data, ImageData) else open_data(recipe, train, of=Pairs)
