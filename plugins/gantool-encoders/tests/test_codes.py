"""What is measured of codes is what it says."""

import pytest
import torch
from gantool.api import DataSpec, ImageData, in_batches
from torch import Tensor, nn

from gantool_encoders import measures
from gantool_encoders.aae import AAE


def test_an_encoder_that_keeps_all_scores_no_error_and_codes_of_the_prior_no_distance() -> None:
    variant = AAE(AAE.Options(z=4, hidden=8), DataSpec((1, 2, 2)))
    rng = torch.Generator().manual_seed(0)
    held = ImageData(torch.randint(256, (4_000, 1, 2, 2), dtype=torch.uint8, generator=rng))
    variant.encoder, variant.decoder = nn.Flatten(), nn.Unflatten(1, (1, 2, 2))
    found = variant.measure(held)
    assert found["error_share"] == 0 and found["sharpness"] == 1 and found["codes_w1"] > 0.2  # uniform, not normal
    variant.encoder = Normal()
    assert variant.measure(held)["codes_w1"] < 0.02


class Normal(nn.Module):
    """Uniform numbers from -1 to 1 made normal ones."""

    def forward(self, x: Tensor) -> Tensor:
        return 2**0.5 * torch.erfinv(x.flatten(1) * 255 / 256)


def test_the_distance_to_a_normal_is_how_far_it_was_moved() -> None:
    normal = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    assert measures.w1_to_normal(normal) < 0.02
    assert measures.w1_to_normal(normal + 0.5) == pytest.approx(0.5, abs=0.02)
    assert measures.w1_to_normal(torch.zeros(20_000, 2)) == pytest.approx((2 / torch.pi) ** 0.5, abs=0.01)  # E|x|


def test_a_probe_finds_classes_that_lie_apart_and_none_where_there_are_none() -> None:
    rng = torch.Generator().manual_seed(0)
    y = torch.arange(1_000) % 5
    apart = torch.eye(5)[y] + 0.1 * torch.randn(1_000, 5, generator=rng)
    assert measures.probe(apart, y, 5) == 1
    assert measures.probe(torch.randn(1_000, 5, generator=rng), y, 5) < 0.3


def test_blur_takes_sharpness_away() -> None:
    x = torch.rand(10, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert measures.steepness(nn.functional.avg_pool2d(x, 3, 1, 1)) < 0.4 * measures.steepness(x)


def test_real_digits_that_come_back_are_kept() -> None:
    """An encoder and a decoder that change nothing: of the judge's own accuracy."""
    variant = AAE(AAE.Options(z=784, hidden=8), DataSpec((1, 28, 28), measures.DIGITS))
    variant.encoder, variant.decoder = nn.Flatten(), nn.Unflatten(1, (1, 28, 28))
    held = AAE.dataset(AAE.recipe, variant.options, train=False)
    found = variant.measure(held)
    assert found["kept"] > 0.98 and found["error_share"] == 0
    assert len(next(iter(in_batches(held, variant.device)))[0]) == 500
