"""Points held against the mixture they should come from: which of its modes are met, how evenly, how nearly."""

import torch
from torch import Tensor

from gantool.data.points import Points
from gantool.metrics.measures import frechet, modes

MEASURED = 10_000  # samples
NEAR = 3.0  # deviations of a mode: of the data themselves, 98.9 % in the plane


def score_points(x: Tensor, held: Points) -> dict[str, float]:
    """The distance of two clouds' Gaussians; of a mixture, its modes too."""
    found = {"cloud_distance": frechet(held.x[:MEASURED].cpu(), x)}
    if held.modes is None:
        return found
    distance, which = torch.cdist(x.double(), held.modes.double()).min(1)
    near = distance <= NEAR * held.deviation
    met, uneven = modes(torch.where(near, which, -1), len(held.modes))
    return found | {"modes": met, "modes_kl": uneven, "near_modes": float(near.double().mean())}
