"""SNGAN and SAGAN keep gantool's contract, and D's weights their norm."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec
from gantool.cli import run
from gantool.testing import check_processes, check_variant
from torch import nn

from gantool_norms.spectral import SAGAN, SNGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2}
FLAGS = ["--size", "16", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


def made(cls: type[SNGAN], **options: Any) -> SNGAN:
    torch.manual_seed(0)
    return cls(cls.Options(**SMALL | options), DataSpec((1, 16, 16), ("a", "b", "c")))


@pytest.mark.parametrize("cls", [SNGAN, SAGAN])
@pytest.mark.parametrize("recipe", [{"size": 16}, {"size": 30, "channels": 3}])
def test_contract(cls: type[SNGAN], recipe: dict[str, Any]) -> None:
    check_variant(cls, options=SMALL, **recipe)


@pytest.mark.parametrize("cls", [SNGAN, SAGAN])
def test_data_without_classes_will_do(cls: type[SNGAN]) -> None:
    variant = cls(cls.Options(**SMALL), DataSpec((1, 16, 16)))
    x, y = variant.sample(3, cls.SampleOptions())
    assert x.shape == (3, 1, 16, 16) and y.tolist() == [0, 0, 0]
    assert variant.d_logits(x, y).shape == (3,)


@pytest.mark.parametrize("cls", [SNGAN, SAGAN])
def test_every_weight_of_d_has_a_spectral_norm_of_1(cls: type[SNGAN]) -> None:
    """By singular values in full, of weights reshaped as the norm reshapes them, after so many passes of D."""
    variant = made(cls, width=4)
    x, y = torch.rand(2, 1, 16, 16), torch.tensor([0, 1])
    with torch.no_grad():
        for _ in range(300):
            variant.d_logits(x, y)
        parts = variant.eval().discriminator.modules()
        weights = [m.weight for m in parts if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
        assert len(weights) >= 8
        for weight in weights:
            assert float(torch.linalg.svdvals(weight.flatten(1))[0]) == pytest.approx(1, abs=0.03)


def test_g_s_weights_are_held_too_where_it_attends() -> None:
    for cls, held in ((SNGAN, False), (SAGAN, True)):
        names = made(cls).generator.state_dict()
        assert any("_u" in name for name in names) == held == any("gamma" in name for name in names)


def test_losses_are_the_hinge(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = made(SNGAN)
    monkeypatch.setattr(variant, "d_logits", lambda x, y: x.flatten(1).sum(1))
    x, fake, y = torch.tensor([[0.5], [3.0]]), torch.tensor([[-2.0], [0.5]]), torch.tensor([0, 1])
    loss = variant.d_loss((x, y, fake))
    assert isinstance(loss, dict)
    assert loss["real"] == 0.25 and loss["fake"] == 0.75  # (.5 + 0) / 2, (0 + 1.5) / 2
    assert variant.g_loss((x, y, fake)) == 0.75


def test_each_class_has_a_docstring_that_says_what_it_is() -> None:
    for cls, first in ((SNGAN, "SNGAN: "), (SAGAN, "SAGAN: ")):
        lines = [line.strip() for line in (cls.__doc__ or "").splitlines()]
        assert lines[0].startswith(first)
        for word in ("Paper:", "Task:", "Differs from the paper:"):
            assert any(line.startswith(word) for line in lines)


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "sngan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "sngan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "sngan", "--run", name, "--device", "cpu", "--quiet", "--label", "3"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("sngan", *FLAGS)
