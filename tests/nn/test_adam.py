"""gantool's Adam against torch's own: the same bits, whatever happens to it."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import Adam, Optimizer

from gantool.nn.adam import FusedAdam


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 50), nn.Tanh(), nn.Linear(50, 3))


def made(kind: type[Optimizer], net: nn.Module) -> Optimizer:
    return FusedAdam(net.parameters(), 1e-2, (0.5, 0.99)) if kind is FusedAdam else Adam(
        net.parameters(), 1e-2, (0.5, 0.99), fused=True
    )  # fmt: skip


def trained(kind: type[Optimizer], happens: str) -> tuple[nn.Module, Optimizer]:
    net, more = network(), nn.Parameter(torch.zeros(2))
    optimizer, noise = made(kind, net), torch.Generator().manual_seed(1)
    for step in range(12):
        net.zero_grad()
        net(torch.randn(8, 6, generator=noise)).square().mean().backward()
        more.grad = torch.full((2,), float(step))
        if step == 5:
            if happens == "a weight without a gradient":
                next(net.parameters()).grad = None
            if happens == "loaded":
                optimizer.load_state_dict(optimizer.state_dict())
            if happens == "another rate":
                optimizer.param_groups[0] |= {"lr": 3e-3, "weight_decay": 0.1}
        optimizer.step()
        if step == 5 and happens == "copied":
            net, optimizer = deepcopy((net, optimizer))
        if step == 5 and happens == "more weights":
            optimizer.add_param_group({"params": [more]})
    return net, optimizer


@pytest.mark.parametrize(
    "happens", ["nothing", "a weight without a gradient", "loaded", "another rate", "copied", "more weights"]
)
def test_it_moves_weights_as_torchs_own_does_to_the_bit(happens: str) -> None:
    (mine, my_adam), (theirs, adam) = trained(FusedAdam, happens), trained(Adam, happens)
    for w, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(w, other)
    (my_numbers, numbers) = (o.state_dict()["state"] for o in (my_adam, adam))
    assert len(numbers) == len(my_numbers) == (5 if happens == "more weights" else 4)
    for key, slots in numbers.items():
        assert all(torch.equal(slots[name], my_numbers[key][name]) for name in slots)


def test_hooks_on_its_steps_are_called() -> None:
    net = network()
    optimizer, called = FusedAdam(net.parameters(), 1e-2, (0.5, 0.99)), list[int]()
    optimizer.register_step_post_hook(lambda *_: called.append(1))
    for _ in range(3):
        net(torch.ones(1, 6)).sum().backward()
        optimizer.step()
    assert sum(called) >= 3
