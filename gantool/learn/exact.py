"""Closed forms and quadrature: what theory says of two densities, to be held beside what was learned."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

POINTS = 4_001  # of a grid; integrals of Gaussians are then right to ten digits


def grid(low: float, high: float, points: int = POINTS) -> Tensor:
    return torch.linspace(low, high, points, dtype=torch.float64)


def normal(x: Tensor, mean: float = 0.0, deviation: float = 1.0) -> Tensor:
    """The density of N(mean, deviation^2)."""
    return (((x - mean) / deviation).square() / -2).exp() / (deviation * math.sqrt(2 * math.pi))


def integral(f: Tensor, x: Tensor) -> float:
    return float(torch.trapezoid(f, x))


def value(logit: Tensor, p: Tensor, q: Tensor, x: Tensor) -> float:
    """V(G, D) = E_p log D + E_q log(1 - D) (Goodfellow et al., 2014, equation 1), of a D given by its logits."""
    return integral(-softplus(-logit) * p - softplus(logit) * q, x)


def kl(p: Tensor, q: Tensor, x: Tensor) -> float:
    """KL(p || q) of densities on a grid."""
    there = p > 0
    return integral(torch.where(there, p * (p.clamp_min(1e-300) / q.clamp_min(1e-300)).log(), 0.0), x)


def js(p: Tensor, q: Tensor, x: Tensor) -> float:
    """The Jensen-Shannon divergence, in nats."""
    m = (p + q) / 2
    return (kl(p, m, x) + kl(q, m, x)) / 2


def best_value(p: Tensor, q: Tensor, x: Tensor) -> float:
    """V of the best D (theorem 1's proof): 2 JS - log 4."""
    return 2 * js(p, q, x) - math.log(4)


def w1(p: Tensor, q: Tensor, x: Tensor) -> float:
    """The earth mover's distance on the line: the area between the distribution functions."""
    step = x[1] - x[0]
    return float(((p - q).cumsum(0) * step).abs().sum() * step)


def kl_normal(mean: float, deviation: float, mean2: float, deviation2: float) -> float:
    """KL(N(mean, deviation^2) || N(mean2, deviation2^2))."""
    far = (deviation**2 + (mean - mean2) ** 2) / (2 * deviation2**2)
    return math.log(deviation2 / deviation) + far - 0.5


def kl_normals(a: Tensor, A: Tensor, b: Tensor, B: Tensor) -> float:
    """KL(N(a, A) || N(b, B)) in any dimension."""
    inverse = torch.linalg.inv(B)
    far = (b - a) @ inverse @ (b - a)
    return float((torch.trace(inverse @ A) + far - len(a) + torch.logdet(B) - torch.logdet(A)) / 2)


def normal_quantiles(n: int) -> Tensor:
    """n numbers that lie as N(0, 1) does, each for an equal share."""
    at = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    found: Tensor = torch.special.ndtri(at)
    return found
