"""StyleGAN2 keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec
from gantool.cli import run
from gantool.testing import check_processes, check_variant
from torch import Tensor

from gantool_stylegan2.stylegan2 import Modulated, StyleGAN2

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2, "layers": 1}
FLAGS = ["--size", "16", "--z", "4", "--width", "2", "--layers", "1", "--batch-size", "8", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 16}, {"size": 30, "channels": 3}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(StyleGAN2, options=SMALL, **recipe)


def test_a_demodulated_convolution_keeps_the_variance_at_1() -> None:
    torch.manual_seed(0)
    layer = Modulated(64, 32, 3, 8)
    x, w = torch.randn(8, 64, 16, 16), 3 * torch.randn(8, 8)
    y = layer(x, w)[:, :, 2:-2, 2:-2]  # away from the border's zeros
    torch.testing.assert_close(y.var((0, 2, 3)), torch.ones(32), atol=0.15, rtol=0)


def test_the_path_length_of_a_linear_g_is_its_matrix_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where G(w) = a w for one layer of styles, |J^T y| is a |y|: y is standard normal, over the root of its places."""
    variant = StyleGAN2(StyleGAN2.Options(z=256, width=2, layers=1, path=1, path_every=1), DataSpec((1, 16, 16)))
    monkeypatch.setattr(variant, "draw", lambda w: 3 * w.view(-1, 1, 16, 16))
    torch.manual_seed(0)
    variant.mean_path = torch.tensor(3.0)
    loss = variant.path_loss(torch.randn(64, 1, 256).requires_grad_())
    assert float(variant.mean_path) == pytest.approx(3, abs=0.01)
    # The variance of |y|: of a chi with many degrees 1/2, over 256 places.
    assert torch.as_tensor(loss).item() == pytest.approx(9 / 512, rel=0.5)


def test_truncation_draws_styles_to_their_mean() -> None:
    torch.manual_seed(0)
    variant = StyleGAN2(StyleGAN2.Options(**SMALL), DataSpec((1, 16, 16)))
    # Noise is silent at first, so that styles are all there is.
    assert not any(layer.noise_scale.item() for layer in variant.synthesis.modules() if isinstance(layer, Modulated))

    def spread(truncation: float) -> Tensor:
        torch.manual_seed(1)
        return variant.sample(16, StyleGAN2.SampleOptions(truncation=truncation)).std(0).mean().detach()

    assert spread(0.0) < 1e-6 < spread(0.5) < spread(1.0)


def test_styles_are_mixed_as_often_as_asked_for() -> None:
    torch.manual_seed(0)
    for mix in (0.0, 1.0):
        variant = StyleGAN2(StyleGAN2.Options(**SMALL | {"mix": mix}), DataSpec((1, 16, 16)))
        w = variant.styles(200)
        two = (w != w[:, :1]).any(2).any(1).float().mean()
        assert two == 0 if mix == 0 else two > 0.6  # where the cut comes after the last layer, all are the first's


def test_the_mapping_moves_a_hundredth_as_fast() -> None:
    variant = StyleGAN2(StyleGAN2.Options(**SMALL), DataSpec((1, 16, 16)))
    rates = {id(p): group["lr"] for group in variant.players()["G"].param_groups for p in group["params"]}
    assert {rates[id(p)] for p in variant.mapping.parameters()} == {2e-5}
    assert {rates[id(p)] for p in variant.synthesis.parameters()} == {2e-3}


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "stylegan2", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "stylegan2", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "stylegan2", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("stylegan2", *FLAGS)
