"""How far an image's strokes lean, and how much ink they have."""

import torch
from torch import Tensor


def slant(x: Tensor) -> Tensor:
    """How far strokes lean, columns a row: the moments' slope of images (n, C, S, S), bright on dark."""
    ink, at = brightness(x), torch.arange(x.shape[-1], device=x.device, dtype=torch.float64)
    mass = ink.sum((1, 2)).clamp_min(1e-9)
    rows, columns = ink.sum(2), ink.sum(1)
    down = at - ((rows * at).sum(1) / mass).unsqueeze(1)  # (n, S), from the image's own centre
    along = at - ((columns * at).sum(1) / mass).unsqueeze(1)
    leaning = torch.einsum("nij,ni,nj->n", ink, down, along)
    return leaning / (rows * down.square()).sum(1).clamp_min(1e-9)


def stroke_mass(x: Tensor) -> Tensor:
    """The mean brightness."""
    return brightness(x).mean((1, 2))


def brightness(x: Tensor) -> Tensor:
    """Of images in [-1, 1], from 0 to 1, (n, S, S)."""
    return (x[:, :3].double().mean(1) + 1) / 2
