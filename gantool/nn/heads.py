"""How a D ends: a score, how well it suits a class, how much a batch varies; and how often it is right."""

import torch
from torch import Tensor, nn

from gantool.nn.blocks import Wrap, unwrapped


class Projected(nn.Module):
    """D's score of features h: v.h, and where there are classes e(y).h more, for how well they suit y.

    (Miyato & Koyama, 2018.) `features` gives `width` numbers of each example; `called` so in files.
    """

    def __init__(
        self, features: nn.Module, width: int, classes: int, wrap: Wrap = unwrapped, called: str = "features"
    ) -> None:
        super().__init__()
        self.called = called
        self.add_module(called, features)
        self.score = wrap(nn.Linear(width, 1))
        self.suits = wrap(nn.Embedding(classes, width)) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.judged(self.seen(x), y)

    def seen(self, x: Tensor) -> Tensor:
        """Give the features h."""
        return self.get_submodule(self.called)(x)  # type: ignore[no-any-return]

    def judged(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Give the score of features that were seen, as those of this class."""
        score: Tensor = self.score(h).squeeze(1)
        return score if self.suits is None else score + (self.suits(y) * h).sum(1)


class MinibatchStd(nn.Module):
    """One more map: how much the examples of a group differ (Karras et al., 2018, section 3).

    Neighbours are a group, so processes that share a batch have the same ones; where a batch is no multiple of `group`,
    they are as many as divide it.
    """

    mixes_batch = True  # real and generated ones must come apart

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        group = next(g for g in range(self.group, 0, -1) if n % g == 0)
        std = (x.view(-1, group, *x.shape[1:]).var(1, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        return torch.cat([x, std.repeat_interleave(group).view(n, 1, 1, 1).expand(-1, -1, h, w)], 1)


def d_accuracy(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """Measure how often D's logits are above 0 for real examples and below for generated ones."""
    return torch.cat([on_real > 0, on_fake < 0]).float().mean()
