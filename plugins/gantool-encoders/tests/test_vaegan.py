"""VAE/GAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import DataSpec
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch.distributions import Normal, kl_divergence

from gantool_encoders.vaegan import VAEGAN, kl

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


@pytest.mark.parametrize("recipe", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(VAEGAN, options=SMALL, **recipe)


def test_the_divergence_of_codes_is_the_closed_form_and_the_integral() -> None:
    mean, log_s = torch.randn(7, 3), torch.randn(7, 3) / 2
    torch_s = kl_divergence(Normal(mean, log_s.exp()), Normal(torch.zeros(3), torch.ones(3))).sum(1)
    torch.testing.assert_close(kl(mean, log_s), torch_s)
    assert kl(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    p, q = Normal(torch.tensor(0.7).double(), torch.tensor(0.5).double()), Normal(x.new_zeros(()), x.new_ones(()))
    integral = torch.trapezoid(p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x)), x)
    assert float(kl(torch.tensor([[0.7]]), torch.tensor([[0.5]]).log())) == pytest.approx(float(integral), abs=1e-5)


def made(**options: Any) -> VAEGAN:
    torch.manual_seed(0)
    return VAEGAN(VAEGAN.Options(**SMALL | options), DataSpec((1, 8, 8)))


def test_the_error_is_what_d_sees_or_pixels() -> None:
    x, back = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8)
    seen = made().discriminator.get_submodule("0")
    torch.testing.assert_close(made().unlike(back, x), (seen(back) - seen(x)).square().mean())
    torch.testing.assert_close(made(error="pixels").unlike(back, x), (back - x).square().mean())


def test_each_player_lowers_what_algorithm_1_says() -> None:
    variant = made(prior=0.3, gamma=2.0, adversarial=0.7, r1=0)
    x, fakes = torch.rand(5, 1, 8, 8), torch.rand(10, 1, 8, 8)
    mean, log_s = variant.encoder(x).chunk(2, 1)
    p, q = (variant.discriminator(part).double().sigmoid() for part in (x, fakes))
    dis, dec = variant.dis_loss((x, fakes)), variant.dec_loss((x, fakes))
    enc = variant.enc_loss((x, mean, log_s, mean))
    assert isinstance(dis, dict) and isinstance(enc, dict) and isinstance(dec, dict)
    near = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(dis["real"].double(), -p.log().mean(), **near)
    torch.testing.assert_close(dis["fake"].double(), -(1 - q).log().mean(), **near)
    torch.testing.assert_close(enc["prior"], 0.3 * kl(mean, log_s).mean())
    torch.testing.assert_close(enc["error"], variant.unlike(variant.generator(mean), x))
    torch.testing.assert_close(dec["error"], 2 * variant.unlike(fakes[:5], x))
    torch.testing.assert_close(dec["fool"].double(), -0.7 * q.log().mean(), **near)


def test_an_image_s_code_is_the_mean() -> None:
    variant, x = made(), torch.rand(5, 1, 8, 8)
    assert torch.equal(variant.encode(x), variant.encoder(x)[:, :3])


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "vaegan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "vaegan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    variant, recipe = with_preset("vaegan", "paper", (3, 64, 64))
    assert variant.options.z == 128 and recipe.batch_size == 64
    assert all(type(o).__name__ == "RMSprop" and o.param_groups[0]["lr"] == 3e-4 for o in variant.players().values())
