"""What variants with an encoder share: images to codes and back, and draws from the codes' prior."""

from dataclasses import dataclass
from typing import Any

import torch
from gantool.api import Batch, Data, NoiseOptions, OptionalInput, Sheet, Variant, in_rows
from torch import Tensor, nn

from gantool_encoders import measures


class Encoding(Variant):
    """`encoder` gives an image's code, and `decode` a code's image."""

    ema = ("encoder", "generator")
    encoder: nn.Module

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions, OptionalInput):
        """From noise; of --input, what is left of it on its way through the code."""

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # type: ignore[no-any-return]

    def features(self, x: Tensor) -> Tensor:
        """What classes are read off, to see what the encoder knows of them: the code, unless a subclass says more."""
        return self.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.generator(z)  # type: ignore[no-any-return]

    def sample(self, n: int, options: Any) -> Tensor:
        return self.decode(self.latents(n, options))

    def translate(self, x: Tensor, options: Any) -> Tensor:
        return self.decode(self.encode(x))

    def preview(self, batch: Batch) -> Tensor | Sheet:
        """Images, what came back of them, and draws."""
        if not self.data.images:
            return self.sample(1_000, self.SampleOptions())
        x = batch[0][:30]
        drawn = self.sample(len(x), self.SampleOptions())
        return in_rows({"image": x, "back": self.translate(x, None), "drawn": drawn}, groups=3)

    @torch.no_grad()
    def measure(self, held: Data) -> dict[str, float]:
        return measures.measured(self, held)
