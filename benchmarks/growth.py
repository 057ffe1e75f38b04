"""The cost of a step of gantool's trainer as batch, width and image size grow."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from kernels import medians, recorded, trainer_step
from networks import NETWORKS, Network
from table import show


def growth(args: Namespace) -> list[dict[str, Any]]:
    return show("growth: ms a step of gantool's trainer, and its own kernels' share", grown(args))


def grown(args: Namespace) -> Iterator[dict[str, Any]]:
    device = torch.device(args.device)
    for name in args.only or ("gan", "dcgan"):
        net = NETWORKS[name]
        for what, changed in changes(net):
            step = trainer_step(changed, args.data_dir, device)
            each = medians({"step": step, "kernels": recorded(step)}, args, device)
            rate = round(changed.images / each["step"] * 1e3)
            yield {"network": f"{name} {what}", "ms": round(each["step"], 2), "images/s": rate,
                   "share": round(each["kernels"] / each["step"], 2)}  # fmt: skip


def changes(net: Network) -> Iterator[tuple[str, Network]]:
    for batch in (16, 64, 256) if net.convolutional else (16, 64, 256, 1024):
        yield f"b{batch}", replace(net, batch=batch)
    for times in (0.5, 2):
        if net.convolutional:
            own = net.own | {"width": round(64 * times)}
        else:
            own = net.own | {k: "-".join(str(round(n * times)) for n in sizes)
                             for k, sizes in (("g_layers", net.g), ("d_layers", net.d))}  # fmt: skip
        yield f"w{times:g}", replace(net, own=own)
    for size in (16, 64):
        yield f"s{size}", replace(net, size=size)
