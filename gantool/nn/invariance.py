"""What should stay when an image is tilted: for networks that read a class off it, and are told none."""

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


def agreement(p: Tensor, q: Tensor) -> Tensor:
    """The mutual information of two codes, in nats, of which p and q, (n, k) each, say how likely each value is.

    What Ji et al. (2019) maximise: most where both are sure, both are alike, and each value is as common as any other.
    """
    joint = p.T @ q / len(p)
    joint = ((joint + joint.T) / 2).clamp_min(1e-9)
    log_alone = joint.sum(1).log()
    return (joint * (joint.log() - log_alone.unsqueeze(0) - log_alone.unsqueeze(1))).sum()
