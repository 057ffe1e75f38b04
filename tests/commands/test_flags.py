"""Tests of settings: which of flag, file, preset and default wins, and that help costs no import of torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Gantool, Install

from gantool.commands.groups import registry
from gantool.config import yaml
from gantool.runs.run import RunFolder
from gantool.training import session

Settle = Callable[..., dict[str, Any]]
PRESET = """# Two lines of a paper.
variant: mine
lr: 0.03
batch-size: 16
epochs: 7
g_layers: 16-16
"""
MINE = '''"""MINE: a pretend GAN."""
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import nn
from typer import Option

from gantool.api import Recipe
from gantool.variants.gan import GAN

class Layer(nn.Module):
    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x)

class Mine(GAN):
    recipe = Recipe(steps=300, batch_size=8, flip=True)

    @dataclass(kw_only=True)
    class Options(GAN.Options):
        beta1: float = 0.0
        gp: Annotated[float, Option(min=0, max=100, help="Weight of the penalty.")] = 10.0
        mode: Annotated[Literal["soft", "hard"], Option(help="How.")] = "soft"

    @dataclass(kw_only=True)
    class SampleOptions(GAN.SampleOptions):
        style: Annotated[int | None, Option("--style", "-s", min=1, help="Which style.")] = None
'''
POSTPONED = MINE.replace("from dataclasses", "from __future__ import annotations\nfrom dataclasses", 1)

# Prints the --help of what it is given, then what is left of torch and of the variants in its process.
HELP = """
import json, sys
from gantool import cli
for name in sys.argv[1:]:
    for verb in ("train", "sample"):
        assert cli.run([verb, name, "--help"]) == 0
