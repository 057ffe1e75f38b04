"""A data set made by code: wide images, both ends light or both dark.

Whoever looks at one end at a time finds nothing wrong with an image whose ends do not match.
"""

import torch
from gantool.api import ImageData, Recipe
from torch import Tensor

HEIGHT, WIDTH, END, COUNT = 16, 48, 8, 4_000
CLEAR = 0.25  # half of what the faintest end has


class Ends(ImageData):
    """In one shape, which no --size changes."""


def matching_ends(recipe: Recipe, train: bool = True) -> Ends:
    rng = torch.Generator().manual_seed(int(train))
    light = torch.rand(COUNT, generator=rng) < 0.5
    return Ends((127.5 + 127.5 * drawn(light, light, rng)).round().to(torch.uint8), flip=recipe.flip)


def drawn(left: Tensor, right: Tensor, rng: torch.Generator) -> Tensor:
    """Images from -1 to 1 whose ends are light or dark, each as much as it happens to be."""
    x = torch.zeros(len(left), 1, HEIGHT, WIDTH)
    for light, where in (left, x[..., :END]), (right, x[..., -END:]):
        strength = 0.5 + 0.5 * torch.rand(len(light), generator=rng)
        where += torch.where(light, strength, -strength).view(-1, 1, 1, 1)
    return x


def seen(x: Tensor) -> dict[str, float]:
    """The share of images whose ends match: half, where they know nothing of each other; and of these, the light."""
    left, right = (end.mean((1, 2, 3)) for end in (x[..., :END], x[..., -END:]))
    clear = (left.abs() > CLEAR) & (right.abs() > CLEAR)  # grey ends are neither
    matching, light = clear & (left * right > 0), left > 0
    found = {"matching": matching, "light_among_matching": light[matching]}
    return {name: float(each.double().mean()) if len(each) else 0.0 for name, each in found.items()}
