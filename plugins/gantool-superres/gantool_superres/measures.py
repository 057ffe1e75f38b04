"""How near enlarged images are to the truth: pixel by pixel, in what is seen in them, and in how sharp they are."""

from typing import Any

import torch
from gantool.api import Data, in_batches, judged_digits, psnr
from torch import Tensor

from gantool_superres import perceptual
from gantool_superres.enlarging import bicubic

AT_ONCE = 100


@torch.no_grad()
def measured(variant: Any, held: Data) -> dict[str, float]:
    """Means over the images held out, of what would be saved: bytes."""
    found: dict[str, list[Tensor]] = {}
    for large, small in in_batches(held, variant.device, AT_ONCE):
        truth, plain = seen(variant, large), psnr(saved(bicubic(small)), large)
        found.setdefault("steep", []).append(steepness(large))
        for of, x in (("", saved(variant.draw(small))), ("first_", saved(variant.draw(small, first=True)))):
            found.setdefault(of + "psnr", []).append(psnr(x, large))
            found.setdefault(of + "over_bicubic", []).append(psnr(x, large) - plain)
            found.setdefault(of + "distance", []).append((seen(variant, x) - truth).norm(dim=1))
            found.setdefault(of + "sharpness", []).append(steepness(x))
    means = {name: float(torch.cat(values).double().mean()) for name, values in found.items()}
    steep = max(means.pop("steep"), 1e-12)
    means["distance_share"] = means["distance"] / max(means["first_distance"], 1e-12)
    return {name: value / steep if name.endswith("sharpness") else value for name, value in means.items()}


def saved(x: Tensor) -> Tensor:
    """As a file will have it."""
    return x.clamp(-1, 1).add(1).mul(127.5).round().div(127.5).sub(1)


def steepness(x: Tensor) -> Tensor:
    """Of each image, the mean square of the slope: from each pixel to the one below and the one beside it.

    The square, because an edge's mean slope is the same however blurred it is.
    """
    down, right = x[:, :, 1:, :-1] - x[:, :, :-1, :-1], x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    return (down.square() + right.square()).flatten(1).mean(1)


def seen(variant: Any, x: Tensor) -> Tensor:
    """Features, (n, k): the digits judge's, else those of random convolutions, others than those that may teach."""
    if perceptual.shows_digits(variant.data):
        return judged_digits(x)[0]
    levels = perceptual.random_features(x.device, perceptual.SEED + 1)(x)
    return torch.cat([level.flatten(1) / level[0].numel() ** 0.5 for level in levels], 1)
