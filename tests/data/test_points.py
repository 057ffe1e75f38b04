"""Points in the plane: they lie where they should, are shown where they lie, and their modes are counted."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Gantool
from torch import Tensor

import gantool
from gantool.data import catalog
from gantool.data.points import (
    DENSEST,
    MADE,
    SIDE,
    Points,
    gaussian1d,
    grid25,
    line,
    moons,
    ring8,
    scatter,
    spiral,
    two_gaussians,
    viewable,
)
from gantool.metrics.mixtures import score_points
from gantool.testing import check_data


@pytest.mark.parametrize("name", MADE)
def test_contract(name: str) -> None:
    check_data(name)


@pytest.mark.parametrize("name", MADE)
def test_the_catalog_knows_what_points_are_made(name: str) -> None:
    data, entry = MADE[name](), catalog.POINTS[name]
    assert (len(data), data.spec.shape, data.spec.classes) == (entry.images, (entry.channels,), entry.classes)
    assert not catalog.POINTS.keys() - MADE.keys()
    assert 0.5 < data.x.abs().max() < 1.5, "they can be seen, and fill what is seen"


def test_a_gaussian_has_its_mean_and_deviation() -> None:
    x = gaussian1d().x.double()
    deviation, mean = torch.std_mean(x)
    assert (float(mean), float(deviation)) == (pytest.approx(0.2, abs=0.005), pytest.approx(0.25, abs=0.005))
    kurtosis = ((x - mean) / deviation).pow(4).mean()
    assert float(kurtosis) == pytest.approx(3, abs=0.15)


def test_points_of_a_line_are_on_it() -> None:
    x = line().x.double()
    torch.testing.assert_close(x[:, 1] * 2, x[:, 0])
    quarters = torch.histc(x[:, 0].float(), 4, -0.8, 0.8) / len(x)
    torch.testing.assert_close(quarters, torch.full((4,), 0.25), atol=0.01, rtol=0)


def test_points_of_a_spiral_are_beside_it() -> None:
    x = spiral().x.double()
    angle, radius = torch.atan2(x[:, 1], x[:, 0]), x.norm(dim=1)
    on = [0.85 * (angle + 2 * torch.pi * turn) / (3 * torch.pi) for turn in range(-1, 3)]  # each time it comes by
    off = torch.stack([(radius - r).abs() for r in on]).min(0).values
    assert off[radius > 0.1].quantile(0.98) < 0.06


def test_moons_are_halves_of_circles_and_know_which() -> None:
    data = moons()
    for side, which in ((1, 0), (-1, 1)):
        mine = data.x[data.labels == which].double()
        centre = torch.tensor([-0.275 * side, -0.1375 * side], dtype=torch.float64)
        deviation, radius = torch.std_mean((mine - centre).norm(dim=1))
        assert (float(radius), float(deviation)) == (pytest.approx(0.55, abs=0.005), pytest.approx(0.03, abs=0.003))
        assert ((mine - centre)[:, 1] * side > -0.12).all()


@pytest.mark.parametrize(
    ("opened", "count", "deviation"), [(ring8, 8, 0.008), (grid25, 25, 0.01), (two_gaussians, 2, 0.18)]
)
def test_points_lie_around_their_modes(opened: Any, count: int, deviation: float) -> None:
    data = opened()
    numbers = data.spec.channels
    assert data.modes.shape == (count, numbers)
    x, y = data.batch(torch.arange(len(data)), torch.Generator())
    assert torch.bincount(y).tolist() == [len(data) // count] * count
    distance, which = torch.cdist(x, data.modes).min(1)
    assert torch.bincount(which) / len(data) * count == pytest.approx([1] * count, abs=0.01)
    expected = torch.tensor(deviation * numbers**0.5)
    torch.testing.assert_close(distance.square().mean().sqrt(), expected, rtol=0.01, atol=0)
    apart = torch.pdist(data.modes).min()
    assert apart > 6 * deviation  # hardly anybody meets two at once


def test_a_ring_is_round_and_a_grid_square() -> None:
    torch.testing.assert_close(ring8().modes.norm(dim=1), torch.full((8,), 0.8))
    axes = {(round(float(a), 6), round(float(b), 6)) for a, b in grid25().modes}
    assert axes == {(round(0.4 * a, 6), round(0.4 * b, 6)) for a in range(-2, 3) for b in range(-2, 3)}


def test_held_out_points_are_others() -> None:
    seen, held = grid25(), grid25(train=False)
    assert seen.fingerprint() != held.fingerprint() and len(held) == 10_000
    assert torch.cdist(held.x[:500].double(), seen.x.double()).min() > 0


def test_a_dot_is_drawn_where_its_point_is() -> None:
    """(.5, -.5): three quarters across, three quarters down."""
    (ink,) = (scatter(torch.tensor([[[0.5, -0.5]]])) + 1)[0] / 2
    place = torch.arange(SIDE) + 0.5
    down, across = (ink.sum(of) @ place / ink.sum() / SIDE for of in (1, 0))
    assert (float(across), float(down)) == (pytest.approx(0.75), pytest.approx(0.75))
    assert 0.5 < ink.max() <= 1 and ink.min() == 0


def test_bars_are_as_high_as_numbers_lie_densely() -> None:
    """Half of them evenly from -1 to 0, where their density is .5, and half from 0 to .25, where it is 2."""
    x = torch.cat([torch.linspace(-0.999, -0.001, 5_000), torch.linspace(0.001, 0.249, 5_000)]).unsqueeze(1)
    ink = (scatter(x.unsqueeze(0))[0, 0] + 1) / 2
    heights = ink.sum(0) / SIDE * DENSEST
    assert torch.allclose(heights[: SIDE // 2], torch.tensor(0.5), atol=0.05)
    assert torch.allclose(heights[SIDE // 2 : SIDE * 5 // 8], torch.tensor(2.0), atol=0.1)
    assert not heights[SIDE * 5 // 8 :].any() and bool((ink[-1] >= ink[0]).all()), "they stand on the floor"


def test_points_out_of_sight_leave_the_image_dark() -> None:
    assert (scatter(torch.full((2, 50, 2), 3.0)) == -1).all()


def around(data: Points, which: Tensor, far: float) -> Tensor:
    """A point beside each of these modes, so many deviations away."""
    assert data.modes is not None
    return data.modes[which] + far * data.deviation * torch.tensor([0.6, -0.8])


def test_modes_of_real_points_are_all_met_evenly() -> None:
    held = grid25(train=False)
    found = score_points(held.x, held)
    assert found["modes"] == 25 and found["modes_kl"] < 0.005
    assert found["near_modes"] == pytest.approx(1 - math.exp(-4.5), abs=0.005)  # within three deviations


def test_points_beside_the_modes_are_of_none() -> None:
    held = grid25(train=False)
    which = torch.arange(1000) % 20
    found = score_points(torch.cat([around(held, which, 2.9), around(held, which, 3.1)]), held)
    del found["cloud_distance"]
    assert found == {"modes": 20, "modes_kl": pytest.approx(math.log(25 / 20)), "near_modes": 0.5}
    assert score_points(around(held, which, 3.1), held)["modes"] == 0


def test_real_clouds_of_one_mixture_are_near_each_other() -> None:
    assert score_points(ring8().x[:10_000], ring8(train=False))["cloud_distance"] < 1e-3
    assert score_points(ring8().x[:10_000] + 1, ring8(train=False))["cloud_distance"] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize(("shape", "shown"), [((3, 1, 4, 5), 1), ((3, 2, 4, 5), 3), ((3, 16, 4, 5), 3), ((9, 2), 1)])
def test_samples_of_any_shape_can_be_looked_at(shape: tuple[int, ...], shown: int) -> None:
    images = viewable(torch.rand(shape))
    assert images.ndim == 4 and images.shape[1] == shown
    assert len(images) == (1 if len(shape) == 2 else shape[0])


# From training to measuring.

SMALL: dict[str, Any] = {"batch_size": 16, "steps": 3, "name": "run"}
KINDS: dict[str, dict[str, Any]] = {
    "gan": {"g_layers": "8", "d_layers": "8", "batch_norm": 0}, "cgan": {"width": 2, "d_width": 2},
}  # fmt: skip


@pytest.mark.parametrize(("variant", "data"), [("gan", "gaussian1d"), ("gan", "moons"), ("cgan", "two-gaussians")])
def test_points_of_any_kind_are_learned_and_measured(variant: str, data: str, gantool: Gantool) -> None:
    import gantool as library

    run = library.train(variant, data=data, **SMALL, **KINDS[variant])
    numbers = MADE[data]().spec.channels
    assert run.model.sample(7).tensor.shape == (7, numbers)
    scores = library.evaluate(run).scores
    assert ("modes" in scores) == (data == "two-gaussians") and scores["cloud_distance"] > 0


@pytest.mark.parametrize("variant", KINDS)
def test_points_are_learned_drawn_and_measured(variant: str, gantool: Gantool, tmp_path: Path) -> None:
    import gantool as library

    run = library.train(variant, data="ring8", **SMALL, **KINDS[variant])
    assert library.resume(run, steps=4).step == 4
    assert len(run.samples) == 2 and (run.files.samples / "real.png").exists()
    drawn = run.model.sample(50)
    assert gantool("sample", variant, "-n", 50, "--out", "a.npz", "-q").code == 0
    with np.load("a.npz") as found:
        assert found["samples"].shape == (50, 2) and found["samples"].dtype == np.float32
        assert np.array_equal(found["samples"], np.stack(drawn.arrays))
        assert ("labels" in found) == (variant == "cgan")
    for name in ("a.png", "a.csv"):
        drawn.save(f"mine-{name}")
        assert gantool("sample", variant, "-n", 50, "--out", name, "-q").code == 0
        assert Path(name).read_bytes() == Path(f"mine-{name}").read_bytes()
    assert len(Path("a.csv").read_text().splitlines()) == 51
    for name in ("a.gif", "a.idx", "folder"):
        done = gantool("sample", variant, "--out", name, "-q")
        assert done.code == 2 and "FILE.npz" in done.err, done.err
    report = library.evaluate(run)
    assert report.scores.keys() == {"cloud_distance", "modes", "modes_kl", "near_modes"} == report.ceiling.keys()
    assert report.ceiling["modes"] == 8 and report.scores["near_modes"] < report.ceiling["near_modes"]
    assert "modes" in gantool("eval", variant).out


def test_a_size_of_points_is_refused() -> None:
    with pytest.raises(gantool.UserError, match="ring8 has no size"):
        gantool.train("gan", data="ring8", size=16)
