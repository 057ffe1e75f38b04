"""R3GAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec, UserError
from gantool.cli import run
from gantool.testing import check_ejected, check_variant, with_preset
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantool_r3gan.networks import Block
from gantool_r3gan.r3gan import R3GAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2}
SPEC = DataSpec((1, 16, 16), ("cat", "dog", "frog"))
FLAGS = ["--data", "digits", "--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu"]
PLANE = DataSpec((2,))


@pytest.fixture
def variant() -> R3GAN:
    torch.manual_seed(0)
    return R3GAN(R3GAN.Options(**SMALL), SPEC)


def awake(variant: R3GAN) -> R3GAN:
    """With no weight at 0, as after some training."""
    for p in variant.parameters():
        nn.init.normal_(p, 0, 0.3)
    return variant


def batch(variant: R3GAN) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x, y = torch.rand(6, 1, 16, 16) * 2 - 1, torch.arange(6) % 3
    return x, y, variant.fake((x, y)).detach()


@pytest.mark.parametrize(("data", "more"), [("grid25", {}), ("digits", {"conditional": True}), ("digits", {"r1": 0.0})])
def test_contract(data: str, more: dict[str, Any]) -> None:
    check_variant(R3GAN, options=SMALL | more, data=data, size=None if data == "grid25" else 8)


def test_contract_in_colour_without_pairs_or_penalties() -> None:
    check_variant(
        R3GAN, options=SMALL | {"pairing": False, "r1": 0.0, "r2": 0.0, "blocks": 0, "d_steps": 2}, data="digits",
        size=19, channels=3,
    )  # fmt: skip


def test_losses_are_the_paper_s(variant: R3GAN) -> None:
    """By probabilities: D that x is the more real of a pair, G that its own is."""
    x, y, fake = batch(awake(variant))
    ahead = (variant.discriminator(x, y) - variant.discriminator(fake, y)).double()
    d, g = variant.d_loss((x, y, fake)), variant.g_loss((x, y, fake))
    assert isinstance(d, dict) and isinstance(g, Tensor) and d.keys() == {"pairs", "r1", "r2"}
    torch.testing.assert_close(d["pairs"].double(), -ahead.sigmoid().log().mean())
    torch.testing.assert_close(g.double(), -(1 - ahead.sigmoid()).log().mean())


def test_penalties_are_the_squared_slopes_at_real_and_at_generated_images(variant: R3GAN) -> None:
    """Each image's own, taken one by one."""
    variant.options.r1, variant.options.r2 = 0.3, 0.7
    x, y, fake = batch(awake(variant))
    d = variant.d_loss((x, y, fake))
    assert isinstance(d, dict)
    for name, gamma, images in (("r1", 0.3, x), ("r2", 0.7, fake)):
        found = []
        for one in images:
            one = one.unsqueeze(0).requires_grad_()
            variant.discriminator(one, y[:1]).sum().backward()
            assert one.grad is not None
            found.append(one.grad.square().sum())
        torch.testing.assert_close(d[name], gamma / 2 * torch.stack(found).mean())
    owned = [p for p in variant.discriminator.parameters() if p.ndim > 1]
    grads = torch.autograd.grad(d["r1"] + d["r2"], owned, allow_unused=True)
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)


@pytest.mark.parametrize(("step", "left"), [(0, 1.0), (50, 0.1), (100, 0.01), (900, 0.01)])
def test_penalties_fall_by_half_a_cosine_and_then_stay(variant: R3GAN, step: int, left: float) -> None:
    x, y, fake = batch(awake(variant))
    whole = variant.d_loss((x, y, fake))
    variant.options.anneal, variant.options.annealed, variant.step = 100, 0.01, step
    less = variant.d_loss((x, y, fake))
    assert isinstance(whole, dict) and isinstance(less, dict)
    for name in ("r1", "r2"):
        torch.testing.assert_close(less[name], left * whole[name])
    torch.testing.assert_close(less["pairs"], whole["pairs"])


def test_without_pairs_it_is_the_plain_gan(variant: R3GAN) -> None:
    variant.options.pairing, variant.options.r1, variant.options.r2 = False, 0.0, 0.0
    x, y, fake = batch(awake(variant))
    real, drawn = (variant.discriminator(p, y).double().sigmoid() for p in (x, fake))
    d, g = variant.d_loss((x, y, fake)), variant.g_loss((x, y, fake))
    assert isinstance(d, dict) and isinstance(g, Tensor) and d.keys() == {"real", "fake"}
    torch.testing.assert_close((d["real"] + d["fake"]).double(), -real.log().mean() - (1 - drawn).log().mean())
    torch.testing.assert_close(g.double(), -drawn.log().mean())


