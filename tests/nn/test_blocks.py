"""Networks of any shape of data, and what D ends in, against what they stand for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gantool.api import (
    Attention,
    ClassNorm,
    DataSpec,
    MinibatchStd,
    Projected,
    Resize,
    UpsampledConv,
    d_accuracy,
    decoder,
    downwards,
    encoder,
    gradient_norms,
    gradient_penalty,
    map_sizes,
    mlp,
    upwards,
)

SHAPES = [(1, 28, 28), (3, 30, 30), (3, 33, 45), (1, 48, 32), (3, 20, 7), (3, 5, 5), (2,), (7,)]
Up = Callable[[int, int, DataSpec], nn.Module]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("up", [upwards, decoder])
def test_what_is_drawn_has_the_data_s_shape_whatever_that_is(up: Up, shape: tuple[int, ...]) -> None:
    assert up(5, 3, DataSpec(shape))(torch.randn(2, 5)).shape == (2, *shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_looks_at_it_gives_as_many_numbers_as_asked_for(shape: tuple[int, ...]) -> None:
    x = torch.randn(2, *shape)
    assert downwards(6, 3, 0.2, DataSpec(shape))(x).shape == encoder(6, 3, DataSpec(shape))(x).shape == (2, 6)


@pytest.mark.parametrize("shape", [(1, 12, 9), (2,)])
def test_points_know_no_limits_and_images_do(shape: tuple[int, ...]) -> None:
    x = upwards(4, 2, DataSpec(shape))(1e4 * torch.randn(50, 4))
    assert (x.abs().max() <= 1) == (len(shape) == 3)


def test_maps_halve_until_one_of_their_sides_is_coarse() -> None:
    assert map_sizes(DataSpec((1, 28, 28))) == [(28, 28), (14, 14), (7, 7)]
    assert map_sizes(DataSpec((1, 45, 33))) == [(45, 33), (22, 16), (11, 8), (5, 4)]
    assert map_sizes(DataSpec((1, 64, 16)), 8) == [(64, 16), (32, 8)]


@pytest.mark.parametrize("shape", [(1, 16, 12), (2,)])
def test_every_layer_with_weights_can_be_wrapped(shape: tuple[int, ...]) -> None:
    spec, seen = DataSpec(shape), list[nn.Module]()

    def wrap(layer: nn.Module) -> nn.Module:
        seen.append(layer)
        return layer

    for network in (upwards(4, 2, spec, None, wrap), downwards(4, 2, 0.2, spec, wrap=wrap), mlp([2, 3, 4], wrap=wrap)):
        weighted = [m for m in network.modules() if not isinstance(m, nn.Sequential) and [*m.parameters()]]
        assert weighted and all(any(m is layer for layer in seen) for m in weighted)


def test_norms_are_chosen_and_weights_are_called_the_same_without() -> None:
    spec = DataSpec((1, 16, 16))
    kinds = [type(m).__name__ for m in downwards(4, 2, 0.2, spec, nn.InstanceNorm2d).children()]
    assert kinds[:3] == ["Conv2d", "InstanceNorm2d", "LeakyReLU"]
    plain = upwards(4, 2, spec, None).state_dict()
    assert plain.keys() < upwards(4, 2, spec).state_dict().keys()


@pytest.mark.parametrize("extra", [(1, 0), (0, 1), (1, 1)])
def test_an_upsampled_convolution_can_make_an_odd_side(extra: tuple[int, int]) -> None:
    """As if zeros followed the doubled map."""
    block = UpsampledConv(2, 3, extra=extra)
    x, conv = torch.randn(2, 2, 4, 5), nn.Conv2d(2, 3, 3)
    conv.load_state_dict(block.state_dict())
    doubled = Resize((8, 10))(x)
    padded = nn.functional.pad(doubled, (1, 1 + extra[1], 1, 1 + extra[0]))
    torch.testing.assert_close(block(x), conv(padded))


def test_a_class_has_its_own_scale_and_shift() -> None:
    norm, x, y = ClassNorm(3, 2), torch.randn(8, 3, 4, 4), torch.tensor([0, 1] * 4)
    torch.testing.assert_close(norm(x, y), nn.BatchNorm2d(3)(x))  # at first, all the same
    norm.scale.weight.data[1], norm.shift.weight.data[1] = 2.0, 5.0
    torch.testing.assert_close(norm(x, y)[1::2], 2 * nn.BatchNorm2d(3)(x)[1::2] + 5)
    assert ClassNorm(3, 0)(x, torch.zeros(8, dtype=torch.long)).shape == x.shape


def test_attention_takes_nothing_at_first_and_of_equal_keys_the_mean() -> None:
    attention, x = Attention(16), torch.randn(2, 16, 3, 5)
    assert torch.equal(attention(x), x)
    attention.gamma.data.fill_(1.0)
    nn.init.zeros_(attention.f.weight)
    mean = attention.v(attention.h(x).mean((2, 3), keepdim=True))
    torch.testing.assert_close(attention(x), x + mean)


def test_attention_is_the_paper_s_sum() -> None:
    """Equation 1, place by place."""
    attention, x = Attention(16).double(), torch.randn(1, 16, 2, 3, dtype=torch.float64)
    attention.gamma.data.fill_(0.7)
    f, g, h = (look(x)[0].flatten(1) for look in (attention.f, attention.g, attention.h))
    o = torch.stack([(h * torch.softmax(f.T @ g[:, j], 0)).sum(1) for j in range(6)], 1)
    torch.testing.assert_close(attention(x), x + 0.7 * attention.v(o.view(1, -1, 2, 3)))


@pytest.mark.parametrize(("n", "group"), [(8, 4), (6, 3), (5, 1), (1, 1)])
def test_the_last_map_says_how_much_neighbours_differ(n: int, group: int) -> None:
    x = torch.randn(n, 2, 3, 3)
    y = MinibatchStd()(x)
    assert torch.equal(y[:, :2], x) and y.shape == (n, 3, 3, 3) and MinibatchStd.mixes_batch
    std = torch.stack([part.std(0, correction=0).mean() for part in x.split(group)])
    torch.testing.assert_close(y[:, 2].mean((1, 2)), std.repeat_interleave(group), atol=1e-3, rtol=0)


def test_a_score_is_projected_onto_the_class() -> None:
    d, x, y = Projected(nn.Flatten(), 4, 3), torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    torch.testing.assert_close(d(x, y), d.score(x).squeeze(1) + (d.suits.weight[y] * x).sum(1))
    torch.testing.assert_close((alone := Projected(nn.Flatten(), 4, 0))(x), alone.score(x).squeeze(1))
    held = Projected(nn.Flatten(), 4, 3, spectral_norm)
    for _ in range(30):
        held(x, y)
    assert torch.linalg.matrix_norm(held.eval().suits.weight, 2).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", [(2,), (1, 3, 4)])
@pytest.mark.parametrize(("slope", "to"), [(0.0, 1.0), (3.0, 1.0), (3.0, 0.0)])
def test_the_penalty_of_a_straight_line(shape: tuple[int, ...], slope: float, to: float) -> None:
    w = slope * nn.functional.normalize(torch.randn(shape), dim=None)

    def score(x: Tensor) -> Tensor:
        return (x * w).flatten(1).sum(1)

    real, fake, eps = torch.randn(6, *shape), torch.randn(6, *shape), torch.rand(6)
    torch.testing.assert_close(gradient_norms(score, real, fake, eps), torch.full((6,), slope))
    torch.testing.assert_close(gradient_penalty(score, real, fake, eps, to), torch.tensor((slope - to) ** 2))


def test_the_penalty_is_taken_at_a_point_of_the_way() -> None:
    """Where D(x) = |x|^2 / 2, the slope is |x| itself."""
    real, fake, eps = torch.full((3, 1), 5.0), torch.full((3, 1), 1.0), torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(gradient_norms(lambda x: x.square() / 2, real, fake, eps), torch.tensor([1.0, 3.0, 5.0]))


def test_d_is_right_of_real_ones_above_0_and_of_others_below() -> None:
    assert d_accuracy(torch.tensor([1.0, -1.0, 2.0]), torch.tensor([-1.0])) == 0.75
