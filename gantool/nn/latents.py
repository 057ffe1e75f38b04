"""Noise to sample from: plain, truncated, or a walk between two draws; and mixtures made of noise."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gantool.config.options import NoiseOptions


def gaussian(
    draw: Callable[[int], Tensor], n: int, options: NoiseOptions, latent: Callable[[Tensor], Tensor]
) -> Tensor:
    """n noises from `draw`, held within the truncation; or the n steps of a walk from one noise to another."""
    z = latent(truncated(draw, 2 if options.interpolate else n, options.truncation))
    return walk(z[:1], z[1:], n) if options.interpolate else z


def truncated(draw: Callable[[int], Tensor], n: int, limit: float) -> Tensor:
    """Numbers beyond the limit are drawn again (Brock et al., 2019), 30 times at most.

    The stubborn rest is spread evenly within it: numbers heaped at its ends would be equal, and noise never is.
    """
    z = draw(n)
    for _ in range(30):
        beyond = z.abs() > limit
        if not beyond.any():
            break
        z = torch.where(beyond, draw(n), z)
    return torch.where(z.abs() > limit, limit * torch.erf(draw(n) / 2**0.5), z)


def mixture(z: Tensor, components: int, scale: float) -> Tensor:
    """Noise of a mixture: the first numbers become a one-hot component, that of the largest, so all are as likely.

    A smooth generator of one cloud of noise must pass from digit to digit, and draws what lies between. Of a cloud for
    each component it need not (DeLiGAN, Gurumurthy et al., 2017).
    """
    if not components:
        return z
    # Floats first: thousands of integers by a number take four times as long.
    return torch.cat([scale * one_hot(z[:, :components].argmax(1), components).float(), z[:, components:]], 1)


def walk(start: Tensor, end: Tensor, n: int) -> Tensor:
    """n steps along the great circle: a straight line would pass closer to 0 than noise ever is."""
    cosine = torch.cosine_similarity(start, end).clamp(-0.9999, 0.9999)
    angle = torch.acos(cosine)
    t = torch.linspace(0, 1, n, device=start.device).unsqueeze(1)
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
