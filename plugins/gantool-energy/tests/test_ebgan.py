"""EBGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch import nn

from gantool_energy.ebgan import EBGAN
from gantool_energy.networks import pulling_away

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2, "code": 4, "components": 0}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


def built(**options: Any) -> EBGAN:
    torch.manual_seed(0)
    return EBGAN(EBGAN.Options(**SMALL | {"augment": "none"} | options), DataSpec((1, 16, 16))).eval()


@pytest.mark.parametrize("recipe", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(EBGAN, options=SMALL, **recipe)


def test_the_pulling_away_term_of_orthogonal_codes_is_0_and_of_equal_ones_1() -> None:
    assert float(pulling_away(3 * torch.eye(5))) == 0
    assert float(pulling_away(torch.tensor([[2.0, 1.0]]).expand(5, -1))) == pytest.approx(1)
    assert float(pulling_away(torch.randn(1, 4))) == 0, "one alone is pulled by nobody"
    s = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    by_hand = [float(torch.cosine_similarity(s[i], s[j], 0)) ** 2 for i in range(6) for j in range(6) if i != j]
    assert float(pulling_away(s)) == pytest.approx(sum(by_hand) / 30, rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, 0.05, 10.0])
def test_losses_are_the_paper_s(margin: float) -> None:
    variant = built(margin=margin, pull=0.3)
    x, fake = torch.rand(5, 1, 16, 16), -torch.rand(5, 1, 16, 16)
    real, drawn = ((v - variant.discriminator(v)).square().mean((1, 2, 3)) for v in (x, fake))
    d, g = variant.d_loss((x, None, fake)), variant.g_loss((x, None, fake))
    assert isinstance(d, dict) and isinstance(g, dict)
    torch.testing.assert_close(d["real"], real.mean())
    torch.testing.assert_close(d["margin"], torch.stack([max(margin - e, 0 * e) for e in drawn]).mean())
    torch.testing.assert_close(g["energy"], drawn.mean())
    torch.testing.assert_close(g["pull"], 0.3 * pulling_away(variant.discriminator.get_submodule("0")(fake)))
    if margin == 0:
        assert d["margin"] == 0, "nothing then sets generated images apart"


def test_a_perfect_autoencoder_has_no_energy() -> None:
    variant = built()
    variant.discriminator = nn.Identity()
    assert variant.energy(torch.rand(3, 1, 16, 16)).tolist() == [0, 0, 0]


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "ebgan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "ebgan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_presets_are_published_settings() -> None:
    for preset in ("paper", "pytorch-gan"):
        variant, recipe = with_preset("ebgan", preset, (3, 64, 64))
        assert (variant.options.pull, recipe.batch_size, recipe.ema_images) == (0.1, 64, 0)
