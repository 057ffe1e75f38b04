"""Games in which D is held back: it pays for its slope at real data, and it sees images moved about."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from torch import Tensor
from typer import Option

from gantool.data.images import Data
from gantool.nn.augment import shifted
from gantool.nn.penalties import r1
from gantool.variant import Variant

MANY = 20_000  # images, more than D soon knows by heart
OPEN = {"shift": (1, 0), "r1": (0.25, 0.5)}  # what options left open become: of fewer images, and of so many


def suit(name: str) -> str:
    """What help says of an option left open."""
    few, many = OPEN[name]
    return f"{few} below {MANY:,} images, else {many}"


class Penalised(Variant):
    """The R1 penalty of Mescheder et al. (2018), now and then.

    D is shown `watched(x)`, and `penalty(x, score)` joins its loss. Whatever else D is made of is `eager` too.
    """

    no_compile: ClassVar[tuple[str, ...]] = ("discriminator",)  # R1 differentiates it twice

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        r1: Annotated[
            float | None,
            Option(min=0, help="Weight of the R1 penalty on D's slope; 0: none.", show_default=suit("r1")),
        ] = 0.0
        r1_every: Annotated[int, Option(min=1, help="Steps from one penalty to the next.")] = 8

    @classmethod
    def resolve(cls, options: Any, data: Data) -> Any:
        """D would learn few images by heart, were they not moved; where they are many, a steeper penalty does it."""
        many = len(data) >= MANY
        return replace(
            options, **{name: ends[many] for name, ends in OPEN.items() if getattr(options, name, 0) is None}
        )

    def with_grad(self, x: Tensor) -> Tensor:
        """Real data, asking for gradients in the steps that have a penalty."""
        return x.requires_grad_(bool(self.options.r1) and self.step % self.options.r1_every == 0)

    def r1_penalty(self, x: Tensor, score: Tensor) -> dict[str, Tensor]:
        """In those steps, for all steps to the next."""
        o = self.options
        return {"r1": o.r1 / 2 * o.r1_every * r1(x, score)} if x.requires_grad else {}


class Augmented(Penalised):
    """Also, D is shown `seen(x)` in place of each image, real or generated (Zhao et al., 2020)."""

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        shift: Annotated[
            int | None,
            Option(min=0, max=64, help="D sees images moved by up to so many pixels.", show_default=suit("shift")),
        ] = 0

    def augment(self, x: Tensor) -> Tensor:
        return shifted(x, self.options.shift, self.random)
