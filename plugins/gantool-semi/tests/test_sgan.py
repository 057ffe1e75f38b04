"""SGAN keeps gantool's contract and the paper's equations, and sees no more labels than it may."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData, Recipe, UserError, open_data
from gantool.cli import run
from gantool.testing import check_variant
from torch import Tensor, nn

from gantool_semi.sgan import SGAN, FewLabels

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2, "augment": "none"}
FLAGS = ["--size", "16", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 16}, {"size": 9, "channels": 3}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(SGAN, options=SMALL | {"labels": 20}, **recipe)


@pytest.mark.parametrize("labels", [10, 100, 105])
def test_so_many_labels_are_seen_and_as_many_of_every_class(labels: int) -> None:
    data = SGAN.dataset(Recipe(), SGAN.Options(labels=labels))
    assert isinstance(data, FewLabels)
    index, rng = torch.arange(len(data)), torch.Generator().manual_seed(0)
    x, few, y = data.batch(index, rng)
    assert len(x) == len(few) == len(y) == 5_000
    seen = {(int(c), bytes(image.numpy().tobytes())) for image, c in zip(few, y, strict=True)}
    assert len(seen) == labels // 10 * 10
    assert [sum(c == k for c, _ in seen) for k in range(10)] == [labels // 10] * 10


def test_labels_are_the_images_own_and_none_is_of_an_image_held_out() -> None:
    training, held = (SGAN.dataset(Recipe(), SGAN.Options(), train) for train in (True, False))
    assert isinstance(training, FewLabels) and isinstance(held, ImageData)
    everyone = open_data(Recipe())
    true = {i.numpy().tobytes(): int(y) for i, y in zip(everyone.pixels, everyone.labels, strict=True)}
    _, few, y = training.batch(torch.arange(500), torch.Generator())
    assert [true[image.numpy().tobytes()] for image in few] == y.tolist()
    assert len(held) == 1_000
    assert not {i.numpy().tobytes() for i in held.pixels} & {i.numpy().tobytes() for i in training.pixels}


@pytest.mark.parametrize(("labels", "classes"), [(3, 4), (100, 0)])
def test_too_few_labels_or_classes_are_refused(labels: int, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple("abcd"[:classes])
    images = ImageData(torch.zeros(40, 1, 8, 8, dtype=torch.uint8), torch.arange(40) % max(1, classes), names)
    monkeypatch.setattr("gantool.api.open_split", lambda recipe: (images, images))
    with pytest.raises(UserError, match="several classes"):
        SGAN.dataset(Recipe(), SGAN.Options(labels=labels))


class Logits(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_d_is_z_over_z_and_1() -> None:
    """Of K logits; and so the losses are -log D(x) and -log(1 - D(G(z)))."""
    variant = SGAN(SGAN.Options(**SMALL), DataSpec((1, 16, 16), ("a", "b", "c")))
    variant.discriminator = nn.Sequential(Logits(), Logits())
    x, few, fake = torch.randn(5, 3), torch.randn(5, 3), torch.randn(5, 3)
    y = torch.tensor([0, 1, 2, 0, 1])

    def d(logits: Tensor) -> Tensor:
        z = logits.exp().sum(1)
        return z / (z + 1)

    torch.testing.assert_close(variant.d_logits(x, y).sigmoid(), d(x))
    loss = variant.d_loss((x, few, y, fake))
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["real"], -d(x).log().mean() / 2)
    torch.testing.assert_close(loss["fake"], -(1 - d(fake)).log().mean() / 2)
    torch.testing.assert_close(loss["class"], -few.softmax(1)[torch.arange(5), y].log().mean())
    torch.testing.assert_close(variant.g_loss((x, few, y, fake)), (x.mean(0) - fake.mean(0)).square().mean())


def test_nothing_is_noise_in_place_of_images_without_a_label() -> None:
    """The images with one stay as they are."""
    variant = SGAN(SGAN.Options(**SMALL, nothing=True), DataSpec((1, 16, 16), ("a", "b", "c")))
    shown: list[Tensor] = []
    variant.discriminator = nn.Sequential(Logits(), Sees(shown))
    x, few, fake = torch.full((40, 1, 4, 4), 0.5), torch.zeros(40, 1, 4, 4), torch.ones(40, 1, 4, 4)
    variant.d_loss((x, few, torch.zeros(40, dtype=torch.int64), fake))
    noise, drawn, labelled = shown[0].chunk(3)
    assert torch.equal(labelled, few) and torch.equal(drawn, fake)
    assert noise.min() >= -1 and noise.max() <= 1 and len(noise.unique()) > 600


class Sees(nn.Module):
    def __init__(self, shown: list[Tensor]) -> None:
        super().__init__()
        self.shown = shown

    def forward(self, x: Tensor) -> Tensor:
        self.shown.append(x)
        return x.flatten(1)[:, :3]


def test_errors_are_counted_on_what_is_held_out() -> None:
    held = ImageData(torch.eye(3, dtype=torch.uint8).mul(255).view(3, 1, 1, 3), torch.tensor([0, 1, 1]), tuple("abc"))
    variant = SGAN(SGAN.Options(**SMALL), DataSpec((1, 16, 16), tuple("abc")))
    variant.discriminator = nn.Flatten()
    assert variant.measure(held) == {"test_error": pytest.approx(1 / 3)}


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "sgan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "sgan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "sgan", "--run", name, "--device", "cpu", "--quiet"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()
