"""Tests of the measures: against other implementations, closed forms, and what each is for."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from gantool.api import frechet, judged_digits, modes
from gantool.data.named import digits
from gantool.metrics import digits as digits_module
from gantool.metrics import measures
from gantool.metrics.judge import digits_judge, look


def features(n: int, d: int = 12, seed: int = 0, shift: float = 0.0) -> Tensor:
    """Correlated, skewed, of unlike scales: as a network's are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) * np.linspace(0.1, 3, d)
    return torch.from_numpy(np.maximum(rng.normal(shift, 1, size=(n, d)) @ mix, -1)).float()


def numpy_frechet(a: Any, b: Any) -> float:
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + np.trace(c + d - 2 * scipy.linalg.sqrtm(c @ d).real))


def numpy_kid(x: Any, y: Any) -> float:
    n, d = x.shape

    def k(p: Any, q: Any) -> float:
        return float((np.dot(p, q) / d + 1) ** 3)

    inside = sum(k(x[i], x[j]) + k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return inside - 2 * sum(k(p, q) for p in x for q in y) / n**2


def numpy_density_and_coverage(real: Any, fake: Any, k: int) -> tuple[float, float]:
    among = np.linalg.norm(real[:, None] - real[None], axis=-1)
    radius = np.sort(among, axis=1)[:, k]
    inside = np.linalg.norm(real[:, None] - fake[None], axis=-1) < radius[:, None]
    return float(inside.sum() / (k * len(fake))), float(inside.any(1).mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_frechet_distance_is_scipys(seed: int) -> None:
    a, b = features(400, seed=seed), features(300, seed=seed + 10, shift=0.3)
    expected = numpy_frechet(a.double().numpy(), b.double().numpy())
    assert measures.frechet(a, b) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    z = features(500, 4).double()
    z = z - z.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(z.T.cov()), z.T, upper=False).T  # moments now exact
    a, b = torch.tensor([1.0, 4.0, 9.0, 0.25]), torch.tensor([4.0, 4.0, 1.0, 1.0])
    mean = torch.tensor([1.0, 0.0, -2.0, 0.5])
    expected = mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    assert measures.frechet(white * a.sqrt(), white * b.sqrt() + mean) == pytest.approx(float(expected), rel=1e-6)


def test_the_frechet_distance_to_itself_is_nothing_even_with_fewer_images_than_features() -> None:
    for a in (features(400), features(8), torch.ones(50, 12)):
        assert abs(measures.frechet(a, a)) < 1e-6 * max(1.0, float(a.double().square().sum(1).mean()))


def test_the_kernel_distance_is_the_double_sum() -> None:
    a, b = features(40), features(40, seed=1, shift=0.2)
    found = measures.kernel(a, b, subsets=3, size=40)
    assert found.mean == pytest.approx(numpy_kid(a.double().numpy(), b.double().numpy()), rel=1e-9)
    assert found.deviation == pytest.approx(0, abs=1e-9 * found.mean)  # every subset is the whole


def test_the_kernel_distance_is_unbiased_and_its_spread_covers_that() -> None:
    found = measures.kernel(features(2000), features(2000, seed=1), subsets=50, size=300)
    assert abs(found.mean) < 3 * found.deviation
    assert measures.kernel(features(2000), features(2000, seed=1, shift=1.0), subsets=5, size=300).mean > 10 * abs(
        found.mean
    )


@pytest.mark.parametrize("k", [1, 5])
def test_density_and_coverage_are_the_definition(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "CHUNK", 64)
    real, fake = features(150), features(130, seed=1, shift=0.4)
    expected = numpy_density_and_coverage(real.double().numpy(), fake.double().numpy(), k)
    assert measures.density_and_coverage(real, fake, k) == pytest.approx(expected, abs=1e-12)


def test_real_images_cover_real_ones_and_one_image_covers_next_to_none() -> None:
    real, held = features(600), features(600, seed=1)
    density, coverage = measures.density_and_coverage(real, held)
    assert density == pytest.approx(1, abs=0.15) and coverage > 0.9
    assert measures.density_and_coverage(real, held[:1].expand(600, -1))[1] < 0.05


def test_a_classs_variety_is_its_own_variance() -> None:
    x, labels = features(90), torch.arange(90) % 3
    expected = [x[labels == i].double().numpy().var(axis=0, ddof=1).sum() for i in range(3)]
    assert measures.variety(x, labels, 4).tolist() == pytest.approx([*expected, 0.0], rel=1e-9)
    assert float(measures.variety(x[:1].expand(50, -1), torch.zeros(50, dtype=torch.int64), 1)) == pytest.approx(0)


@pytest.mark.parametrize("chunk", [2**23, 100])
def test_copying_is_the_definition(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "CHUNK", chunk)
    training, held, fake = features(150), features(90, seed=1), features(70, seed=2, shift=0.5)
    a, b, c = (t.double().numpy() for t in (training, held, fake))
    to_training = [np.linalg.norm(x[:, None] - a[None], axis=-1) for x in (b, c)]
    expected = np.sort(to_training[1].min(1))[34] / np.sort(to_training[0].min(1))[44]  # torch's median is the lower
    usual = float(measures.apart(training, held).median())
    assert measures.copying(fake, training, usual) == pytest.approx(expected, rel=1e-9)
    found = measures.closest(fake, training)
    assert found[1].tolist() == to_training[1].argmin(1).tolist()
    assert found[0].tolist() == pytest.approx(to_training[1].min(1).tolist(), rel=1e-9)


def test_points_on_a_grid_are_one_apart_and_fakes_between_them_half_as_far() -> None:
    grid = torch.arange(50.0).view(-1, 1)
    usual = float(measures.apart(grid).median())
    assert usual == pytest.approx(1)
    assert measures.copying(grid + 0.5, grid, usual) == pytest.approx(0.5)


def test_new_images_copy_nothing_and_training_images_served_again_are_copies() -> None:
    training, new = features(1000), features(800, seed=1)
    usual = float(measures.apart(training).median())  # nothing held out: each beside its fellows
    assert measures.copying(new, training, usual) == pytest.approx(1, abs=0.1)
    assert float(measures.apart(training, new).median()) == pytest.approx(usual, rel=0.1)
    assert measures.copying(training[:300], training, usual) < 1e-6
    half = torch.cat([training[:450], new[:350]])  # copying more often than not is seen
    assert measures.copying(half, training, usual) < 0.01


def test_the_classifier_score_is_the_number_of_classes_at_best_and_one_at_worst() -> None:
    assert measures.classifier_score(torch.eye(7).repeat(3, 1)) == pytest.approx(7)
    assert measures.classifier_score(torch.full((9, 7), 1 / 7)) == pytest.approx(1)
    p = torch.softmax(features(50, 5), 1).double().numpy()
    expected = math.exp(np.mean([scipy.special.rel_entr(row, p.mean(0)).sum() for row in p]))
    assert measures.classifier_score(torch.from_numpy(p)) == pytest.approx(expected, rel=1e-9)


def test_imbalance_is_nothing_for_even_classes_and_the_logarithm_for_one() -> None:
    assert measures.imbalance(torch.arange(100) % 10, 10) == pytest.approx(0, abs=1e-12)
    assert measures.imbalance(torch.full((100,), 3), 10) == pytest.approx(math.log(10))


def test_modes_are_counted_and_their_imbalance_is_the_closed_form() -> None:
    even = torch.arange(25).repeat(40)
    assert modes(even, 25) == (25, pytest.approx(0, abs=1e-12))
    assert modes(torch.full((9,), 3), 25) == (1, pytest.approx(math.log(25)))
    half = even[even % 2 == 0]  # 13 of 25, evenly
    assert modes(half, 25) == (13, pytest.approx(math.log(25 / 13)))
    assert modes(torch.tensor([0, 0, 0, 1]), 2) == (2, pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5)))


