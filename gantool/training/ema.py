"""EMA: the moving average of the networks one samples from, better than any single step's weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

EARLY, LATE = 64, 3_000  # steps; until late it forgets fast, and statistics gathered rarely lag behind it
WEIGHTS = (1, 4, 8)  # steps between updates, early to late: each reads and writes all of them, past any cache
STATISTICS = (8, 8, 32)  # of batch norm: each takes a pass of the networks


class EMA:
    """Copies of a variant's `ema` submodules; `half_life` is in images.

    Their weights have batch statistics of their own. They are gathered by showing the copy, now and then, what the
    live network has just been shown.
    """

    def __init__(self, variant: nn.Module, names: tuple[str, ...], half_life: int) -> None:
        self.variant, self.half_life = variant, half_life
        live = {name: variant.get_submodule(name) for name in (names if half_life else ())}
        self.copies = nn.ModuleDict({name: deepcopy(module).requires_grad_(False) for name, module in live.items()})
        pairs = [(self.copies[name], module) for name, module in live.items()]
        self.weights = [w for mine, its in pairs for w in zip(mine.parameters(), its.parameters(), strict=True)]
        self.buffers = [b for mine, its in pairs for b in zip(copied(mine), copied(its), strict=True)]
        self.normed = [n for n, m in live.items() if any(isinstance(layer, _BatchNorm) for layer in m.modules())]
        self.seen: dict[str, Any] = {}
        for name in self.normed:
            live[name].register_forward_pre_hook(self.watcher(name), with_kwargs=True)

    def watcher(self, name: str) -> Any:
        def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if module.training:
                self.seen[name] = (args, kwargs)

        return keep

    @torch.no_grad()
    def update(self, step: int, images: int) -> None:
        """After step number `step`, each of which is `images` images. The first steps are forgotten faster."""
        age = (step > EARLY) + (step > LATE)
        steps, refresh = WEIGHTS[age], STATISTICS[age]
        if not self.weights or step % steps:
            return
        keep = min(0.5 ** (images / self.half_life), (1 + step) / (10 + step)) ** steps
        mine, theirs = zip(*self.weights, strict=True)
        torch._foreach_lerp_(mine, theirs, 1 - keep)
        if step % refresh == 0 and self.seen:
            for name, (args, kwargs) in self.seen.items():
                self.copies[name].train()(*args, **kwargs)
        self.seen.clear()
        for copy, buffer in self.buffers:
            copy.copy_(buffer)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The variant with these networks in place of the live ones, all set to sample."""
        live = {name: self.variant.get_submodule(name) for name in self.copies}
        for name, copy in self.copies.items():
            setattr(self.variant, name, copy)
        self.variant.eval()
        try:
            yield
        finally:
            for name, module in live.items():
                setattr(self.variant, name, module)
            self.variant.train()


def copied(module: nn.Module) -> list[Tensor]:
    """Every buffer but batch statistics."""
    return [b for m in module.modules() if not isinstance(m, _BatchNorm) for b in m.buffers(recurse=False)]
