"""What InfoGAN's codes came to mean: which class, which slant, how much ink."""

import math
from typing import Any

import torch
from gantool.api import Data, in_batches, matched
from torch import Tensor

from gantool_info.images import slant, stroke_mass
from gantool_info.information import log_q

MEASURED = 10_000  # images


@torch.no_grad()
def measured(variant: Any, held: Data) -> dict[str, float]:
    """Q on real images, each value of c1 paired with a class; L_I of c1; what c2 or c3 changes."""
    found, values, c = dict[str, float](), variant.options.values, variant.codes(MEASURED)
    if held.spec.classes:
        real = in_batches(held, variant.device, most=MEASURED)
        read = [(variant.q(variant.discriminator(x))[:, :values].argmax(1), y) for x, y in real]
        found["code_accuracy"] = matched(*map(torch.cat, zip(*read, strict=True)))
    x = torch.cat([variant.draw(variant.noise(len(part)), part) for part in torch.split(c, 500)])
    said = torch.cat([variant.q(variant.discriminator(part)) for part in torch.split(x, 500)])
    found["information"] = math.log(values) + float(log_q(said, c, values)[0].mean())
    if variant.data.images:
        found["slant"] = meaning(c[:, 1:].cpu(), c[:, 0].cpu(), x.cpu())
    return found


def spearman(a: Tensor, b: Tensor) -> float:
    """The correlation of ranks, of numbers without ties."""
    ranks = torch.stack([x.argsort().argsort().double() for x in (a, b)])
    return float(torch.corrcoef(ranks)[0, 1])


def meaning(codes: Tensor, groups: Tensor, x: Tensor) -> float:
    """How far one of the codes orders images by slant or by ink.

    Each of `codes`, (n, k), against each of the two: the absolute rank correlation within each of the groups, of which
    the median counts; then the best pair.
    """
    best = 0.0
    for measure in (slant(x), stroke_mass(x)):
        for code in codes.T:
            each = [abs(spearman(code[groups == g], measure[groups == g])) for g in torch.unique(groups)]
            best = max(best, float(torch.tensor(each).median()))
    return best
