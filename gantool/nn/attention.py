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
        taken = (
            (self.f(x), self.h(x)) if self.pool == 1 else (max_pool2d(look(x), self.pool) for look in (self.f, self.h))
        )
        f, h, g = (maps.flatten(2).mT for maps in (*taken, self.g(x)))  # (n, places, channels)
        o = scaled_dot_product_attention(g, f, h, scale=1.0)
        return x + self.gamma * self.v(o.mT.reshape(len(x), -1, *x.shape[2:]))  # type: ignore[no-any-return]
