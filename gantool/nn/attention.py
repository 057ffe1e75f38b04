"""Networks whose every place looks at every other."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, scaled_dot_product_attention

from gantool.nn.blocks import Wrap, unwrapped


class Attention(nn.Module):
    """x + gamma o(x): a place takes from all others, by how well they answer it (Zhang et al., 2018, section 3).

    gamma begins at 0, so at first nothing is taken. With `pool` it takes from means of so many places a side: with
    2 a quarter of the work. (The authors' code takes the largest.)
    """

    def __init__(self, c: int, wrap: Wrap = unwrapped, pool: int = 1) -> None:
        super().__init__()
        self.pool = pool
        few, half = max(1, c // 8), max(1, c // 2)
        self.f, self.g, self.h = (wrap(nn.Conv2d(c, n, 1, bias=False)) for n in (few, few, half))
        self.v, self.gamma = wrap(nn.Conv2d(half, c, 1, bias=False)), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        near = avg_pool2d(x, self.pool) if self.pool > 1 else x
        looks = (self.f, near), (self.g, x), (self.h, near)
        f, g, h = (look(at).flatten(2).mT.unsqueeze(1) for look, at in looks)  # (n, 1, places, channels)
        o = scaled_dot_product_attention(g, f, h, scale=1.0)
        o = o.squeeze(1).mT.reshape(x.shape[0], -1, *x.shape[2:])  # no len(x), which would fix an exported batch
        return x + self.gamma * self.v(o)  # type: ignore[no-any-return]
