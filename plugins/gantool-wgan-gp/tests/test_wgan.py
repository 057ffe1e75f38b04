"""WGAN keeps gantool's contract and the paper's algorithm."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantool_wgan_gp.wgan import WGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 8, "width": 2}
FLAGS = ["--size", "16", "--z", "8", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.fixture
def variant() -> WGAN:
    torch.manual_seed(0)
    return WGAN(WGAN.Options(**SMALL), DataSpec((1, 16, 16)))


def test_contract() -> None:
    check_variant(WGAN, options=SMALL, size=16)


def test_contract_in_colour() -> None:
    check_variant(WGAN, options=SMALL | {"d_steps": 1, "clip": 0.1}, size=20, channels=3)


def test_losses_are_the_paper_s(variant: WGAN) -> None:
    x, fake = torch.rand(5, 1, 16, 16), -torch.rand(5, 1, 16, 16)
    score, loss = variant.discriminator, variant.d_loss((x, None, fake))
    assert isinstance(loss, Tensor)
    torch.testing.assert_close(loss, score(fake).mean() - score(x).mean())
    torch.testing.assert_close(variant.g_loss((x, None, fake)), -score(fake).mean())


def test_weights_are_clipped_after_each_turn_of_the_critic_and_only_its_own(variant: WGAN) -> None:
    """Each weight is moved far out, to a side of its own, as an optimiser might."""
    variant.options.clip, variant.options.d_steps = 0.03, 3
    batches = iter([(torch.rand(4, 1, 16, 16), torch.zeros(4))] * 3)
    critic = list(variant.discriminator.parameters())
    untouched = [p.detach().clone() for p in variant.generator.parameters()]
    turns, players = variant.turns(batches), []
    for turn in turns:
        players.append(turn.player)
        if len(players) > 1:  # what ran since the last turn's weights moved
            assert all(p.abs().max() <= 0.03 for p in critic)
            assert all(p.abs().min() >= 0.0299 for p in critic)
        if turn.player == "D":
            with torch.no_grad():
                for p in critic:
                    p.copy_(torch.randn_like(p).sign())
    assert players == ["D"] * 3 + ["G"]
    assert all(torch.equal(a, b) for a, b in zip(untouched, variant.generator.parameters(), strict=True))


def test_the_optimiser_is_rmsprop(variant: WGAN) -> None:
    players = variant.players()
    assert all(isinstance(o, torch.optim.RMSprop) for o in players.values()) and players.keys() == {"D", "G"}


def test_no_batch_norm_in_the_critic(variant: WGAN) -> None:
    assert not any(isinstance(layer, _BatchNorm) for layer in variant.discriminator.modules())


def test_the_model_file_alone_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan", "--preset", "paper", "--steps", "2", "--out", "run", *FLAGS]) == 0
    config = Path("run/config.yaml").read_text()
    assert "clip: 0.01" in config and "lr: 5.0e-05" in config and "optimizer: rmsprop" in config
    Path("run/model.safetensors").rename("alone.safetensors")
    sample = ["sample", "wgan", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "-n", "4", "--out", "four.png"]) == 0
    assert Path("four.png").is_file()


def test_a_clip_of_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan", "--clip", "0", "--steps", "1", *FLAGS]) == 2
    assert not Path("runs").exists()


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "wgan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_how_steep_a_linear_critic_is(variant: WGAN) -> None:
    linear = nn.Linear(256, 1)
    linear.weight.data = 3 * nn.functional.normalize(torch.randn(1, 256))
    variant.discriminator = nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))
    held = ImageData(torch.randint(256, (20, 1, 16, 16), dtype=torch.uint8))
    with torch.no_grad():
        assert variant.measure(held) == {"slope": pytest.approx(3, rel=1e-5)}


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Algorithm 1: RMSprop at 5e-5, weights within .01, five critic steps, batches of 64."""
    variant, recipe = with_preset("wgan", "paper", (3, 64, 64))
    down = [m.out_channels for m in variant.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert down == [64, 128, 256, 512]
    for player in variant.players().values():
        assert type(player).__name__ == "RMSprop" and player.param_groups[0]["lr"] == 5e-5
    variant.step = 10_000
    assert (recipe.batch_size, recipe.ema_images, variant.schedule()) == (64, 0, 1.0)
    assert (variant.options.clip, variant.options.d_steps) == (0.01, 5)
