"""Every preset that ships is read by the real command line, and says what the set-up it is named after says."""

from pathlib import Path

import pytest
import torch
import yaml

from gantool.cli import run
from gantool.registry import Registry
from gantool.runs import sealed
from gantool.runs.run import RunFolder

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
