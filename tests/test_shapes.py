"""Images of any shape: trained on, drawn, previewed, resumed and measured, by variants that know of none."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Gantool, Install
from PIL import Image

import gantool as library

SETS = '''
"""Data of odd shapes."""
import torch
from gantool.api import ImageData

def made(*shape):
    def data(recipe, train=True):
        rng = torch.Generator().manual_seed(0 if train else 1)
        y = torch.arange(300) % 2
        x = torch.randint(0, 90, (300, *shape), generator=rng) + 150 * y.view(-1, 1, 1, 1)
        return ImageData(x.byte(), y, ("dark", "bright"))
    return data

tall, two, sixteen = made(1, 48, 32), made(2, 16, 16), made(16, 16, 16)
'''
SMALL = {
    "gan": ("--g-layers", 8, "--d-layers", 8), "cgan": ("--width", 2, "--d-width", 2),
    "dcgan": ("--width", 2, "--d-width", 2, "--growth", 1),
}  # fmt: skip


@pytest.fixture
def sets(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # of judges
    folder = install("plug-shapes", SETS)
    info = folder.with_name("plug_shapes-1.2.dist-info") / "entry_points.txt"
    names = "\n".join(f"{name} = plug_shapes:{name}" for name in ("tall", "two", "sixteen"))
    info.write_text(f"[gantool.datasets]\n{names}\n")


@pytest.mark.usefixtures("sets")
@pytest.mark.parametrize("variant", SMALL)
@pytest.mark.parametrize(
    ("data", "shape", "shown"), [("tall", (48, 32), 1), ("two", (16, 16, 2), 3), ("sixteen", (16, 16, 16), 3)]
)
def test_images_of_any_shape_from_training_to_measuring(
    variant: str, data: str, shape: tuple[int, ...], shown: int, gantool: Gantool
) -> None:
    line = ("train", variant, "--data", data, *SMALL[variant], "-b", 4, "--steps", 2, "--grid", "2x2", "-q")
    done = gantool(*line, "--name", "a")
    assert done.code == 0, done.err
    assert gantool("resume", "a", "--steps", 3, "-q").code == 0
    assert gantool(*line, "--steps", 3, "--name", "b").code == 0
    assert Path("runs/a/model.safetensors").read_bytes() == Path("runs/b/model.safetensors").read_bytes()
    with Image.open("runs/a/samples/real.png") as real, Image.open("runs/a/samples/step-000003.png") as preview:
        assert len(real.getbands()) == shown == len(preview.getbands())
        assert real.height >= 2 * shape[0] and preview.width >= 2 * shape[1]
    for name in ("one.png", "all.npz", "all.idx", "walk.gif", "folder"):
        more = ("--interpolate",) if name == "walk.gif" else ()
        done = gantool("sample", variant, "-n", 4, "--out", name, "-q", *more)
        assert done.code == 0, done.err
    with np.load("all.npz") as found:
        assert found["images"].shape == (4, *shape)
    report = library.evaluate("a", n=140)
    assert report.facts["split"] == "test" and {"FD", "coverage"} <= report.scores.keys()


def test_points_have_no_place_in_convolutions(gantool: Gantool) -> None:
    done = gantool("train", "dcgan", "--data", "ring8", "-q")
    assert done.code == 2 and "dcgan draws images, and these are points." in done.err
    assert not Path("runs").exists()
