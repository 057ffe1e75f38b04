"""The data sets are what they say, and what is counted of them is so."""

import math
from types import SimpleNamespace

import pytest
import torch
from gantool.api import Points, Recipe, judged_digits, open_data
from gantool.testing import check_data

from gantool_r3gan import measures, pairs

torch.set_num_threads(1)
ANY = Recipe()


@pytest.mark.parametrize("name", ["digit-pairs"])
def test_contract(name: str) -> None:
    check_data(name)


def test_pairs_show_the_tens_in_red_and_the_units_in_green() -> None:
    data = pairs.digit_pairs(ANY, train=False)
    assert data.spec.classes[42] == "42" and data.spec[:2] == ((3, 28, 28), pairs.NAMES)
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
    assert open_data(Recipe(data="digit-pairs", size=16)).spec.shape == (3, 16, 16)


# What is counted.


def test_pairs_of_real_digits_are_counted_as_what_they_are() -> None:
    data = pairs.digit_pairs(ANY, train=False)
    x = data.pixels.float() / 127.5 - 1
    found = measures.of_pairs(x)
    assert found["modes"] == 100 and found["modes_kl"] < 0.01 and found["confident_of_both"] > 0.93
    few = measures.of_pairs(x[data.labels < 50])
    assert few["modes"] <= 60 and few["modes_kl"] == pytest.approx(math.log(2), abs=0.1)


def test_what_is_drawn_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """G draws the data themselves, of points from noise, of pairs with and without classes."""
    monkeypatch.setattr(measures, "MEASURED", 1_000)
    points, shown = open_data(Recipe(data="ring8"), of=Points), pairs.digit_pairs(ANY, train=False)
    variant = SimpleNamespace(
        SampleOptions=SimpleNamespace, latents=lambda n, options: torch.arange(n), draw=lambda z: points.x[z]
    )
    assert measures.measured(variant, open_data(Recipe(data="ring8"), train=False, of=Points))["modes"] == 8
    for answer in (lambda x, y: x, lambda x, y: (x, y)):
        variant.sample = lambda n, options, answer=answer: answer(
            shown.pixels[:n].float() / 127.5 - 1, shown.labels[:n]
        )
        assert measures.measured(variant, shown)["modes"] == 100
    assert measures.measured(variant, open_data(ANY)) == {}
