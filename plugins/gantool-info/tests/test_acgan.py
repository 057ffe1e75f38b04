"""ACGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec, ImageData, UserError, judged_digits, open_data
from gantool.cli import run
from gantool.config.options import Recipe
from gantool.testing import check_variant, with_preset
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import one_hot

from gantool_info.acgan import ACGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2, "augment": "none"}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]
DIGITS = tuple("0123456789")


@pytest.fixture
def variant() -> ACGAN:
    torch.manual_seed(0)
    return ACGAN(ACGAN.Options(**SMALL), DataSpec((1, 8, 8), DIGITS)).eval()


def test_contract() -> None:
    check_variant(ACGAN, options=SMALL, size=8)


def test_contract_in_colour() -> None:
    check_variant(ACGAN, options=SMALL | {"r1": 0.0, "d_steps": 2}, size=10, channels=3)


def test_images_without_classes_are_refused() -> None:
    with pytest.raises(UserError, match="needs classes") as error:
        ACGAN(ACGAN.Options(), DataSpec((1, 8, 8)))
    assert error.value.code == USAGE


def test_losses_are_the_paper_s(variant: ACGAN) -> None:
    """L_S and L_C as logarithms of probabilities."""
    x, y, z = torch.rand(6, 1, 8, 8), torch.arange(6), torch.randn(6, 4)
    fake = variant.draw(z, y)
    source = {name: variant.d_logits(p, y).double().sigmoid() for name, p in (("x", x), ("fake", fake))}
    named = {
        name: variant.classifier(variant.discriminator(p)).double().softmax(1)[range(6), y].log().mean()
        for name, p in (("x", x), ("fake", fake))
    }
    variant.step = 1  # a step without a penalty
    d, g = variant.d_loss((x, y, fake.detach())), variant.g_loss((x, y, fake))
    assert isinstance(d, dict) and isinstance(g, dict) and d.keys() == {"real", "fake", "class"}
    l_s = source["x"].log().mean() + (1 - source["fake"]).log().mean()
    torch.testing.assert_close((d["real"] + d["fake"]).double(), -l_s)
    torch.testing.assert_close(d["class"].double(), -(named["x"] + named["fake"]))
    torch.testing.assert_close(g["fool"].double(), -source["fake"].log().mean())
    torch.testing.assert_close(g["class"].double(), -named["fake"])
    variant.options.auxiliary = 0.5
    again = variant.g_loss((x, y, fake))
    assert isinstance(again, dict)
    torch.testing.assert_close(again["class"], g["class"] / 2)


def test_d_s_fakes_are_of_the_batch_s_classes(variant: ACGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(variant, "draw", lambda z, y: asked.append(y) or z.mean())
    y = torch.tensor([3, 1, 4])
    variant.fake((torch.zeros(3, 1, 8, 8), y))
    assert torch.equal(asked[0], y)


def test_labels_are_those_asked_for(variant: ACGAN) -> None:
    with torch.no_grad():
        _, y = variant.sample(12, variant.SampleOptions())
        assert y.tolist() == [*range(10), 0, 1]
        x, y = variant.sample(3, variant.SampleOptions(label="7"))
    assert y.tolist() == [7, 7, 7] and len(x.unique(dim=0)) == 3
    with pytest.raises(UserError, match="No class"):
        variant.sample(1, variant.SampleOptions(label="10"))


def test_own_head_and_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """G repeats one real image a class, of which a third under a wrong name; its own head believes all names."""
    monkeypatch.setattr("gantool_info.acgan.MEASURED", 500)
    real = open_data(Recipe(data="digits"))
    torch.manual_seed(0)
    variant = ACGAN(ACGAN.Options(**SMALL), real.spec).eval()
    x = real.pixels[::500].float() / 127.5 - 1  # one of each class
    told = torch.tensor([0, 1, 2, 3, 4, 5, 6, 8, 9, 7])
    monkeypatch.setattr(variant, "draw", lambda z, y: x[told[y]])
    seen = judged_digits(x)[1].argmax(1)
    right = float((seen[told] == torch.arange(10)).double().mean())

    class Believes(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            at = (images.flatten(1).unsqueeze(1) - x.flatten(1)).square().sum(2).argmin(1)
            return one_hot(told.argsort()[at], 10).float()

    variant.discriminator, variant.classifier = torch.nn.Identity(), Believes()
    held = ImageData(real.pixels[::500], torch.arange(10), real.spec.classes)
    found = variant.measure(held)
    assert found["own_head"] == pytest.approx(0.7)
    assert 0.6 <= right <= 0.8 and found["own_head_excess"] == pytest.approx(1 - right)


def test_without_a_judge_the_head_alone_is_measured() -> None:
    torch.manual_seed(0)
    variant = ACGAN(ACGAN.Options(**SMALL), DataSpec((1, 8, 8), ("cat", "dog"))).eval()
    held = ImageData(torch.zeros(20, 1, 8, 8, dtype=torch.uint8), torch.arange(20) % 2, ("cat", "dog"))
    assert variant.measure(held) == {"own_head": 0.5}


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "acgan", "--preset", "paper", "--steps", "2", "--out", "run", *FLAGS]) == 0
    config = Path("run/config.yaml").read_text()
    assert "lr: 0.0002" in config and "beta1: 0.5" in config and "ema_images: 0" in config
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert any("classifier" in name for name in file.keys())  # noqa: SIM118  # it is no dict
    sample = ["sample", "acgan", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "--digit", "5", "-n", "4", "--out", "five.npz"]) == 0
    with np.load("five.npz", allow_pickle=False) as arrays:
        assert arrays["labels"].tolist() == [5] * 4


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "acgan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "acgan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Appendix A, for CIFAR-10: 100 + 10 numbers into G, as many channels at its coarsest map; Adam, batches of 100."""
    variant, recipe = with_preset("acgan", "paper", (3, 32, 32), 10)
    up = [m for m in variant.generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [(m.in_channels, m.out_channels) for m in up] == [(192, 96), (96, 48), (48, 3)]
    assert next(m.in_features for m in variant.generator.modules() if isinstance(m, torch.nn.Linear)) == 110
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
    variant.step = 10_000
    assert (recipe.batch_size, recipe.steps, variant.schedule()) == (100, 50_000, 1.0)
    assert (variant.options.r1, variant.options.augment, recipe.ema_images) == (0, "none", 0)
