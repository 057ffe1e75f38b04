"""A game in which D pays for its slope at real data, now and then: the R1 penalty of Mescheder et al. (2018)."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from typer import Option

from gantool.nn import r1
from gantool.variant import Variant


class Penalised(Variant):
    """D is shown `watched(x)`, and `penalty(x, score)` joins its loss. Whatever else D is made of is `eager` too."""

    eager = ("discriminator",)  # R1 differentiates it twice

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        r1: Annotated[float | None, Option(min=0, help="Weight of the R1 penalty on D's slope; 0: none.")] = 0.0
        r1_every: Annotated[int, Option(min=1, help="Steps from one penalty to the next.")] = 8

    def watched(self, x: Tensor) -> Tensor:
        """Real data, asking for gradients in the steps that have a penalty."""
        return x.requires_grad_(bool(self.options.r1) and self.step % self.options.r1_every == 0)

    def penalty(self, x: Tensor, score: Tensor) -> dict[str, Tensor]:
        """In those steps, for all steps to the next."""
        o = self.options
        return {"r1": o.r1 / 2 * o.r1_every * r1(x, score)} if x.requires_grad else {}
