"""Lays images side by side for previews."""

import torch
from torch import Tensor


def in_rows(*images: Tensor, groups: int) -> Tensor:
    """Lay images of several batches side by side, such as inputs, outputs, truths: so many such groups to a row.

    Whole rows alone are shown; a single column where there is not one.
    """
    n = len(images[0]) // groups * groups
    beside = torch.stack([x[: n or len(x)] for x in images], 1)
    return beside.view(-1, len(images) * (groups if n else 1), *images[0].shape[1:])
