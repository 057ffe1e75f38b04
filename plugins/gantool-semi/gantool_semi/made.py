"""Data sets made by code from gantool's digits: everybody has the same, and the test digits are held out."""

import torch
from gantool.api import ImageData, Recipe, open_data
from torch import Tensor
from torch.nn.functional import interpolate

from gantool_semi.domains import Domains

GRAINS = ((3, 0.6), (7, 0.4))  # of a texture: patches along a side, and their share of it


def on_texture(recipe: Recipe, train: bool = True) -> Domains:
    """Two domains: digits white on black, and other digits in colour on coloured texture."""
    (a, ya), (b, yb) = halves(recipe, train)
    rng = torch.Generator().manual_seed(int(train))
    paper = 0.25 + 0.5 * textures(len(b), b.shape[-1], rng)
    ink = (torch.rand(len(b), 3, 1, 1, generator=rng) > 0.5).float()  # a corner of the cube of colours
    return Domains(images(a.expand(-1, 3, -1, -1), ya, recipe), images(paper + b * (ink - paper), yb, recipe))


def negatives(recipe: Recipe, train: bool = True) -> Domains:
    """Two domains: digits white on black, and other digits black on white."""
    (a, ya), (b, yb) = halves(recipe, train)
    return Domains(images(a, ya, recipe), images(1 - b, yb, recipe))


def halves(recipe: Recipe, train: bool) -> list[tuple[Tensor, Tensor]]:
    """Every other digit, and those between: from 0 to 1, (n, 1, S, S), and which they are."""
    found = open_data(Recipe(data="digits", size=recipe.size), train)
    x, y = found.pixels.float() / 255, found.labels
    return [(x[i::2], y[i::2]) for i in (0, 1)]


def textures(n: int, size: int, rng: torch.Generator) -> Tensor:
    """Patches of colour, coarse and fine, from 0 to 1, (n, 3, size, size)."""
    grains = (share * torch.rand(n, 3, side, side, generator=rng) for side, share in GRAINS)
    x = sum(interpolate(grain, (size, size), mode="bilinear") for grain in grains)
    low, high = (end.view(n, 1, 1, 1) for end in torch.as_tensor(x).flatten(1).aminmax(dim=1))
    return (x - low) / (high - low)


def images(x: Tensor, y: Tensor, recipe: Recipe) -> ImageData:
    return ImageData((x * 255).round().to(torch.uint8), y, tuple("0123456789"), recipe.flip)
