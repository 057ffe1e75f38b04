"""The variant keeps gantool's contract and the paper's equations."""

import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData, gradient_norms
from gantool.cli import run
from gantool.testing import check_ejected, check_variant, with_preset
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantool_wgan_gp import WGANGP

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 8, "width": 2, "augment": "none"}
FLAGS = ["--z", "8", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.fixture
def variant() -> WGANGP:
    torch.manual_seed(0)
    return WGANGP(WGANGP.Options(**SMALL), DataSpec((1, 16, 16)))


def images(n: int = 5) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 16, 16), -torch.rand(n, 1, 16, 16)


def test_contract() -> None:
    check_variant(WGANGP, options=SMALL)


def test_contract_in_colour() -> None:
    check_variant(WGANGP, options=SMALL | {"d_steps": 1}, size=20, channels=3)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_penalty_of_a_linear_critic(variant: WGANGP, slope: float) -> None:
    """Its slope is the same everywhere: the length of w."""
    linear = nn.Linear(256, 1)
    linear.weight.data = slope * nn.functional.normalize(torch.randn(1, 256))
    variant.discriminator = nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))
    penalty = variant.penalty(*images())
    torch.testing.assert_close(penalty, torch.tensor((slope - 1) ** 2))
    loss = variant.d_loss((images()[0], None, images()[1]))
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["penalty"], torch.tensor(10 * (slope - 1) ** 2))


def test_penalty_is_taken_between_real_and_fake(variant: WGANGP) -> None:
    """Where D(x) = sum(x^2) / 2, the slope at x is x itself; between c and 3c it is c to 3c long."""

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().flatten(1).sum(1) / 2

    variant.discriminator = Square()
    ones = torch.full((500, 1, 16, 16), 1 / 16)  # of length 1
    penalty = variant.penalty(3 * ones, ones)
    torch.testing.assert_close(penalty, torch.tensor(4 / 3), atol=0.2, rtol=0)  # the mean of (2 epsilon)^2


def test_penalty_moves_the_critic(variant: WGANGP) -> None:
    owned = [p for p in variant.discriminator.parameters() if p.ndim > 1]
    grads = torch.autograd.grad(variant.penalty(*images()), owned)
    assert all(grad.abs().sum() > 0 for grad in grads)


def test_losses_are_the_paper_s(variant: WGANGP) -> None:
    x, fake = images()
    loss, score = variant.d_loss((x, None, fake)), variant.discriminator
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["critic"], score(fake).mean() - score(x).mean())
    torch.testing.assert_close(variant.g_loss((x, None, fake)), -score(fake).mean())


def critic_of_gaussians(mu: float, penalty: float, steps: int) -> tuple[float, float]:
    """Data N(0, 1) and a frozen G at N(mu, 1): what their means differ by to a critic so trained, and its slope."""
    torch.manual_seed(0)
    variant = WGANGP(WGANGP.Options(penalty=penalty, **SMALL), DataSpec((1, 16, 16)))
    last = nn.Linear(32, 1)
    score = variant.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(1, 32), nn.SiLU(), last, nn.Flatten(0))
    adam = torch.optim.Adam(score.parameters(), 0.02, (0.5, 0.99))

    def pair(n: int) -> tuple[Tensor, Tensor]:
        return torch.randn(n, 1, 1, 1), mu + torch.randn(n, 1, 1, 1)

    if score(torch.zeros(1, 1)) < score(torch.full((1, 1), mu)):  # on a line, a slope of -1 costs nothing either,
        last.weight.data.neg_()  # and who sets out downhill would have to cross 0, which costs most
    for step in range(steps):
        adam.param_groups[0]["lr"] = 0.02 / (1 + step / 50)
        loss = variant.d_loss((pair(512)[0], None, pair(512)[1]))
        assert isinstance(loss, dict)
        adam.zero_grad()
        sum(loss.values(), torch.zeros(())).backward()
        adam.step()
    x, fake = pair(100_000)
    with torch.no_grad():
        gap = score(x).mean() - score(fake).mean()
    return float(gap), float(gradient_norms(variant.discriminator, x, fake, torch.rand(len(x))).detach().mean())


@pytest.mark.parametrize("mu", [1.0, 2.0, 4.0])
def test_the_critic_s_gap_is_what_theory_says(mu: float) -> None:
    """The steepest line that pays: slope s gains s mu and costs lambda (s - 1)^2, so s = 1 + mu / (2 lambda)."""
    gap, slope = critic_of_gaussians(mu, 10.0, 500)
    assert gap == pytest.approx(mu * (1 + mu / 20), rel=0.05)
    assert 0.8 <= slope <= 1.3


