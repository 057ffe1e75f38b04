"""Runs that gantool 0.1 made, as it left them: listed, drawn from, measured and resumed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gantool
from gantool.runs import header

MADE = Path(__file__).parent / "fixtures" / "0.1"


@pytest.fixture(params=["gan", "cgan"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gantool.Run:
    monkeypatch.chdir(tmp_path)
    return gantool.Run(shutil.copytree(MADE / request.param, Path("runs", "old")))


def test_a_run_of_a_former_version_is_listed_and_draws_what_it_drew(old: gantool.Run) -> None:
    (listed,) = gantool.runs()
    assert (listed.variant, listed.step, listed.state) == (old.variant, 6, "done")
    then_usual = {"truncation": 2.1 if old.variant == "cgan" else 2.0}
    drawn = np.asarray(old.model.sample(4, scale=1, **then_usual).grid(2), int)[-18:]
    then = np.asarray(Image.open(old.folder / "drawn.png"), int)
    assert np.abs(drawn - then).max() <= 1  # another torch may round otherwise
    assert gantool.load(old.folder / "model.safetensors").variant.options.z == 4


def test_it_is_measured(old: gantool.Run) -> None:
    report = gantool.evaluate(old, n=200, metrics="FD,coverage")
    assert report.scores.keys() == {"FD", "coverage"} and report.facts["step"] == 6


def test_it_is_resumed(old: gantool.Run) -> None:
    run = gantool.resume("old", steps=9)
    assert (run.state, run.step) == ("done", 9)
    assert run.metrics["step"] == [2, 4, 6, 8, 9]  # the lines it had, and those it added
    assert header.facts(run.files.model)["step"] == 9
    assert run.config["g_layers" if run.variant == "gan" else "width"] in ("4", 2)
