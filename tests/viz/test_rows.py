"""Images of several batches are laid side by side, whole rows of them."""

import pytest
import torch

from gantool.api import in_rows
from gantool.viz.rows import by_class


@pytest.mark.parametrize(("n", "groups", "shape"), [(7, 3, (2, 6)), (6, 3, (2, 6)), (2, 3, (2, 2)), (3, 1, (3, 2))])
def test_images_stand_beside_each_other(n: int, groups: int, shape: tuple[int, int]) -> None:
    x = torch.arange(n).view(-1, 1, 1, 1).expand(n, 3, 4, 5)
    shown, across, _ = in_rows({"a": x, "b": x + 100}, groups)
    assert across == ["a", "b"] * (shape[1] // 2)
    assert shown.shape == (*shape, 3, 4, 5)
    assert shown[:, :, 0, 0, 0].flatten().tolist() == [
        i + by for i in range(shape[0] * shape[1] // 2) for by in (0, 100)
    ]


@pytest.mark.parametrize(("k", "n", "shape"), [(3, 64, (3, 12)), (10, 64, (6, 10)), (20, 64, (3, 20)), (2, 5, (2, 2))])
def test_each_class_has_a_column_or_a_row(k: int, n: int, shape: tuple[int, int]) -> None:
    names = [f"class {i}" for i in range(k)]
    x = (torch.arange(n) % k).view(-1, 1, 1, 1).expand(n, 1, 2, 2)
    shown, across, down = by_class(x, names)
    assert shown.shape[:2] == shape
    classes = shown[:, :, 0, 0, 0]
    if across:
        assert across == names and not down and all(row.tolist() == list(range(k)) for row in classes)
    else:
        assert down == names and all(column.tolist() == list(range(k)) for column in classes.T)
