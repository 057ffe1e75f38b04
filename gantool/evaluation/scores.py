"""What a judge sees in images, and all the scores that can be made of it."""

from collections.abc import Callable, Container
from typing import NamedTuple

import torch
from torch import Tensor

from gantool.data.images import ImageData
from gantool.evaluation.gates import DISTANCES
from gantool.evaluation.offered import Offered
from gantool.metrics import measures
from gantool.metrics.judge import Judge, look

CONFIDENT = 0.9
NEIGHBOURS = 5  # of density and coverage
COPIES = 2_000  # samples whose nearest training images are looked for: enough for a median
Extractor = Callable[[Tensor], Tensor] | None  # who makes the features of distances, if not the judge


class Seen(NamedTuple):
    """Some images as the judge sees them, and their classes: true ones, those asked for, or none."""

    pixels: Tensor
    features: Tensor
    probabilities: Tensor
    labels: Tensor | None

    def part(self, index: Tensor) -> "Seen":
        return Seen(*(None if t is None else t[index] for t in self))  # type: ignore[arg-type]


class Ground(NamedTuple):
    """What all sets of images are laid over: real ones, and the training images where they are known."""

    classes: int
    real: Seen | None = None
    radii: Tensor | None = None  # of the real ones' neighbourhoods
    training: Tensor | None = None  # features of all
    apart: Tensor | None = None  # distances to them of images that are not among them
    usual: float = 1.0  # the median of these
    extractor: Extractor = None
    far: Tensor | None = None  # of the real ones, what distances are measured to
    second: Judge | None = None  # looks at the same samples, so that what fools the first is noticed
    offered: Offered | None = None  # metrics of packages


def few(n: int, features: int) -> bool:
    """Whether a covariance of so many features cannot be made of so many images; a kernel distance still can."""
    return n <= 2 * features


def see(judge: Judge, pixels: Tensor, labels: Tensor | None) -> Seen:
    return Seen(pixels, *look(judge, pixels), labels)


def see_data(judge: Judge, data: ImageData, n: int) -> Seen:
    return see(judge, data.pixels[:n], data.labels[:n] if data.spec.classes else None)


def ground(
    judge: Judge, real: Seen | None, training: Tensor | None, held: Tensor | None, extractor: Extractor = None
) -> Ground:
    """`training` and `held`: the images trained on, and the features of others, where there are any."""
    if real is None:
        return Ground(judge.classes)
    far = extractor(real.pixels) if extractor else real.features
    on = Ground(judge.classes, real, measures.nearest(far, far, NEIGHBOURS + 1), extractor=extractor, far=far)
    if training is None:
        return on
    features, _ = look(judge, training)
    few = None if held is None else held[:COPIES]
    apart = measures.apart(features, few)
    return on._replace(training=features, apart=apart, usual=float(apart.median()))


def scores(x: Seen, on: Ground, chosen: Container[str]) -> dict[str, float]:
    """All that can be said of images; distances need real ones, and classes a judge that knows some."""
    found: dict[str, float] = {}
    if on.classes > 1:
        confidence, seen = x.probabilities.max(1)
        if x.labels is not None:
            found["label_accuracy"], found["worst_class_accuracy"] = measures.accuracy(
                measures.confusion(x.labels, seen, on.classes)
            )
        if on.second and "second_judge" in chosen:
            again = look(on.second, x.pixels)[1].argmax(1)
            found["second_judge"] = (again == (seen if x.labels is None else x.labels)).double().mean().item()
        found["confident"] = (confidence > CONFIDENT).double().mean().item()
        found["classifier_score"] = measures.classifier_score(x.probabilities)
        found["class_balance_kl"] = measures.imbalance(seen, on.classes)
        found["classes_drawn"] = len(torch.unique(seen))
    if on.real and on.far is not None:
        real, a, b = on.real, on.far, x.features
        if on.extractor and any(name in chosen for name in DISTANCES):
            b = on.extractor(x.pixels)
        if "FD" in chosen and not few(min(len(a), len(b)), a.shape[1]):
            found["FD"] = measures.frechet(a, b)
        if "KID" in chosen:
            found["KID"], found["KID_spread"] = measures.kernel(a, b)
        if "density" in chosen or "coverage" in chosen:
            found["density"], found["coverage"] = measures.density_and_coverage(a, b, NEIGHBOURS, on.radii)
        if on.classes > 1 and "variety" in chosen:
            each = [measures.variety(s.features, s.probabilities.argmax(1), on.classes) for s in (x, real)]
            found["variety"] = (each[0] / each[1])[each[1] > 0].mean().item()
    if on.training is not None and "nearest_ratio" in chosen:
        found["nearest_ratio"] = measures.copying(x.features[:COPIES], on.training, on.usual)
    found = {name: value for name, value in found.items() if name.removesuffix("_spread") in chosen}
    return found | (on.offered.scores(x.pixels, on.real.pixels) if on.offered and on.real else {})
