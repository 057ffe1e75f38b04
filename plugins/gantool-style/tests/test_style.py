"""Style transfer keeps gantool's contract, and its losses are what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import DataSpec, Recipe, open_image
from gantool.cli import run
from gantool.testing import check_variant
from PIL import Image
from safetensors import safe_open

from gantool_style.style import StyleTransfer, apart, gram

torch.set_num_threads(1)
SMALL: dict[str, Any] = {}
FLAGS = ["--size", "16", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 16}, {"size": 21, "channels": 1}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(StyleTransfer, options=SMALL, batch_size=1, **recipe)


def test_a_gram_matrix_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0]], [[0.0, 3.0]]]])  # two features, two places
    assert gram(x).tolist() == [[[2.5, 3.0], [3.0, 4.5]]]


def test_a_gram_matrix_does_not_know_places() -> None:
    x = torch.randn(1, 5, 4, 6)
    torch.testing.assert_close(gram(x), gram(x.flip(2).roll(2, 3)))


def test_distance_is_a_share_of_what_is_wanted() -> None:
    y = torch.randn(1, 3, 4)
    assert apart(y, y) == 0
    torch.testing.assert_close(apart(torch.zeros_like(y), y), torch.tensor(1.0))


def test_the_content_itself_has_no_content_loss_and_the_style_itself_no_style_loss() -> None:
    variant = StyleTransfer(StyleTransfer.Options(), DataSpec((3, 16, 16)))
    content, style = 0.9 * (torch.rand(2, 1, 3, 16, 16) * 2 - 1)
    for which, name in ((content, "content"), (style, "style")):
        variant.pixels.data = which.atanh()
        with torch.no_grad():
            loss = variant.loss((content, style))
        assert isinstance(loss, dict) and float(loss[name]) < 1e-8 < 1e-3 < sum(map(float, loss.values()))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("things.png", 0), ("strokes.jpg", 1)):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)).save(name)
    return ["--content", "things.png", "--style", "strokes.jpg"]


def test_images_are_the_files_and_then_no_longer_needed(files: list[str]) -> None:
    assert run(["train", "style", *files, "--steps", "3", "--out", "run", *FLAGS]) == 0
    with safe_open("run/model.safetensors", "pt") as held:
        (name,) = held.keys()
        assert held.get_tensor(name).shape == (1, 3, 16, 16)  # the image, and no filters
    for file in (*files[1::2], "run/checkpoint.safetensors"):
        Path(file).unlink(missing_ok=True)
    assert run(["sample", "style", "--run", "run", "-n", "1", "--out", "it.png", "--device", "cpu", "--quiet"]) == 0
    assert open_image("it.png").shape == (3, 16, 16)


def test_the_style_is_approached(files: list[str]) -> None:
    data = StyleTransfer.dataset(Recipe(size=16), StyleTransfer.Options())
    batch = tuple(x.float() / 127.5 - 1 for x in data.batch(torch.tensor([0]), torch.Generator()))
    torch.manual_seed(0)
    variant = StyleTransfer(StyleTransfer.Options(), data.spec)
    (adam,) = variant.players().values()
    losses = []
    for _ in range(60):
        loss = variant.loss(batch)
        assert isinstance(loss, dict)
        losses.append(torch.as_tensor(loss["style"]).item())
        adam.zero_grad()
        sum(loss.values(), torch.zeros(())).backward()
        adam.step()
    assert losses[-1] < losses[0] / 2  # one image and no adversary: a plain descent


@pytest.mark.parametrize(("file", "content"), [("none.png", None), ("x.png", b"rubbish")])
def test_what_is_no_image_is_refused_in_words(
    file: str,
    content: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content:
        Path(file).write_bytes(content)
    assert run(["train", "style", "--content", file, "--steps", "1", *FLAGS]) == 2
    assert file in capsys.readouterr().err


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "style", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "style", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "style", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()
