"""SNGAN: every weight of D held to a spectral norm of 1.

Paper: Miyato et al., 2018, https://arxiv.org/abs/1802.05957
Task: images of a class, or from noise
Differs from the paper: by default few plain convolutions, one step of D, augmentation, EMA, for runs of minutes;
    residual D's features are averaged over places, not summed
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Augmented, Batch, ClassNorm, Data, DataSpec, LabelOptions, Loss, Recipe, Turn, Wrap
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm
from typer import Option

from gantool_norms import networks
from gantool_norms.networks import Kind

EVERY = 100  # steps between two looks at singular values


class SNGAN(Augmented):
    """The hinge game. G is told the class by its batch norm, D by projection."""

    recipe = Recipe(steps=3_000, batch_size=32)
    held_g = False  # whether G's weights are held, too
    norms: Tensor  # of D's weights, the least and the greatest, when last looked at

    @dataclass(kw_only=True)
    class Options(Augmented.Options):
        lr: float = 2e-3
        d_lr: float | None = 3e-3
        decay: float = 5e-4
        beta1: float = 0.0
        beta2: float = 0.9
        augment: str | None = "translate:1"
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        networks: Annotated[
            Kind, Option(help="Kind of network: plain convolutions, or the paper's residual blocks.")
        ] = "conv"
        width: Annotated[int, Option(min=1, help="Channels of G's finest maps.")] = 24
        d_width: Annotated[int, Option(min=1, help="Channels of D's finest maps.")] = 16
        spectral: Annotated[bool, Option(help="Hold weights to a spectral norm of 1.")] = True
        iterations: Annotated[int, Option(min=1, help="Power iterations for it, each time a weight is used.")] = 8

    @dataclass(kw_only=True)
    class SampleOptions(LabelOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        held: Wrap = api.unwrapped
        if o.spectral:
            held = partial(spectral_norm, n_power_iterations=o.iterations)
        self.generator = self.drawing(held if self.held_g else api.unwrapped)
        self.discriminator = networks.discriminator(o.d_width, data, o.networks, self.attend, held)
        self.register_buffer("norms", torch.zeros(2))

    @property
    def attend(self) -> bool:
        """Whether the networks have attention."""
        return False

    def drawing(self, wrap: Wrap) -> nn.Module:
        """G."""
        o, classes = self.options, len(self.data.classes)
        return networks.Generator(
            o.z, o.width, self.data, o.networks, self.attend, lambda c: ClassNorm(c, classes), wrap
        )

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        yield from super().turns(batches)
        if self.step % EVERY == EVERY - 1:
            found = torch.stack(networks.largest(self.discriminator))
            self.norms.copy_(torch.stack([found.min(), found.max()]))
            self.log(**{"greatest norm": found.max()})

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.generator(self.noise(len(x)), y)  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.discriminator(x, y)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        on_x, on_fake = self.compare(self.d_logits, (self.augment(x), y), (self.augment(fake), y))
        return {"real": relu(1 - on_x).mean(), "fake": relu(1 + on_fake).mean()}  # hinge

    def g_loss(self, batch: Batch) -> Loss:
        _, y, fake = batch
        return -self.d_logits(self.augment(fake), y).mean()

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = self.labels_for(n, options)
        return self.generator(self.latents(n, options), y), y

    def measure(self, held: Data) -> dict[str, float]:
        """The least and the greatest spectral norm of D's weights, by singular values in full, at the end."""
        return {"least_norm": float(self.norms[0]), "greatest_norm": float(self.norms[1])}
