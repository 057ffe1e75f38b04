"""What D is shown in place of each image, so that it learns no small data set by heart."""

from collections.abc import Callable

import torch
from torch import Tensor


def shifted(x: Tensor, most: int | None, drawn: Callable[..., Tensor]) -> Tensor:
    """Images moved at random, by up to `most` pixels each way, if any; `drawn` is the variant's.

    A D that sees real and generated ones so cannot learn a small data set by heart (Zhao et al., 2020).
    """
    if not most or x.ndim != 4:  # what is no image has no place
        return x
    return moved(x, (drawn(torch.rand, len(x), 2) * (2 * most + 1)).long() - most)


def moved(x: Tensor, by: Tensor) -> Tensor:
    """Images moved by (down, right) pixels each, (n, 2); the border is repeated where nothing comes in."""
    n, _, h, w = x.shape
    down, right = by.unsqueeze(2).unbind(1)
    rows = (torch.arange(h, device=x.device) - down).clamp_(0, h - 1)
    columns = (torch.arange(w, device=x.device) - right).clamp_(0, w - 1)
    places = (rows.unsqueeze(2) * w + columns.unsqueeze(1)).view(n, 1, h * w)
    return x.flatten(2).gather(2, places.expand(-1, x.shape[1], -1)).view_as(x)
