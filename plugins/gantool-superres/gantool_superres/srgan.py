"""SRGAN: small images made four times as large, with the detail that is likely to have been there.

Paper: Ledig et al., 2017, https://arxiv.org/abs/1609.04802
Task: images from images
Differs from the paper: on digits a judge of digits stands for VGG19, and smaller networks; the first part of the
    training makes G, the rest a copy of it; `--preset paper` is as published, but that images are reduced unblurred
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
from gantool import api
from gantool.api import USAGE, Batch, Data, DataSpec, InputOptions, Loss, Recipe, Sheet, Turn, UserError, Variant
from torch import Tensor
from torch.nn.functional import mse_loss, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_superres import data as pairs
from gantool_superres import measures, perceptual
from gantool_superres.enlarging import bicubic, enlarged, nearest, of_any_size
from gantool_superres.networks import SRResNet, discriminator, reach

Who = Literal["auto", "vgg19", "digits", "random"]
Side = Literal[3, 5, 7, 9]


class SRGAN(Variant):
    """First SRResNet learns to enlarge by squared error alone (equation 4): near the truth, and blurred like a mean.

    Then G goes on from its weights, against D, and near the truth in the features of a perceptual network (equations
    3, 5 and 6). SRResNet stays as it was, to compare with. G's Adam begins anew with the game.
    """

    recipe = Recipe(data="small-large", steps=4_000, batch_size=16, ema_images=2_000)
    ema = ("srresnet", "generator")
    renamed: ClassVar = {"eyes": "perceptual_kind"}

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 1e-3
        beta2: float = 0.99
        pretrain: Annotated[int, Option(min=0, help="Steps on squared error alone, before the game.")] = 1_000
        g_lr: Annotated[float, Option(min=0, max=100, help="Learning rate of G in the game.")] = 5e-4
        d_lr: Annotated[float, Option(min=0, max=100, help="Learning rate of D.")] = 1e-3
        drop: Annotated[
            int, Option(min=0, help="Steps of the game until learning rates fall to a tenth; 0: they stay.")
        ] = 0
        perceptual: Annotated[Who, Option(help="The perceptual network; auto: VGG19 if its weights are there.")] = (
            "auto"
        )
        content: Annotated[
            float, Option(min=0, help="Weight of the content loss: the distance the perceptual network sees.")
        ] = 10.0
        pixels: Annotated[float, Option(min=0, help="Weight of the squared error in the game; the paper's is 0.")] = 0.1
        adversarial: Annotated[float, Option(min=0, help="Weight of fooling D.")] = 0.1
        width: Annotated[int, Option(min=1, help="Channels of G's maps.")] = 24
        blocks: Annotated[int, Option(min=0, help="Residual blocks in G (the paper's B).")] = 4
        ends: Annotated[Side, Option(help="Side of G's first and last kernels; the paper's is 9.")] = 5
        d_width: Annotated[int, Option(min=1, help="Channels of D's finest maps; doubled at each coarser one.")] = 16
        norm: Annotated[bool, Option("--norm", help="Batch norm in G and D, as in the paper.")] = False
        skip: Annotated[
            bool, Option("--skip/--no-skip", help="G adds to a bicubic enlargement, in place of drawing all.")
        ] = True

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        natural = True
        faithful: Annotated[
            bool, Option("--faithful", help="Draw by the network of the first stage: softer, and closer to the pixels.")
        ] = False
        tile: Annotated[int, Option(min=16, max=4096, help="Side of the tiles that large images are enlarged in.")] = (
            128
        )

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any = None, train: bool = True) -> Data:
        return pairs.opened(recipe, train)

    perceptual_kind: Tensor  # the perceptual network, a number of perceptual.KINDS and one; 0 until the game begins
    see: perceptual.Features | None
    kind: str

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, c = options, data.channels
        if c == 4:
            raise UserError("srgan learns without alpha, and keeps it when it draws.", "--channels 3", USAGE)
        self.srresnet, self.generator = (SRResNet(c, o.width, o.blocks, o.ends, o.norm, o.skip) for _ in "12")
        self.discriminator = discriminator(c, data.size, o.d_width, o.norm)
        self.register_buffer("perceptual_kind", torch.zeros((), dtype=torch.int64))
        self.see, self.kind = None, ""

    def players(self) -> dict[str, Optimizer]:
        o = self.options
        perceptual.chosen(o.perceptual, self.data)  # what is missing shows now
        return {
            "SRResNet": self.optimizer(self.srresnet),
            "D": self.optimizer(self.discriminator, lr=o.d_lr),
            "G": self.optimizer(self.generator, lr=o.g_lr),
        }

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        large, small = next(batches)
        if self.step < self.options.pretrain:
            yield Turn("SRResNet", self.mse, (large, small))
            self.generator.load_state_dict(self.srresnet.state_dict())
        else:
            self.look()
            fake = self.generator(small)
            yield Turn("D", self.d_loss, (large, fake.detach()))
            yield Turn("G", self.g_loss, (large, fake))

    def look(self) -> None:
        """Settle the perceptual network: the one from before a restart."""
        if self.see is None:
            before = (
                perceptual.KINDS[int(self.perceptual_kind) - 1] if self.perceptual_kind else self.options.perceptual
            )
            self.kind = perceptual.chosen(before, self.data)
            self.see = perceptual.features(self.kind, self.device)
        self.perceptual_kind.fill_(perceptual.KINDS.index(self.kind) + 1)

    def schedule(self) -> float:
        """Each stage by its own steps."""
        o, game = self.options, self.step - self.options.pretrain
        dropped = 0 < o.drop <= game
        done = game if game >= 0 else self.step
        return (0.1 if dropped else 1.0) / (1 + float(o.decay) * done)

    def mse(self, batch: Batch) -> Loss:
        large, small = batch
        return mse_loss(self.srresnet(small), large)

    def d_loss(self, batch: Batch) -> Loss:
        large, fake = batch
        on_large, on_fake = self.compare(self.discriminator, (large,), (fake,))
        self.log(**{"D right": api.d_accuracy(on_large, on_fake)})
        return {"real": softplus(-on_large).mean(), "fake": softplus(on_fake).mean()}

    def g_loss(self, batch: Batch) -> Loss:
        (large, fake), o = batch, self.options
        assert self.see is not None
        return {
            "fool": o.adversarial * softplus(-self.discriminator(fake)).mean(),  # -log D(G(x))
            f"content {perceptual.NAMES[self.kind]}": o.content * perceptual.distance(self.see, fake, large),
            "pixels": o.pixels * mse_loss(fake, large),
        }

    def draw(self, small: Tensor, first: bool = False) -> Tensor:
        """By G, once the game has begun; before, and where the first stage is asked for, by SRResNet."""
        x: Tensor = (self.srresnet if first or not self.perceptual_kind else self.generator)(small)
        return x.clamp(-1, 1)

    def exported(self, options: Any) -> api.Exported:
        """Of one size: whole, and by the network that has been trained furthest."""
        network = self.srresnet if options.faithful or not self.perceptual_kind else self.generator
        return api.Exported(lambda x: network(x).clamp(-1, 1), (api.Input("x", "image", self.data.shape),))

    def translate(self, x: Tensor, options: Any) -> Tensor:
        enlarge = partial(enlarged, partial(self.draw, first=options.faithful), self.data.channels)
        return of_any_size(enlarge, x, options.tile, reach(self.options.blocks, self.options.ends))

    def preview(self, batch: Batch) -> Sheet:
        """As it came, enlarged by bicubic interpolation, by G; and the truth. Two to a row."""
        large, small = (x[:16] for x in batch)
        plain, drawn = bicubic(small).clamp(-1, 1), self.draw(small)
        return api.in_rows({"input": nearest(small), "bicubic": plain, "output": drawn, "truth": large}, groups=2)

    def measure(self, held: Data) -> dict[str, float]:
        return measures.measured(self, held)
