"""A run that gantool 0.1 made with this package's 0.1: drawn from, measured and resumed."""

import shutil
from pathlib import Path

import gantool
import numpy as np
import pytest
from PIL import Image

MADE = Path(__file__).parent / "fixtures" / "0.1"


def test_a_run_of_the_former_version_draws_what_it_drew_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = gantool.Run(shutil.copytree(MADE, Path("runs", "old")))
    drawn = np.asarray(old.model.sample(4, scale=1).grid(), int)
    then = np.asarray(Image.open(old.folder / "drawn.png"), int)
    assert np.abs(drawn - then).max() <= 1  # another torch may round otherwise
    assert "coverage" in gantool.evaluate("wgan-gp", n=200, metrics="FD,coverage").scores
    assert gantool.resume("old", steps=8).step == 8
