"""Mixtures of Gaussians in the plane, to count the modes of; and pictures of them."""

import zlib
from typing import Self

import torch
from gantool.api import Data, DataSpec, Recipe
from torch import Tensor

NAMES = ("ring8", "grid25")
SIDE = 192  # pixels
DOT = 1.2  # pixels: the deviation of a dot


class Points(Data):
    """As many points around each of the modes, (n, 2), and no classes."""

    spec = DataSpec(2, 1)  # two numbers, and nothing beside or below them

    def __init__(self, modes: Tensor, deviation: float, count: int, seed: int) -> None:
        self.modes, self.deviation = modes, deviation
        rng = torch.Generator().manual_seed(seed)
        self.x = modes[torch.arange(count) % len(modes)] + deviation * torch.randn(count, 2, generator=rng)

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        x = self.x.index_select(0, index.to(self.x.device))
        return x, torch.zeros(len(x), dtype=torch.int64)

    def to(self, device: torch.device) -> Self:
        self.x = self.x.to(device)
        return self

    def fingerprint(self) -> str:
        return f"{len(self)}-{zlib.crc32(self.x.cpu().numpy().tobytes()):08x}"


def ring8(recipe: Recipe, train: bool = True) -> Points:
    """points in the plane: eight Gaussians on a circle"""
    turn = torch.arange(8) * torch.pi / 4
    return split(torch.stack([turn.cos(), turn.sin()], 1) * 0.8, 0.008, train)


def grid25(recipe: Recipe, train: bool = True) -> Points:
    """points in the plane: 5x5 Gaussians"""
    at = torch.linspace(-0.8, 0.8, 5)
    return split(torch.cartesian_prod(at, at), 0.01, train)


def split(modes: Tensor, deviation: float, train: bool) -> Points:
    return Points(modes, deviation, 50_000 if train else 10_000, 0 if train else 1)


def scatter(clouds: Tensor) -> Tensor:
    """Clouds of points, (n, m, 2), as pictures (n, 1, SIDE, SIDE) of the plane from -1 to 1: a soft dot each."""
    return torch.stack([picture(points) for points in clouds]).unsqueeze(1)


def picture(points: Tensor) -> Tensor:
    at = torch.arange(SIDE, device=points.device) + 0.5
    across, up = ((points.float() + 1) / 2 * SIDE).unsqueeze(2).unbind(1)  # (m, 1) each
    columns, rows = (((at - place) / DOT).square().div(-2).exp() for place in (across, SIDE - up))
    return 1 - 2 * (-(rows.T @ columns)).exp()  # of ink over ink, each dot takes its share of what is still dark
