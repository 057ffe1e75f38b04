"""Small things several variants are built of."""

import torch
from torch import Tensor
from typer import BadParameter


def layers(text: str) -> list[int]:
    """Hidden units written as on paper: '256-512'."""
    sizes = text.split("-")
    if not all(size.isdecimal() and 0 < int(size) <= 65536 for size in sizes):
        raise BadParameter(f"{text!r} should be numbers joined by dashes, such as 256-512.")
    return [int(size) for size in sizes]


def halvings(size: int) -> int:
    """How often a picture's side is halved to reach a coarsest map of 4 to 7."""
    return max((size // 4).bit_length() - 1, 0)


def r1(x: Tensor, score: Tensor) -> Tensor:
    """The squared slope of D at real data (Mescheder et al., 2018). `x` must ask for gradients before D sees it."""
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()
