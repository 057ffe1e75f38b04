"""AAE keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec
from gantool.cli import run
from gantool.testing import check_processes, check_variant, with_preset
from PIL import Image
from torch import nn

from gantool_encoders.aae import AAE

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "hidden": 8}
FLAGS = ["--size", "8", "--z", "4", "--hidden", "8", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(AAE, options=SMALL, **recipe)


def test_the_encoder_is_moved_by_both_errors_and_d_by_none_of_them() -> None:
    torch.manual_seed(0)
    variant = AAE(AAE.Options(**SMALL), DataSpec((1, 8, 8)))
    owned = {name: {id(p) for g in o.param_groups for p in g["params"]} for name, o in variant.players().items()}
    assert owned["AE"] == {id(p) for net in (variant.encoder, variant.decoder) for p in net.parameters()}
    assert owned["D"] == {id(p) for p in variant.discriminator.parameters()}
    x = torch.rand(4, 1, 8, 8)
    loss = variant.ae_loss((x, variant.encoder(x)))
    assert isinstance(loss, dict)
    first = next(variant.encoder.parameters())
    for term in loss.values():
        (slope,) = torch.autograd.grad(torch.as_tensor(term), first, retain_graph=True)
        assert slope.abs().sum() > 0


def test_without_an_adversary_nothing_holds_the_codes() -> None:
    variant = AAE(AAE.Options(**SMALL, adversarial=0), DataSpec((1, 8, 8)))
    x = torch.rand(4, 1, 8, 8)
    loss = variant.ae_loss((x, variant.encoder(x)))
    assert isinstance(loss, dict) and loss["fool"] == 0


# Images to codes and back, on the command line.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of aae, six steps in two parts, and two images that are not of its size."""
    folder = tmp_path_factory.mktemp("aae")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("mine").mkdir()
        for name, grey in (("a", 90), ("b", 200)):
            Image.new("L", (12, 12), grey).save(f"mine/{name}.png")
        assert run(["train", "aae", "--steps", "3", "--out", "run", *FLAGS]) == 0
        assert run(["resume", "run", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, to be looked into from an empty one."""
    monkeypatch.chdir(tmp_path)
    return trained


def test_an_input_comes_back_by_way_of_its_code(here: Path) -> None:
    sample = ["sample", "aae", "--run", str(here / "run"), "--device", "cpu", "--quiet"]
    for out in ("back", "again"):
        assert run([*sample, "--input", str(here / "mine"), "--out", out]) == 0
    assert sorted(p.name for p in Path("back").iterdir()) == ["a.png", "b.png"]
    for name in ("a.png", "b.png"):  # nothing is drawn at random
        assert Path("back", name).read_bytes() == Path("again", name).read_bytes()


def test_encode_writes_a_row_for_each_image(here: Path) -> None:
    import gantool

    assert run(["encode", str(here / "run"), "--input", str(here / "mine"), "--device", "cpu", "--quiet"]) == 0
    with np.load("latents.npz", allow_pickle=False) as file:
        assert file["latents"].shape == (2, 4) and file["latents"].dtype == np.float32
        assert file["names"].tolist() == ["a", "b"]
        found = file["latents"]
    model = gantool.load(here / "run", device="cpu")
    images = [Image.open(here / "mine" / name) for name in ("a.png", "b.png")]
    assert (model.encode(images).array == found).all(), "Python's are the command's"
    with torch.inference_mode():
        back = model.variant.decode(torch.from_numpy(found))
    drawn = model.translate(here / "mine").tensor
    assert (back.mul(127.5).add(127.5).round() - drawn).abs().max() <= 1, "a code's image is what --input gives back"


def test_encode_loses_nothing_and_says_what_would_be_right(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encode = ["encode", str(here / "run"), "--input", str(here / "mine"), "--device", "cpu", "--quiet"]
    assert run(encode) == 0
    before = Path("latents.npz").read_bytes()
    assert run([*encode, "--out", "latents.npz"]) == USAGE and "--force" in capsys.readouterr().err
    assert run([*encode, "--out", "latents.npz", "--force"]) == 0 and Path("latents.npz").read_bytes() == before
    assert run([*encode, "--out", "latents.png"]) == USAGE and "latents.npz" in capsys.readouterr().err
    assert run(["encode", str(here / "run"), "--input", "nowhere"]) == USAGE


def test_a_model_without_an_encoder_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--z", "4", "--g-layers", "4", "--d-layers", "4", "--size", "8", "--batch-size", "4", "--steps", "1"]
    assert run(["train", "gan", *small, "--out", "gan", "--device", "cpu", "--quiet"]) == 0
    assert run(["encode", "./gan", "--input", str(here / "mine"), "--device", "cpu"]) == USAGE
    assert "gan has no encoder" in capsys.readouterr().err


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(here: Path) -> None:
    assert run(["train", "aae", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", here / "run"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "aae", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    variant, recipe = with_preset("aae", "paper", (1, 28, 28))
    sizes = [layer.out_features for layer in variant.decoder.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [1000, 1000, 784] and variant.options.z == 8
    assert (recipe.batch_size, recipe.ema_images) == (100, 0)
    assert variant.players()["D"].param_groups[0]["lr"] == 0.1


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("aae", *FLAGS)
