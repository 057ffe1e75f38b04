"""How steep a critic is, between real and generated pictures."""

from typing import Any

import torch
from gantool.api import Data, as_floats
from torch import Tensor

MEASURED = 5_000  # pictures


def slopes(variant: Any, x: Tensor, fake: Tensor) -> Tensor:
    """|grad D(x^)| at points x^ between x and fake, one for each pair."""
    epsilon = variant.drawn(torch.rand, len(x), 1, 1, 1)
    between = (epsilon * x + (1 - epsilon) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(variant.discriminator(between).sum(), between, create_graph=True)
    return slope.flatten(1).norm(dim=1)


def measured(variant: Any, held: Data) -> dict[str, float]:
    """Its mean, of pictures held out."""
    found = []
    for part in torch.split(torch.arange(min(len(held), MEASURED)), 500):
        x, *_ = as_floats(held.batch(part, torch.Generator()), variant.device)
        fake = variant.generator(variant.latents(len(x), variant.SampleOptions()))
        with torch.enable_grad():
            found.append(slopes(variant, x, fake).detach())
    return {"slope": float(torch.cat(found).double().mean())}
