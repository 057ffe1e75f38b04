"""Groups beside classes: pairing them off, and what they tell of each other."""

import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from gantool.metrics.matching import assigned, matched, nmi


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
def test_the_best_assignment_is_scipy_s(n: int) -> None:
    rng = torch.Generator().manual_seed(n)
    for high in (3, 1_000):  # with many ties, and with few
        for _ in range(20):
            worth = torch.randint(high, (n, n), generator=rng)
            columns = assigned(worth)
            assert sorted(columns) == list(range(n)), "each column once"
            rows, best = linear_sum_assignment(worth.numpy(), maximize=True)
            assert int(worth[torch.arange(n), columns].sum()) == worth.numpy()[rows, best].sum()


def test_groups_that_are_classes_under_other_names_match_wholly() -> None:
    y = torch.arange(300) % 10
    assert matched((y + 3) % 10, y) == 1 and nmi((y + 3) % 10, y) == pytest.approx(1)


def test_a_group_has_one_class_and_a_class_one_group() -> None:
    y = torch.arange(400) % 4
    assert matched(y // 2, y) == pytest.approx(0.5), "two classes in each of two groups"
    assert nmi(y // 2, y) == pytest.approx(2 * math.log(2) / (math.log(2) + math.log(4)))
    assert matched(torch.zeros_like(y), y) == pytest.approx(0.25) and nmi(torch.zeros_like(y), y) == 0
    assert nmi(torch.zeros_like(y), torch.zeros_like(y)) == 1


def test_groups_at_random_tell_next_to_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randint(10, (20_000,), generator=rng) for _ in "ab")
    assert nmi(a, b) < 0.01 and matched(a, b) < 0.12
