"""BGAN: G seeks the boundary where D cannot tell, and does not go beyond.

Paper: Hjelm et al., 2018, https://arxiv.org/abs/1702.08431
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, R1, EMA, augmentation, and a larger learning rate;
    the paper's other form, for discrete data, is left out; `--preset paper` has none of these but the last
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool.api import Batch, Data, DataSpec, Loss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import softplus
from typer import Option

from gantool_losses.game import Game


class BGAN(Game):
    """The GAN's D; G lowers (log D - log(1 - D))^2 / 2, half the square of D's logit, which is 0 at D = 1/2."""

    fooled: Tensor

    @dataclass(kw_only=True)
    class Options(Game.Options):
        fake_label: Annotated[float, Option(min=0, max=1, help="Label of generated images in D's loss.")] = 0.0

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.register_buffer("fooled", torch.tensor(0.5))

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        fake = cross_entropy(on_fake, torch.full_like(on_fake, self.options.fake_label))
        return {"real": softplus(-on_x).mean(), "fake": fake, **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        on_fake = self.on_fake(batch)
        self.fooled.lerp_(self.mean(on_fake.sigmoid().mean()).to(self.fooled), 0.01)
        return on_fake.square().mean() / 2

    def measure(self, held: Data) -> dict[str, float]:
        """D of generated images, averaged over the last hundred steps or so of training."""
        return {"D_of_fakes": float(self.fooled)}
