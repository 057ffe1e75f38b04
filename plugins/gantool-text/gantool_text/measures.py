"""Whether images are what their captions say, and whether D knows which captions are an image's."""

from typing import Any

import torch
from gantool.api import Data, as_floats
from torch import Tensor

from gantool_text.captions import Captions, numbers
from gantool_text.reading import read
from gantool_text.scenes import Meant

MEASURED = 10_000  # captions
CHUNK = 500


@torch.no_grad()
def measured(variant: Any, held: Data) -> dict[str, float]:
    """matching_auc, of real images and right or wrong captions; where meanings are known, the rest of README.md."""
    assert isinstance(held, Captions)
    rng, right, wrong, drawn, real = torch.Generator().manual_seed(0), *(list[Any]() for _ in "1234")
    index = torch.arange(min(len(held), MEASURED))
    for part in torch.split(index, CHUNK):
        its, others = (numbers([held.texts[row] for row in rows], variant.data.words) for rows in held.said(part, rng))
        x, *_ = as_floats(held.batch(part, rng), variant.device)
        its, others = its.to(variant.device), others.to(variant.device)
        right.append(variant.d_logits(x, its))
        wrong.append(variant.d_logits(x, others))
        if isinstance(held, Meant):
            drawn.append(read(variant.draw(variant.latents(len(part), variant.SampleOptions()), its)))
            real.append(read(x))
    found = {"matching_auc": area(torch.cat(right), torch.cat(wrong))}
    if isinstance(held, Meant):
        seen, features = (torch.cat(parts).cpu() for parts in zip(*drawn, strict=True))
        as_real = torch.cat([features for _, features in real]).cpu()
        found |= matching(seen, held.meanings[index], held.unseen[index])
        found["handwriting"] = spread(features, held.meanings[index]) / spread(as_real, held.meanings[index])
    return found


def matching(seen: Tensor, meant: Tensor, unseen: Tensor) -> dict[str, float]:
    """Shares of images whose size... is the caption's; all four of captions of meanings trained on, and of others."""
    same = (seen == meant).double()
    found = {name: float(same[:, i].mean()) for i, name in enumerate(("size", "colour", "digit", "place"))}
    whole = same.prod(1)
    return found | {"all_seen": float(whole[~unseen].mean()), "all_unseen": float(whole[unseen].mean())}


def spread(features: Tensor, meant: Tensor) -> float:
    """The variance within a meaning."""
    _, group, count = torch.unique(meant, dim=0, return_inverse=True, return_counts=True)
    features = features.double()
    means = torch.zeros(len(count), features.shape[1]).double().index_add_(0, group, features) / count.unsqueeze(1)
    return float((features - means[group]).square().sum() / (len(features) - len(count)))


def area(right: Tensor, wrong: Tensor) -> float:
    """Under the ROC curve: how often a right one is above a wrong one; an equal one counts as half."""
    order = wrong.double().sort().values
    below, not_above = (torch.searchsorted(order, right.double(), right=side) for side in (False, True))
    return float((below + not_above).double().mean() / 2 / len(wrong))
