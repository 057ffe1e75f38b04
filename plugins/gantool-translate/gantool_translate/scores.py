"""How right a translation is, where the right answer is known."""

import torch
from gantool.api import judged_digits, psnr
from torch import Tensor

MEASURED, PART = 2_000, 250  # images in all, and drawn at once


def along(x: Tensor, paper: Tensor, ink: Tensor) -> tuple[Tensor, Tensor]:
    """How much ink each pixel has, (n, 1, S, S), and how far images are off the colours between paper and ink, (n,).

    x is (n, 3, S, S) in [-1, 1]; the colours are from 0 to 1. The distance is the root of the mean square.
    """
    line = (ink - paper).view(1, 3, 1, 1)
    above = (x + 1) / 2 - paper.view(1, 3, 1, 1)
    m = (above * line).sum(1, keepdim=True) / line.square().sum()
    return m.clamp(0, 1), (above - m.clamp(0, 1) * line).square().flatten(1).mean(1).sqrt()


def drawn_with(x: Tensor, paper: Tensor, ink: Tensor) -> Tensor:
    """Whether images are of this ink on this paper, (n,): closed form, as the worlds are made by code.

    No more than a tenth off the line between the two colours; the border is paper, and somewhere there is full ink.
    """
    m, off = along(x, paper, ink)
    m = m.squeeze(1)
    border = torch.cat([m[:, 0], m[:, -1], m[:, :, 0], m[:, :, -1]], 1).mean(1)
    return (off <= 0.1) & (border <= 0.25) & (m.flatten(1).amax(1) >= 0.75)


def mean_ink(x: Tensor) -> Tensor:
    """The colour of what is bright in images on black, (n, 3), its largest part 1."""
    light = (x + 1) / 2
    v = light.amax(1, keepdim=True)
    colour = (light * v).sum((2, 3)) / v.square().sum((2, 3)).clamp_min(1e-6)
    return colour / colour.amax(1, keepdim=True).clamp_min(1e-6)


def nearest_tint(x: Tensor, tints: Tensor) -> Tensor:
    """Which of the tints, (k, 3), the mean ink is nearest to; -1 where it is further than .25 from each."""
    pure = tints / tints.amax(1, keepdim=True)
    distance, which = torch.cdist(mean_ink(x), pure.to(x.device)).min(1)
    return torch.where(distance <= 0.25, which, -1)


def digits_in(m: Tensor) -> Tensor:
    """What the judge sees in ink, (n, 1, S, S) from 0 to 1."""
    return judged_digits(m * 2 - 1)[1].argmax(1)


def share(right: Tensor) -> float:
    return float(right.double().mean())


def over_all(x: Tensor, y: Tensor) -> float:
    """The peak signal-to-noise ratio of all images as one."""
    return float(psnr(x.flatten().unsqueeze(0), y.flatten().unsqueeze(0)))
