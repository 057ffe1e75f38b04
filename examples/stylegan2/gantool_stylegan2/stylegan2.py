"""StyleGAN2, small: a mapping network, modulated convolutions, and regularisation now and then.

Paper: Karras et al., 2020, https://arxiv.org/abs/1912.04958
Task: images from noise
Differs from the paper: few channels, no equalised learning rates, D without residual connections, no augmentation
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Any

import torch
from gantool.api import Batch, DataSpec, Loss, MinibatchStd, NoiseOptions, Penalised, Recipe, Turn, map_sizes
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu, softplus
from torch.optim import Optimizer
from typer import Option


class Modulated(nn.Module):
    """A convolution whose weights are scaled by a style for each input channel, and brought back to length 1."""

    def __init__(self, a: int, b: int, kernel: int, w: int, demodulate: bool = True) -> None:
        super().__init__()
        self.weight, self.style = nn.Parameter(torch.randn(b, a, kernel, kernel)), nn.Linear(w, a)
        self.bias, self.noise_scale = nn.Parameter(torch.zeros(b, 1, 1)), nn.Parameter(torch.zeros(()))
        self.gain, self.demodulate = (a * kernel**2) ** -0.5, demodulate
        nn.init.ones_(self.style.bias)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        n, _, *side = x.shape
        weight = self.weight * self.gain * self.style(w)[:, None, :, None, None]  # (n, b, a, k, k)
        if self.demodulate:
            weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = conv2d(x.reshape(1, -1, *side), weight.flatten(0, 1), padding="same", groups=n)
        x = x.view(n, -1, *side) + self.bias
        return x if noise is None else leaky_relu(x + self.noise_scale * noise, 0.2) * 2**0.5


class Mapping(nn.Module):
    """z to w, and the running mean of w."""

    mean: Tensor

    def __init__(self, z: int, layers: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*(layer for _ in range(layers) for layer in (nn.Linear(z, z), nn.LeakyReLU(0.2))))
        self.register_buffer("mean", torch.zeros(z))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt())  # type: ignore[no-any-return]


class Synthesis(nn.Module):
    """Images of every side are added up. There is a w for each layer, (n, layers, z), two to a side."""

    def __init__(self, z: int, width: int, data: DataSpec) -> None:
        super().__init__()
        self.sides = map_sizes(data)[::-1]
        c = [width << i for i in reversed(range(len(self.sides)))]
        self.constant = nn.Parameter(torch.randn(1, c[0], *self.sides[0]))
        self.first = nn.ModuleList(Modulated(a, b, 3, z) for a, b in pairwise([c[0], *c]))
        self.second = nn.ModuleList(Modulated(b, b, 3, z) for b in c)
        self.to_image = nn.ModuleList(Modulated(b, data.channels, 1, z, demodulate=False) for b in c)

    def forward(self, w: Tensor, noise: list[Tensor]) -> Tensor:
        x, image = self.constant.expand(len(w), -1, -1, -1), torch.zeros(len(w), 1, 1, 1, device=w.device)
        for i, side in enumerate(self.sides):
            x, image = (interpolate(t, side, mode="bilinear") for t in (x, image))
            x = self.first[i](x, w[:, 2 * i], noise[2 * i])
            x = self.second[i](x, w[:, 2 * i + 1], noise[2 * i + 1])
            image = image + self.to_image[i](x, w[:, 2 * i + 1])
        return image


def discriminator(width: int, data: DataSpec) -> nn.Sequential:
    *finer, coarsest = map_sizes(data)
    c = [width << i for i in range(len(finer) + 1)]
    layers: list[nn.Module] = [nn.Conv2d(data.channels, width, 1), nn.LeakyReLU(0.2)]
    for a, b in pairwise(c):
        layers += [nn.Conv2d(a, a, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers += [MinibatchStd(), nn.Conv2d(c[-1] + 1, c[-1], 3, 1, 1), nn.LeakyReLU(0.2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(c[-1] * prod(coarsest), 1), nn.Flatten(0))


class StyleGAN2(Penalised):
    """The plain GAN's losses; R1 every 16 steps, and every 8 a turn that evens out how far w moves the image."""

    recipe = Recipe(steps=5_000, batch_size=32)
    ema = ("mapping", "synthesis")
    no_compile = ("discriminator", "synthesis")
    mean_path: Tensor

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 2e-3
        beta1: float = 0.0
        beta2: float = 0.99
        r1: float | None = 1.0
        r1_every: int = 16
        z: Annotated[int, Option(min=1, help="Dimensions of z and w.")] = 64
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        layers: Annotated[int, Option(min=1, help="Layers of the mapping network, from z to w.")] = 4
        mix: Annotated[float, Option(min=0, max=1, help="Share of images that mix two styles.")] = 0.9
        path: Annotated[float, Option(min=0, help="Weight of the path length penalty.")] = 2.0
        path_every: Annotated[int, Option(min=1, help="Steps between two path length penalties.")] = 8

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions):
        truncation: Annotated[
            float, Option(min=0, max=2, help="How far styles may be from their mean: 1 as drawn, 0 the mean itself.")
        ] = 1.0

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.mapping = Mapping(options.z, options.layers)
        self.synthesis = Synthesis(options.z, options.width, data)
        self.discriminator = discriminator(options.width, data)
        self.register_buffer("mean_path", torch.zeros(()))

    def players(self) -> dict[str, Optimizer]:
        g = self.optimizer((self.synthesis, 1.0), (self.mapping, 0.01))
        return {"D": self.optimizer(self.discriminator, lr=self.options.d_lr), "G": g}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        yield from super().turns(batches)
        if self.options.path and self.step % self.options.path_every == 0:
            yield Turn("G", self.path_loss, self.styles(self.batch_size))

    def fake(self, batch: Batch) -> Tensor:
        return self.draw(self.styles(len(batch[0])))

    def draw(self, w: Tensor) -> Tensor:
        sides = (side for side in self.synthesis.sides for _ in range(2))
        return self.synthesis(w, [self.random(torch.randn, len(w), 1, *side) for side in sides])  # type: ignore[no-any-return]

    def styles(self, n: int) -> Tensor:
        """A w for each layer; in some images the later layers have another one."""
        one, two = self.mapping(self.noise(n)), self.mapping(self.noise(n))
        self.mapping.mean.lerp_(self.mean(one.mean(0)), 0.01)
        at = torch.arange(2 * len(self.synthesis.sides), device=self.device)
        cut = self.random(torch.rand, n, 1) * len(at)
        mixed = self.random(torch.rand, n, 1) < self.options.mix
        return torch.where((mixed & (at > cut))[..., None], two[:, None], one[:, None])

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        on_x, on_fake = self.compare(self.discriminator, (x := self.with_grad(x),), (fake,))
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        return softplus(-self.discriminator(batch[-1])).mean()

    def path_loss(self, w: Tensor) -> Loss:
        """(|J^T y| - a)^2 (equation 4), for all steps to the next; a is the running mean of the first."""
        x = self.draw(w)
        y = self.random(torch.randn, *x.shape) / prod(x.shape[2:]) ** 0.5
        (slope,) = torch.autograd.grad((x * y).sum(), w, create_graph=True)
        length = slope.square().sum(2).mean(1).sqrt()
        self.mean_path = self.mean_path.lerp(self.mean(length.mean()), 0.01)
        self.log(path=self.mean_path)
        loss: Tensor = self.options.path * self.options.path_every * (length - self.mean_path).square().mean()
        return loss

    def sample(self, n: int, options: Any) -> Tensor:
        w = self.mapping(self.latents(n, NoiseOptions(truncation=9, interpolate=options.interpolate)))
        w = self.mapping.mean.lerp(w, options.truncation)
        return self.draw(w[:, None].expand(-1, 2 * len(self.synthesis.sides), -1)).clamp(-1, 1)
