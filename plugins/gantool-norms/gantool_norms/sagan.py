"""SAGAN: networks that attend to themselves, all their weights of spectral norm 1.

Paper: Zhang et al., 2018, https://arxiv.org/abs/1805.08318
Task: images of a class, or from noise
Differs from the paper: as sngan; attention at the second coarsest maps of G and the second finest of D, to means of
    four places; G's first and last layers are not held
"""

from dataclasses import dataclass
from typing import Annotated

from gantool.api import Attention, Data
from typer import Option

from gantool_norms.ends import Ends, seen
from gantool_norms.sngan import SNGAN

DRAWN = 1_000  # images whose ends are looked at


class SAGAN(SNGAN):
    """SNGAN's game; every place of a map takes from all others. G's weights are held, too."""

    held_g = True

    @dataclass(kw_only=True)
    class Options(SNGAN.Options):
        attention: Annotated[bool, Option(help="Let places attend to each other.")] = True

    @property
    def attend(self) -> bool:
        return bool(self.options.attention)

    def measure(self, held: Data) -> dict[str, float]:
        """Beside the norms, how much G's attention has come to count: the size of its gamma, 0 at the start."""
        attention = self.generator.get_submodule("attention")
        gamma = float(attention.gamma.detach().abs()) if isinstance(attention, Attention) else 0.0
        found = super().measure(held) | {"gamma": gamma}
        if isinstance(held, Ends):
            x, _ = self.sample(DRAWN, self.SampleOptions())
            found |= seen(x)
        return found
