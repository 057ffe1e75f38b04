"""Tests of `gantool eval`: its numbers, and that they tell a perfect generator from a wrong one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gantool.data.pictures import open_data
from gantool.evaluation import measure
from gantool.options import Recipe
from gantool.variants.cgan import CGAN

NETS = ("--networks", "mlp", "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 1, "-q")
Gantool = Callable[..., Any]


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_are_what_numpy_makes_of_them(seed: int) -> None:
    chance, k = np.random.default_rng(seed), 6
    asked = np.arange(500) % k
    found = np.where(chance.random(500) < 0.7, asked, chance.integers(0, k - 1, 500))
    scores = measure(torch.from_numpy(found), torch.from_numpy(asked), tuple("abcdef"))
    assert scores["label_accuracy"] == pytest.approx((found == asked).mean())
    assert scores["worst_class"] == pytest.approx(min((found == asked)[asked == i].mean() for i in range(k)))
    p = np.array([(found == i).mean() for i in range(k)])
    assert scores["class_balance_kl"] == pytest.approx(sum(x * np.log(x / (1 / k)) for x in p if x > 0))
    assert scores["classes_drawn"] == len(set(found.tolist()))


def test_the_ends_of_class_balance() -> None:
    classes = tuple("0123456789")
    even = measure(torch.arange(100) % 10, None, classes)
    assert even == {"class_balance_kl": pytest.approx(0, abs=1e-12), "classes_drawn": 10}
    one = measure(torch.full((100,), 3), None, classes)
    assert one == {"class_balance_kl": pytest.approx(np.log(10)), "classes_drawn": 1}


def test_a_class_nobody_asked_for_is_not_the_worst() -> None:
    asked = torch.tensor([0, 0, 2, 2])
    scores = measure(torch.tensor([0, 0, 2, 0]), asked, tuple("abc"))
    assert (scores["label_accuracy"], scores["worst_class"]) == (0.75, 0.5)


@pytest.fixture(scope="module")
def real() -> tuple[Tensor, Tensor]:
    data = open_data(Recipe())
    return data.pixels.float() / 127.5 - 1, data.labels


@pytest.mark.parametrize(("shift", "low", "high"), [(0, 0.98, 1.0), (1, 0.0, 0.02)])
def test_real_digits_pass_and_digits_under_the_next_ones_name_fail(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch, real: tuple[Tensor, Tensor], shift: int, low: float, high: float
) -> None:
    x, y = real
    spare = {i: iter(x[y == (i + shift) % 10]) for i in range(10)}

    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        asked = torch.arange(n) % 10
        return torch.stack([next(spare[i]) for i in asked.tolist()]), asked

    assert gantool("train", "cgan", *NETS).code == 0
    monkeypatch.setattr(CGAN, "sample", sample)
    done = gantool("eval", "cgan", "--n", 400, "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert low <= report["scores"]["label_accuracy"] <= high
    assert low * 0.9 <= report["scores"]["worst_class"] <= high
    assert report["scores"]["class_balance_kl"] < 0.01
    assert report["scores"]["classes_drawn"] == 10
    assert (report["n"], report["step"]) == (400, 1)
    assert json.loads(Path("runs/cgan-001/eval.json").read_text()) == report
    shown = gantool("runs")
    assert f"{report['scores']['label_accuracy']:.3g}" in shown.out


def test_the_table_names_the_judge_and_the_best_there_is(gantool: Gantool) -> None:
    assert gantool("train", "cgan", *NETS).code == 0
    tables = [gantool("eval", "cgan", "--n", 20, "--seed", 5).out for _ in range(2)]
    assert tables[0] == tables[1]
    assert "label_accuracy" in tables[0]
    assert "20 samples of runs/cgan-001/model.safetensors, judged by: digits-judge" in tables[0]


def test_other_pictures_get_a_judge_trained_on_them(
    gantool: Gantool, pictures: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shades = range(0, 120, 6)
    colours = {f"red/{i}.png": (250 - i, 0, 0) for i in shades} | {f"blue/{i}.png": (0, 0, 250 - i) for i in shades}
    folder = pictures(colours)
    assert gantool("train", "cgan", *NETS, "--data", folder).code == 0

    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = torch.arange(n) % 2
        x = torch.full((n, 3, 8, 8), -1.0)
        x[torch.arange(n), 2 * y] = 0.8  # class 0 is blue
        return x.flip(1), y

    monkeypatch.setattr(CGAN, "sample", sample)
    done = gantool("eval", "cgan", "--n", 20, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert f"trained on {folder.name}" in report["judge"]
    assert report["scores"]["label_accuracy"] == 1


def test_pictures_without_classes_are_refused_in_words(gantool: Gantool, pictures: Callable[..., Path]) -> None:
    folder = pictures({"1.png": "red", "2.png": "blue"})
    args = ("--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 2, "--steps", 1, "-q")
    assert gantool("train", "gan", *args, "--data", folder).code == 0
    done = gantool("eval", "gan")
    assert done.code == 1
    assert "these pictures have none" in done.err
