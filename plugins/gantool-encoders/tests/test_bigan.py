"""BiGAN keeps gantool's contract and the paper's equations."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch import Tensor, nn

from gantool_encoders.bigan import BiGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.fixture
def variant() -> BiGAN:
    torch.manual_seed(0)
    return BiGAN(BiGAN.Options(**SMALL, r1=0), DataSpec((1, 8, 8)))


@pytest.mark.parametrize("recipe", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(BiGAN, options=SMALL, **recipe)


class Wide(nn.Module):
    """G(z): three numbers, spread over an image; E undoes it."""

    def forward(self, z: Tensor) -> Tensor:
        return (3 * z - 1).repeat_interleave(64, 1)[:, :64].view(-1, 1, 8, 8).contiguous()


def undone(x: Tensor, z: Tensor) -> Tensor:
    return z[[int(((Wide()(z) - one).abs().flatten(1).sum(1)).argmin()) for one in x]]


def slopes(variant: BiGAN, loss: Any) -> Tensor:
    """Of D's loss, by the weights of its last layer, at D = 1/2 everywhere."""
    last = [m for m in variant.discriminator.head.modules() if isinstance(m, nn.Linear)][-1]
    return torch.cat([g.flatten() for g in torch.autograd.grad(sum(loss.values()), [*last.parameters()])])


def test_at_the_optimum_d_is_a_half_on_pairs_of_both_kinds_and_only_there(variant: BiGAN) -> None:
    """Where E undoes G and G's images are the data's, pairs (x, E(x)) are pairs (G(z), z): D = 1/2 is best, V = -log 4.

    Where E gives other codes of the same images, D = 1/2 is not: its loss has a slope.
    """
    last = [m for m in variant.discriminator.head.modules() if isinstance(m, nn.Linear)][-1]
    nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)
    z = torch.randn(16, 3)
    x = Wide()(z)[torch.randperm(16)]  # the data, in an order of their own
    for code, at_rest in ((undone(x, z), True), (undone(x, z).roll(1, 0), False)):
        loss = variant.d_loss((x.clone(), code, Wide()(z), z))
        assert isinstance(loss, dict)
        assert float(sum(loss.values()).detach()) == pytest.approx(math.log(4))
        assert (slopes(variant, loss).abs().max() < 1e-6) == at_rest


def test_losses_are_the_paper_s_and_e_and_g_play_the_other_side(variant: BiGAN) -> None:
    x, z = torch.rand(5, 1, 8, 8), torch.randn(5, 3)
    code, fake = variant.encoder(x), variant.generator(z)
    p, q = (variant.discriminator(*pair).double().sigmoid() for pair in ((x, code), (fake, z)))
    d, eg = variant.d_loss((x, code, fake, z)), variant.eg_loss((x, code, fake, z))
    assert isinstance(d, dict) and isinstance(eg, dict)
    torch.testing.assert_close(d["real"].double(), -p.log().mean(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(d["fake"].double(), -(1 - q).log().mean(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(eg["encode"].double(), -(1 - p).log().mean(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(eg["fool"].double(), -q.log().mean(), rtol=1e-5, atol=1e-5)


def test_a_frozen_encoder_is_nobody_s_to_move() -> None:
    variant = BiGAN(BiGAN.Options(**SMALL, freeze_encoder=True), DataSpec((1, 8, 8)))
    owned = {id(p) for o in variant.players().values() for g in o.param_groups for p in g["params"]}
    assert not owned & {id(p) for p in variant.encoder.parameters()}


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "bigan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "bigan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    variant, recipe = with_preset("bigan", "paper", (1, 28, 28))
    assert (recipe.batch_size, recipe.epochs, variant.options.z) == (128, 400, 50)
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
