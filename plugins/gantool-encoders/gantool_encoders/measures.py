"""What codes are worth: whether images come back, what is told of the class, how near the prior they are."""

from typing import Any

import torch
from gantool.api import Data, in_batches, judged_digits, matched, nmi
from torch import Tensor
from torch.nn.functional import mse_loss

DIGITS = tuple("0123456789")
MEASURED = 5_000  # images, at most
FOLDS = 5


def measured(variant: Any, held: Data) -> dict[str, float]:
    """Of images that were held out."""
    batches = in_batches(held, variant.device, most=MEASURED)
    parts = [(x, variant.encode(x), variant.features(x), *rest) for x, *rest in batches]
    x, code, seen, *rest = (torch.cat(part) for part in zip(*parts, strict=True))
    back = torch.cat([variant.decode(part) for part in torch.split(code, 500)])
    found = {"error_share": error_share(x, back), "codes_w1": w1_to_normal(code)}
    if variant.data.images:
        found["sharpness"] = float(steepness(back) / steepness(x))
    if held.spec.classes:
        found["probe"] = probe(seen, rest[0], len(held.spec.classes))
    if held.spec.classes == DIGITS and variant.data.images:
        found["kept"] = float((judged_digits(back)[1].argmax(1) == rest[0]).double().mean())
    return found


def error_share(x: Tensor, back: Tensor) -> float:
    """The squared error, as a share of the mean image's."""
    return float(mse_loss(back, x) / (x - x.mean(0)).square().mean())


def w1_to_normal(code: Tensor) -> float:
    """The distance (W1) of each dimension of codes from a standard normal; their mean."""
    n = len(code)
    normal = 2**0.5 * torch.erfinv(2 * (torch.arange(n, device=code.device) + 0.5) / n - 1)
    return float((code.sort(0).values - normal.unsqueeze(1)).abs().mean())


def steepness(x: Tensor) -> Tensor:
    """How much neighbouring pixels differ, squared: blur takes it away."""
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()


def probe(seen: Tensor, y: Tensor, classes: int) -> float:
    """What a linear classifier gets right of those it was not fitted to: ridge regression, five folds."""
    a = (seen.double() - seen.double().mean(0)) / seen.double().std(0).clamp_min(1e-9)
    a = torch.cat([a, torch.ones_like(a[:, :1])], 1).cpu()
    y, right = y.cpu(), 0
    fold = torch.randperm(len(a), generator=torch.Generator().manual_seed(0)) % FOLDS  # classes may come in turn
    for i in range(FOLDS):
        mine, wanted = a[fold != i], torch.nn.functional.one_hot(y[fold != i], classes).double()
        w = torch.linalg.solve(mine.T @ mine + torch.eye(a.shape[1]), mine.T @ wanted)
        right += int(((a[fold == i] @ w).argmax(1) == y[fold == i]).sum())
    return right / len(a)


@torch.no_grad()
def of_clusters(variant: Any, held: Data) -> dict[str, float]:
    """How well clusters stand for classes: the share that is right when each cluster is paired with a class; NMI."""
    if not held.spec.classes:
        return {}
    k = variant.options.clusters
    read = [(variant.encode(x)[:, -k:].argmax(1), y) for x, y in in_batches(held, variant.device, most=MEASURED)]
    c, y = map(torch.cat, zip(*read, strict=True))
    return {"cluster_accuracy": matched(c, y), "nmi": nmi(c, y)}
