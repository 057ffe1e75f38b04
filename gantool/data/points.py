"""Points: mixtures of Gaussians in the plane, whose modes can be counted; and images of points."""

import zlib
from typing import Self

import torch
from torch import Tensor

from gantool.data.images import Data, DataSpec

SIDE = 192  # pixels of an image of points
DOT = 1.2  # pixels: the deviation of a dot
COUNTS = (50_000, 10_000)  # to train on, and held out


class Points(Data):
    """Rows of numbers, (n, k), in [-1, 1] or near it; of a mixture, also its `modes`, each of which is a class."""

    def __init__(
        self, x: Tensor, labels: Tensor | None = None, classes: tuple[str, ...] = (), modes: Tensor | None = None,
        deviation: float = 0.0,
    ) -> None:  # fmt: skip
        self.x, self.modes, self.deviation = x, modes, deviation
        self.labels = torch.zeros(len(x), dtype=torch.int64) if labels is None else labels
        self.spec = DataSpec((x.shape[1],), classes)

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        index = index.to(self.x.device)
        return self.x.index_select(0, index), self.labels.index_select(0, index)

    def to(self, device: torch.device) -> Self:
        self.x, self.labels = self.x.to(device), self.labels.to(device)
        return self

    def fingerprint(self) -> str:
        return f"{len(self)}-{zlib.crc32(self.x.cpu().contiguous().numpy().tobytes()):08x}"


def mixture(modes: Tensor, deviation: float, train: bool) -> Points:
    """As many points around each of the modes."""
    count, rng = COUNTS[not train], torch.Generator().manual_seed(0 if train else 1)
    which = torch.arange(count) % len(modes)
    x = modes[which] + deviation * torch.randn(count, modes.shape[1], generator=rng)
    return Points(x, which, tuple(map(str, range(len(modes)))), modes, deviation)


def ring8(train: bool = True) -> Points:
    """Eight Gaussians on a circle."""
    turn = torch.arange(8) * torch.pi / 4
    return mixture(torch.stack([turn.cos(), turn.sin()], 1) * 0.8, 0.008, train)


def grid25(train: bool = True) -> Points:
    """5x5 Gaussians."""
    at = torch.linspace(-0.8, 0.8, 5)
    return mixture(torch.cartesian_prod(at, at), 0.01, train)


MADE = {"ring8": ring8, "grid25": grid25}


def scatter(clouds: Tensor) -> Tensor:
    """Clouds of points, (n, m, 2), as images (n, 1, SIDE, SIDE) of the plane from -1 to 1: a soft dot each.

    Of one number each, a row of dots; of more than two, the first two.
    """
    if clouds.shape[2] == 1:
        clouds = torch.cat([clouds, torch.zeros_like(clouds)], 2)
    return torch.stack([dots(points[:, :2]) for points in clouds]).unsqueeze(1)


def dots(points: Tensor) -> Tensor:
    at = torch.arange(SIDE, device=points.device) + 0.5
    across, up = ((points.float() + 1) / 2 * SIDE).unsqueeze(2).unbind(1)  # (m, 1) each
    columns, rows = (((at - place) / DOT).square().div(-2).exp() for place in (across, SIDE - up))
    return 1 - 2 * (-(rows.T @ columns)).exp()  # of ink over ink, each dot takes its share of what is still dark


def viewable(x: Tensor) -> Tensor:
    """Samples as images that can be shown, (n, 1, 3 or 4, H, W): of other channels the first three; points as dots."""
    if x.ndim == 2:
        return scatter(x.unsqueeze(0))
    channels = x.shape[1]
    if channels in (1, 3, 4):
        return x
    if channels == 2:
        dark = torch.zeros_like(x[:, :1]) if x.dtype == torch.uint8 else -torch.ones_like(x[:, :1])
        return torch.cat([x, dark], 1)
    return x[:, :3]
