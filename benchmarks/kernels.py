"""A step against its own matrix products and convolutions, replayed alone: what is left is all that is not arithmetic.

The kernels of the bare loop are the bound for both: the fewest that do the work. gantool's own may be more.
"""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import bare
import torch
from networks import NETWORKS, Network
from plain import window
from table import show
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten
INTO = {aten.mm.default: aten.mm.out, aten.addmm.default: aten.addmm.out, aten.bmm.default: aten.bmm.out}
CONVOLUTIONS = {aten.convolution.default, aten.convolution_backward.default}
Step = Callable[[], object]
RECORDED = 8  # steps, so that what happens every so often counts by its share


class Recorder(TorchDispatchMode):
    """Keeps every call of a kernel, with tensors of the same shapes, strides and device in place of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Step] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        if func in INTO or func in CONVOLUTIONS:
            args, kwargs = tree_map_only(Tensor, alike, (args, kwargs))
            if func in INTO:
                func, kwargs = INTO[func], kwargs | {"out": alike(found)}
            self.calls.append(lambda: func(*args, **kwargs))
        return found


def alike(t: Tensor) -> Tensor:
    extent = 1 + sum((n - 1) * stride for n, stride in zip(t.shape, t.stride(), strict=True))
    return torch.randn(extent, dtype=t.dtype, device=t.device).as_strided(t.shape, t.stride())


def recorded(step: Step) -> Step:
    """The kernels of a step, alone."""
    for _ in range(RECORDED):  # past whatever the first does once
        step()
    with Recorder() as recorder:
        for _ in range(RECORDED):
            step()
    calls, n = recorder.calls, 0

    def replay() -> None:
        nonlocal n
        with torch.no_grad():
            for call in calls[n * len(calls) // RECORDED : (n + 1) * len(calls) // RECORDED]:
                call()
        n = (n + 1) % RECORDED

    return replay


def variant(net: Network) -> Any:
    """The class that gantool trains."""
    from gantool.registry import Registry

    if not net.variant.startswith("bench-"):
        return Registry().load(net.variant)
    sys.path.append(str(Path(__file__).parents[1] / "plugins" / "gantool-wgan-gp"))  # where it is not installed
    import bench_variants

    return {"bench-wgan-gp": bench_variants.MLPWGANGP, "bench-dcgan": bench_variants.UpsamplingDCGAN}[net.variant]


def trainer(net: Network, data_dir: Path | None, device: torch.device, **settings: Any) -> Any:
    """gantool's, as its command line would make it."""
    from gantool.config.schema import Schema
    from gantool.config.validate import held_to
    from gantool.runtime.device import computing, tune_malloc
    from gantool.training.trainer import Trainer

    cls = variant(net)
    where = {"data": "mnist", "data_dir": data_dir} if data_dir else {"data": "digits"}
    schema = Schema({"Training": cls.recipe, net.variant: cls.Options}, own=net.variant)
    recipe, options = held_to(schema, net.settings() | where | settings).values()
    tune_malloc()
    computing(device).__enter__()  # this process does nothing else
    data = cls.dataset(recipe, options)
    return Trainer(cls(options, data.spec).to(device), recipe, data, device)


def trainer_step(net: Network, data_dir: Path | None, device: torch.device, **settings: Any) -> Step:
    """A step of it, without what the command line keeps and shows."""
    playing = trainer(net, data_dir, device, **settings)

    def step() -> None:
        playing.take_step()
        if playing.step % playing.recipe.log_every == 0:
            playing.read_window()

    return step


def under(precision: str, step: Step) -> Step:
    """With matrix products as this process or that would have them."""

    def told() -> None:
        torch.set_float32_matmul_precision(precision)
        step()

    return told


def medians(steps: dict[str, Step], args: Namespace, device: torch.device) -> dict[str, float]:
    """Milliseconds each, timed turn about."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        window(step, args.seconds / 4, device)
    for _ in range(args.rounds):
        for name, step in steps.items():
            found[name].append(window(step, args.seconds, device) * 1e3)
    return {name: median(times) for name, times in found.items()}


def kernels(args: Namespace) -> list[dict[str, Any]]:
    title = "kernels: ms a step, and the share that the bare loop's kernels alone would take"
    return show(title, (against(NETWORKS[name], args) for name in args.only or NETWORKS))


def against(net: Network, args: Namespace) -> dict[str, Any]:
    device = torch.device(args.device)
    b, c = bare.stepper(net, args.data_dir, device), trainer_step(net, args.data_dir, device)
    own = torch.get_float32_matmul_precision()  # as the trainer has it; the bare loop leaves it at torch's default
    bares = {"b": under("highest", b), "kernels": under("highest", recorded(b))}
    each = medians(bares | {"c": under(own, c), "c's kernels": under(own, recorded(c))}, args, device)
    row = {"network": net.name} | {f"{name} ms": round(ms, 2) for name, ms in each.items()}
    return row | {f"{who} share": round(each["kernels"] / each[who], 2) for who in "bc"}
