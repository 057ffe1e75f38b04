"""EMA: the moving average of the networks one samples from, better than any single step's weights."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantool.runtime import device as devices
from gantool.runtime import distributed

PACES = ((64, 1), (500, 4), (2_000, 8))  # until which step the average moves at every how many
LATE = 16  # and from there: each move reads and writes all weights, past any cache, and it remembers hundreds of steps
GATHERED = 512  # examples that batch statistics are gathered from; maps have many numbers in each, and need
OF_MAPS = 128  # no more than so many: FD and confidence are those of 2,048 within a hundredth
NUMBERS = 2**22  # in all that is kept for it, at the most


class EMA:
    """Copies of a variant's `ema` submodules; `half_life` is in images.

    Their weights have batch statistics of their own, gathered when somebody is about to look: the copy is shown what
    the live network was shown last.
    """

    def __init__(self, variant: nn.Module, names: tuple[str, ...], half_life: int) -> None:
        self.variant, self.half_life = variant, half_life
        live = {name: variant.get_submodule(name) for name in (names if half_life else ())}
        self.copies = nn.ModuleDict({name: deepcopy(module).requires_grad_(False) for name, module in live.items()})
        pairs = [(self.copies[name], module) for name, module in live.items()]
        self.weights = [w for mine, its in pairs for w in zip(mine.parameters(), its.parameters(), strict=True)]
        self.buffers = [b for mine, its in pairs for b in zip(copied(mine), copied(its), strict=True)]
        normed = {name: [m for m in copy.modules() if isinstance(m, _BatchNorm)] for name, copy in self.copies.items()}
        self.norms = {name: norms for name, norms in normed.items() if norms}
        self.shown: dict[str, deque[Any]] = {name: deque() for name in self.norms}  # inputs, the newest last
        # Whether there was a step since statistics were gathered. It may not have moved the average; statistics are
        # those of this step all the same, or they would hang on when somebody looked before.
        self.stale = False
        for name in self.norms:
            live[name].register_forward_pre_hook(self.watcher(name), with_kwargs=True)

    def watcher(self, name: str) -> Any:
        flat = any(isinstance(norm, nn.BatchNorm1d) for norm in self.norms[name])
        enough = GATHERED if flat else OF_MAPS

        def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if module.training:
                shown = self.shown[name]
                shown.append(detached((args, kwargs)))
                self.stale = True
                examples, numbers = size(shown[-1])
                while len(shown) > max(1, min(enough // max(1, examples), NUMBERS // max(1, numbers))):
                    shown.popleft()

        return keep

    @torch.no_grad()
    def update(self, step: int, images: int) -> None:
        """After step number `step`, each of which is `images` images. The first steps are forgotten faster."""
        pace = next((pace for until, pace in PACES if step <= until), LATE)
        if not self.weights or step % pace:
            return
        keep = min(0.5 ** (images / self.half_life), (1 + step) / (10 + step)) ** pace
        mine, theirs = zip(*self.weights, strict=True)
        torch._foreach_lerp_(mine, theirs, 1 - keep)
        for copy, buffer in self.buffers:
            copy.copy_(buffer)
        self.stale = True

    @torch.no_grad()
    def gather(self) -> None:
        """Bring batch statistics up to the weights. Moves no random state."""
        if not self.stale:
            return
        with devices.undisturbed(), distributed.local():
            for name, norms in self.norms.items():
                if self.shown[name]:
                    with afresh(norms):
                        for args, kwargs in self.shown[name]:
                            self.copies[name].train()(*args, **kwargs)
        self.stale = False

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The variant with these networks in place of the live ones, all set to sample."""
        self.gather()
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


@contextmanager
def afresh(norms: list[_BatchNorm]) -> Iterator[None]:
    """Statistics begin anew, and all that is shown counts alike."""
    paces = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        yield
    finally:
        for norm, pace in zip(norms, paces, strict=True):
            norm.momentum = pace


def detached(tree: Any) -> Any:
    """Arguments that hold no graph."""
    match tree:
        case Tensor():
            return tree.detach()
        case tuple() | list():
            return tuple(map(detached, tree))
        case dict():
            return {name: detached(value) for name, value in tree.items()}
    return tree


def size(tree: Any) -> tuple[int, int]:
    """How many examples arguments hold, and how many numbers."""
    if isinstance(tree, Tensor):
        return len(tree) if tree.ndim else 1, tree.numel()
    inner = tree if isinstance(tree, tuple) else tree.values() if isinstance(tree, dict) else ()
    parts = [size(part) for part in inner]
    return max((n for n, _ in parts), default=0), sum(n for _, n in parts)
