"""The models that come with the package draw."""

import pytest
from gantool.testing import check_packaged


@pytest.mark.parametrize("variant", ["cyclegan", "stargan"])
def test_a_packaged_model_is_whole_and_measured_and_draws(variant: str) -> None:
    check_packaged(variant)
