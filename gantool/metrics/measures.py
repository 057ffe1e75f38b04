"""How near one set of images is to another, as numbers: Fréchet and kernel distances, coverage, variety, balance.

All take features, (n, d), of an extractor that took part in no game, and compute in float64 on the CPU. None depends on
the order of the images; what draws at random is given a seed.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 2**23  # numbers of a distance matrix held at once


class Spread(NamedTuple):
    """A mean over subsets, and their standard deviation."""

    mean: float
    deviation: float


def frechet(a: Tensor, b: Tensor) -> float:
    """The distance of two Gaussians fitted to the features (Heusel et al., 2017).

    |m - w|^2 + tr(C + D - 2 (C D)^(1/2)), for means m and w and covariances C and D. The last term comes from the
    eigenvalues of the symmetric C^(1/2) D C^(1/2): they are those of C D, but never complex.
    """
    a, b = a.double(), b.double()
    c, d = (x.T.cov().view(x.shape[1], x.shape[1]) for x in (a, b))  # a number where there is one feature
    values, vectors = torch.linalg.eigh(c)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ d @ root).clamp_min(0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + c.trace() + d.trace() - 2 * shared)


def kernel(a: Tensor, b: Tensor, subsets: int = 20, size: int = 1000, seed: int = 0) -> Spread:
    """KID (Binkowski et al., 2018): the squared distance under the kernel (x.y / d + 1)^3, unbiased, over subsets."""
    a, b = a.double(), b.double()
    size, rng = min(size, len(a), len(b)), torch.Generator().manual_seed(seed)
    found = []
    for _ in range(subsets):
        x, y = (f[torch.randperm(len(f), generator=rng)[:size]] for f in (a, b))
        xx, yy, xy = ((p @ q.T / p.shape[1] + 1) ** 3 for p, q in ((x, x), (y, y), (x, y)))
        inside = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (size * (size - 1))
        found.append(inside - 2 * xy.mean())
    each = torch.stack(found)
    return Spread(float(each.mean()), float(each.std()))


def rows(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """`a` in parts, of each of which the distances to all of `b` may be held."""
    return torch.split(a, max(1, CHUNK // len(b)))


def nearest(a: Tensor, b: Tensor, k: int = 1) -> Tensor:
    """For each of `a`, its distance to the k-th nearest of `b`."""
    a, b = a.double(), b.double()
    return torch.cat([torch.cdist(part, b).kthvalue(k, dim=1).values for part in rows(a, b)])


def closest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """For each of `a`, its distance to the nearest of `b`, and which that is."""
    a, b = a.double(), b.double()
    found = [torch.cdist(part, b).min(1) for part in rows(a, b)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def apart(training: Tensor, held: Tensor | None = None) -> Tensor:
    """How far images held out are from the nearest training image.

    Where none were held out, how far each training image is from its nearest fellow: as far, on average.
    """
    return nearest(training, training, 2) if held is None else nearest(held, training)  # the nearest is itself


def copying(fake: Tensor, training: Tensor, usual: float) -> float:
    """The nearest-neighbour ratio: how far fakes are from training images, as a share of what is usual.

    1 is as far as new real images are, 0 is copies; the median of all, so that it sees copying as a habit.
    """
    return float(nearest(fake, training).median()) / max(usual, 1e-12)


def density_and_coverage(real: Tensor, fake: Tensor, k: int = 5, radii: Tensor | None = None) -> tuple[float, float]:
    """Naeem et al., 2020: how thickly real neighbourhoods hold fakes (1 is as real ones do); the share that holds any.

    A neighbourhood is the ball around a real one that reaches to its k-th nearest fellow; `radii`, if they are known.
    """
    real, fake = real.double(), fake.double()
    radii = nearest(real, real, k + 1) if radii is None else radii  # the nearest of all is the image itself
    inside, held = torch.zeros((), dtype=torch.int64), []
    parts = rows(real, fake)
    for part, reach in zip(parts, torch.split(radii, len(parts[0])), strict=True):
        within = torch.cdist(part, fake) < reach.unsqueeze(1)
        inside += within.sum()
        held.append(within.any(1))
    return float(inside) / (k * len(fake)), float(torch.cat(held).double().mean())


def variety(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Each class's own variance, summed over the features: 0 where a class is one image again and again."""
    features = features.double()
    parts = (features[labels == i] for i in range(classes))
    return torch.stack([p.var(0).sum() if len(p) > 1 else p.new_zeros(()) for p in parts])


def classifier_score(probabilities: Tensor) -> float:
    """exp of the mean KL from each image's classes to those of all (the inception score, by any classifier)."""
    p = probabilities.double()
    return float((p.xlogy(p) - p.xlogy(p.mean(0))).sum(1).mean().exp())


def imbalance(classes: Tensor, count: int) -> float:
    """KL from the classes as drawn to even ones: 0 when even, log(count) when all are one."""
    share = torch.bincount(classes, minlength=count).double() / len(classes)
    return float(share.xlogy(share * count).sum())


def modes(which: Tensor, count: int) -> tuple[int, float]:
    """Of a mixture's `count` modes: how many are met, and the KL from those met to even ones.

    `which` is each sample's mode, -1 where it is of none. If all are of none, that is as bad as all of one.
    """
    found = which[which >= 0]
    met = len(torch.unique(found))
    return met, imbalance(found, count) if met else math.log(count)


def confusion(labels: Tensor, seen: Tensor, count: int) -> Tensor:
    """(count, count): how often a class that was asked for (row) was seen as each (column)."""
    return torch.bincount(labels * count + seen, minlength=count * count).view(count, count)


def accuracy(table: Tensor) -> tuple[float, float]:
    """Of a confusion matrix: the share that is right, and the share of the class that does worst."""
    right, labels = table.diagonal().double(), table.sum(1).double()
    return float(right.sum() / labels.sum()), float((right / labels)[labels > 0].min())
