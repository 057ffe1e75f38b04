"""Modes: of data that have a known number of them, how many are met, and how evenly."""

from typing import Any

import torch
from gantool.api import Data, Points, judged_digits, modes, score_points
from torch import Tensor

from gantool_r3gan import pairs

MEASURED = 10_000  # samples
CONFIDENT = 0.9


@torch.no_grad()
def measured(variant: Any, held: Data) -> dict[str, float]:
    if isinstance(held, Points):
        return score_points(variant.draw(variant.latents(MEASURED, variant.SampleOptions())).cpu(), held)
    if held.spec.classes == pairs.NAMES:
        drawn = [variant.sample(500, variant.SampleOptions()) for _ in range(MEASURED // 500)]
        return of_pairs(torch.cat([x[0] if isinstance(x, tuple) else x for x in drawn]))
    return {}


def of_pairs(x: Tensor) -> dict[str, float]:
    """The judge of digits looks at the tens, and at the units."""
    tens, units = (judged_digits(x[:, i : i + 1])[1].max(1) for i in (0, 1))
    met, uneven = modes(10 * tens.indices + units.indices, len(pairs.NAMES))
    confident = (tens.values > CONFIDENT) & (units.values > CONFIDENT)
    return {"modes": met, "modes_kl": uneven, "confident_of_both": float(confident.double().mean())}
