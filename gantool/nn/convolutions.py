"""Convolutions that come with a change of size, or with few maps."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, pad


class Resize(nn.Module):
    """Maps brought to a height and width, by repeating the nearest."""

    def __init__(self, to: Sequence[int], mode: str = "nearest") -> None:
        super().__init__()
        self.to_size, self.mode = list(to), mode

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, self.to_size, mode=self.mode)


class UpsampledConv(nn.Conv2d):
    """`nn.Upsample(scale_factor=2)` and `nn.Conv2d(inputs, outputs, 3, padding=1)` in one, faster and exactly equal.

    An output pixel sees four doubled pixels at most, so the 3x3 weights, those of one source pixel added up, are a 4x4
    kernel of a transposed convolution on the smaller map. `extra` rows and columns make a side odd. State dicts are
    Conv2d's.
    """

    fold: Tensor

    def __init__(self, inputs: int, outputs: int, bias: bool = True, extra: tuple[int, int] = (0, 0)) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)
        self.extra = extra
        side = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        self.register_buffer("fold", torch.kron(side, side).T.contiguous(), persistent=False)  # (9, 16)

    def forward(self, x: Tensor) -> Tensor:
        kernel = (self.weight.flatten(2) @ self.fold).view(*self.weight.shape[:2], 4, 4).transpose(0, 1)
        return conv_transpose2d(x, kernel, self.bias, 2, 1, self.extra)


class ThinConv(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 3, padding=1)` to an image's few maps, faster and equal.

    Each of the nine taps is a product of all pixels by one column, and only the results are moved and added: the
    larger input is read once. State dicts are Conv2d's.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        (n, _, h, w), outputs = x.shape, self.out_channels
        taps = conv2d(x, self.weight.permute(0, 2, 3, 1).reshape(9 * outputs, -1, 1, 1))
        taps = pad(taps.view(n, outputs, 9, h, w), (1, 1, 1, 1))
        moved = (taps[:, :, i, i // 3 : i // 3 + h, i % 3 : i % 3 + w] for i in range(9))
        return reduce(torch.add, moved if self.bias is None else (self.bias.view(-1, 1, 1), *moved))
