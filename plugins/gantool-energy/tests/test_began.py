"""BEGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData
from gantool.cli import run
from gantool.testing import check_processes, check_variant, with_preset
from torch import Tensor, nn

from gantool_energy.began import BEGAN
from gantool_energy.networks import pulling_away

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2, "components": 3, "gamma": 0.5, "augment": "none"}
FLAGS = ["--size", "16", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.fixture
def variant() -> BEGAN:
    torch.manual_seed(0)
    return BEGAN(BEGAN.Options(**SMALL), DataSpec((1, 16, 16)))


@pytest.mark.parametrize("more", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(more: dict[str, Any]) -> None:
    check_variant(BEGAN, options=SMALL, **more)


def test_contract_of_the_paper_s_networks() -> None:
    check_variant(BEGAN, options=SMALL | {"deep": True}, size=16)


@pytest.mark.parametrize(("real", "fake"), [(1.0, 0.2), (1.0, 0.5), (0.2, 1.0), (1.0, 0.0)])
def test_on_constant_losses_k_is_the_closed_form(variant: BEGAN, real: float, fake: float) -> None:
    """clip(k0 + n lambda (gamma L(x) - L(G(z))), 0, 1), and M = L(x) + |gamma L(x) - L(G(z))|."""
    variant.options.k_lr, variant.k = 0.1, torch.tensor(0.3)
    batch = (torch.rand(2, 1, 16, 16), torch.zeros(2))
    for n in range(1, 31):
        variant.logged = {"D/real": torch.tensor(real), "G/error": torch.tensor(fake)}
        assert [turn.player for turn in variant.turns(iter([batch]))] == ["D", "G"]
        k = min(max(0.3 + n * 0.1 * (0.5 * real - fake), 0.0), 1.0)
        assert float(variant.logged["k"]) == float(variant.k) == pytest.approx(k, abs=1e-5)
        assert float(variant.logged["M"]) == pytest.approx(real + abs(0.5 * real - fake))


def test_losses_are_the_paper_s(variant: BEGAN) -> None:
    x, fake = torch.rand(3, 1, 16, 16), -torch.rand(3, 1, 16, 16)
    variant.k = torch.tensor(0.25)

    def error(v: Tensor) -> Tensor:
        return (v - variant.discriminator(v)).abs().mean()

    loss = variant.d_loss((x, None, fake))
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["real"], error(x))
    torch.testing.assert_close(loss["fake"], -0.25 * error(fake))
    variant.options.pull = 0.3
    loss = variant.g_loss((x, None, fake))
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["error"], error(fake))
    code = variant.discriminator.get_submodule("0")(fake)
    torch.testing.assert_close(loss["pull"], 0.3 * pulling_away(code))


def test_how_far_it_has_come_is_kept_with_the_model(variant: BEGAN) -> None:
    """M beside its first value, and L(G(z)) beside gamma L(x): of losses that stay, exactly."""
    assert variant.measure(ImageData(torch.zeros(4, 1, 16, 16, dtype=torch.uint8))) == {"M_share": 1, "balance": 0}
    batch = (torch.rand(2, 1, 16, 16), torch.zeros(2))
    for real, fake, steps in ((1.0, 0.3, 1), (0.2, 0.08, 2_000)):
        for _ in range(steps):
            variant.logged = {"D/real": torch.tensor(real), "G/error": torch.tensor(fake)}
            list(variant.turns(iter([batch])))
    found = variant.measure(ImageData(torch.zeros(4, 1, 16, 16, dtype=torch.uint8)))
    assert found["M_share"] == pytest.approx((0.2 + 0.02) / (1.0 + 0.2), rel=1e-4)
    assert found["balance"] == pytest.approx(0.08 / (0.5 * 0.2), rel=1e-4)


def test_presets_are_published_settings() -> None:
    variant, recipe = with_preset("began", "paper", (3, 64, 64))
    assert (variant.options.deep, variant.options.k_lr, recipe.batch_size, variant.options.lr) == (
        True,
        0.001,
        16,
        1e-4,
    )
    assert with_preset("began", "pytorch-gan", (1, 32, 32))[0].options.gamma == 0.75


def test_a_perfect_autoencoder_has_no_error(variant: BEGAN) -> None:
    variant.discriminator = nn.Identity()
    assert variant.error(torch.rand(3, 1, 16, 16)).tolist() == [0, 0, 0]


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "began", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "began", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "began", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("began", *FLAGS)