heavy = ("torch", "torchvision", "numpy", "PIL", "safetensors", "scipy", "plug_mine")
left = [name for name in sys.modules if name.partition(".")[0] in heavy or name.startswith("gantool.variants")]
left += [repr(hook) for hook in sys.meta_path if "gantool" in type(hook).__module__]
print(json.dumps(left))
"""


@pytest.fixture
def settle(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> Settle:
    """The settings that `gantool train ...` would train with."""
    seen: list[session.Session] = []

    def train(made: session.Session, *rest: object) -> session.Outcome:
        seen.append(made)
        return session.Outcome(RunFolder(Path("nowhere")), "done", 1, 1, 1, 1.0, 1.0)

    monkeypatch.setattr(session, "train", train)

    def settle(*args: object) -> dict[str, Any]:
        result = gantool("train", *args)
        assert result.code == 0, result.err
        made = seen.pop()
        return vars(made.recipe) | vars(made.options)

    return settle


@pytest.fixture
def mine(install: Install) -> Path:
    """A variant `mine` with a preset `mine/paper`, in a package of its own."""
    folder = install("plug-mine", MINE, mine="Mine")
    presets = folder / "presets" / "mine"
    presets.mkdir(parents=True)
    (presets / "paper.yaml").write_text(PRESET)
    return presets


def config(text: str) -> str:
    Path("c.yaml").write_text(text)
    return "c.yaml"


def lengths(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in ("steps", "epochs", "minutes") if settings[key] is not None}


# What wins.


def test_a_variants_own_defaults_come_first(settle: Settle, mine: Path) -> None:
    found = settle("mine")
    assert (found["batch_size"], found["flip"], found["beta1"], found["gp"]) == (8, True, 0.0, 10.0)
    assert lengths(found) == {"steps": 300}


def test_a_flag_wins_over_a_config_over_a_preset_over_the_default(settle: Settle, mine: Path) -> None:
    args = ("mine", "--preset", "paper", "--config", config("lr: 0.02\nbatch_size: 32\ngp: 1"), "--lr", "0.01")
    found = settle(*args)
    assert (found["lr"], found["batch_size"], found["g_layers"], found["beta1"]) == (0.01, 32, "16-16", 0.0)
    assert settle("mine", "--lr", "0.01", *args[3:5], *args[1:3]) == found, "whatever their order"
    assert settle(*args[:-2])["lr"] == 0.02
    assert settle(*args[:3])["lr"] == 0.03


def test_a_flag_that_repeats_the_default_still_wins(settle: Settle, mine: Path) -> None:
    assert settle("mine", "--config", config("gp: 1"), "--gp", "10")["gp"] == 10.0
    assert settle("mine", "--config", config("flip: false"), "--flip")["flip"] is True


@pytest.mark.parametrize("name", ["paper", "mine/paper"])
def test_a_preset_may_be_named_with_its_variant(name: str, settle: Settle, mine: Path) -> None:
    assert settle("mine", "--preset", name)["lr"] == 0.03


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--epochs", "2"], {"epochs": 2.0}),
        (["--minutes", ".5"], {"minutes": 0.5}),
        (["--preset", "paper"], {"epochs": 7.0}),
        (["--preset", "paper", "--steps", "5"], {"steps": 5}),
        (["--preset", "paper", "--config", "steps: 9"], {"steps": 9}),
        (["--preset", "paper", "--config", "minutes: 2"], {"minutes": 2.0}),
        (["--preset", "paper", "--config", "lr: 1"], {"epochs": 7.0}),
        (["--config", "steps: 9", "--minutes", "1"], {"minutes": 1.0}),
        (["--config", "epochs: 9", "--steps", "300"], {"steps": 300}),
        (["--preset", "paper", "--config", "minutes: 2", "--epochs", "1"], {"epochs": 1.0}),
    ],
    ids=" ".join,
)  # fmt: skip
def test_one_way_to_say_how_long_overrules_the_others(
    args: list[str], expected: dict[str, Any], settle: Settle, mine: Path
) -> None:
    args = [config(arg) if ":" in arg else arg for arg in args]
    assert lengths(settle("mine", *args)) == expected


def test_keys_may_be_spelled_as_flags_or_as_in_python(settle: Settle) -> None:
    found = settle("gan", "--config", config("batch-size: 9\ng_layers: 8\nd-layers: 9-9\nlr: 1e-3\ndata_dir: ~/x"))
    assert (found["batch_size"], found["g_layers"], found["d_layers"], found["lr"]) == (9, "8", "9-9", 1e-3)


def test_an_empty_file_changes_nothing(settle: Settle) -> None:
    assert settle("gan", "--config", config("# nothing yet\n")) == settle("gan")


def test_the_data_folder_may_come_from_the_environment(settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTOOL_DATA", "/there")
    assert settle("gan")["data_dir"] == Path("/there")
    assert settle("gan", "--data-dir", "/here")["data_dir"] == Path("/here")


@pytest.mark.parametrize("name", ["gan", "cgan", "dcgan"])
def test_every_shipped_preset_says_what_is_trained(name: str, settle: Settle) -> None:
    for preset, path in registry().offer(name).presets().items():
        said = yaml.read(path)
        assert said.pop("variant") == name
        found = settle(name, "--preset", preset)
        assert {key: str(found[key]) for key in said} == {key: str(type(found[key])(said[key])) for key in said}


# A run's own config.yaml.


def test_a_runs_config_repeats_it_to_the_byte(gantool: Gantool) -> None:
    own = ("--lr", "0.003", "--loss", "saturating", "--seed", 5, "--epochs", "0.002", "--size", 16)
    assert gantool("train", "gan", *TINY, *own, "--name", "one").code == 0
    assert gantool("train", "gan", "--config", "runs/one/config.yaml", "-q", "--name", "two").code == 0
    one, two = (Path("runs", name, "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert gantool("train", "gan", "--config", "runs/one/config.yaml", "-q", "--name", "three", "--seed", 6).code == 0
    assert Path("runs/three/model.safetensors").read_bytes() != one


# Flags without torch.


def test_help_is_the_same_whether_torch_was_imported_or_not(
    mine: Path, gantool: Gantool, process: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    names = ("gan", "cgan", "dcgan", "mine")
    staged = process("-c", HELP, *names)
    assert staged.code == 0, staged.err
    *shown, left = staged.out.splitlines()
    assert left == "[]", "nothing of it stays behind"
    real = [gantool(verb, name, "--help").out for name in names for verb in ("train", "sample")]
    assert "\n".join(shown).split() == "".join(real).split()
    for words in ("Weight of the penalty.", "[0 to 100; default: 10.0]", "--style"):
        assert words in staged.out


def test_flags_of_a_module_with_postponed_annotations_are_read_too(install: Install, process: Gantool) -> None:
    install("plug-mine", POSTPONED, mine="Mine")
    result = process("-c", HELP, "mine", COLUMNS="200")
    assert result.code == 0, result.err
    assert result.out.endswith("[]\n") and "--gp" in result.out and "<soft|hard>" in result.out


def test_a_module_that_looks_too_closely_at_torch_is_imported_with_it(install: Install, process: Gantool) -> None:
    install("plug-mine", f"{MINE}\nassert torch.zeros(2, 3).shape[1] == 3\n", mine="Mine")
    result = process("-m", "gantool", "train", "mine", "--help", COLUMNS="100")
    assert result.code == 0, result.err
    assert "--gp" in result.out and "Weight of the penalty." in result.out
