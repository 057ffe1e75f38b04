"""Images tilted and moved, and how far their strokes lean."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

TILT = ((0.2, 0.4, 0.15), (0.15, 0.2, 0.15))  # of the affine matrix, at most: scale, shear, shift of rows and columns


def jittered(x: Tensor, chance: Tensor) -> Tensor:
    """Each image scaled, sheared and moved its own way: six numbers of `chance` for each, -1 to 1 or larger."""
    if x.ndim != 4:
        return x
    still = torch.eye(2, 3, device=x.device)
    matrix = still + chance.view(-1, 2, 3) * torch.tensor(TILT, device=x.device)
    grid = affine_grid(matrix.to(x.dtype), list(x.shape), align_corners=False)
    return grid_sample(x, grid, padding_mode="border", align_corners=False)


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
