"""Networks whose every place looks at every other."""

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, scaled_dot_product_attention

from gantool.nn.blocks import Wrap, unwrapped


class Attention(nn.Module):
    """x + gamma o(x): a place takes from all others, by how well they answer it (Zhang et al., 2018, section 3).

    gamma begins at 0, so at first nothing is taken. With `pool` it takes from the largest of so many places a side, as
    the authors' code does with 2: a quarter of the work.
    """

    def __init__(self, c: int, wrap: Wrap = unwrapped, pool: int = 1) -> None:
        super().__init__()
        self.pool = pool
        few, half = max(1, c // 8), max(1, c // 2)
        self.f, self.g, self.h = (wrap(nn.Conv2d(c, n, 1, bias=False)) for n in (few, few, half))
        self.v, self.gamma = wrap(nn.Conv2d(half, c, 1, bias=False)), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        f, h = self.f(x), self.h(x)
        if self.pool > 1:
            f, h = max_pool2d(f, self.pool), max_pool2d(h, self.pool)
        f, g, h = (maps.flatten(2).mT.unsqueeze(1) for maps in (f, self.g(x), h))  # (n, 1, places, channels)
        o = scaled_dot_product_attention(g, f, h, scale=1.0)
        o = o.squeeze(1).mT.reshape(x.shape[0], -1, *x.shape[2:])  # no len(x), which would fix an exported batch
        return x + self.gamma * self.v(o)  # type: ignore[no-any-return]
