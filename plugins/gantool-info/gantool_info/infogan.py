"""InfoGAN: codes that come to mean something, without labels.

Paper: Chen et al., 2016, https://arxiv.org/abs/1606.03657
Task: images from noise and codes
Differs from the paper: c1 enters three times as large; Q reads it off images that were tilted (Ji et al.,
    2019); G and D without batch norm; EMA; `--preset paper` keeps the networks alone
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, Loss, NoiseOptions, Penalised, Recipe, Turn, agreement, jittered
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_info import codes, measures
from gantool_info.information import log_q


class InfoGAN(Penalised):
    """G draws from noise z and codes c = (c1, c2, c3), and Q must read them off the image.

    c1 is one of ten values, c2 and c3 are uniform from -1 to 1. Q(c | x) is a softmax and, as in appendix C, a Gaussian
    whose deviation it tells as well. G and Q raise the bound L_I = H(c) + E[log Q(c | G(z, c))] (equation 5) beside
    what G and D play for. Q reads what D's body sees, and moves in D's turn.

    Three additions, which `--preset paper` is without, help c1 to become a digit, and use no label either. It enters G
    larger than the noise, so that G begins with an image for each value. Q must read it off an image that was tilted
    and moved, so that slant and place cannot carry it. (There is less to read off such an image: the bound remains
    one.) And what Q reads off a real image must be what it reads off that image tilted (Ji et al., 2019).
    """

    recipe = Recipe(steps=5_000, batch_size=64, ema_images=5_000)
    ema = ("generator", "discriminator", "q")  # all that Q needs
    no_compile = ("discriminator", "head")  # R1 differentiates them twice

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 2e-3
        decay: float = 2e-4
        beta2: float = 0.99
        former: ClassVar = {"loud": "code_scale"}

        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        values: Annotated[int, Option(min=2, max=100, help="Number of values that c1 can take.")] = 10
        info: Annotated[float, Option(min=0, help="Weight of the codes' information (the paper's lambda).")] = 1.0
        smooth: Annotated[float, Option(min=0, help="Weight of c2's and c3's information, as a share of --info.")] = 1.0
        code_scale: Annotated[float, Option(min=0, help="How large c1 enters G; the paper's is 1.")] = 3.0
        jitter: Annotated[
            float, Option(min=0, help="How far images are tilted before Q reads c1; the paper's is 0.")
        ] = 1.0
        steady: Annotated[
            float, Option(min=0, help="Weight of real images keeping their c1 when tilted; the paper's is 0.")
        ] = 1.0
        r1: float = 0.1
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions):
        code: Annotated[
            list[str] | None,
            Option(
                metavar="C=X", help="Hold codes: c1=3, or c1=3,c2=0.5.", show_default="c1 in turn, others at random"
            ),
        ] = None
        sweep: Annotated[
            str | None, Option(metavar="C=A..B", help="Walk one code along the columns of a grid: c2=-2..2, c1=0..9.")
        ] = None

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        self.generator = api.upwards(o.z + o.values + 2, o.width, data)
        self.discriminator = api.downwards(256, o.width, 0.2, data)  # the body that D and Q share
        self.head = nn.Linear(256, 1)
        self.q = nn.Sequential(nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Linear(128, o.values + 4))

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.discriminator, self.head, self.q, lr=self.options.d_lr)
        return {"D": d, "G": self.optimizer(self.generator)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        for k in reversed(range(self.options.d_steps)):
            x, *_ = next(batches)
            c = self.codes(len(x))
            with torch.set_grad_enabled(k == 0):
                fake = self.draw(self.noise(len(x)), c)
            yield Turn("D", self.d_loss, (x, c, fake.detach()))
        yield Turn("G", self.g_loss, (x, c, fake))

    def codes(self, n: int) -> Tensor:
        """(n, 3) at random: c1 a whole number, c2 and c3 from -1 to 1."""
        c = self.random(torch.rand, n, 3)
        return torch.cat([(c[:, :1] * self.options.values).floor(), c[:, 1:] * 2 - 1], 1)

    def draw(self, z: Tensor, c: Tensor) -> Tensor:
        o = self.options
        c1 = o.code_scale * one_hot(c[:, 0].long(), o.values)
        return self.generator(torch.cat([z, c1, c[:, 1:]], 1))  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.discriminator(x)).squeeze(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, c, fake = batch
        seen, seen_fake = self.compare(self.discriminator, (self.with_grad(x),), (fake,))
        on_x, on_fake = self.head(seen), self.head(seen_fake)
        self.log(**{"D right": api.d_accuracy(on_x, on_fake)})
        loss = {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), **self.unread(fake, seen_fake, c)}
        return loss | self.unsteady(x, seen) | self.r1_penalty(x, on_x)

    def g_loss(self, batch: Batch) -> Loss:
        _, c, fake = batch
        seen = self.discriminator(fake)
        return {"fool": softplus(-self.head(seen)).mean(), **self.unread(fake, seen, c)}

    def unread(self, fake: Tensor, seen: Tensor, c: Tensor) -> dict[str, Tensor]:
        """-lambda E[log Q(c | x)], by what D's body saw of x; of c1, by what it sees of x tilted and moved."""
        o = self.options
        c1, rest = log_q(self.q(seen), c, o.values)
        if o.jitter:
            c1, _ = log_q(self.q(self.discriminator(self.tilted(fake))), c, o.values)
        self.log(information=math.log(o.values) + c1.mean())
        return {"c1": -o.info * c1.mean(), "c2 and c3": -o.info * o.smooth * rest.mean()}

    def unsteady(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Less, the more c1 as read off a real image tells of c1 as read off it tilted."""
        if not (weight := self.options.info * self.options.steady) or not self.options.jitter:
            return {}
        both = seen, self.discriminator(self.tilted(x.detach()))
        p, q = (self.q(h)[:, : self.options.values].softmax(1) for h in both)
        return {"steady": -weight * agreement(p, q)}

    def tilted(self, x: Tensor) -> Tensor:
        return jittered(x, self.options.jitter * (self.random(torch.rand, len(x), 6) * 2 - 1))

    def sample(self, n: int, options: Any) -> Tensor:
        """Without labels: what a value of c1 stands for, nobody said."""
        o = options
        c, noise = codes.planned(n, o.code or (), o.sweep, o.interpolate, self.options.values)
        c = torch.where(c.isnan(), self.codes(n).cpu(), c).to(self.device)
        return self.draw(self.latents(int(noise[-1]) + 1, o)[noise], c)

    def exported(self, options: Any) -> api.Exported:
        """The noise, and each code for itself."""
        o = self.options

        def draw(z: Tensor, c1: Tensor, c2: Tensor, c3: Tensor) -> Tensor:
            return self.draw(z, torch.stack([c1.to(z.dtype), c2, c3], 1))

        c1 = api.Input("c1", "choice", names=[str(i) for i in range(o.values)])
        rest = (api.Input(name, "number", low=-codes.REACH, high=codes.REACH) for name in ("c2", "c3"))
        return api.Exported(draw, (api.Input("z", "noise", (o.z,)), c1, *rest))

    def sheet(self, options: Any) -> tuple[int, int] | None:
        return codes.sheet(options.code or (), options.sweep, self.options.values)

    def preview(self, batch: Batch) -> Tensor:
        """A column for each value of c1, a row for each noise; points together."""
        if not self.data.images:
            return self.sample(1_000, self.SampleOptions())
        k = min(self.options.values, 20)
        x = self.sample(max(k, len(batch[0]) // k * k), self.SampleOptions(sweep=f"c1=0..{k - 1}"))
        return x.view(-1, k, *x.shape[1:])

    def measure(self, held: Data) -> dict[str, float]:
        return measures.measured(self, held)
