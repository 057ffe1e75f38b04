"""The model that comes with the package draws."""

from gantool.testing import check_packaged


def test_the_packaged_model_is_whole_and_measured_and_draws() -> None:
    check_packaged("gan-cls")
