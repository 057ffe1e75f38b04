"""Points on a line or in the plane: mixtures, whose modes can be counted, curves, a table's rows; images of points."""

import zlib
from typing import Self

import torch
from torch import Tensor

from gantool.data.images import Data, DataSpec

SIDE = 192  # pixels of an image of points
BARS, DENSEST = 32, 3.2  # of an image of numbers on the line; the density that is as high as the image
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
    count, rng = COUNTS[not train], draws(train)
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


def gaussian1d(train: bool = True) -> Points:
    """One Gaussian on the line."""
    return Points(0.2 + 0.25 * torch.randn(COUNTS[not train], 1, generator=draws(train)))


def two_gaussians(train: bool = True) -> Points:
    """Two Gaussians on the line, each a class."""
    return mixture(torch.tensor([[-0.6], [0.6]]), 0.18, train)


def line(train: bool = True) -> Points:
    """A segment in the plane, and nothing beside it: its points have no density there."""
    along = torch.rand(COUNTS[not train], 1, generator=draws(train)) * 2 - 1
    return Points(along * torch.tensor([0.8, 0.4]))


def spiral(train: bool = True) -> Points:
    """A turn and a half, as thick everywhere, and with as many points on each stretch of the way."""
    rng, count = draws(train), COUNTS[not train]
    turned = 3 * torch.pi * torch.rand(count, generator=rng).sqrt()
    on = 0.85 * turned / (3 * torch.pi) * torch.stack([turned.cos(), turned.sin()])
    return Points(on.T + 0.02 * torch.randn(count, 2, generator=rng))


def moons(train: bool = True) -> Points:
    """Two half circles, one turned over into the other, each a class."""
    rng, count = draws(train), COUNTS[not train]
    which, turned = torch.arange(count) % 2, torch.pi * torch.rand(count, generator=rng)
    side = 1 - 2 * which  # 1 for the upper, -1 for the lower
    on = torch.stack([turned.cos() * 0.55 - 0.275 * side, (turned.sin() * 0.55 - 0.1375) * side])
    return Points(on.T + 0.03 * torch.randn(count, 2, generator=rng), which, ("upper", "lower"))


def draws(train: bool) -> torch.Generator:
    """What points are drawn from: those to train on, or those held out."""
    return torch.Generator().manual_seed(0 if train else 1)


MADE = {
    "gaussian1d": gaussian1d, "two-gaussians": two_gaussians, "line": line, "ring8": ring8, "grid25": grid25,
    "spiral": spiral, "moons": moons,
}  # fmt: skip


def scatter(clouds: Tensor) -> Tensor:
    """Clouds of points, (n, m, 2), as images (n, 1, SIDE, SIDE) of the plane from -1 to 1: a soft dot each.

    Of one number each, bars: how densely they lie. Of more than two, the first two.
    """
    if clouds.shape[2] == 1:
        return torch.stack([bars(points[:, 0]) for points in clouds]).unsqueeze(1)
    return torch.stack([dots(points[:, :2]) for points in clouds]).unsqueeze(1)


def bars(x: Tensor) -> Tensor:
    """The line from -1 to 1 across, and up how densely the numbers lie, to the same scale whatever they are."""
    counts = torch.histc(x.float(), BARS, -1, 1)
    density = counts / max(1, len(x)) * BARS / 2
    up = SIDE - torch.arange(SIDE, device=x.device).unsqueeze(1)
    lit = up <= (density / DENSEST).clamp(max=1) * SIDE
    return (2 * lit.float() - 1).repeat_interleave(SIDE // BARS, 1)


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
