"""SNGAN and SAGAN: every weight of D held to a spectral norm of 1; and networks that attend to themselves."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Any

from gantool import api
from gantool.api import Attention, Batch, ClassNorm, DataSpec, Loss, Projected, Recipe, Resize, Variant, Wrap, map_sizes
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu
from torch.nn.utils.parametrizations import spectral_norm
from typer import Option


class Up(nn.Module):
    """A residual block to larger maps."""

    def __init__(self, a: int, b: int, side: tuple[int, int], classes: int, wrap: Wrap) -> None:
        super().__init__()
        self.norm1, self.norm2, self.resize = ClassNorm(a, classes), ClassNorm(b, classes), Resize(side)
        self.conv1, self.conv2 = wrap(nn.Conv2d(a, b, 3, 1, 1)), wrap(nn.Conv2d(b, b, 3, 1, 1))
        self.skip = wrap(nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.conv1(self.resize(relu(self.norm1(x, y))))
        return self.resize(self.skip(x)) + self.conv2(relu(self.norm2(h, y)))  # type: ignore[no-any-return]


class Down(nn.Module):
    """And one to smaller ones; the first sees pixels, which no ReLU may cut."""

    def __init__(self, a: int, b: int, first: bool) -> None:
        super().__init__()
        self.before = nn.Identity() if first else nn.ReLU()
        self.conv1, self.conv2 = spectral_norm(nn.Conv2d(a, b, 3, 1, 1)), spectral_norm(nn.Conv2d(b, b, 3, 1, 1))
        self.skip = spectral_norm(nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(self.skip(x) + self.conv2(relu(self.conv1(self.before(x)))), 2)


class Generator(nn.Module):
    def __init__(self, z: int, width: int, data: DataSpec, attend: bool, wrap: Wrap) -> None:
        super().__init__()
        sides = map_sizes(data)[::-1]
        c = [width << i for i in reversed(range(len(sides)))]
        self.first = nn.Sequential(wrap(nn.Linear(z, c[0] * prod(sides[0]))), nn.Unflatten(1, (c[0], *sides[0])))
        ups = (Up(a, b, side, len(data.classes), wrap) for (a, b), side in zip(pairwise(c), sides[1:], strict=True))
        self.ups = nn.ModuleList(ups)
        self.attention = Attention(c[1], wrap) if attend else nn.Identity()
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), wrap(nn.Conv2d(width, data.channels, 3, 1, 1)))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x = self.first(z)
        for i, up in enumerate(self.ups):
            x = up(x, y) if i else self.attention(up(x, y))
        return self.last(x).tanh()  # type: ignore[no-any-return]


def discriminator(width: int, data: DataSpec, attend: bool) -> Projected:
    c = [data.channels, *(width << i for i in range(len(map_sizes(data)) - 1))]
    first, *more = (Down(a, b, a == data.channels) for a, b in pairwise(c))
    attention = [Attention(width, spectral_norm)] if attend else []
    # The paper sums over places. The mean is that but for a factor, and scores stay near 1 whatever the side.
    pooled = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return Projected(nn.Sequential(first, *attention, *more, *pooled), c[-1], len(data.classes), spectral_norm)


class SNGAN(Variant):
    """SNGAN: every weight of D held to a spectral norm of 1.

    Paper: Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    Task: images of a class, or from noise
    Differs from the paper: smaller networks, for runs of minutes; D's features are averaged over places, not summed
    """

    recipe = Recipe(steps=4_000, batch_size=32)
    attend = False

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta1: float = 0.0
        beta2: float = 0.9
        d_steps: int = 2
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 32
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(api.LabelOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        wrap: Wrap = spectral_norm if self.attend else api.unwrapped
        self.generator = Generator(options.z, options.width, data, self.attend, wrap)
        self.discriminator = discriminator(options.width, data, self.attend)

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.generator(self.noise(len(x)), y)  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.discriminator(x, y)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        on_x, on_fake = self.compare(self.d_logits, (x, y), (fake, y))
        return {"real": relu(1 - on_x).mean(), "fake": relu(1 + on_fake).mean()}  # hinge

    def g_loss(self, batch: Batch) -> Loss:
        _, y, fake = batch
        return -self.d_logits(fake, y).mean()

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = self.labels_for(n, options)
        return self.generator(self.latents(n, options), y), y


class SAGAN(SNGAN):
    """SAGAN: networks that attend to themselves, all their weights of spectral norm 1.

    Paper: Zhang et al., 2018, https://arxiv.org/abs/1805.08318
    Task: images of a class, or from noise
    Differs from the paper: as sngan; attention at the second coarsest maps of G and the second finest of D
    """

    attend = True

    @dataclass(kw_only=True)
    class Options(SNGAN.Options):
        d_lr: float | None = 4e-3  # faster steps in place of more of them, four times G's
        d_steps: int = 1
