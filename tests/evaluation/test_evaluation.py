"""Tests of `gantool eval`: its numbers, and that they tell a perfect generator from a wrong one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gantool.config.options import Recipe
from gantool.data.images import DataSpec, ImageData
from gantool.data.opening import open_data
from gantool.evaluation import report
from gantool.evaluation.evaluation import seen_drawn
from gantool.evaluation.held import Real
from gantool.metrics.judge import digits_judge
from gantool.variants.cgan import CGAN

NETS = ("--networks", "mlp", "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 1, "-q")
Gantool = Callable[..., Any]


@pytest.fixture(scope="module")
def real() -> tuple[Tensor, Tensor]:
    data = open_data(Recipe())
    return data.pixels.float() / 127.5 - 1, data.labels


@pytest.mark.parametrize(("off", "low", "high"), [(0, 0.98, 1.0), (1, 0.0, 0.02)])
def test_real_digits_pass_and_digits_under_the_next_ones_name_fail(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch, real: tuple[Tensor, Tensor], off: int, low: float, high: float
) -> None:
    x, y = real
    spare = {i: iter(x[y == (i + off) % 10]) for i in range(10)}

    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        asked = torch.arange(n) % 10
        return torch.stack([next(spare[i]) for i in asked.tolist()]), asked

    assert gantool("train", "cgan", *NETS).code == 0
    monkeypatch.setattr(CGAN, "sample", sample)
    done = gantool("eval", "cgan", "--n", 400, "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert low <= report["scores"]["label_accuracy"] <= high
    assert low * 0.9 <= report["scores"]["worst_class_accuracy"] <= high
    assert report["scores"]["class_balance_kl"] < 0.01
    assert report["scores"]["classes_drawn"] == 10
    assert (report["n"], report["step"]) == (400, 1)
    assert json.loads(Path("runs/cgan-001/eval.json").read_text()) == report
    shown = gantool("runs")
    assert f"{report['scores']['label_accuracy']:.3g}" in shown.out


def test_the_table_names_the_judge_and_both_ends(gantool: Gantool) -> None:
    assert gantool("train", "cgan", *NETS).code == 0
    tables = [gantool("eval", "cgan", "--n", 130, "--seed", 5).out for _ in range(2)]
    assert tables[0] == tables[1]
    verdict, header, *_ = tables[0].splitlines()
    assert verdict.startswith("passes ")
    assert header.split() == ["measure", "value", "floor", "ceiling", "reached", "verdict"]
    assert "label_accuracy" in tables[0] and "FD[digits-judge, 130, test]" in tables[0]
    assert "130 samples of runs/cgan-001/model.safetensors, judged by: digits-judge" in tables[0]


def test_real_images_are_at_one_end_and_an_untrained_network_at_the_other(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch, real: tuple[Tensor, Tensor]
) -> None:
    x, y = real
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(5))

    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        shown = order[y[order] == int(options.label)][:n]
        return x[shown], y[shown]

    assert gantool("train", "cgan", *NETS).code == 0
    untrained = json.loads(gantool("eval", "cgan", "-n", 300, "--json").out)
    monkeypatch.setattr(CGAN, "sample", sample)
    best = json.loads(gantool("eval", "cgan", "-n", 300, "--json").out)
    for name in ("FD", "KID"):
        assert best["scores"][name] < 0.05 * untrained["scores"][name]
    assert untrained["scores"]["coverage"] < 0.05 < 0.8 < best["scores"]["coverage"]
    assert untrained["scores"]["variety"] < 0.6 < 0.7 < best["scores"]["variety"] < 1.3


def test_classes_are_asked_for_as_often_as_real_images_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = self.labels_for(n, options)
        return (y * 25 / 127.5 - 1).view(-1, 1, 1, 1).expand(-1, 1, 28, 28), y

    monkeypatch.setattr(CGAN, "sample", sample)
    y = torch.cat([torch.arange(10), torch.full((50,), 3), torch.full((20,), 7)])
    y = y[torch.randperm(80, generator=torch.Generator().manual_seed(1))]
    classes = tuple("0123456789")
    uneven = ImageData(torch.zeros(80, 1, 28, 28, dtype=torch.uint8), y, classes)
    model = CGAN(CGAN.Options(width=2, d_width=2), DataSpec((1, 28, 28), classes))
    seen = seen_drawn(digits_judge(), model, 60, Real(uneven, uneven, "test", None))
    assert seen.labels is not None and seen.labels.equal(y[:60])
    assert seen.pixels[:, 0, 0, 0].equal((y[:60] * 25).to(torch.uint8))
    of_others = Real(ImageData(uneven.pixels, y, tuple("abcdefghij")), uneven, "test", None)
    even = seen_drawn(digits_judge(), model, 60, of_others)
    assert even.labels is not None and torch.bincount(even.labels).tolist() == [6] * 10


def test_without_its_data_a_model_of_digits_is_still_judged(gantool: Gantool, tmp_path: Path) -> None:
    assert gantool("train", "cgan", *NETS).code == 0
    config = Path("runs/cgan-001/config.yaml")
    config.write_text(config.read_text().replace("data: digits", "data: /gone/away"))
    done = gantool("eval", "cgan", "-n", 130, "--json")
    assert (done.code, "measured without real images" in done.err) == (0, True)
    assert {"label_accuracy", "worst_class_accuracy"} <= json.loads(done.out)["scores"].keys()
    assert "FD" not in json.loads(done.out)["scores"]
    assert gantool("eval", "cgan", "--data", "nothing-here").code == 2


@pytest.mark.long
def test_other_images_get_a_judge_trained_on_them_and_kept(
    gantool: Gantool, images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shades = range(150)
    colours = {f"red/{i}.png": (250 - i, 0, 0) for i in shades} | {f"blue/{i}.png": (0, 0, 250 - i) for i in shades}
    folder = images(colours)
    assert gantool("train", "cgan", *NETS, "--data", folder).code == 0

    def sample(self: CGAN, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = torch.arange(n) % 2
        x = torch.full((n, 3, 8, 8), -1.0)
        x[torch.arange(n), 2 * y] = 0.6  # class 0 is blue
        return x, y

    monkeypatch.setattr(CGAN, "sample", sample)
    done = gantool("eval", "cgan", "--n", 140, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["judge"].startswith("images-judge, ") and "training images-judge" in done.err
    assert report["scores"]["label_accuracy"] == 0  # red was drawn for blue
    again = gantool("eval", "cgan", "--n", 140, "--json")
    assert (again.out, "training" in again.err) == (done.out, False)
    (kept,) = (tmp_path / "cache/gantool/judges").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    anew = gantool("eval", "cgan", "--n", 140, "--json")
    assert (anew.out, "training" in anew.err) == (done.out, True)


def test_images_without_classes_are_measured_by_untrained_convolutions(
    gantool: Gantool, images: Callable[..., Path]
) -> None:
    folder = images({f"{i}.png": (i, 255 - i, i // 2) for i in range(256)} | {"a.png": "red", "b.png": "blue"})
    args = ("--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 2, "--steps", 1, "-q")
    assert gantool("train", "gan", *args, "--data", folder).code == 0
    done = gantool("eval", "gan")
    assert done.code == 0, done.err
    assert "FD[random-convolutions, 129, train]" in done.out and "label_accuracy" not in done.out
    Path(folder, "a.png").unlink()
    few = gantool("eval", "gan")  # what is fair to few is measured
    assert few.code == 0 and "KID[random-convolutions, 128, train]" in few.out and "FD[" not in few.out
    assert "FD wants more images than 128; KID, which is fair to few, stands for it" in few.out
    asked = gantool("eval", "gan", "--metrics", "FD")
    assert asked.code == 2 and "--data" in asked.err
    assert "128 images are too few: FD's covariance of 64 features needs more than 128." in asked.err


def test_what_lies_beyond_real_images_is_no_share_of_the_way_to_them() -> None:
    ends = {"floor": {"nearest_ratio": 0.0, "variety": 0.0}, "ceiling": {"nearest_ratio": 1.0, "variety": 1.0}}
    found = {"scores": {"nearest_ratio": 23.2, "variety": 0.5}, "n": 9, "split": "test"} | ends
    assert [row[4] for row in report.rows(found)] == ["", "50%"]
