"""Building blocks of networks, against what they stand for."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gantool.api import DataSpec, ThinConv, UpsampledConv, diff_augment, mixture, mlp
from gantool.nn.augment import moved
from gantool.nn.latents import truncated
from gantool.variants.gan import GAN

Net = Callable[[Tensor], Tensor]
SHAPES = [(1, 1, 1, 1), (3, 2, 4, 4), (2, 5, 7, 3), (8, 8, 1, 6), (4, 1, 5, 8)]  # inputs, outputs, height, width


Block = type[UpsampledConv] | type[ThinConv]
BLOCKS: list[Block] = [UpsampledConv, ThinConv]


def pair(kind: Block, inputs: int, outputs: int, bias: bool = True) -> tuple[nn.Conv2d, nn.Sequential]:
    """The block, and the layers it stands for with the same weights; the last is a convolution."""
    block = kind(inputs, outputs, bias).double()
    conv = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias).double()
    conv.load_state_dict(block.state_dict())
    before = [nn.Upsample(scale_factor=2, mode="nearest")] if kind is UpsampledConv else []
    return block, nn.Sequential(*before, conv)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), SHAPES)
def test_a_block_is_the_layers_it_stands_for(
    kind: Block, inputs: int, outputs: int, height: int, width: int, bias: bool
) -> None:
    torch.manual_seed(0)
    block, layers = pair(kind, inputs, outputs, bias)
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    y, same = block(x), layers(x)
    times = 2 if kind is UpsampledConv else 1
    assert y.shape == (2, outputs, times * height, times * width)
    torch.testing.assert_close(y, same)  # borders included
    uneven = torch.randn_like(y)
    got = torch.autograd.grad((y * uneven).sum(), [x, *block.parameters()])
    expected = torch.autograd.grad((same * uneven).sum(), [x, *layers.parameters()])
    for mine, its in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, its)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_can_be_differentiated_twice(kind: Block) -> None:
    torch.manual_seed(0)
    block, layers = pair(kind, 2, 3)
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    def penalty(net: Net, weight: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
        (twice,) = torch.autograd.grad(slope.square().sum(), weight)
        return twice

    conv = layers[-1]
    assert isinstance(conv, nn.Conv2d)
    torch.testing.assert_close(penalty(block, block.weight), penalty(layers, conv.weight))
    assert torch.autograd.gradcheck(block, x)
    assert torch.autograd.gradgradcheck(block, x)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_starts_and_is_saved_as_a_convolution(kind: Block) -> None:
    torch.manual_seed(0)
    block = kind(4, 6)
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3, 1, 1)
    mine, its = block.state_dict(), conv.state_dict()
    assert mine.keys() == its.keys() == {"weight", "bias"}
    for name, tensor in its.items():
        assert torch.equal(mine[name], tensor)


def test_weights_are_called_the_same_where_layers_that_do_nothing_are_left_out() -> None:
    def network(more: Callable[[int], nn.Module | None]) -> nn.Sequential:
        return mlp([3, 5, 4, 2], 0.2, more, [nn.Flatten()], [nn.Tanh()])

    whole, lean, x = network(lambda n: nn.Identity()), network(lambda n: None), torch.randn(7, 3)
    lean.load_state_dict(whole.state_dict())
    assert (len(whole), len(lean)) == (9, 7)
    assert list(lean.state_dict()) == ["1.weight", "1.bias", "4.weight", "4.bias", "7.weight", "7.bias"]
    assert torch.equal(lean(x), whole(x))


def test_images_are_moved_each_its_own_way_and_their_borders_fill_the_gap() -> None:
    torch.manual_seed(0)
    x, by = torch.rand(4, 3, 5, 7, dtype=torch.float64), torch.tensor([[0, 0], [2, -1], [-1, 3], [9, -9]])
    for image, original, (down, right) in zip(moved(x, by), x, by.tolist(), strict=True):
        wide = np.pad(original.numpy(), ((0, 0), (9, 9), (9, 9)), "edge")
        window = wide[:, 9 - down : 14 - down, 9 - right : 16 - right]
        np.testing.assert_array_equal(image.numpy(), window)
    assert torch.autograd.gradcheck(lambda x: moved(x, by), x.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: moved(x, by), x)


def test_d_sees_real_and_drawn_images_moved_by_as_many_pixels_as_asked() -> None:
    game = GAN(GAN.Options(augment="translate:2"), DataSpec((1, 9, 9)))
    dot = torch.zeros(4000, 1, 9, 9)
    dot[:, :, 4, 4] = 1
    places = diff_augment(dot, "translate:2", game.random).flatten(1).argmax(1)
    found = torch.bincount(places, minlength=81).view(9, 9)
    assert bool((found[2:7, 2:7] > 100).all())  # each of 25 places about 160 times
    assert found[2:7, 2:7].sum() == 4000
    state = torch.get_rng_state()
    assert diff_augment(dot, "none", game.random) is dot
    assert torch.equal(state, torch.get_rng_state())  # nor does it draw anything at random


@pytest.mark.parametrize("limit", [float("inf"), 0.05])
def test_a_component_is_taken_equally_often_and_leaves_the_rest_of_the_noise(limit: float) -> None:
    torch.manual_seed(0)
    z = truncated(lambda n: torch.randn(n, 8), 4_000, limit)
    x = mixture(z, 5, 3.0)
    assert torch.equal(x[:, 5:], z[:, 5:])
    assert torch.equal(x[:, :5].argmax(1), z[:, :5].argmax(1))
    assert torch.equal(x[:, :5].sort(1).values, torch.tensor([0.0, 0.0, 0.0, 0.0, 3.0]).expand(4_000, 5))
    assert ((x[:, :5] > 0).double().mean(0) - 1 / 5).abs().max() < 0.03
    assert mixture(z, 0, 3.0) is z


def test_a_generator_of_a_mixture_draws_as_many_images_as_it_has_components_where_noise_is_not_heard() -> None:
    torch.manual_seed(0)
    options = GAN.Options(z=2, components=3, component_scale=1.0, g_layers="4", d_layers="4", batch_norm=0)
    game = GAN(options, DataSpec((1, 8, 8)))
    with torch.no_grad():
        game.generator[0].weight[:, 3:] = 0  # the columns of the noise
        drawn = game.sample(50, GAN.SampleOptions())
    assert isinstance(drawn, Tensor) and len(drawn.unique(dim=0)) == 3
    torch.manual_seed(2)
    walked = game.sample(5, GAN.SampleOptions(interpolate=True))
    assert isinstance(walked, Tensor) and len(walked.unique(dim=0)) == 5  # the code is walked, not jumped
