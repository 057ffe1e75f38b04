"""StarGAN: one generator for many domains.

Paper: Choi et al., 2018, https://arxiv.org/abs/1711.09020
Task: images from images
Differs from the paper: smaller networks, two turns of D to one of G, EMA; `--preset paper` has none of these;
    it does not crop faces, and its instance norm has no scale of its own
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from gantool import api
from gantool.api import USAGE, Batch, Data, DataSpec, InputOptions, Loss, Recipe, Sheet, Turn, UserError, Variant
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss, one_hot
from torch.optim import Optimizer
from typer import Option

from gantool_translate.made import Tints
from gantool_translate.networks import resnet, strided
from gantool_translate.scores import MEASURED, PART


class StarGAN(Variant):
    """G(x, c) draws x in domain c; D says how real an image is, patch by patch, and of which domain.

    L_D = -L_adv + lambda_cls L_cls^r and L_G = L_adv + lambda_cls L_cls^f + lambda_rec L_rec (equations 5 and 6), with
    L_adv Wasserstein's under a gradient penalty (equation 8). Domains are the classes of the data.
    """

    recipe = Recipe(data="tints", size=32, batch_size=8, steps=1_200, ema_images=2_000)
    ema = ("g",)
    renamed: ClassVar = {"named": "classifier"}
    no_compile = ("body", "source")  # the penalty differentiates them twice

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        lr: float = 1e-3
        d_steps: int = 2
        former: ClassVar = {"naming": "classification"}

        classification: Annotated[float, Option(min=0, help="Weight of the domain's likelihood (lambda_cls).")] = 1.0
        cycle: Annotated[float, Option(min=0, help="Weight of getting the original back (lambda_rec).")] = 10.0
        penalty: Annotated[float, Option(min=0, help="Weight of the gradient penalty (lambda_gp).")] = 10.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 12
        halvings: Annotated[int, Option(min=0, max=6, help="Halvings in g; in the paper 2.")] = 1
        blocks: Annotated[int, Option(min=0, help="Residual blocks in g.")] = 1
        d_layers: Annotated[int, Option(min=1, max=8, help="Halvings in D; in the paper 6.")] = 3
        anneal: Annotated[
            bool, Option("--anneal", help="Learning rate falls to 0 over the second half of the run, as in the paper.")
        ] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        to: Annotated[
            str, Option("--to", help="Domain to draw it in, by name or number.", show_default="the first")
        ] = "0"

    def __init__(self, options: Options, data: DataSpec) -> None:
        o, k, least = options, len(data.classes), 1 << max(options.halvings, options.d_layers)
        if k < 2:
            raise UserError("stargan needs domains; these images have none.", "Make a sub-folder for each.", USAGE)
        if data.size % least or data.size < 8:
            raise UserError(f"stargan needs a size of N x {max(least, 8)}.", f"--size {max(least, 8)}", USAGE)
        super().__init__(options, data)
        self.g = resnet(data.channels + k, data.channels, o.width, o.halvings, o.blocks, labelled=True)
        self.body, wide = strided(data.channels, o.width, o.d_layers), o.width << o.d_layers - 1
        self.source = nn.Conv2d(wide, 1, 3, 1, 1, bias=False)  # a score for each patch
        self.classifier = nn.Conv2d(wide, k, data.size >> o.d_layers, bias=False)

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.body, self.source, self.classifier, lr=self.options.d_lr)
        return {"D": d, "G": self.optimizer(self.g)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        for k in reversed(range(self.options.d_steps)):
            x, y = next(batches)
            c = (self.random(torch.rand, len(x)) * len(self.data.classes)).long()
            with torch.set_grad_enabled(k == 0):
                fake = self.draw(x, c)
            yield Turn("D", self.d_loss, (x, y, fake.detach()))
        yield Turn("G", self.g_loss, (x, y, c, fake))

    def draw(self, x: Tensor, c: Tensor) -> Tensor:
        """G(x, c): a constant map for each domain beside the colours."""
        maps = one_hot(c, len(self.data.classes)).to(x.dtype)[:, :, None, None]
        return self.g(torch.cat([x, maps.expand(-1, -1, *x.shape[2:])], 1))  # type: ignore[no-any-return]

    def draw_all(self, x: Tensor, c: int) -> Tensor:
        """In one domain."""
        return self.draw(x, torch.full((x.shape[0],), c, device=x.device))

    def d_loss(self, batch: Batch) -> Loss:
        (x, y, fake), o = batch, self.options
        seen = self.body(x)
        on_x, on_fake = self.source(seen).mean(), self.source(self.body(fake)).mean()
        logits = self.classifier(seen).flatten(1)
        self.log(distance=on_x - on_fake, **{"domain accuracy": (logits.argmax(1) == y).float().mean()})
        loss = {"critic": on_fake - on_x, "class": o.classification * cross_entropy(logits, y)}
        return loss | {"penalty": o.penalty * self.slope(x, fake)}

    def slope(self, x: Tensor, fake: Tensor) -> Tensor:
        """(|grad D_src(x^)| - 1)^2 at points x^ between real and generated images."""
        eps = self.random(torch.rand, len(x))
        return api.gradient_penalty(lambda v: self.source(self.body(v)), x, fake, eps)

    def g_loss(self, batch: Batch) -> Loss:
        (x, y, c, fake), o = batch, self.options
        seen = self.body(fake)
        return {
            "fool": -self.source(seen).mean(),
            "class": o.classification * cross_entropy(self.classifier(seen).flatten(1), c),
            "cycle": o.cycle * l1_loss(self.draw(fake, y), x),
        }

    def schedule(self) -> float:
        return super().schedule() * (min(1.0, 2 - 2 * self.progress) if self.options.anneal else 1)

    def translate(self, x: Tensor, options: Any) -> Tensor:
        c = self.data.class_index(options.to)
        return self.draw_all(x, c)

    def preview(self, batch: Batch) -> Sheet:
        """Each image, then it in every domain."""
        x, domains = batch[0][:12], self.data.classes
        return api.in_rows({"input": x} | {name: self.draw_all(x, c) for c, name in enumerate(domains)}, groups=2)

    @torch.no_grad()
    def measure(self, held: Data) -> dict[str, float]:
        """The worst of all pairs of domains; of tints made by code it is known what each image should become."""
        x, y = map(torch.cat, zip(*api.in_batches(held, self.device, most=MEASURED), strict=True))
        domains = range(len(self.data.classes))
        out = [torch.cat([self.draw_all(part, c) for part in torch.split(x, PART)]) for c in domains]
        found = {"own_l1": max(float((out[c] - x)[y == c].abs().mean()) for c in domains if (y == c).any())}
        if isinstance(held, Tints):
            each = [held.scores(out[c], c, y == was) for was in domains for c in domains]
            found |= {name: min(one[name] for one in each) for name in each[0]}
        return found
