"""Penalties on a network's slope."""

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]


def gradient(x: Tensor, score: Tensor) -> Tensor:
    """Of each score, by its own x, in a row, (n, numbers). `x` must ask for gradients before D sees it."""
    (found,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return found.flatten(1)


def r1(x: Tensor, score: Tensor) -> Tensor:
    """The squared slope of D at real data (Mescheder et al., 2018)."""
    return gradient(x, score).square().sum(1).mean()


def gradient_norms(score: Score, real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """|grad D(x^)|, (n,), at x^ between real and fake: eps, (n,) from 0 to 1, of the way to the real one."""
    eps = eps.view(-1, *[1] * (real.ndim - 1))
    between = (eps * real + (1 - eps) * fake).requires_grad_()
    length: Tensor = gradient(between, score(between)).norm(dim=1)
    return length


def gradient_penalty(score: Score, real: Tensor, fake: Tensor, eps: Tensor, to: float = 1.0) -> Tensor:
    """(|grad D(x^)| - to)^2 (Gulrajani et al., 2017, equation 3)."""
    return (gradient_norms(score, real, fake, eps) - to).square().mean()
