"""Adam: torch's fused kernel, without what torch collects, groups and checks anew around it at every step."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam


class FusedAdam(Adam):
    """Adam(fused=True), bit for bit. On small networks what it leaves out takes as long as the kernel."""

    def __init__(self, weights: Iterable[Tensor] | list[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(weights, lr, betas, fused=True)
        self.kept: list[tuple[list[Tensor], ...]] = []  # each group's weights, and the numbers of theirs

    def __setstate__(self, state: dict[str, Any]) -> None:  # so do a loaded state and a copy arrive
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.kept = []

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As torch's. Where a weight has no gradient, or has never moved, torch's own is asked."""
        every = [[w.grad for w in group["params"]] for group in self.param_groups]
        if closure or not all(g is not None for grads in every for g in grads):
            return super().step(closure)
        if len(self.kept) != len(self.param_groups):
            super().step()
            self.kept = [self.numbers(group["params"]) for group in self.param_groups]
            return None
        for group, grads, (weights, means, squares, steps) in zip(self.param_groups, every, self.kept, strict=True):
            torch._foreach_add_(steps, 1)
            torch._fused_adam_(
                weights, grads, means, squares, [], steps, lr=group["lr"], beta1=group["betas"][0],
                beta2=group["betas"][1], weight_decay=group["weight_decay"], eps=group["eps"],
                amsgrad=False, maximize=group["maximize"],
            )  # fmt: skip
        return None

    def numbers(self, weights: list[Tensor]) -> tuple[list[Tensor], ...]:
        found = [[self.state[w][name] for w in weights] for name in ("exp_avg", "exp_avg_sq", "step")]
        return weights, *found
