"""Clusters that stay when an image is tilted (Ji et al., 2019): of few images one else becomes a slant, no class."""

from collections.abc import Callable, Sequence

import torch
from gantool import api
from torch import Tensor

TILTED = 4  # copies of each image, or a batch says too little of which belong together
FINER = 5  # finer clusters for each, read for this alone: their second head


def unsteady(read: Callable[[Tensor], Sequence[Tensor]], x: Tensor, random: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Less, the more clusters as `read` off images tell of clusters as read off them tilted; finer ones, too."""
    tilted = api.jittered(torch.cat([x] * TILTED), random(torch.rand, TILTED * len(x), 6) * 2 - 1)
    return {
        name: -api.agreement(a.softmax(1).repeat(TILTED, 1), b.softmax(1))
        for name, a, b in zip(("steady", "finer"), read(x), read(tilted), strict=True)
    }
