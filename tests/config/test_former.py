"""Names of earlier versions: old settings, flags and files mean what they meant."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import yaml
from conftest import Gantool, Install
from typer import Option

import gantool as library
from gantool.config.options import Options, Recipe, former
from gantool.config.schema import Schema
from gantool.config.validate import Layer, held_to, settle
from gantool.errors import UserError
from gantool.variants.cgan import CGAN
from gantool.variants.dcgan import DCGAN
from gantool.variants.gan import GAN

# Of 0.1: what was said, and what it is today.
SETTINGS = {
    "average_images": (5, "ema_images", 5), "shift": (2, "augment", "translate:2"), "codes": (7, "components", 7),
    "loud": (3, "component_scale", 3.0),
}  # fmt: skip
TINY = ("--steps", 1, "--batch-size", 4, "--z", 4, "--g-layers", "4", "--d-layers", "4", "-q")


@pytest.fixture
def schema() -> Schema:
    return Schema({"Training": Recipe, "gan": GAN.Options}, own="gan")


@pytest.mark.parametrize("old", SETTINGS)
def test_an_old_key_is_read_as_its_new_one(old: str, schema: Schema) -> None:
    value, new, now = SETTINGS[old]
    layers = [Layer({old: value}, "old.yaml")], [Layer({old.replace("_", "-"): str(value)})]
    for settled in (settle(schema, layer).sections for layer in layers):
        assert now in [getattr(section, new, None) for section in settled.values()]
    assert now in [getattr(section, new, None) for section in held_to(schema, {old: value}).values()]


@pytest.mark.parametrize("old", SETTINGS)
def test_an_old_flag_a_line_of_yaml_and_a_keyword_are_understood(old: str, gantool: Gantool, tmp_path: Path) -> None:
    value, new, now = SETTINGS[old]
    file = tmp_path / "old.yaml"
    file.write_text(f"{old}: {value}\n")
    said = [(f"--{old.replace('_', '-')}", value), ("--config", file)]
    for i, words in enumerate(said):
        done = gantool("train", "gan", *TINY, *words, "--name", f"r{i}")
        assert done.code == 0, done.err
        kept = yaml.safe_load(Path("runs", f"r{i}", "config.yaml").read_text())
        assert kept[new] == now and old not in kept
    settings = {"steps": 1, "batch_size": 4, "z": 4, "g_layers": "4", "d_layers": "4", old: value}
    assert library.train("gan", name="k", settings=settings).config[new] == now


def test_each_former_name_of_gantools_own_is_tried_here() -> None:
    named = {*former(Recipe), *former(GAN.Options), *former(CGAN.Options), *former(DCGAN.Options)}
    assert named == SETTINGS.keys()


def test_old_flags_are_understood_and_not_shown(gantool: Gantool) -> None:
    said = gantool("train", "gan", "--help").out
    assert "--ema-images" in said and not [old for old in SETTINGS if f"--{old.replace('_', '-')} " in said]
    wrong = gantool("train", "gan", "--average-image", 3)
    assert wrong.code == 2 and "--average-images" not in wrong.err


def test_what_is_wrong_with_an_old_value_is_said(schema: Schema) -> None:
    with pytest.raises(UserError, match="augment"):
        settle(schema, [Layer({"shift": "far"}, "old.yaml")])
    with pytest.raises(UserError, match="said twice"):
        settle(schema, [Layer({"shift": 1, "augment": "none"}, "both.yaml")])


def test_a_variant_that_has_an_option_of_the_old_name_keeps_it() -> None:
    @dataclass(kw_only=True)
    class Own(Options):
        former: ClassVar = {"speed": "lr"}

        average_images: Annotated[int, Option(help="Of its own.")] = 3

    schema = Schema({"Training": Recipe, "own": Own}, own="own")
    training, own = held_to(schema, {"average_images": 9, "speed": 0.5}).values()
    assert (training.ema_images, own.average_images, own.lr) == (Recipe().ema_images, 9, 0.5)


def test_networks_and_buffers_that_were_called_otherwise_are_found(gantool: Gantool, install: Install) -> None:
    """A package that renames what it is made of: models and runs of before still draw and go on."""
    source = (
        '"""M."""\nimport torch\nfrom gantool.variants.gan import GAN\n'
        "class Mine(GAN):\n    renamed = {RENAMED}\n    ema = ('generator', 'NET')\n"
        "    def __init__(self, options, data):\n        super().__init__(options, data)\n"
        "        self.NET = torch.nn.ModuleDict({'INNER': torch.nn.Linear(2, 2)})\n"
        "        self.register_buffer('BUFFER', torch.ones(3))\n"
    )
    old, new = source.replace("{RENAMED}", "{}"), source
    renamed = {"eyes.a": "look.inner", "eyes": "look", "k": "kept"}
    for word, before, now in (("NET", "eyes", "look"), ("INNER", "a", "inner"), ("BUFFER", "k", "kept")):
        old, new = old.replace(word, before), new.replace(word, now)
    new = new.replace("{RENAMED}", str(renamed))
    folder = install("plug-mine", old, mine="Mine")
    words = ("train", "mine", *TINY, "--name", "m", "--seed", 3)
    assert gantool(*words).code == 0
    assert gantool("sample", "mine", "--out", "before.png", "-q").code == 0
    (folder / "__init__.py").write_text(new)
    del sys.modules["plug_mine"]
    importlib.invalidate_caches()
    assert gantool("sample", "mine", "--out", "after.png", "-q").code == 0
    assert Path("before.png").read_bytes() == Path("after.png").read_bytes()
    assert gantool("resume", "m", "--steps", 2, "-q").code == 0
