"""Sheets are large enough to be seen, each pixel a square, with names above columns and beside rows."""

import numpy as np
import pytest

from gantool.viz.drawing import grid
from gantool.viz.sheets import SEEN, TALL, captioned, sheet, wide

RNG = np.random.default_rng(0)


def images(n: int = 6, side: int = 8, channels: int = 1) -> np.ndarray:
    return RNG.integers(0, 200, (n, side, side, channels), np.uint8)


@pytest.mark.parametrize(("scale", "times"), [(None, 23), (1, 1), (5, 5)])
def test_pixels_become_squares(scale: int | None, times: int) -> None:
    x = images()
    found = sheet(x, 3, scale=scale)
    assert np.array_equal(found[::times, ::times], grid(x, 3)) and max(found.shape) >= (SEEN if scale is None else 0)
    assert np.array_equal(found, found[::times, ::times].repeat(times, 0).repeat(times, 1))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_names_stand_beside_what_they_name_and_hide_nothing(channels: int) -> None:
    x = images(channels=channels)
    plain, titled = sheet(x, 3), sheet(x, 3, ["zero", "one", "two"], ["first", "second"])
    h, w, _ = plain.shape
    assert np.array_equal(titled[-h:, -w:], plain)
    above, beside = titled[:TALL, -w:, 0], titled[TALL:, :-w, 0]
    for part in np.array_split(above, 3, axis=1):
        assert part.max() > 200
    for part in np.array_split(beside, 2):
        assert part.max() > 200
    if channels == 4:
        assert (titled[:TALL, :, 3] == 255).all()


def test_a_name_that_is_too_long_is_cut_off_before_the_next_column() -> None:
    x = images(n=2, side=10)
    long = "a name that no column has room for"
    assert wide(long) > 24
    cut = sheet(x, 2, [long, ""], scale=2)
    assert cut.shape[1] == 2 * 22 and cut[:TALL, 20:].max() == 0


def test_a_caption_is_a_line_below() -> None:
    (x,) = images(n=1, side=100, channels=3)
    found = captioned(x, "step 50")
    assert np.array_equal(found[:100], x) and found[100:].max() > 200 and found.shape == (100 + TALL, 100, 3)
