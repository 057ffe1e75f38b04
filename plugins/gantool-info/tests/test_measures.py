"""Matching against all pairings, rank correlation against scipy, moments against closed forms."""

from itertools import permutations

import pytest
import torch
from gantool.api import jittered, matched
from scipy import stats
from torch import Tensor

from gantool_info.images import slant, stroke_mass
from gantool_info.measures import meaning, spearman


@pytest.mark.parametrize(("codes", "classes", "n"), [(6, 6, 400), (4, 6, 300), (6, 3, 300), (3, 3, 4)])
def test_matching_is_the_best_of_all(codes: int, classes: int, n: int) -> None:
    torch.manual_seed(codes)
    for agree in (0.0, 0.3, 0.9):
        a, b = torch.randint(codes, (n,)), torch.randint(classes, (n,))
        b = torch.where(torch.rand(n) < agree, (3 * a + 1) % classes, b)
        k = max(codes, classes)
        table = torch.zeros(k, k).index_put_((a, b), torch.ones(n), accumulate=True)
        best = max(table[range(k), order].sum().item() for order in permutations(range(k)))
        assert matched(a, b) == pytest.approx(best / n)


def test_one_class_cannot_serve_two_codes() -> None:
    assert matched(torch.tensor([0, 1, 0, 1]), torch.tensor([5, 5, 5, 5])) == 0.5


def test_rank_correlation_is_scipy_s() -> None:
    torch.manual_seed(0)
    a = torch.randn(200, dtype=torch.float64)
    b = a.exp() + torch.randn(200)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert spearman(a, a.exp()) == pytest.approx(1) and spearman(a, -a) == pytest.approx(-1)


def strokes(lean: Tensor, bright: float = 1.0) -> Tensor:
    """A line through the middle that goes `lean` columns along for each row down, (n, 1, 21, 21)."""
    at = torch.arange(21.0) - 10
    off = at.view(1, 1, 21) - lean.view(-1, 1, 1) * at.view(1, 21, 1)
    return (bright * (1 - off.abs()).clamp_min(0) * 2 - 1).unsqueeze(1)


def test_slant_of_a_line_is_its_slope() -> None:
    lean = torch.tensor([-0.5, 0.0, 0.25, 0.75])
    torch.testing.assert_close(slant(strokes(lean)), lean.double(), atol=1e-3, rtol=0)
    moved = torch.nn.functional.pad(strokes(lean), (3, 1, 0, 4), value=-1.0)  # wherever it is, however bright
    torch.testing.assert_close(slant(moved), lean.double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(slant(strokes(lean, 0.3)), lean.double(), atol=1e-3, rtol=0)


def test_slant_of_nothing_is_a_number() -> None:
    assert slant(torch.full((2, 3, 8, 8), -1.0)).tolist() == [0, 0]


def test_mass_is_the_mean_brightness() -> None:
    x = torch.rand(5, 3, 9, 9) * 2 - 1
    torch.testing.assert_close(stroke_mass(x), ((x.double() + 1) / 2).mean((1, 2, 3)))


def test_meaning_is_that_of_the_better_code_in_most_groups() -> None:
    torch.manual_seed(0)
    codes, groups = torch.rand(300, 2) * 2 - 1, torch.arange(300) % 3
    lean = codes[:, 1] / 2 * torch.where(groups == 0, 1, -1)  # leaning the other way in two groups is as good
    assert meaning(codes, groups, strokes(lean)) == pytest.approx(1)
    assert meaning(codes, groups, strokes(torch.rand(300) - 0.5)) < 0.3
    one = torch.where(groups == 0, lean, torch.rand(300) - 0.5)  # in one group of three
    assert meaning(codes, groups, strokes(one)) < 0.3


def test_jitter_is_an_affine_map_of_each_image() -> None:
    x = torch.rand(3, 2, 12, 12) * 2 - 1
    torch.testing.assert_close(jittered(x, torch.zeros(3, 6)), x)
    shift = torch.zeros(3, 6)
    shift[1, 2] = 1 / 6 / 0.15  # a sixth of half the side is one pixel
    moved = jittered(x, shift)
    torch.testing.assert_close(moved[[0, 2]], x[[0, 2]])
    torch.testing.assert_close(moved[1, :, :, :-1], x[1, :, :, 1:], atol=1e-5, rtol=0)


def test_jitter_leans_what_stood_upright() -> None:
    chance = torch.zeros(1, 6)
    chance[0, 1] = -1.0  # of .4
    assert slant(jittered(strokes(torch.zeros(1)), chance)).item() == pytest.approx(0.4, abs=0.02)
