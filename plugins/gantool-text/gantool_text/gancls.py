"""GAN-CLS: images of what a caption says.

Paper: Reed et al., 2016, https://arxiv.org/abs/1605.05396
Task: images from captions
Differs from the paper: words are averaged, where the paper's network reads letters and was trained before; D also
    scores a projection and tells a batch's captions apart; R1 and EMA; `--preset paper` has neither of these
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, Loss, NoiseOptions, Penalised, Recipe
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_text import folder, measures, scenes
from gantool_text.captions import LONGEST, Captions, numbers, understood, written
from gantool_text.lettering import captioned
from gantool_text.networks import Discriminator, Encoder, Generator

KEPT = 8  # captions, drawn where --text gives none
EACH = 8  # images, of each of several texts
SHOWN = (4, 6)  # rows and columns of a preview


class GANCLS(Penalised):
    """D is shown real images with right and with wrong captions, and generated ones (algorithm 1): it raises
    log s_r + (log(1 - s_w) + log(1 - s_f)) / 2. G raises log s_f, and with --between the same for what lies half-way
    between two captions (GAN-INT, section 4.3).

    Two additions, which `--preset paper` is without. D's score has the product of features of image and caption
    (Miyato and Koyama, 2018). And in both turns these features must tell an image's caption from all others of the
    batch: so the paper taught its encoder beforehand (equation 2), and few wrong captions differ in the digit alone.
    """

    recipe = Recipe(data="captions", steps=6_000, batch_size=32, ema_images=5_000)
    ema = ("encoder", "generator", "discriminator")
    renamed: ClassVar = {f"{player}.told": f"{player}.condition" for player in ("generator", "discriminator")}
    no_compile = ("encoder", "discriminator")
    discriminator: Discriminator
    kept: Tensor  # captions of training

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 2e-3
        decay: float = 5e-4
        beta2: float = 0.99
        former: ClassVar = {"told": "condition"}

        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        features: Annotated[int, Option(min=1, help="Numbers the encoder turns a caption into.")] = 64
        condition: Annotated[int, Option(min=1, help="Numbers that G and D reduce these to.")] = 64
        between: Annotated[float, Option(min=0, help="Weight of captions half-way between two (GAN-INT).")] = 0.0
        match: Annotated[
            float, Option(min=0, help="Weight of matching a batch's images with their captions, for D and G.")
        ] = 1.0
        projection: Annotated[bool, Option(help="D also multiplies features of image and caption.")] = True
        r1: float = 0.1
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 24
        shuffled: Annotated[
            bool, Option("--shuffled", help="Negative control: give images the captions of others.")
        ] = False

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions):
        text: Annotated[
            list[str] | None,
            Option(
                help="What to draw. Several are drawn in turn.", show_default="some trained on",
                autocompletion=scenes.begun,
            ),
        ] = None  # fmt: skip
        captioned: Annotated[bool, Option("--captioned", help="Enlarge, and write captions below.")] = False

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any = None, train: bool = True) -> Data:
        if api.is_named(recipe.data):
            return api.open_data(recipe, train, of=Captions)
        return folder.opened(recipe)

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        self.encoder = Encoder(len(data.words), o.features)
        self.generator = Generator(o.z, o.features, o.condition, o.width, data)
        self.discriminator = Discriminator(o.features, o.condition, o.width, o.projection, data)
        self.register_buffer("kept", torch.zeros(KEPT, LONGEST, dtype=torch.int64))

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.discriminator, self.encoder, lr=self.options.d_lr)
        return {"D": d, "G": self.optimizer(self.generator)}

    def fake(self, batch: Batch) -> Tensor:
        _, t, _ = batch
        if self.step == 0:
            self.kept[: len(t), : t.shape[1]] = t[:KEPT]
        return self.draw(self.noise(len(t)), t)

    def draw(self, z: Tensor, t: Tensor) -> Tensor:
        with torch.no_grad():  # D teaches the encoder
            phi = self.encoder(t)
        return self.generator(z, phi)  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        """D's logit of images and captions."""
        return self.discriminator(self.discriminator.maps(x), self.encoder(y))  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        (x, t, other, fake), o = batch, self.options
        seen, seen_fake = self.compare(self.discriminator.maps, (self.with_grad(x),), (fake,))
        phi, phi_other = self.encoder(torch.cat([t, other])).chunk(2)
        right, wrong = (phi_other, phi_other.roll(1, 0)) if o.shuffled else (phi, phi_other)
        pairs = torch.cat([seen, seen, seen_fake]), torch.cat([right, wrong, phi])
        s_r, s_w, s_f = self.discriminator(*pairs).chunk(3)
        self.log(**{"D right": api.d_accuracy(s_r, s_f), "matching": (s_r > s_w).float().mean()})
        loss = {"real": softplus(-s_r).mean(), "wrong": softplus(s_w).mean() / 2, "fake": softplus(s_f).mean() / 2}
        if o.match:
            loss["match"] = o.match * self.mistaken(seen, right)
        return loss | self.r1_penalty(x, s_r)

    def g_loss(self, batch: Batch) -> Loss:
        (_, t, other, fake), D = batch, self.discriminator
        phi = self.encoder(t).detach()
        seen = D.maps(fake)
        loss = {"fool": softplus(-D(seen, phi)).mean()}
        if self.options.match:
            loss["match"] = self.options.match * self.mistaken(seen, phi)
        if self.options.between:
            halfway = (phi + self.encoder(other).detach()) / 2  # the paper's beta is .5
            x = self.generator(self.noise(len(t)), halfway)
            loss["between"] = self.options.between * softplus(-D(D.maps(x), halfway)).mean()
        return loss

    def mistaken(self, seen: Tensor, phi: Tensor) -> Tensor:
        """-E[log P(t | x)], of the batch's captions: which one is this image's?"""
        return cross_entropy(self.discriminator.seen(seen) @ phi.T, torch.arange(len(phi), device=phi.device))

    def known(self, options: Any) -> Tensor:
        """Captions to draw, (k, LONGEST): those of --text, or some trained on."""
        if options.text:
            return numbers([understood(text, self.data.words) for text in options.text], self.data.words, LONGEST)
        return self.kept[self.kept.any(1)] if self.kept.any() else self.kept[:1]

    def exported(self, options: Any) -> api.Exported:
        """The noise, and which of the captions: a page cannot read new ones."""
        known = self.known(options)
        texts = api.Input("text", "choice", names=[text or "nothing" for text in written(known, self.data.words)])
        return api.Exported(lambda z, t: self.draw(z, known[t]), (api.Input("z", "noise", (self.options.z,)), texts))

    def sample(self, n: int, options: Any) -> Tensor:
        known = self.known(options)
        turn = torch.arange(n) % (1 if options.interpolate else len(known))
        t = known.to(self.device)[turn.to(self.device)]
        x = self.draw(self.latents(n, options), t)
        return captioned(x, written(t, self.data.words)) if options.captioned else x

    def sheet(self, options: Any) -> tuple[int, int] | None:
        """A column for each text."""
        several = options.text and len(options.text) > 1 and not options.interpolate
        return (len(options.text), EACH) if several else None

    def preview(self, batch: Batch) -> Tensor:
        """The data's captions under what G draws of them."""
        rows, columns = SHOWN
        t = batch[1][: rows * columns]
        x = self.draw(self.latents(len(t), self.SampleOptions()), t)
        x = captioned(x, written(t, self.data.words))
        return x.view(rows, columns, *x.shape[1:]) if len(x) == rows * columns else x

    def measure(self, held: Data) -> dict[str, float]:
        return measures.measured(self, held)
