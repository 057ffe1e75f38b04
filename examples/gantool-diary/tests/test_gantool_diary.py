"""Tests of the diary: its four things alone, and all of them in one training."""

import json
import subprocess
import sys
from pathlib import Path

import gantool
import numpy as np
import pytest
import torch

import gantool_diary

LINES = [{"step": step, "epoch": step, "D/loss": 0.5, "G/loss": step} for step in range(10, 110, 10)]
TROUBLE = {"step": 55, "sign": "collapse", "grade": "error", "words": "all samples are alike"}


def test_a_log_is_told_from_its_first_entry_to_its_last_with_the_trouble_between() -> None:
    log = [json.dumps(line) for line in [*LINES[:5], {"step": 50, "probe": {}}, TROUBLE, *LINES[5:]]]
    told = list(gantool_diary.picked([*log, '{"step": 110, "D/lo'], 3))
    assert [line.partition(":")[0] for line in told] == ["step 10", "step 50", "step 55", "step 100"]
    assert told[0] == "step 10: D/loss 0.5, G/loss 10" and told[2] == "step 55: all samples are alike"
    assert list(gantool_diary.picked([], 3)) == []


def test_ink_is_how_far_apart_the_means_are() -> None:
    black, grey = torch.zeros(3, 1, 4, 4).byte(), torch.full((5, 1, 4, 4), 20).byte()
    assert gantool_diary.ink(black, grey) == gantool_diary.ink(grey, black) == 20
    assert gantool_diary.ink(grey, grey) == 0


def test_bright_pixels_are_dense_letters() -> None:
    image = np.array([[0, 255], [9, 9], [128, 0], [9, 9]], np.uint8)[..., None]
    assert gantool.Images([image, image]).save("two.txt").read_text() == "00000\n @\n+\n\n00001\n @\n+\n"


def test_it_takes_part_in_a_training_and_what_follows() -> None:
    run = gantool.train("gan", steps=4, log_every=2, batch_size=4, g_layers="8", d_layers="8", name="first")
    noted = (run.folder / "diary.txt").read_text().splitlines()
    assert noted[0] == "first starts at step 0 of 4" and noted[-1] == "ends: done"
    assert [line.partition(":")[0] for line in noted[1:-1]] == ["step 2", "step 4"]
    report = gantool.evaluate(run, metrics="ink", n=300)
    assert list(report.scores) == ["ink"] and report.ceiling["ink"] < 10 < report.floor["ink"]
    said = subprocess.run([sys.executable, "-m", "gantool", "diary", "first"], capture_output=True, text=True)
    assert said.stdout.count("step") == 2 and not said.stderr
    wrong = subprocess.run([sys.executable, "-m", "gantool", "diary", "second"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "No run 'second' has a log." in wrong.stderr


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
