"""Every preset that ships is read by the real command line, and says what the set-up it is named after says."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn
from torch.optim import SGD

from gantool.cli import run
from gantool.registry import Registry
from gantool.runs import sealed
from gantool.runs.run import RunFolder
from gantool.testing import with_preset
from gantool.variant import Variant

PRESETS = [(name, preset) for name in ("gan", "cgan", "dcgan") for preset in Registry().offer(name).presets()]


@pytest.mark.parametrize(("variant", "preset"), PRESETS)
def test_a_preset_trains_with_the_settings_it_names(
    variant: str, preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--batch-size", "4", "--steps", "1", "-q"]
    assert run(["train", variant, "--preset", preset, "--name", "p", *small]) == 0
    made = RunFolder(Path("runs/p")).read_config()
    said = yaml.safe_load(Registry().offer(variant).presets()[preset].read_text())
    for key in said.keys() - {"variant", "epochs", "steps", "batch_size"}:
        assert made[key] == pytest.approx(float(said[key])) if isinstance(made[key], float) else made[key] == said[key]


def shapes(variant: str, preset: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, list[torch.Size]]:
    monkeypatch.chdir(folder)
    run(["train", variant, "--preset", preset, "--name", "p", "--batch-size", "4", "--steps", "1", "-q"])
    _, state = sealed.load(RunFolder(Path("runs/p")).saved()[0])
    found: dict[str, list[torch.Size]] = {"generator": [], "discriminator": []}
    for name, weight in state["networks"].items():
        if weight.ndim == 2:
            found[name.partition(".")[0]].append(weight.shape)
    return found


def test_the_pytorch_preset_has_the_tutorials_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shapes("gan", "pytorch", monkeypatch, tmp_path)
    assert found["generator"] == [(256, 64), (256, 256), (784, 256)]
    assert found["discriminator"] == [(256, 784), (256, 256), (1, 256)]


def test_the_ai_edu_preset_takes_ten_more_numbers_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shapes("cgan", "ai-edu", monkeypatch, tmp_path)
    assert found["generator"][0] == (256, 110)
    assert found["discriminator"][0] == (512, 794)


def test_epochs_become_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(["train", "gan", "--epochs", "0.01", "--batch-size", "10", "--g-layers", "8", "--name", "e", "-q"])
    assert RunFolder(Path("runs/e")).read_config()["steps"] == 5  # a hundredth of 5,000 images, ten a step


# The papers' own.


def linear(network: nn.Module) -> list[int]:
    """Units, from what goes in to what comes out."""
    found = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [found[0].in_features, *(layer.out_features for layer in found)]


def kinds(network: nn.Module, kind: type) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def factor(variant: Variant, step: int) -> float:
    """Of the learning rate after so many steps."""
    variant.step = step
    return variant.schedule()


@pytest.mark.parametrize(("name", "beside", "fall"), [("gan", 0, 4e-6), ("cgan", 10, 4e-5)])
def test_paper_of_gan_and_cgan(name: str, beside: int, fall: float) -> None:
    variant, recipe = with_preset(name, "paper", (1, 28, 28), 10)
    assert linear(variant.generator) == [100 + beside, 1200, 1200, 784]
    assert linear(variant.discriminator) == [784 + beside, 240, 240, 1]
    assert not kinds(variant.generator, nn.BatchNorm1d)
    assert [layer.p for layer in kinds(variant.discriminator, nn.Dropout)] == [0.5, 0.5]
    assert {layer.negative_slope for layer in kinds(variant, nn.LeakyReLU)} == {0.0}, "ReLU"
    for player in variant.players().values():
        assert isinstance(player, SGD) and {group["lr"] for group in player.param_groups} == {0.1}
    assert factor(variant, 10_000) == pytest.approx(1 / (1 + 10_000 * fall))
    assert (recipe.batch_size, recipe.ema_images, variant.options.loss) == (100, 0, "saturating")
    assert (variant.options.r1, variant.options.augment, variant.options.d_steps) == (0, "none", 1)


def test_paper_of_dcgan_is_its_five_rules_and_nothing_else() -> None:
    variant, recipe = with_preset("dcgan", "paper", (3, 64, 64))
    up, down = kinds(variant.generator, nn.ConvTranspose2d), kinds(variant.discriminator, nn.Conv2d)
    channels = [(layer.in_channels, layer.out_channels) for layer in up]
    assert channels == [(100, 1024), (1024, 512), (512, 256), (256, 128), (128, 3)]
    assert [layer.out_channels for layer in down] == [64, 128, 256, 512, 1]
    assert {layer.stride for layer in up[1:] + down[:-1]} == {(2, 2)}
    assert not kinds(variant, nn.Linear) and not kinds(variant, nn.MaxPool2d)
    # Batch norm everywhere but after G's last layer and D's first; D's last is no map any more.
    assert (len(kinds(variant.generator, nn.BatchNorm2d)), len(kinds(variant.discriminator, nn.BatchNorm2d))) == (4, 3)
    assert len(kinds(variant.generator, nn.ReLU)) == 4 and isinstance(list(variant.generator.modules())[-1], nn.Tanh)
    assert {layer.negative_slope for layer in kinds(variant, nn.LeakyReLU)} == {0.2}
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], *player.param_groups[0]["betas"]) == (2e-4, 0.5, 0.999)
    o = variant.options
    assert (o.deviation, o.noise, recipe.batch_size, factor(variant, 10_000)) == (0.02, "uniform", 128, 1.0)
    assert (o.r1, o.augment, o.components, recipe.ema_images, o.d_steps) == (0, "none", 0, 0, 1)
