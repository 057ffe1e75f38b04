"""The data sets are what they say, and what is counted of them is so."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gantool.api import Recipe, judged_digits, open_data
from gantool.testing import check_data
from torch import Tensor

from gantool_r3gan import measures, pairs
from gantool_r3gan.points import SIDE, Points, grid25, ring8, scatter

torch.set_num_threads(1)
ANY = Recipe()


@pytest.mark.parametrize("name", ["ring8", "grid25", "digit-pairs"])
def test_contract(name: str) -> None:
    check_data(name)


@pytest.mark.parametrize(("opened", "count", "deviation"), [(ring8, 8, 0.008), (grid25, 25, 0.01)])
def test_points_lie_around_their_modes(opened: Any, count: int, deviation: float) -> None:
    data = opened(ANY)
    assert data.modes.shape == (count, 2)
    x, y = data.batch(torch.arange(len(data)), torch.Generator())
    assert not y.any() and len(y) == len(x)
    distance, which = torch.cdist(x, data.modes).min(1)
    assert torch.bincount(which).tolist() == [len(data) // count] * count
    torch.testing.assert_close(distance.square().mean().sqrt(), torch.tensor(deviation * 2**0.5), rtol=0.01, atol=0)
    apart = torch.pdist(data.modes).min()
    assert apart > 30 * deviation  # nobody meets two at once


def test_a_ring_is_round_and_a_grid_square() -> None:
    torch.testing.assert_close(ring8(ANY).modes.norm(dim=1), torch.full((8,), 0.8))
    axes = {(round(float(a), 6), round(float(b), 6)) for a, b in grid25(ANY).modes}
    assert axes == {(round(0.4 * a, 6), round(0.4 * b, 6)) for a in range(-2, 3) for b in range(-2, 3)}


def test_held_out_points_are_others() -> None:
    seen, held = grid25(ANY), grid25(ANY, train=False)
    assert seen.fingerprint() != held.fingerprint() and len(held) == 10_000
    assert torch.cdist(held.x[:500].double(), seen.x.double()).min() > 0


def test_pairs_show_the_tens_in_red_and_the_units_in_green() -> None:
    data = pairs.digit_pairs(ANY, train=False)
    assert data.spec.classes[42] == "42" and data.spec[:3] == (3, 28, pairs.NAMES)
    x = data.pixels[:1000].float() / 127.5 - 1
    tens, units = (judged_digits(x[:, i : i + 1])[1].argmax(1) for i in (0, 1))
    right = (10 * tens + units == data.labels[:1000]).double().mean()
    assert right > 0.97 and not data.pixels[:, 2].any()
    assert torch.bincount(data.labels).tolist() == [50] * 100


def test_no_digit_of_the_held_out_pairs_is_trained_on() -> None:
    seen, held = (
        {digit.numpy().tobytes() for digit in pairs.digit_pairs(ANY, train).pixels[:, :2].flatten(0, 1)}
        for train in (True, False)
    )
    assert 4_000 < len(seen) <= 4_500 and 450 < len(held) <= 500 and not seen & held


def test_pairs_come_at_the_size_that_is_asked_for() -> None:
    assert open_data(Recipe(data="digit-pairs", size=16)).spec[:2] == (3, 16)


def test_a_dot_is_drawn_where_its_point_is() -> None:
    """(.5, -.5): three quarters across, three quarters down."""
    (ink,) = (scatter(torch.tensor([[[0.5, -0.5]]])) + 1)[0] / 2
    place = torch.arange(SIDE) + 0.5
    down, across = (ink.sum(of) @ place / ink.sum() / SIDE for of in (1, 0))
    assert (float(across), float(down)) == (pytest.approx(0.75), pytest.approx(0.75))
    assert 0.5 < ink.max() <= 1 and ink.min() == 0


def test_points_out_of_sight_leave_the_picture_dark() -> None:
    assert (scatter(torch.full((2, 50, 2), 3.0)) == -1).all()


# What is counted.


def around(data: Points, which: Tensor, far: float) -> Tensor:
    """A point beside each of these modes, so many deviations away."""
    return data.modes[which] + far * data.deviation * torch.tensor([0.6, -0.8])


def test_modes_of_real_points_are_all_met_evenly() -> None:
    held = grid25(ANY, train=False)
    found = measures.of_points(held.x, held)
    assert found["modes"] == 25 and found["modes_kl"] < 0.005
    assert found["near_modes"] == pytest.approx(1 - math.exp(-4.5), abs=0.005)  # within three deviations


def test_points_beside_the_modes_are_of_none() -> None:
    held = grid25(ANY, train=False)
    which = torch.arange(1000) % 20
    found = measures.of_points(torch.cat([around(held, which, 2.9), around(held, which, 3.1)]), held)
    assert found == {"modes": 20, "modes_kl": pytest.approx(math.log(25 / 20)), "near_modes": 0.5}
    assert measures.of_points(around(held, which, 3.1), held)["modes"] == 0


def test_pairs_of_real_digits_are_counted_as_what_they_are() -> None:
    data = pairs.digit_pairs(ANY, train=False)
    x = data.pixels.float() / 127.5 - 1
    found = measures.of_pairs(x)
    assert found["modes"] == 100 and found["modes_kl"] < 0.01 and found["sure_of_both"] > 0.93
    few = measures.of_pairs(x[data.labels < 50])
    assert few["modes"] <= 60 and few["modes_kl"] == pytest.approx(math.log(2), abs=0.1)


def test_what_is_drawn_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """G draws the data themselves, of points from noise, of pairs with and without classes."""
    monkeypatch.setattr(measures, "MEASURED", 1_000)
    points, shown = ring8(ANY), pairs.digit_pairs(ANY, train=False)
    variant = SimpleNamespace(
        SampleOptions=SimpleNamespace, latents=lambda n, options: torch.arange(n), draw=lambda z: points.x[z]
    )
    assert measures.measured(variant, ring8(ANY, train=False))["modes"] == 8
    for answer in (lambda x, y: x, lambda x, y: (x, y)):
        variant.sample = lambda n, options, answer=answer: answer(
            shown.pixels[:n].float() / 127.5 - 1, shown.labels[:n]
        )
        assert measures.measured(variant, shown)["modes"] == 100
    assert measures.measured(variant, open_data(ANY)) == {}