def test_samples_of_no_mode_meet_none_and_are_no_part_of_the_balance() -> None:
    assert modes(torch.tensor([0, -1, 1, -1, -1]), 2) == (2, pytest.approx(0))
    assert modes(torch.tensor([-1, -1]), 8) == modes(torch.tensor([], dtype=torch.int64), 8) == (0, math.log(8))


def test_judged_digits_are_what_the_judge_sees_in_any_form() -> None:
    pixels, labels = digits()
    pixels, labels = pixels[::250], labels[::250]
    x = pixels / 127.5 - 1
    features, probabilities = judged_digits(x)
    for found, expected in zip((features, probabilities), look(digits_judge(), pixels), strict=True):
        assert torch.allclose(found, expected, atol=1e-5)
    assert bool((probabilities.argmax(1) == labels).all())
    for other in (x.expand(-1, 3, -1, -1), torch.nn.functional.interpolate(x, (64, 64), mode="bilinear")):
        assert bool((judged_digits(other)[1].argmax(1) == labels).all())
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        judged_digits(pixels.float())


def test_judged_digits_can_be_differentiated_and_the_judge_does_not_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantool.metrics.digits.CHUNK", 2)
    digits_module._judge.cache_clear()
    with torch.inference_mode():  # a preview may be the first to ask
        judged_digits(torch.zeros(1, 1, 28, 28))
    x = (digits()[0][::1000] / 127.5 - 1).requires_grad_()
    features, probabilities = judged_digits(x)
    (slope,) = torch.autograd.grad(probabilities[:, 0].sum(), x)
    assert features.shape == (5, 64) and float(slope.abs().sum()) > 0
    assert not any(p.requires_grad for p in digits_module._judge(x.device).parameters())


def test_neither_order_nor_batches_change_what_the_judge_sees() -> None:
    pixels = digits()[0][::25]
    order, judge = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0)), digits_judge()
    whole = look(judge, pixels)
    for found, again in zip(whole, look(judge, pixels[order], batch=37), strict=True):
        assert torch.allclose(again, found[order], rtol=1e-4, atol=1e-4)
    one = look(judge, pixels, batch=1)[0]
    assert frechet(whole[0], one) < 1e-4


def test_accuracy_comes_from_the_confusion_and_names_the_worst_class() -> None:
    asked, seen = torch.tensor([0, 0, 1, 1, 3, 3]), torch.tensor([0, 0, 1, 2, 3, 3])
    table = measures.confusion(asked, seen, 4)
    assert table.tolist() == [[2, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 2]]
    assert measures.accuracy(table) == (pytest.approx(5 / 6), 0.5)


@pytest.mark.parametrize("name", ["frechet", "density_and_coverage", "nearest"])
def test_neither_order_nor_batches_change_a_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = features(300), features(300, seed=1)
    measure = getattr(measures, name)
    found = torch.as_tensor(measure(a, b))
    monkeypatch.setattr(measures, "CHUNK", 37 * 300)
    again = torch.as_tensor(measure(a.flip(0), b[torch.randperm(300)]))
    assert (again.flip(0) if name == "nearest" else again).tolist() == pytest.approx(found.tolist(), rel=1e-6)
