"""ClusterGAN: noise with a component for each cluster, and an encoder that reads both off an image.

Paper: Mukherjee et al., 2018, https://arxiv.org/abs/1809.03627
Task: images from noise, and clusters of images
Differs from the paper: small convolutions; the log loss with R1 in place of WGAN-GP with five critic steps; EMA;
    more noise within a cluster; real images keep their cluster when tilted, and one of five times finer ones;
    `--preset paper` is without the last three
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, Loss, NoiseOptions, OptionalInput, Penalised, Recipe, Sheet, Turn
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_encoders import measures, steady
from gantool_encoders.encoding import Encoding


class ClusterGAN(Encoding, Penalised):
    """z = (z_n, z_c): a little normal noise, and a one-hot cluster. G draws from both, and E must read both off."""

    recipe = Recipe(steps=8_000, batch_size=64, ema_images=5_000)

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        r1: float = 0.1
        clusters: Annotated[int, Option(min=2, max=1_000, help="Number of clusters.")] = 10
        z: Annotated[int, Option(min=1, help="Dimensions of the noise within a cluster.")] = 16
        sigma: Annotated[float, Option(min=0, help="Deviation of that noise; the paper's is .1.")] = 0.3
        beta_n: Annotated[float, Option(min=0, help="Weight of reading the noise off an image.")] = 10.0
        beta_c: Annotated[float, Option(min=0, help="Weight of reading the cluster off an image.")] = 10.0
        steady: Annotated[float, Option(min=0, help="Images keep clusters when tilted: weight, times --beta-c.")] = 1.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions, OptionalInput):
        cluster: Annotated[
            int | None, Option(min=0, help="The cluster to draw, by number.", show_default="all in turn")
        ] = None

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        self.generator = api.upwards(o.z + o.clusters, o.width, data)
        self.codes = o.z, o.clusters, steady.FINER * o.clusters if o.steady else 0
        self.encoder = nn.Sequential(api.downwards(256, o.width, 0.2, data), nn.Linear(256, sum(self.codes)))
        self.discriminator = nn.Sequential(api.downwards(256, o.width, 0.2, data), nn.Linear(256, 1), nn.Flatten(0))

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.discriminator, lr=self.options.d_lr)
        return {"D": d, "GE": self.optimizer(self.generator, self.encoder)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, *_ = next(batches)
        c = (self.random(torch.rand, len(x)) * self.options.clusters).long()
        z = self.prior(self.noise(len(x)), c)
        fake = self.generator(z)
        yield Turn("D", self.d_loss, (x, fake.detach()))
        yield Turn("GE", self.ge_loss, (z, c, fake, x))

    def prior(self, noise: Tensor, c: Tensor) -> Tensor:
        return torch.cat([self.options.sigma * noise, one_hot(c, self.options.clusters)], 1)

    def d_loss(self, batch: Batch) -> Loss:
        x, fake = batch
        on_x, on_fake = self.compare(self.discriminator, (self.with_grad(x),), (fake,))
        self.log(**{"D right": api.d_accuracy(on_x, on_fake)})
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), **self.r1_penalty(x, on_x)}

    def ge_loss(self, batch: Batch) -> Loss:
        (z, c, fake, x), o = batch, self.options
        z_n, logits, _ = self.encoder(fake).split(self.codes, 1)
        loss = {
            "fool": softplus(-self.discriminator(fake)).mean(),
            "noise": o.beta_n * mse_loss(z_n, z[:, : o.z]),
            "cluster": o.beta_c * cross_entropy(logits, c),
        }
        return loss | self.unsteady(x.detach())

    def unsteady(self, x: Tensor) -> dict[str, Tensor]:
        """What is read off a real image is read off that image tilted, too (Ji et al., 2019)."""
        if not (weight := self.options.beta_c * self.options.steady):
            return {}
        terms = steady.unsteady(lambda x: self.encoder(x).split(self.codes, 1)[1:], x, self.random)
        return {name: weight * term for name, term in terms.items()}

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.discriminator(x)  # type: ignore[no-any-return]

    def encode(self, x: Tensor) -> Tensor:
        """z_n, and how likely each cluster is."""
        z_n, logits, _ = self.encoder(x).split(self.codes, 1)
        return torch.cat([z_n, logits.softmax(1)], 1)

    def sample(self, n: int, options: Any) -> Tensor:
        k, turn = self.options.clusters, torch.arange(n, device=self.device)
        if options.cluster is not None and options.cluster >= k:
            raise api.UserError(f"There is no cluster {options.cluster}.", f"Clusters: 0 to {k - 1}.", api.USAGE)
        c = turn % k if options.cluster is None else torch.full_like(turn, options.cluster)
        return self.generator(self.prior(self.latents(n, options), c))  # type: ignore[no-any-return]

    def exported(self, options: Any) -> api.Exported:
        """The noise, and the cluster."""
        c = api.Input("cluster", "choice", names=[str(i) for i in range(self.options.clusters)])
        noise = api.Input("z", "noise", (self.options.z,))
        return api.Exported(lambda z, c: self.generator(self.prior(z, c)), (noise, c))

    def preview(self, batch: Batch) -> Tensor | Sheet:
        """A column for each cluster."""
        k = self.options.clusters
        if not self.data.images or k > 20:
            return super().preview(batch)
        x = self.sample(max(k, len(batch[0]) // k * k), self.SampleOptions())
        return Sheet(x.view(-1, k, *x.shape[1:]), [str(i) for i in range(k)])

    def measure(self, held: Data) -> dict[str, float]:
        return measures.of_clusters(self, held)
