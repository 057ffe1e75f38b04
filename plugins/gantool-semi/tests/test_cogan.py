"""CoGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, judged_digits
from gantool.cli import run
from gantool.testing import check_data, check_variant
from PIL import Image
from torch import Tensor, nn

from gantool_semi import made
from gantool_semi.cogan import CoGAN
from gantool_semi.domains import Domains

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2, "components": 0}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]
DIGITS = tuple("0123456789")


def built(**options: Any) -> CoGAN:
    torch.manual_seed(0)
    return CoGAN(CoGAN.Options(**SMALL | {"r1": 0} | options), DataSpec((1, 16, 16), DIGITS)).eval()


def test_contract() -> None:
    check_variant(CoGAN, options=SMALL, size=16)


def grads(loss: Any, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*network.parameters()], retain_graph=True, allow_unused=True))


def test_the_gradient_of_shared_layers_is_the_sum_of_both_games() -> None:
    """And layers of one side have that side's alone."""
    variant = built()
    z = torch.randn(6, 3)
    loss = variant.g_loss([variant.generator(z, side) for side in (0, 1)])
    assert isinstance(loss, dict)
    a, b = loss["fool a"], loss["fool b"]
    g = variant.generator
    assert len(g.start) == 1 and len(g.end) == 2
    for both, one, other in zip(*(grads(term, g.start) for term in (a + b, a, b)), strict=True):
        assert one.abs().sum() > 0 and other.abs().sum() > 0
        torch.testing.assert_close(both, one + other)
    assert all(found is None for found in grads(a, g.end[1])) and all(found is None for found in grads(b, g.end[0]))
    d_loss = variant.d_loss((*(torch.rand(6, 1, 16, 16) for _ in "ab"), *(torch.rand(6, 1, 16, 16) for _ in "ab")))
    assert isinstance(d_loss, dict)
    d = variant.discriminator
    assert len(d.start) == 2 and len(d.end) == 1
    a, b = (d_loss[f"real {name}"] + d_loss[f"fake {name}"] for name in "ab")
    for both, one, other in zip(*(grads(term, d.end) for term in (a + b, a, b)), strict=True):
        torch.testing.assert_close(both, one + other)


def test_without_sharing_these_are_two_gans_of_one_noise() -> None:
    variant = built(shared=False)
    assert all(len(part) == 2 for twins in (variant.generator, variant.discriminator) for part in twins.children())
    loss = variant.g_loss([variant.generator(torch.randn(6, 3), side) for side in (0, 1)])
    assert isinstance(loss, dict)
    assert all(found is None for found in grads(loss["fool a"], variant.generator.start[1]))


def test_losses_are_the_sum_of_two_games() -> None:
    variant = built()
    batch = [torch.rand(5, 1, 16, 16) for _ in range(4)]
    loss = variant.d_loss(batch)
    assert isinstance(loss, dict) and loss.keys() == {"real a", "fake a", "real b", "fake b"}
    for side, name in enumerate("ab"):
        p, q = (variant.discriminator(part, side).double().sigmoid() for part in (batch[side], batch[2 + side]))
        torch.testing.assert_close(loss[f"real {name}"].double(), -p.log().mean(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(loss[f"fake {name}"].double(), -(1 - q).log().mean(), rtol=1e-5, atol=1e-6)


def test_pairs_that_agree_are_counted() -> None:
    """Real digits, and the same in the other domain; then others beside them."""
    held = made.negatives(CoGAN.recipe, train=False)
    x = held.a.pixels[:500].float() / 127.5 - 1
    variant = CoGAN(CoGAN.Options(), DataSpec((1, 28, 28), DIGITS))
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    for other, least, most in ((x, 0.99, 1.0), (x[order], 0.0, 0.2)):
        variant.generator = Pair(x, other)
        found = variant.measure(held)
        assert least <= found["agree"] <= most and found["clear"] > 0.9 and found["pairs_kl"] < 0.05


class Pair(nn.Module):
    def __init__(self, a: Tensor, b: Tensor) -> None:
        super().__init__()
        self.images = (a, -b)

    def forward(self, z: Tensor, side: int) -> Tensor:
        return self.images[side]


# The data.


@pytest.mark.parametrize("name", ["digits-and-negatives", "digits-on-texture"])
def test_data_keep_the_contract(name: str) -> None:
    check_data(name)


def test_no_digit_is_in_both_domains_and_none_is_held_out_and_trained_on() -> None:
    train, held = (made.negatives(CoGAN.recipe, train) for train in (True, False))
    a, b, other = ({i.numpy().tobytes() for i in x} for x in (train.a.pixels, 255 - train.b.pixels, held.a.pixels))
    assert len(a) == 2_500 and not a & b and not (a | b) & other


def test_negatives_are_dark_on_light_and_still_what_they_were() -> None:
    b = made.negatives(CoGAN.recipe, train=False).b
    x = b.pixels.float() / 127.5 - 1
    assert float((x[:, :, 0] > 0.9).double().mean()) > 0.99
    assert float((judged_digits(-x)[1].argmax(1) == b.labels).double().mean()) > 0.95


def test_two_folders_are_two_domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("mine/A/cat", "mine/A/dog", "mine/B"):
        Path(where).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (8, 8), (10 * i, 90, 30)).save(f"{where}/{i}.png")
    flags = ["--data", "mine", *FLAGS]
    assert run(["train", "cogan", "--steps", "2", "--out", "run", *flags]) == 0
    assert run(["sample", "cogan", "--run", "run", "--domain", "b", "-n", "4", "--device", "cpu", "-q"]) == 0
    data = CoGAN.dataset(CoGAN.recipe.__class__(data="mine"), None)
    assert isinstance(data, Domains) and data.spec.classes == ("cat", "dog")
    assert run(["train", "cogan", "--steps", "1", "--data", "mine/A", "-q"]) == 2


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "cogan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "cogan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
