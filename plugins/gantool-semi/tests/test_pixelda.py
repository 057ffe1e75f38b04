"""PixelDA keeps gantool's contract and the paper's equations, and no label of the target is seen."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, UserError
from gantool.cli import run
from gantool.testing import check_variant
from torch import nn
from torch.nn.functional import cross_entropy

from gantool_semi import made
from gantool_semi.pixelda import PixelDA

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2, "blocks": 1}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--blocks", "1", "--batch-size", "4", "--device", "cpu", "--quiet"]


def built(**options: Any) -> PixelDA:
    torch.manual_seed(0)
    return PixelDA(PixelDA.Options(**SMALL | {"r1": 0} | options), DataSpec((3, 16, 16), ("a", "b", "c"))).eval()


def test_contract() -> None:
    check_variant(PixelDA, options=SMALL, size=16)


def test_losses_are_the_paper_s() -> None:
    variant = built(task=0.3, adapted=0.7)
    x, target, y = torch.rand(6, 3, 16, 16), torch.rand(6, 3, 16, 16), torch.arange(6) % 3
    fake = variant.adapt(x)
    p, q = (variant.discriminator(part).double().sigmoid() for part in (target, fake))
    d, g, t = variant.d_loss((target, fake)), variant.g_loss((fake, y)), variant.t_loss((x, fake, y))
    assert isinstance(d, dict) and isinstance(g, dict) and isinstance(t, dict)
    near = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(d["real"].double(), -p.log().mean(), **near)
    torch.testing.assert_close(d["fake"].double(), -(1 - q).log().mean(), **near)
    torch.testing.assert_close(g["fool"].double(), -q.log().mean(), **near)
    torch.testing.assert_close(g["task"], 0.3 * cross_entropy(variant.classifier(fake), y))
    torch.testing.assert_close(t["source"], cross_entropy(variant.classifier(x), y))
    torch.testing.assert_close(t["adapted"], 0.7 * cross_entropy(variant.classifier(fake), y))


def test_a_batch_has_labels_of_the_source_and_none_of_the_target() -> None:
    data = made.on_texture(PixelDA.recipe)
    index = torch.arange(40)
    x, y, target = data.batch(index, torch.Generator().manual_seed(0))
    assert torch.equal(x, data.a.pixels[index]) and torch.equal(y, data.a.labels[index])
    again = data.batch(index, torch.Generator().manual_seed(1))[2]
    assert target.shape == x.shape and not torch.equal(target, again), "any image of the target may stand beside it"


def test_accuracies_are_of_each_domain() -> None:
    held = made.on_texture(PixelDA.recipe, train=False)
    variant = PixelDA(PixelDA.Options(**SMALL), held.spec)
    variant.classifier = Always(10)
    share = {name: float((x.labels == 0).double().mean()) for name, x in (("source", held.a), ("target", held.b))}
    assert variant.measure(held) == {f"{name}_accuracy": pytest.approx(share[name]) for name in share}


class Always(nn.Module):
    """Says class 0."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.eye(self.classes)[:1].expand(len(x), -1)


def test_a_source_without_classes_is_refused() -> None:
    with pytest.raises(UserError, match="needs classes"):
        PixelDA(PixelDA.Options(**SMALL), DataSpec((3, 16, 16)))


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "pixelda", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "pixelda", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
