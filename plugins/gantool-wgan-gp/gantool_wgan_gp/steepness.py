"""How steep a critic is, between real and generated images."""

from typing import Any

import torch
from gantool import api
from gantool.api import Data
from torch import Tensor

MEASURED = 5_000  # images


def slopes(variant: Any, x: Tensor, fake: Tensor) -> Tensor:
    """|grad D(x^)| at points x^ between x and fake, one for each pair."""
    return api.gradient_norms(variant.discriminator, x, fake, variant.random(torch.rand, len(x)))


def measured(variant: Any, held: Data) -> dict[str, float]:
    """Its mean, of images held out."""
    found = []
    for x, *_ in api.in_batches(held, variant.device, most=MEASURED):
        fake = variant.generator(variant.latents(len(x), variant.SampleOptions()))
        with torch.enable_grad():
            found.append(slopes(variant, x, fake).detach())
    return {"slope": float(torch.cat(found).double().mean())}
