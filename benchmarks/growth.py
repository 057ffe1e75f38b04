"""The cost of a step of gantool's trainer, and its memory, as batch, width and image size grow."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from networks import NETWORKS, Network
from table import show

SMALL = 8  # images a step, where images are large


def growth(args: Namespace) -> list[dict[str, Any]]:
    return show("growth: ms a step of gantool's trainer, its own kernels' share, and peak memory", grown(args))


def grown(args: Namespace) -> Iterator[dict[str, Any]]:
    for name in args.only or ("gan", "dcgan"):
        for what, changed in changes(NETWORKS[name]):
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # whose memory is this network's alone
                yield {"network": f"{name} {what}", **apart.submit(measured, changed, args).result()}


def measured(net: Network, args: Namespace) -> dict[str, Any]:
    import torch
    from kernels import medians, recorded, trainer_step

    device = torch.device(args.device)
    step = trainer_step(net, args.data_dir, device)
    step()
    most = peak()
    each = medians({"step": step, "kernels": recorded(step)}, args, device)
    return {"ms": round(each["step"], 2), "images/s": round(net.images / each["step"] * 1e3),
            "share": round(each["kernels"] / each["step"], 2), "MB": most}  # fmt: skip


def peak() -> int:
    """Of this process, in MB; Linux's own count, since the other has what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if sys.platform == "darwin" else 10)


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
    if net.convolutional:
        for size in (32, 64, 128, 256):
            yield f"b{SMALL} s{size}", replace(net, batch=SMALL, size=size)
