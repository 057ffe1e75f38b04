"""Penalties on a network's slope."""

import torch
from torch import Tensor


def r1(x: Tensor, score: Tensor) -> Tensor:
    """The squared slope of D at real data (Mescheder et al., 2018). `x` must ask for gradients before D sees it."""
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()
