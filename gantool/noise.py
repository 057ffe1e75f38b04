"""Noise to sample from: plain, truncated, or a walk between two draws."""

from collections.abc import Callable

import torch
from torch import Tensor

from gantool.options import NoiseOptions


def gaussian(draw: Callable[[int], Tensor], n: int, options: NoiseOptions) -> Tensor:
    """n noises from `draw`, held within the truncation; or the n steps of a walk from one noise to another."""
    if options.interpolate:
        ends = truncated(draw, 2, options.truncation)
        return walk(ends[:1], ends[1:], n)
    return truncated(draw, n, options.truncation)


def truncated(draw: Callable[[int], Tensor], n: int, limit: float) -> Tensor:
    """Numbers beyond the limit are drawn again (Brock et al., 2019), 30 times at most.

    The stubborn rest is spread evenly within it: numbers heaped at its ends would be equal, and codes are not.
    """
    z = draw(n)
    for _ in range(30):
        beyond = z.abs() > limit
        if not beyond.any():
            break
        z = torch.where(beyond, draw(n), z)
    return torch.where(z.abs() > limit, limit * torch.erf(draw(n) / 2**0.5), z)


def walk(start: Tensor, end: Tensor, n: int) -> Tensor:
    """n steps along the great circle: a straight line would pass closer to 0 than noise ever is."""
    cosine = torch.cosine_similarity(start, end).clamp(-0.9999, 0.9999)
    angle = torch.acos(cosine)
    t = torch.linspace(0, 1, n, device=start.device).unsqueeze(1)
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
