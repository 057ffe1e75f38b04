"""Directions of noise by how much they change an image: what a page's sliders move along."""

from collections.abc import Callable

import torch
from torch import Tensor

STEP = 0.05  # of the difference quotient
SEEN = 128  # noises that are looked at
MOST = 512  # numbers of noise beyond which this would take long


@torch.inference_mode()
def principal(draw: Callable[[Tensor], Tensor], z: Tensor, count: int) -> tuple[list[int], Tensor]:
    """The free coordinates of the noise, and unit vectors in them: eigenvectors of the mean of J'J, largest first.

    J is the image's derivative by the noise. Each vector points to where images get brighter.
    """
    z = z[:SEEN]
    free = free_coordinates(z)
    if not free or len(free) > MOST:
        return [], torch.zeros(0, 0)
    columns = []
    for k in free:
        step = torch.zeros_like(z)
        step[:, k] = STEP
        columns.append(((draw(z + step) - draw(z - step)) / (2 * STEP)).flatten(1).double())
    jacobian = torch.stack(columns, 2)
    _, vectors = torch.linalg.eigh(torch.einsum("npi,npj->ij", jacobian, jacobian) / len(z))
    found = vectors.flip(1).T[:count]
    for vector in found:
        step = torch.zeros(z.shape[1])
        step[free] = vector.float()
        if (draw(z + step) - draw(z - step)).mean() < 0:
            vector.neg_()
    return free, found


def free_coordinates(z: Tensor) -> list[int]:
    """Those that vary as they like: a mixture's component, say, takes few values."""
    return [k for k in range(z.shape[1]) if len(set(z[:, k].tolist())) > len(z) / 2]
