"""--compile: what is compiled, when, and that nothing else changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gantool.api import DataSpec, ImageData, Recipe
from gantool.runs import sealed
from gantool.training.compiling import compilable, compile_networks
from gantool.training.trainer import Trainer
from gantool.variants.cgan import CGAN
from gantool.variants.gan import GAN

SPEC = DataSpec((1, 8, 8), ("a", "b"))
TINY = ("--batch-size", "4", "--g-layers", "8", "--d-layers", "8", "--quiet")


class Smooth(GAN):
    """A GAN without a penalty."""

    no_compile = ()


class Partly(GAN):
    """A part of its discriminator is differentiated twice."""

    no_compile = ("discriminator.1",)


@pytest.mark.parametrize(
    ("cls", "names"),
    [(GAN, ["generator"]), (CGAN, ["generator"]), (Smooth, ["generator", "discriminator"]), (Partly, ["generator"])],
)
def test_what_is_differentiated_twice_is_not_compiled(cls: Any, names: list[str]) -> None:
    assert [name for name, _ in compilable(cls(cls.Options(), SPEC))] == names


@pytest.mark.parametrize("how", ["auto", "off"])
def test_cpus_are_left_alone_unless_told(how: str) -> None:
    data = ImageData(torch.zeros(8, 1, 8, 8, dtype=torch.uint8))
    trainer = Trainer(GAN(GAN.Options(), data.spec), Recipe(batch_size=4, steps=10**9), data, torch.device("cpu"))
    said: list[str] = []
    compile_networks(trainer, how, said.append)
    assert not said
    assert trainer.variant.generator._compiled_call_impl is None


@pytest.mark.slow
def test_without_a_compiler_it_says_so(process: Callable[..., Any]) -> None:
    done = process("-m", "gantool", "train", "gan", *TINY, "--steps", "2", "--compile", "on", CXX="/nowhere/c++")
    assert done.code == 1
    assert "error: generator cannot be compiled: " in done.err
    assert "Leave --compile out." in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_compiled_run_learns_the_same_and_keeps_the_same_files(tmp_path: Path, process: Callable[..., Any]) -> None:
    for how in ("off", "on"):
        args = ("train", "gan", *TINY, "--optimizer", "sgd", "--steps", "5", "--compile", how, "--out", how)
        done = process("-m", "gantool", *args)
        assert done.code == 0, done.err
    (_, one), (_, other) = (sealed.load(tmp_path / how / "model.safetensors") for how in ("off", "on"))
    assert one.keys() == other.keys()
    for part, tensors in one.items():
        assert tensors.keys() == other[part].keys()
        for name, tensor in tensors.items():
            torch.testing.assert_close(tensor, other[part][name], rtol=1e-4, atol=1e-5)
