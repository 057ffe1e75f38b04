"""Lays images side by side for previews, and names what is beside what."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Sheet(NamedTuple):
    """Images (n, C, H, W) or (rows, columns, C, H, W), and what to write above columns and beside rows."""

    images: "Tensor"  # a name: torch may be a stand-in
    across: Sequence[str] = ()
    down: Sequence[str] = ()


def in_rows(images: Mapping[str, Tensor], groups: int = 1) -> Sheet:
    """Lay images of several batches side by side under their names, such as input, output, truth; `groups` to a row.

    Whole rows alone are shown; a single column where there is not one.
    """
    batches = list(images.values())
    n = len(batches[0]) // groups * groups
    groups = groups if n else 1
    beside = torch.stack([x[: n or len(x)] for x in batches], 1)
    return Sheet(beside.view(-1, len(batches) * groups, *batches[0].shape[1:]), [*images] * groups)


def by_class(images: Tensor, classes: Sequence[str], widest: int = 12) -> Sheet:
    """Lay out images whose classes come in turn: a column a class, or, where classes are few, a row."""
    k = len(classes)
    each = len(images) // k
    columns = images[: each * k].view(each, k, *images.shape[1:])
    if k >= min(each, widest):
        return Sheet(columns, classes)
    return Sheet(columns[:widest].transpose(0, 1), (), classes)
