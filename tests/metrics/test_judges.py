"""Tests of which judge looks, and of the second digits judge, by which the first is checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import Gantool
from torch import Tensor

from gantool.data import named
from gantool.data.images import DataSpec, ImageData
from gantool.data.named import digits
from gantool.errors import UserError
from gantool.evaluation import report
from gantool.evaluation.gates import USUAL
from gantool.evaluation.scores import Ground, scores, see
from gantool.metrics.judge import SECOND_PATH, SECOND_SHA256, LeNet, digits_judge, load_judge, look, second_judge
from gantool.metrics.judges import check_judge, kept_judge


@pytest.fixture(scope="module")
def some() -> tuple[Tensor, Tensor]:
    """A thousand digits, and what they are."""
    pixels, labels = digits()
    return pixels[::5], labels[::5]


def judged(pixels: Tensor, labels: Tensor | None) -> dict[str, float]:
    return scores(see(digits_judge(), pixels, labels), Ground(10, second=second_judge()), USUAL)


def pleasing(pixels: Tensor, wanted: Tensor) -> Tensor:
    """Digits changed, hardly visibly, until the first judge takes them for others."""
    judge, x = digits_judge(), pixels.float() / 127.5 - 1
    for _ in range(20):
        x.requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(judge(x), wanted), x)
        x = (x.detach() - 0.02 * slope.sign()).clamp(-1, 1)
    return ((x + 1) * 127.5).round().to(torch.uint8)


def test_the_second_judge_knows_digits_and_is_another_network() -> None:
    pixels, labels = digits()  # it was trained on these too; its 99.3 % are of digits that it was not
    judge = second_judge()
    assert (look(judge, pixels)[1].argmax(1) == labels).float().mean() >= 0.99
    assert judge.accuracy >= 0.99 and not judge.training
    assert judge.features(torch.zeros(3, 1, 28, 28)).shape == (3, 84)
    assert {w.shape[2:] for w in judge.parameters() if w.ndim == 4} == {(5, 5)}  # the first one's are 3x3


def test_a_second_judge_that_was_changed_is_refused_unread(tmp_path: Path) -> None:
    blob = bytearray(SECOND_PATH.read_bytes())
    assert len(blob) < 300_000
    blob[-1] ^= 1
    changed = tmp_path / "judge.safetensors"
    changed.write_bytes(blob)
    with pytest.raises(UserError, match="not the judge this version"):
        load_judge(changed, SECOND_SHA256, LeNet)


def test_both_agree_about_real_digits_and_neither_takes_a_digit_for_the_next(some: tuple[Tensor, Tensor]) -> None:
    pixels, labels = some
    right, wrong, unasked = (judged(pixels, y) for y in (labels, (labels + 1) % 10, None))
    assert abs(right["label_accuracy"] - right["second_judge"]) < 0.015
    assert right["second_judge"] > 0.985 and unasked["second_judge"] > 0.985
    assert wrong["second_judge"] < 0.02
    seen = [look(judge, pixels)[1].argmax(1) for judge in (digits_judge(), second_judge())]
    assert unasked["second_judge"] == pytest.approx(np.mean(seen[0].numpy() == seen[1].numpy()))
    assert report.disagreement(right) == report.disagreement(unasked) == []


def test_digits_that_please_one_judge_alone_are_told_of(some: tuple[Tensor, Tensor]) -> None:
    pixels, labels = (t[::5] for t in some)
    asked = (labels + 1) % 10
    found = judged(pleasing(pixels, asked), asked)
    assert found["label_accuracy"] > 0.95 and found["second_judge"] < 0.5
    points = 100 * (found["label_accuracy"] - found["second_judge"])
    assert report.disagreement(found) == [f"note: the two judges differ by {points:.1f} points in label accuracy"]


@pytest.mark.long
def test_the_table_and_the_report_have_a_line_of_it(gantool: Gantool, some: tuple[Tensor, Tensor]) -> None:
    pixels, labels = (t[::2] for t in some)
    asked = (labels + 1) % 10
    np.savez("some.npz", images=pleasing(pixels, asked)[:, 0].numpy(), labels=asked.numpy())
    given = ("--images", "some.npz", "--against", "digits", "--metrics", "label_accuracy,second_judge")
    done = gantool("eval", *given, "--out", "found.json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(Path("found.json").read_text())
    assert found["scores"]["second_judge"] < 0.5 < 0.98 < found["ceiling"]["second_judge"]
    assert found["floor"]["second_judge"] < 0.2  # one of them, repeated, is one digit of ten
    assert [line.split()[0] for line in done.out.splitlines()].count("second_judge") == 1
    assert "note: the two judges differ by" in done.out


def test_only_digits_have_a_second_judge(some: tuple[Tensor, Tensor]) -> None:
    ten = tuple("0123456789")
    assert check_judge(DataSpec((1, 28, 28), ten), "mnist") is not None
    assert check_judge(DataSpec((3, 32, 32), ten), "svhn") is None
    assert check_judge(DataSpec((1, 28, 28), ("cat", "dog")), "pets") is None
    assert "second_judge" not in scores(see(digits_judge(), *some), Ground(10), USUAL)


def test_a_judge_from_the_cache_leaves_the_random_state_as_one_just_trained_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "default_folder", lambda: tmp_path)
    images = ImageData(torch.arange(40 * 64, dtype=torch.uint8).view(40, 1, 8, 8), torch.arange(40) % 2, ("a", "b"))
    drawn = []
    for _ in ("trained", "from the cache"):
        torch.manual_seed(0)
        kept_judge(images, "judge")
        drawn.append(torch.rand(3))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    torch.testing.assert_close(*drawn, rtol=0, atol=0)