def test_no_normalisation_and_blocks_that_begin_by_handing_on(variant: R3GAN) -> None:
    layers = list(variant.modules())
    assert not any(isinstance(layer, _BatchNorm | nn.GroupNorm | nn.LayerNorm | nn.InstanceNorm2d) for layer in layers)
    blocks = [layer for layer in layers if isinstance(layer, Block)]
    assert len(blocks) == 4  # at 8 and at 4 pixels, in each network
    x = torch.randn(3, blocks[0].f[1].in_channels, 5, 5)  # type: ignore[arg-type]
    assert torch.equal(blocks[0](x), x)
    assert not torch.equal(next(b for b in awake(variant).modules() if isinstance(b, Block))(x), x)


def test_both_networks_are_told_the_class() -> None:
    variant = awake(R3GAN(R3GAN.Options(conditional=True, **SMALL), SPEC))
    z, x = torch.randn(1, 4).expand(3, -1), torch.rand(1, 1, 16, 16).expand(3, -1, -1, -1)
    y = torch.arange(3)
    assert len(variant.draw(z, y).unique(dim=0)) == 3
    assert len(variant.discriminator(x, y).unique()) == 3
    with torch.no_grad():
        x, y = variant.sample(7, variant.SampleOptions())
        assert y.tolist() == [0, 1, 2, 0, 1, 2, 0]
        assert variant.sample(2, variant.SampleOptions(label="dog"))[1].tolist() == [1, 1]
    with pytest.raises(UserError, match="No class"):
        variant.sample(1, variant.SampleOptions(label="5"))


def test_a_label_needs_a_model_that_knows_classes(variant: R3GAN) -> None:
    with pytest.raises(UserError, match="knows no classes"):
        variant.sample(1, variant.SampleOptions(label="dog"))
    with pytest.raises(UserError, match="needs classes") as error:
        R3GAN(R3GAN.Options(conditional=True), PLANE)
    assert error.value.code == USAGE


def test_points_are_drawn_as_they_are() -> None:
    torch.manual_seed(0)
    variant = R3GAN(R3GAN.Options(**SMALL), PLANE).eval()
    assert variant.draw(torch.randn(7, 4)).shape == (7, 2)
    with torch.no_grad():
        assert variant.sample(9, variant.SampleOptions()).shape == (9, 2)


def test_images_are_laid_out_as_they_come(variant: R3GAN) -> None:
    assert variant.sheet(variant.SampleOptions()) is None


# The command line.


def test_the_model_file_alone_draws_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "r3gan", *FLAGS, "--conditional", "--steps", "3", "--out", "run", "--quiet"]) == 0
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert not any("discriminator" in name for name in file.keys())  # noqa: SIM118  # it is no dict
    sample = ["sample", "r3gan", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "--digit", "5", "-n", "4", "--out", "five.npz"]) == 0
    with np.load("five.npz", allow_pickle=False) as arrays:
        assert arrays["images"].shape == (4, 8, 8) and arrays["labels"].tolist() == [5] * 4
    assert run([*sample, "--digit", "12", "--out", "none.png"]) == USAGE
    assert not Path("none.png").exists()


def test_a_size_of_points_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "r3gan", "--data", "ring8", "--size", "16", "--steps", "1", "--quiet"]) == USAGE
    assert not Path("runs").exists()


def test_preset_for_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "r3gan", "--preset", "points", "--steps", "2", "--out", "a", "--device", "cpu", "-q"]) == 0
    config = Path("a/config.yaml").read_text()
    assert "data: grid25" in config and "batch_size: 512" in config and "anneal: 10000" in config


def test_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "r3gan", "--preset", "paper", *FLAGS, "--steps", "1", "--out", "a", "--quiet"]) == 0
    config = Path("a/config.yaml").read_text()
    assert "lr: 0.0002" in config and "beta1: 0" in config and "r1: 0.05" in config and "r2: 0.05" in config


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "r3gan", *FLAGS, "--steps", "6", "--out", "whole", "--quiet"]) == 0
    assert run(["train", "r3gan", *FLAGS, "--steps", "3", "--out", "parts", "--quiet"]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """For CIFAR-10: two residual blocks a side, gamma .05 for both penalties, which falls; Adam without momentum."""
    variant, recipe = with_preset("r3gan", "paper", (3, 32, 32), 10)
    down = [m for m in variant.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in down if m.stride == (2, 2)] == [192, 384, 768] and len(down) == 15
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.0, 0.9))
    o = variant.options
    assert (recipe.batch_size, recipe.ema_images, o.z, o.pairing) == (512, 500_000, 64, True)
    assert (o.r1, o.r2, o.annealed, o.decay) == (0.05, 0.05, 0.1, 0)


@pytest.mark.parametrize(
    "settings",
    [{}, {"conditional": True, "anneal": 4, "blocks": 2}, {"pairing": False, "r1": 0, "r2": 0, "blocks": 0}],
)
def test_its_plain_file_has_the_same_losses(settings: dict[str, Any]) -> None:
    check_ejected("r3gan", steps=6, data="digits", width=4, batch_size=8, **settings)
