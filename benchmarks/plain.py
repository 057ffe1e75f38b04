"""The five networks in plain torch, their data and a clock: what the script and the bare loop share."""

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from networks import LEAK, NETWORKS, Network
from torch import Tensor, nn

CLASSES = 10
Up = Callable[[int, int], list[nn.Module]]
Last = Callable[[int, int], nn.Module]


def upsampled(inputs: int, outputs: int) -> list[nn.Module]:
    """As papers and tutorials write it."""
    return [nn.Upsample(scale_factor=2), conv(inputs, outputs)]


def conv(inputs: int, outputs: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


def generator(net: Network, up: Up = upsampled, last: Last = conv) -> nn.Sequential:
    """Noise (n, z), with the one-hot class beside it where there is one, to images (n, 1, size, size)."""
    if net.convolutional:
        return conv_generator(net, up, last)
    layers: list[nn.Module] = []
    sizes = [net.z + CLASSES * net.labelled, *net.g]
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.LeakyReLU(LEAK), *([nn.BatchNorm1d(b)] if net.normed else [])]
    flat = nn.Linear(sizes[-1], net.size**2)
    return nn.Sequential(*layers, flat, nn.Tanh(), nn.Unflatten(1, (1, net.size, net.size)))


def discriminator(net: Network) -> nn.Sequential:
    """Flat images, with the one-hot class beside them where there is one, to logits (n, 1)."""
    if net.convolutional:
        return conv_discriminator(net)
    layers: list[nn.Module] = [nn.Flatten()]
    sizes = [net.size**2 + CLASSES * net.labelled, *net.d]
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))


def conv_generator(net: Network, up: Up, last: Last) -> nn.Sequential:
    (first, *_), side = net.g, net.size // 4
    layers: list[nn.Module] = [nn.Linear(net.z, first * side**2), nn.Unflatten(1, (first, side, side))]
    layers.append(nn.BatchNorm2d(first))
    for a, b in pairwise(net.g):
        layers += [*up(a, b), nn.BatchNorm2d(b), nn.LeakyReLU(LEAK)]
    return nn.Sequential(*layers, last(net.g[-1], 1), nn.Tanh())


def conv_discriminator(net: Network) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise((1, *net.d))):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(LEAK), nn.Dropout2d(0.25)]
        layers += [nn.BatchNorm2d(b)] if i else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(net.d[-1] * (net.size // 16) ** 2, 1))


def pixels(net: Network, data_dir: Path | None) -> tuple[Tensor, Tensor]:
    """Bytes (n, size, size) and classes: all of MNIST from the folder, if one is named, else the embedded digits."""
    from gantool.data.images import shaped
    from gantool.data.named import load

    x, y = load("mnist" if data_dir else "digits", data_dir)
    return shaped(x, net.size, None).squeeze(1), y


def finish(device: torch.device) -> None:
    """Wait for all that was asked of the device, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def window(step: Callable[[], object], seconds: float, device: torch.device) -> float:
    """Seconds a step, over at least this long."""
    finish(device)
    start, taken = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(8 if device.type == "cuda" else 1):  # so that a GPU is waited for rarely
            step()
            taken += 1
        finish(device)
    return (time.perf_counter() - start) / taken


def main(stepper: Callable[[Network, Path | None, torch.device], Callable[[], object]]) -> None:
    """PROGRAM NETWORK [--seconds S] [--data-dir DIR] [--device D]: warm up, time one window, print it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    args = parser.parse_args()
    torch.manual_seed(0)
    net = NETWORKS[args.network]
    step = stepper(net, args.data_dir, args.device)
    window(step, args.seconds / 4, args.device)
    each = window(step, args.seconds, args.device)
    print(json.dumps({"images_per_s": net.images / each}))
