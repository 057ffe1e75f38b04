"""BicycleGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, Recipe
from gantool.cli import run
from gantool.testing import check_data, check_processes, check_variant
from PIL import Image
from torch import Tensor

from gantool_translate.bicyclegan import BicycleGAN
from gantool_translate.made import crayons, edges
from gantool_translate.paired import Paired

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 2, "width": 2, "blocks": 1}
FLAGS = ["--size", "16", "--z", "2", "--width", "2", "--blocks", "1", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.fixture
def variant() -> BicycleGAN:
    torch.manual_seed(0)
    return BicycleGAN(BicycleGAN.Options(**SMALL), DataSpec((3, 16, 16)))


@pytest.mark.parametrize("data", ["crayons", "edges"])
def test_contract(data: str) -> None:
    check_variant(BicycleGAN, options=SMALL, data=data, size=16)


def test_crayons_are_the_edges_in_colours_that_no_outline_tells() -> None:
    check_data("crayons", size=16)
    free, told = crayons(Recipe(size=16)), edges(Recipe(size=16))
    assert isinstance(free, Paired) and isinstance(told, Paired)
    assert torch.equal(free.a.pixels, told.a.pixels) and torch.equal(free.b.labels, told.b.labels)
    same = (free.b.pixels == told.b.pixels).flatten(1).all(1).double().mean()
    assert 0.05 < same < 0.15  # one colour of ten


def losses(variant: BicycleGAN) -> tuple[dict[str, Tensor], Any]:
    batch = torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)
    turn = next(variant.turns(iter([batch])))
    found = turn.loss(turn.batch)
    assert isinstance(found, dict) and turn.player == "EG"
    return {name: torch.as_tensor(value) for name, value in found.items()}, turn.batch


def test_g_alone_learns_to_be_read(variant: BicycleGAN) -> None:
    """E would hide z in what it makes G draw; and E alone keeps its codes near the prior."""
    loss, _ = losses(variant)
    encoder, generator = list(variant.encoder.parameters()), list(variant.generator.parameters())

    def moves(name: str, weights: list[torch.nn.Parameter]) -> bool:
        return any(
            g is not None for g in torch.autograd.grad(loss[name], weights, retain_graph=True, allow_unused=True)
        )

    assert [moves(name, generator) for name in ("latent", "kl", "l1", "fool")] == [True, False, True, True]
    assert [moves(name, encoder) for name in ("latent", "kl", "l1", "fool")] == [False, True, True, True]


def test_the_divergence_is_that_of_gaussians(variant: BicycleGAN) -> None:
    loss, (_, mean, log_variance, *_) = losses(variant)
    mine = torch.distributions.Normal(mean, (log_variance / 2).exp())
    kl = torch.distributions.kl_divergence(mine, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(loss["kl"], 0.01 * kl)


def test_answers_of_an_input_differ_and_stand_beside_each_other(variant: BicycleGAN) -> None:
    x = torch.rand(2, 3, 16, 16)
    made = variant.translate(x, BicycleGAN.SampleOptions(input=Path(), answers=3))
    assert made.shape == (6, 3, 16, 16) and len({image.sum().item() for image in made}) == 6
    variant.noise = lambda n: torch.zeros(n, 2)  # type: ignore[method-assign]
    made = variant.translate(x, BicycleGAN.SampleOptions(input=Path(), answers=3))
    torch.testing.assert_close(made[0], made[2])
    assert not torch.equal(made[2], made[3])


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "bicyclegan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "bicyclegan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    Image.new("RGB", (20, 20), "navy").save("mine.png")
    sample = ["sample", "bicyclegan", "--run", "alone.safetensors", "--input", "mine.png", "--answers", "3"]
    assert run([*sample, "--device", "cpu", "--quiet", "--out", "made"]) == 0
    assert sorted(p.name for p in Path("made").iterdir()) == ["mine-1.png", "mine-2.png", "mine-3.png"]


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("bicyclegan", *FLAGS)
