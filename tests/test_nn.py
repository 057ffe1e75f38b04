"""Building blocks of networks, against what they stand for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gantool.api import UpsampledConv

Net = Callable[[Tensor], Tensor]
SHAPES = [(1, 1, 1, 1), (3, 2, 4, 4), (2, 5, 7, 3), (8, 8, 1, 6), (4, 1, 5, 8)]  # inputs, outputs, height, width


def pair(inputs: int, outputs: int, bias: bool = True) -> tuple[UpsampledConv, nn.Sequential]:
    """The block, and the two layers with the same weights."""
    block = UpsampledConv(inputs, outputs, bias).double()
    conv = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias).double()
    conv.load_state_dict(block.state_dict())
    return block, nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), SHAPES)
def test_an_upsampled_convolution_is_upsampling_and_then_convolving(
    inputs: int, outputs: int, height: int, width: int, bias: bool
) -> None:
    torch.manual_seed(0)
    block, layers = pair(inputs, outputs, bias)
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    y, same = block(x), layers(x)
    assert y.shape == (2, outputs, 2 * height, 2 * width)
    torch.testing.assert_close(y, same)  # borders included
    uneven = torch.randn_like(y)
    got = torch.autograd.grad((y * uneven).sum(), [x, *block.parameters()])
    expected = torch.autograd.grad((same * uneven).sum(), [x, *layers.parameters()])
    for mine, its in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, its)


def test_an_upsampled_convolution_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    block, layers = pair(2, 3)
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    def penalty(net: Net, weight: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
        (twice,) = torch.autograd.grad(slope.square().sum(), weight)
        return twice

    conv = layers[1]
    assert isinstance(conv, nn.Conv2d)
    torch.testing.assert_close(penalty(block, block.weight), penalty(layers, conv.weight))
    assert torch.autograd.gradcheck(block, x)
    assert torch.autograd.gradgradcheck(block, x)


def test_an_upsampled_convolution_starts_and_is_saved_as_a_convolution() -> None:
    torch.manual_seed(0)
    block = UpsampledConv(4, 6)
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3, 1, 1)
    mine, its = block.state_dict(), conv.state_dict()
    assert mine.keys() == its.keys() == {"weight", "bias"}
    for name, tensor in its.items():
        assert torch.equal(mine[name], tensor)
