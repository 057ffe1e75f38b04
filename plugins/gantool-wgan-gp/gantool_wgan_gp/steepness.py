"""How steep a critic is, between real and generated images."""

from typing import Any

import torch
from gantool.api import Data, gradient_norms, in_batches

MEASURED = 5_000  # images


def measured(variant: Any, held: Data) -> dict[str, float]:
    """Its mean, of images held out."""
    found = []
    for x, *_ in in_batches(held, variant.device, most=MEASURED):
        fake = variant.generator(variant.latents(len(x), variant.SampleOptions()))
        with torch.enable_grad():
            at = variant.random(torch.rand, len(x))
            found.append(gradient_norms(variant.discriminator, x, fake, at).detach())
    return {"slope": float(torch.cat(found).double().mean())}
