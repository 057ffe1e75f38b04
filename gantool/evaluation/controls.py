"""Negative controls: what looks good to one score and is not. Made of real images, each must fail the thresholds.

A control takes images and their classes and gives as many. A `share` below 1 spoils only so many of them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Set = tuple[Tensor, Tensor]
Control = Callable[[Tensor, Tensor], Set]
TOGETHER = 8  # images in a blurred mean


def one_image(pixels: Tensor, labels: Tensor) -> Set:
    """The first, again and again: a collapse."""
    return pixels[:1].expand_as(pixels), labels


def one_a_class(pixels: Tensor, labels: Tensor) -> Set:
    """Each class is its first image: all labels are right, and nothing varies."""
    first = {int(y): i for i, y in reversed(list(enumerate(labels)))}
    return pixels[[first[int(y)] for y in labels]], labels


def shifted_labels(pixels: Tensor, labels: Tensor) -> Set:
    """Real images, each under the next class's name."""
    return pixels, (labels + 1) % (labels.max() + 1)


def shuffled_labels(pixels: Tensor, labels: Tensor) -> Set:
    """Real images under random names, as a generator that ignores its label makes them."""
    return pixels, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


def blurred_means(pixels: Tensor, labels: Tensor) -> Set:
    """Means of a few images of a class: near all of them, like none."""
    rng, made = torch.Generator().manual_seed(0), torch.empty_like(pixels)
    for y in torch.unique(labels):
        (mine,) = torch.nonzero(labels == y, as_tuple=True)
        chosen = mine[torch.randint(len(mine), (len(mine), TOGETHER), generator=rng)]
        made[mine] = pixels[chosen].float().mean(1).round().to(pixels.dtype)
    return made, labels


def of_share(control: Control, share: float) -> Control:
    """The control in that share of the images, evenly spread, and the rest as they were."""

    def spoiled(pixels: Tensor, labels: Tensor) -> Set:
        bad = (torch.arange(1, len(labels) + 1) * share).floor().diff(prepend=torch.zeros(1)) > 0
        x, y = control(pixels, labels)
        return torch.where(bad.view(-1, 1, 1, 1), x, pixels), torch.where(bad, y, labels)

    return spoiled


WITH_CLASSES: dict[str, Control] = {
    "labels shifted by one": shifted_labels,
    "random labels": shuffled_labels,
    "one image a class": one_a_class,
}
WITHOUT: dict[str, Control] = {"one image repeated": one_image, "blurred means": blurred_means}