def test_without_the_penalty_the_gap_grows_without_bound() -> None:
    gaps = [critic_of_gaussians(1.0, 0.0, steps)[0] for steps in (50, 200, 800)]
    assert gaps[0] > 10 * 1.05 and gaps[1] > 2 * gaps[0] and gaps[2] > 2 * gaps[1]


@pytest.mark.slow
def test_the_gap_falls_as_the_images_get_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a default training: the critic's gap as logged, and how far samples are from real digits to the judge."""
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan-gp", "--out", "run", "--device", "cpu", "--quiet"]) == 0
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    probes = {line["step"]: line["probe"]["distance"] for line in lines if "probe" in line}
    every = min(probes)
    gaps = [
        mean(line["distance"] for line in lines if "distance" in line and step - every < line["step"] <= step)
        for step in probes
    ]
    assert len(gaps) >= 15
    ranks = torch.stack([torch.tensor(x).argsort().argsort().double() for x in (gaps, [*probes.values()])])
    assert torch.corrcoef(ranks)[0, 1] >= 0.7


@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_the_measured_slope_of_a_linear_critic(variant: WGANGP, slope: float) -> None:
    linear = nn.Linear(256, 1)
    linear.weight.data = slope * nn.functional.normalize(torch.randn(1, 256))
    variant.discriminator = nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))
    held = ImageData(torch.randint(256, (20, 1, 16, 16), dtype=torch.uint8))
    with torch.no_grad():
        assert variant.measure(held) == {"slope": pytest.approx(slope, rel=1e-5)}


@pytest.mark.parametrize("loss", ["d_loss", "g_loss"])
@pytest.mark.parametrize("pixels", [0, 3])
def test_the_critic_sees_images_moved(variant: WGANGP, loss: str, pixels: int) -> None:
    x, fake = images(64)
    seen: list[Tensor] = []
    variant.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    variant.options.augment = f"translate:{pixels}" if pixels else "none"
    getattr(variant, loss)((x, None, fake))
    shown = torch.cat(seen).split(64)
    assert any(torch.equal(part, fake) for part in shown) == (pixels == 0)
    assert not pixels or not any(torch.equal(part, x) for part in shown)


def test_no_batch_norm_in_the_critic(variant: WGANGP) -> None:
    assert not any(isinstance(layer, _BatchNorm) for layer in variant.discriminator.modules())
    assert any(isinstance(layer, _BatchNorm) for layer in variant.generator.modules())


def test_several_critic_steps_to_one() -> None:
    options = WGANGP.Options()
    assert (options.d_steps, options.beta1, options.beta2, options.penalty) == (3, 0.0, 0.9, 10.0)
    variant = WGANGP(WGANGP.Options(**SMALL | {"d_steps": 5}), DataSpec((1, 16, 16)))
    batches = iter([(torch.rand(4, 1, 16, 16), torch.zeros(4))] * 9)
    assert [turn.player for turn in variant.turns(batches)] == ["D"] * 5 + ["G"]


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan-gp", "--steps", "3", *FLAGS]) == 0
    assert run(["sample", "wgan-gp", "--n", "4", "--out", "four.png", "--device", "cpu", "--quiet"]) == 0
    assert Path("four.png").is_file()


def test_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan-gp", "--preset", "paper", "--steps", "1", "--out", "a", *FLAGS]) == 0
    config = Path("a/config.yaml").read_text()
    assert "penalty: 10" in config and "lr: 0.0001" in config and "ema_images: 0" in config


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan-gp", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "wgan-gp", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Algorithm 1: lambda 10, five critic steps, Adam 1e-4 with betas 0 and .9, batches of 64."""
    variant, recipe = with_preset("wgan-gp", "paper", (1, 28, 28))
    down = [m.out_channels for m in variant.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert down == [64, 128]
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (1e-4, (0.0, 0.9))
    variant.step = 10_000
    assert (recipe.batch_size, recipe.ema_images, variant.schedule()) == (64, 0, 1.0)
    assert (variant.options.penalty, variant.options.d_steps, variant.options.augment) == (10, 5, "none")


@pytest.mark.parametrize("settings", [{}, {"augment": "none", "d_steps": 1, "penalty": 1.0}])
def test_its_plain_file_has_the_same_losses(settings: dict[str, Any]) -> None:
    check_ejected("wgan-gp", steps=8, width=4, batch_size=8, **settings)
