"""The peak signal-to-noise ratio, image by image, by its definition."""

import numpy as np
import pytest
import torch

from gantool.api import psnr


def test_each_image_has_its_own() -> None:
    y = torch.rand(3, 2, 4, 5) * 2 - 1
    x = y.clone()
    x[0] += 0.2
    x[1, 0] -= 0.4
    errors = (0.1**2, 0.2**2 / 2)  # of a peak of 1
    assert psnr(x, y).tolist() == pytest.approx([*(-10 * np.log10(e) for e in errors), 100], abs=1e-3)
