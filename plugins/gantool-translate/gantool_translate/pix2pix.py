"""pix2pix: images from images, learned from pairs.

Paper: Isola et al., 2017, https://arxiv.org/abs/1611.07004
Task: images from images
Differs from the paper: smaller networks, no dropout, EMA, and running statistics when drawing; `--preset paper`
    draws with an image's own statistics, as the paper; it does not crop 256 pixels of 286
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from gantool import api
from gantool.api import (
    USAGE,
    Batch,
    Data,
    DataSpec,
    InputOptions,
    Loss,
    Recipe,
    Sheet,
    Turn,
    UserError,
    Variant,
    is_named,
)
from torch import Tensor
from torch.nn.functional import l1_loss, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_translate.made import DIGITS, HUES
from gantool_translate.networks import UNet, patchgan
from gantool_translate.paired import Paired, open_pairs
from gantool_translate.scores import MEASURED, PART, nearest_tint, over_all, share


class Pix2Pix(Variant):
    """G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G) (equation 4); D sees what goes in beside what comes out.

    L1 alone draws the median of all that could be right, which is a blur; D asks for one that could be.
    """

    recipe = Recipe(data="edges", size=32, batch_size=16, steps=2_000, ema_images=2_000)
    ema = ("g",)

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 1e-3
        l1: Annotated[float, Option(min=0, help="Weight of the distance to the truth (the paper's lambda).")] = 100.0
        adversarial: Annotated[float, Option(min=0, help="Weight of fooling D; 0: no D at all.")] = 1.0
        direction: Annotated[Literal["a2b", "b2a"], Option(help="Draw B from A, or A from B.")] = "a2b"
        width: Annotated[int, Option(min=1, help="Channels of g's finest maps; up to 8 times as many further in.")] = 32
        depth: Annotated[int, Option(min=2, max=10, help="Halvings in g.")] = 4
        noise: Annotated[float, Option(min=0, max=0.9, help="Dropout rate in g, its only noise; in the paper .5.")] = (
            0.0
        )
        own_statistics: Annotated[
            bool, Option(help="When drawing, normalise by the image's own statistics, as the paper does.")
        ] = False
        d_width: Annotated[int, Option(min=1, help="Channels of D's finest maps.")] = 32
        d_layers: Annotated[int, Option(min=1, help="Halvings in D: it judges patches of 16, 34, 70... pixels.")] = 1
        swapped: Annotated[bool, Option("--swapped", help="Negative control: learn from wrong pairs.")] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions): ...

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any = None, train: bool = True) -> Data:
        return api.open_data(recipe, train, of=Paired) if is_named(recipe.data) else open_pairs(recipe, train)

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, least = options, max(1 << options.depth, 4 << options.d_layers)
        if data.size % (1 << o.depth) or data.size < least:
            fits = f"pix2pix of depth {o.depth} needs a size of N x {1 << o.depth}, at least {least}."
            raise UserError(fits, f"--size {least}", USAGE)
        self.g = UNet(data.channels, o.width, o.depth, o.noise, o.own_statistics)
        self.d = patchgan(2 * data.channels, o.d_width, o.d_layers)

    def players(self) -> dict[str, Optimizer]:
        return {"G": self.optimizer(self.g), "D": self.optimizer(self.d)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, y = self.pair(next(batches))
        if self.options.swapped:
            y = y.roll(1, 0)
        fake = self.g(x)
        if self.options.adversarial:
            yield Turn("D", self.d_loss, (x, y, fake.detach()))
        yield Turn("G", self.g_loss, (x, y, fake))

    def pair(self, batch: Batch) -> Batch:
        """What goes in, and what should come out."""
        a, b = batch
        return (a, b) if self.options.direction == "a2b" else (b, a)

    def d_loss(self, batch: Batch) -> Loss:
        """Halved, so that D learns no faster than G (section 3.3)."""
        x, y, fake = batch
        on_y, on_fake = self.patch_logits(torch.cat([x, x]), torch.cat([y, fake])).chunk(2)
        self.log(**{"D right": api.d_accuracy(on_y, on_fake)})
        return {"real": softplus(-on_y).mean() / 2, "fake": softplus(on_fake).mean() / 2}

    def g_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        loss = {"l1": self.options.l1 * l1_loss(fake, y)}
        if self.options.adversarial:
            loss["fool"] = self.options.adversarial * softplus(-self.patch_logits(x, fake)).mean()
        return loss

    def patch_logits(self, x: Tensor, y: Tensor) -> Tensor:
        """D's, of each patch: the logit of its being a true pair."""
        return self.d(torch.cat([x, y], 1))  # type: ignore[no-any-return]

    def translate(self, x: Tensor, options: Any) -> Tensor:
        return self.g(x)  # type: ignore[no-any-return]

    def preview(self, batch: Batch) -> Sheet:
        """Input, output, truth; four of these in a row."""
        x, y = (p[:24] for p in self.pair(batch))
        return api.in_rows({"input": x, "output": self.g(x), "truth": y}, groups=4)

    @torch.no_grad()
    def measure(self, held: Data) -> dict[str, float]:
        """Against the truth; of digits in crayon also what is read in them, and whether they have their colours."""
        pairs = [self.pair(pair) for pair in api.in_batches(held, self.device, PART, MEASURED)]
        y, out = torch.cat([y for _, y in pairs]), torch.cat([self.g(x) for x, _ in pairs])
        found = {"psnr": over_all(out, y), "l1": float((out - y).abs().mean())}
        if isinstance(held, Paired) and held.b.spec.classes == DIGITS and self.options.direction == "a2b":
            seen, truth = (api.judged_digits(p.amax(1, keepdim=True)) for p in (out, y))
            labels = held.b.labels[api.evenly(len(held), MEASURED)].to(self.device)
            right = [share(p.argmax(1) == labels) for _, p in (seen, truth)]
            found |= {"digit_kept": right[0] / right[1], "distance": api.frechet(seen[0].cpu(), truth[0].cpu())}
            found["colour"] = share(nearest_tint(out, HUES) == labels)
        return found
