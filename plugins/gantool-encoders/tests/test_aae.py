"""AAE keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData
from gantool.cli import run
from gantool.testing import check_processes, check_variant
from PIL import Image
from torch import nn

from gantool_encoders.aae import AAE

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "hidden": 8}
FLAGS = ["--size", "8", "--z", "4", "--hidden", "8", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 8}, {"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(AAE, options=SMALL, **recipe)


def test_the_encoder_is_moved_by_both_errors_and_d_by_none_of_them() -> None:
    torch.manual_seed(0)
    variant = AAE(AAE.Options(**SMALL), DataSpec((1, 8, 8)))
    owned = {name: {id(p) for g in o.param_groups for p in g["params"]} for name, o in variant.players().items()}
    assert owned["AE"] == {id(p) for net in (variant.encoder, variant.decoder) for p in net.parameters()}
    assert owned["D"] == {id(p) for p in variant.discriminator.parameters()}
    x = torch.rand(4, 1, 8, 8)
    loss = variant.ae_loss((x, variant.encoder(x)))
    assert isinstance(loss, dict)
    first = next(variant.encoder.parameters())
    for term in loss.values():
        (slope,) = torch.autograd.grad(torch.as_tensor(term), first, retain_graph=True)
        assert slope.abs().sum() > 0


def test_an_encoder_that_keeps_all_scores_no_error_and_codes_of_the_prior_no_distance() -> None:
    variant = AAE(AAE.Options(z=4, hidden=8), DataSpec((1, 2, 2)))
    held = ImageData(
        torch.randint(256, (4_000, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    )
    variant.encoder, variant.decoder = nn.Flatten(), nn.Unflatten(1, (1, 2, 2))
    with torch.no_grad():
        found = variant.measure(held)
        assert found["error_share"] == 0 and found["codes_w1"] > 0.2  # uniform, not normal
        variant.encoder = Normal()
        assert variant.measure(held)["codes_w1"] < 0.02


class Normal(nn.Module):
    """Uniform numbers from -1 to 1 made normal ones."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2**0.5 * torch.erfinv(x.flatten(1) * 255 / 256)


def test_an_input_comes_back_by_way_of_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    for name in ("a", "b"):
        Image.new("L", (12, 12), 90).save(f"mine/{name}.png")
    assert run(["train", "aae", "--steps", "2", "--out", "run", *FLAGS]) == 0
    sample = ["sample", "aae", "--run", "run", "--device", "cpu", "--quiet"]
    assert run([*sample, "--input", "mine", "--out", "back"]) == 0
    assert sorted(p.name for p in Path("back").iterdir()) == ["a.png", "b.png"]
    assert Path("back/a.png").read_bytes() == Path("back/b.png").read_bytes()  # nothing is drawn at random


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "aae", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "aae", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "aae", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("aae", *FLAGS)
