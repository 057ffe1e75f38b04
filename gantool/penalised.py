"""What games have in common: noise of a mixture; a D that pays for its slope, sees images changed, knows classes."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from typer import Option

from gantool.config import options as settings
from gantool.data.images import Data
from gantool.nn.augment import NONE, checked_policy, diff_augment, policy_of_pixels
from gantool.nn.latents import mixture
from gantool.nn.penalties import r1
from gantool.variant import Variant

FADING = 300  # steps in which the weight of counter-examples falls to half; to a third in twice as many
CLOUDS = 2_000  # components at most, where their number is left open; with fewer, G's variety is lost as it learns on


class MixtureNoise(Variant):
    """G is given the noise of a mixture of `components`, or, where these are 0, plain noise; `numbers` of it.

    A smooth G of one cloud of noise must draw what lies between kinds of images; of a cloud for each it need not.
    """

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        former: ClassVar = {"codes": "components", "loud": "component_scale"}

        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        components: Annotated[
            int | None,
            Option(
                min=0, max=10_000, help="Components of a mixture that the noise is drawn from; 0: plain noise.",
                show_default=f"half as many as images, {CLOUDS:,} at most; from {settings.MANY:,} images on 0",
            ),
        ] = 0  # fmt: skip
        component_scale: Annotated[
            float,
            Option(
                min=0, max=1_000, help="Distance between the mixture's components, when the noise's deviation is 1."
            ),
        ] = 4.0

    @classmethod
    def resolve(cls, options: Any, data: Data) -> Any:
        """Left open, there are as many as keep variety; many images and points have none."""
        options, few = super().resolve(options, data), data.spec.images and len(data) < settings.MANY
        clouds = min(CLOUDS, len(data) // 2) if few else 0
        return replace(options, components=clouds) if options.components is None else options

    @property
    def numbers(self) -> int:
        return int((self.options.components or 0) + self.options.z)

    def noise(self, n: int) -> Tensor:
        return self.random(torch.randn, n, self.numbers)

    def latent(self, z: Tensor) -> Tensor:
        return mixture(z, self.options.components or 0, self.options.component_scale)


class Penalised(Variant):
    """The R1 penalty of Mescheder et al. (2018), now and then.

    D is shown `with_grad(x)`, and `r1_penalty(x, score)` joins its loss. Whatever else D is made of is not compiled.
    """

    no_compile: ClassVar[tuple[str, ...]] = ("discriminator",)  # R1 differentiates it twice

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        by_images: ClassVar = {"r1": (0.2, 0.5)}  # a steeper one is better where images are many

        r1: Annotated[float | None, Option(min=0, help="Weight of the R1 penalty on D's slope; 0: none.")] = 0.0
        r1_every: Annotated[int, Option(min=1, help="Steps between two R1 penalties.")] = 8

    def with_grad(self, x: Tensor) -> Tensor:
        """Mark real data as needing gradients, in the steps that have a penalty."""
        return x.requires_grad_(bool(self.options.r1) and self.step % self.options.r1_every == 0)

    def r1_penalty(self, x: Tensor, score: Tensor) -> dict[str, Tensor]:
        """Give the R1 term of D's loss in those steps; it stands for all steps to the next."""
        o = self.options
        return {"r1": o.r1 / 2 * o.r1_every * r1(x, score)} if x.requires_grad else {}


class Augmented(Variant):
    """DiffAugment: D is shown `augment(x)` in place of each image, real or generated (Zhao et al., 2020)."""

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        former: ClassVar = {"shift": ("augment", policy_of_pixels)}
        by_images: ClassVar = {"augment": ("translate:1", NONE)}  # few images, as they are, D would memorise

        augment: Annotated[
            str | None,
            Option(
                metavar="POLICY", callback=checked_policy,
                help="What D sees, changed at random: none, or some of translate, translate:PIXELS, color, cutout.",
            ),
        ] = NONE  # fmt: skip

    def augment(self, x: Tensor) -> Tensor:
        return diff_augment(x, self.options.augment or NONE, self.random)


class Mismatched(Variant):
    """To D a real image under another class is as wrong as a generated one (Reed et al., 2016).

    So it learns what a class means long before it knows good images. Later that would cost variety, and counts less.
    """

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        mismatch: Annotated[
            float, Option(min=0, max=1, help="Weight of real images under other classes in D's loss, at the start.")
        ] = 0.0

    def mismatch(self) -> float:
        """Give the weight now, a share of all that is wrong."""
        return float(self.options.mismatch) / (1 + self.step / FADING)

    def others(self, y: Tensor) -> Tensor:
        """Draw a class other than its own for each."""
        k = len(self.data.classes)
        return (y + 1 + (self.random(torch.rand, len(y)) * (k - 1)).long()) % k
