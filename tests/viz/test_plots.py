"""Plots: marks are where their numbers are, inside their axes, and legends name them."""

import numpy as np
import pytest

from gantool.viz.charts import COLOURS
from gantool.viz.plots import Mark, Page, Plot, page


def coloured(pixels: np.ndarray, colour: int) -> np.ndarray:
    """Where the image has one of the colours, (n, 2): row and column."""
    rgb = [int(COLOURS[colour][i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere((np.abs(pixels.astype(int) - rgb) < 30).all(2))


def drawn(mark: Mark, square: bool = False) -> np.ndarray:
    return page([Plot("t", (0, 10), (0, 10), {"_": mark}, square=square)], "step 1", (400, 400))


def test_a_dot_is_where_its_numbers_are() -> None:
    corners = [coloured(drawn(Mark(np.array([at]), "dots", 0)), 0).mean(0) for at in ((0.5, 0.5), (9.5, 9.5), (5, 5))]
    low, high, middle = corners
    assert low[0] > high[0] and low[1] < high[1]
    assert middle == pytest.approx((low + high) / 2, abs=1.0)


def test_square_axes_have_one_scale() -> None:
    found = [coloured(drawn(Mark(np.array([at]), "dots", 0), True), 0).mean(0) for at in ((1, 1), (9, 1), (1, 9))]
    assert found[1][1] - found[0][1] == pytest.approx(found[0][0] - found[2][0], abs=1.0)


@pytest.mark.parametrize("kind", ["line", "dashed", "dots", "area"])
def test_what_leaves_the_axes_is_cut_off_and_what_is_no_number_is_left_out(kind: str) -> None:
    inside = coloured(drawn(Mark(np.array([(1, 5), (5, 5), (9, 5)]), kind, 0)), 0)  # type: ignore[arg-type]
    far = np.array([(1, 5), (np.nan, 2), (5, 5), (9, 1e30), (9, 5), (100, 5), (np.inf, 1)])
    found = coloured(drawn(Mark(far, kind, 0)), 0)  # type: ignore[arg-type]
    assert len(inside) and len(found)
    assert found[:, 1].max() <= 388 and found[:, 1].min() >= 50, "within the frame"


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    empty = Page((Plot("t", (0, 1), (0, 1), {"a": Mark(np.zeros((0, 2))), "b": Mark(np.array([(0.5, 0.5)]))}),), "c")
    assert empty.drawn().shape == (360, 640, 3)


def test_dashes_have_gaps() -> None:
    straight, dashed = (coloured(drawn(Mark(np.array([(0, 5), (10, 5)]), kind, 0)), 0) for kind in ("line", "dashed"))  # type: ignore[arg-type]
    assert 0.3 < len(dashed) / len(straight) < 0.8
