"""Networks whose every place looks at every other."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from gantool.nn.blocks import Wrap, unwrapped


class Attention(nn.Module):
    """x + gamma o(x): a place takes from all others, by how well they answer it (Zhang et al., 2018, section 3).

    gamma begins at 0, so at first nothing is taken.
    """

    def __init__(self, c: int, wrap: Wrap = unwrapped) -> None:
        super().__init__()
        few, half = max(1, c // 8), max(1, c // 2)
        self.f, self.g, self.h = (wrap(nn.Conv2d(c, n, 1, bias=False)) for n in (few, few, half))
        self.v, self.gamma = wrap(nn.Conv2d(half, c, 1, bias=False)), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        f, g, h = (look(x).flatten(2).mT.unsqueeze(1) for look in (self.f, self.g, self.h))  # (n, 1, places, channels)
        o = scaled_dot_product_attention(g, f, h, scale=1.0)
        o = o.squeeze(1).mT.reshape(x.shape[0], -1, *x.shape[2:])  # no len(x), which would fix an exported batch
        return x + self.gamma * self.v(o)  # type: ignore[no-any-return]
