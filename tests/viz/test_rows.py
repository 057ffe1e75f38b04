"""Images of several batches are laid side by side, whole rows of them."""

import pytest
import torch

from gantool.api import in_rows


@pytest.mark.parametrize(("n", "groups", "shape"), [(7, 3, (2, 6)), (6, 3, (2, 6)), (2, 3, (2, 2)), (3, 1, (3, 2))])
def test_images_stand_beside_each_other(n: int, groups: int, shape: tuple[int, int]) -> None:
    x = torch.arange(n).view(-1, 1, 1, 1).expand(n, 3, 4, 5)
    shown = in_rows(x, x + 100, groups=groups)
    assert shown.shape == (*shape, 3, 4, 5)
    assert shown[:, :, 0, 0, 0].flatten().tolist() == [
        i + by for i in range(shape[0] * shape[1] // 2) for by in (0, 100)
    ]
