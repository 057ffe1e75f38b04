"""InfoGAN keeps gantool's contract and the paper's equations; codes do what their flags say."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec, ImageData, UserError, agreement
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from safetensors import safe_open
from torch import Tensor
from torch.distributions import Categorical, Normal

from gantool_info.infogan import InfoGAN
from gantool_info.information import log_q

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]
DIGITS = tuple("0123456789")


def made(**options: Any) -> InfoGAN:
    torch.manual_seed(0)
    return InfoGAN(InfoGAN.Options(**SMALL | options), DataSpec((1, 8, 8), DIGITS)).eval()


@pytest.fixture
def variant() -> InfoGAN:
    return made()


def drawn(variant: InfoGAN, n: int = 20, **flags: Any) -> Tensor:
    torch.manual_seed(1)
    with torch.no_grad():
        return variant.sample(n, variant.SampleOptions(**flags))


def read_by(variant: InfoGAN, said: Tensor) -> None:
    """Q says this of every image."""
    layer = torch.nn.Linear(256, len(said))
    layer.weight.data.zero_()
    layer.bias.data = said
    variant.q = torch.nn.Sequential(layer)


def test_contract() -> None:
    check_variant(InfoGAN, options=SMALL, size=8)


def test_contract_of_points() -> None:
    check_variant(InfoGAN, options={"width": 2, "values": 3}, data="moons")


def test_contract_in_colour_with_other_codes() -> None:
    check_variant(InfoGAN, options=SMALL | {"values": 3, "r1": 0.0, "d_steps": 2}, size=10, channels=3)


# The bound.


def test_a_blind_q_reads_nothing(variant: InfoGAN) -> None:
    """All values alike: E[log Q] = -log 10, so that L_I is 0."""
    c1, _ = log_q(torch.zeros(6, 14), variant.codes(6), 10)
    torch.testing.assert_close(c1, torch.full((6,), -math.log(10)))
    read_by(variant, torch.zeros(14))
    assert variant.measure(held())["information"] == pytest.approx(0, abs=1e-5)


def test_a_perfect_q_reads_all(variant: InfoGAN) -> None:
    """log Q(c1) is 0, so that L_I is H(c1) = log 10."""
    c = variant.codes(50)
    said = torch.cat([1e3 * torch.nn.functional.one_hot(c[:, 0].long(), 10), c[:, 1:], torch.zeros(50, 2)], 1)
    c1, rest = log_q(said, c, 10)
    torch.testing.assert_close(c1, torch.zeros(50))
    torch.testing.assert_close(rest, torch.full((50,), -math.log(2 * math.pi)))  # two densities of 1/sqrt(2 pi)


def test_log_q_is_torch_s(variant: InfoGAN) -> None:
    said, c = torch.randn(30, 14), variant.codes(30)
    c1, rest = log_q(said, c, 10)
    torch.testing.assert_close(c1, Categorical(logits=said[:, :10]).log_prob(c[:, 0]))
    torch.testing.assert_close(rest, Normal(said[:, 10:12], said[:, 12:].exp()).log_prob(c[:, 1:]).sum(1))


def test_both_turns_raise_the_bound(variant: InfoGAN) -> None:
    variant.options.jitter = 0.0
    x, c, z = torch.rand(6, 1, 8, 8), variant.codes(6), torch.randn(6, 4)
    fake = variant.draw(z, c)
    c1, rest = log_q(variant.q(variant.discriminator(fake)), c, 10)
    for info in (0.0, 0.5, 2.0):
        variant.options.info = info
        for loss in (variant.d_loss((x, c, fake.detach())), variant.g_loss((x, c, fake))):
            assert isinstance(loss, dict)
            torch.testing.assert_close(loss["c1"], -info * c1.mean())
            torch.testing.assert_close(loss["c2 and c3"], -info * variant.options.smooth * rest.mean())


def test_c1_is_read_off_a_image_that_was_moved(variant: InfoGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    """And c2 and c3, which may be its slant, off the one that was not."""
    c, fake = variant.codes(6), torch.rand(6, 1, 8, 8)
    seen = variant.discriminator(fake)
    moved = log_q(variant.q(variant.discriminator(fake.flip(3))), c, 10)[0]
    monkeypatch.setattr("gantool_info.infogan.jittered", lambda x, chance: x.flip(3))
    loss = variant.unread(fake, seen, c)
    torch.testing.assert_close(loss["c1"], -moved.mean())
    torch.testing.assert_close(loss["c2 and c3"], -variant.options.smooth * log_q(variant.q(seen), c, 10)[1].mean())


def test_what_is_read_off_a_real_image_must_stay_when_it_is_tilted(
    variant: InfoGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by nothing where codes should carry no information."""
    x = torch.rand(6, 1, 8, 8)
    seen = variant.discriminator(x)
    monkeypatch.setattr("gantool_info.infogan.jittered", lambda x, chance: x.flip(3))
    p, q = (variant.q(h)[:, :10].softmax(1) for h in (seen, variant.discriminator(x.flip(3))))
    variant.options.steady, variant.options.info = 3.0, 0.5
    torch.testing.assert_close(variant.unsteady(x, seen)["steady"], -1.5 * agreement(p, q))
    for nothing in ("info", "steady", "jitter"):
        other = made(**{nothing: 0.0})
        assert other.unsteady(x, other.discriminator(x)) == {}


def test_agreement_is_the_information_that_two_codes_share() -> None:
    """Both sure, alike and even: log k. One that says nothing, or always the same: 0. Sure of unlike pairs: by hand."""
    sure = torch.eye(4).repeat(5, 1)
    assert agreement(sure, sure).item() == pytest.approx(math.log(4), abs=1e-5)
    assert agreement(sure, torch.full_like(sure, 0.25)).item() == pytest.approx(0, abs=1e-5)
    assert agreement(sure[:1].expand(20, 4), sure[:1].expand(20, 4)).item() == pytest.approx(0, abs=1e-5)
    p, q = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]), torch.tensor([[1.0, 0], [0, 1], [0, 1], [0, 1]])
    joint = [[1 / 4, 1 / 8], [1 / 8, 1 / 2]]  # one pair of four differs, counted half each way
    alone = [3 / 8, 5 / 8]
    by_hand = sum(joint[i][j] * math.log(joint[i][j] / alone[i] / alone[j]) for i in (0, 1) for j in (0, 1))
    assert agreement(p, q).item() == pytest.approx(by_hand, abs=1e-6)


def test_codes_are_even_and_within_their_ranges() -> None:
    c = made(values=4).codes(4000)
    assert c.shape == (4000, 3)
    assert all(900 < count < 1100 for count in c[:, 0].long().bincount().tolist())
    assert c[:, 1:].min() >= -1 and c[:, 1:].max() <= 1 and c[:, 1:].mean(0).abs().max() < 0.05


def test_g_sees_each_code(variant: InfoGAN) -> None:
    z, c = torch.randn(1, 4), torch.zeros(1, 3)
    with torch.no_grad():
        for code in range(3):
            other = c.clone()
            other[0, code] = 1
            assert not torch.equal(variant.draw(z, c), variant.draw(z, other))


# Flags of sample.


def test_c1_takes_turns_and_the_rest_is_by_lot(variant: InfoGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(variant, "draw", lambda z, c: asked.append(c) or z)
    drawn(variant, 25)
    (c,) = asked
    assert c[:, 0].tolist() == [float(i % 10) for i in range(25)]
    assert len(c[:, 1].unique()) == len(c[:, 2].unique()) == 25


def test_held_codes_are_held(variant: InfoGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(variant, "draw", lambda z, c: asked.append(c) or z)
    for given in (["c1=3,c2=-0.5"], ["c1=3", "c2=-.5"]):
        z = drawn(variant, 25, code=given)
        assert len(z.unique(dim=0)) == 25
    for c in asked:
        assert c[:, 0].unique().tolist() == [3] and c[:, 1].unique().tolist() == [-0.5]
        assert len(c[:, 2].unique()) == 25


def test_a_sweep_changes_one_code_along_each_row(variant: InfoGAN) -> None:
    x = drawn(variant, 100, sweep="c2=-2..2").view(10, 10, 1, 8, 8)
    z, c = torch.randn(1, 4), torch.zeros(1, 3)
    torch.manual_seed(1)
    variant.codes(100)
    z = variant.latents(1, variant.SampleOptions())
    with torch.no_grad():
        for row, column, at in ((0, 0, -2.0), (3, 9, 2.0), (7, 4, -2 + 16 / 9)):
            c = torch.tensor([[float(row), at, 0.0]])
            torch.testing.assert_close(x[row, column : column + 1], variant.draw(z, c))
    assert len(x.flatten(0, 1).unique(dim=0)) == 100


def test_a_sweep_at_a_held_c1_changes_the_noise_from_row_to_row(
    variant: InfoGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variant, "draw", lambda z, c: torch.cat([z, c], 1))
    x = drawn(variant, 30, sweep="c3=1..-1", code=["c1=4,c2=1"]).view(3, 10, 7)
    z, c = x[..., :4], x[..., 4:]
    assert torch.equal(z, z[:, :1].expand_as(z)) and len(z[:, 0].unique(dim=0)) == 3
    assert c[..., 0].unique().tolist() == [4] and c[..., 1].unique().tolist() == [1]
    torch.testing.assert_close(c[..., 2], torch.linspace(1, -1, 10).expand(3, 10))
    x = drawn(variant, 12, sweep="c1=2..5").view(3, 4, 7)
    assert x[..., 4].tolist() == [[2, 3, 4, 5]] * 3 and not x[..., 5:].any()
    assert len(x[:, 0, :4].unique(dim=0)) == 3


def test_where_the_noise_walks_codes_keep_still(variant: InfoGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant, "draw", lambda z, c: torch.cat([z, c], 1))
    x = drawn(variant, 9, interpolate=True, code=["c1=6"])
    assert x[:, 4:].unique(dim=0).tolist() == [[6, 0, 0]] and len(x[:, :4].unique(dim=0)) == 9


def test_a_sweep_s_shape(variant: InfoGAN) -> None:
    options = variant.SampleOptions
    assert variant.sheet(options()) is None
    assert variant.sheet(options(sweep="c2=-2..2")) == (10, 10)
    assert variant.sheet(options(sweep="c1=2..5")) == (4, 10)
    assert made(values=3).sheet(options(sweep="c3=0..1")) == (10, 3)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"code": ["c4=1"]}, "No code 'c4'"),
        ({"code": ["c1"]}, "'c1' gives no code a value"),
        ({"code": ["c1=10"]}, "c1 cannot be '10'"),
        ({"code": ["c1=2.5"]}, "c1 cannot be '2.5'"),
        ({"code": ["c2=nan"]}, "c2 cannot be 'nan'"),
        ({"code": ["c2=-2.1"]}, "c2 cannot be '-2.1'"),
        ({"code": ["c2=1,"]}, "gives no code a value"),
        ({"code": ["c2=1", "c2=0"]}, "c2 is given twice"),
        ({"sweep": "c2"}, "'c2' gives no code a value"),
        ({"sweep": "c2=1"}, "'c2=1' is no walk"),
        ({"sweep": "c2=-3..2"}, "c2 cannot be '-3'"),
        ({"sweep": "c1=0..9.5"}, "c1 cannot be '9.5'"),
        ({"sweep": "c2=1..1"}, "goes nowhere"),
        ({"sweep": "c2=-1..1", "code": ["c2=0"]}, "c2 cannot be held and walk"),
    ],
)
def test_wrong_codes_are_named(variant: InfoGAN, flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        variant.sample(4, variant.SampleOptions(**flags))
    assert words in error.value.message and error.value.code == USAGE and error.value.hint


def test_the_range_of_c1_is_the_model_s_own() -> None:
    with pytest.raises(UserError, match="c1 cannot be '3'") as error:
        drawn(made(values=3), code=["c1=3"])
    assert "from 0 to 2" in error.value.hint


def test_preview_has_a_column_for_each_value_of_c1(variant: InfoGAN) -> None:
    with torch.no_grad():
        assert variant.preview((torch.zeros(32, 1, 8, 8), None)).shape == (3, 10, 1, 8, 8)
        assert made(values=40).preview((torch.zeros(4, 1, 8, 8), None)).shape == (1, 20, 1, 8, 8)


# measure.


def held(n: int = 200) -> ImageData:
    """Images as bright as their class."""
    y = torch.arange(n) % 10
    return ImageData((y * 25).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8), y, DIGITS)


class Bright(torch.nn.Module):
    """Sees how bright images are."""

    def forward(self, x: Tensor) -> Tensor:
        return ((x.mean((1, 2, 3)) + 1) * 127.5 / 25).round().unsqueeze(1)


class Reads(torch.nn.Module):
    """Says the class, under another name, of each brightness: of the last three nothing but 0."""

    def forward(self, seen: Tensor) -> Tensor:
        y = seen.squeeze(1).long().clamp(0, 9)
        named = torch.where(y < 7, (y + 4) % 10, 4)
        return torch.cat([50.0 * torch.nn.functional.one_hot(named, 10), torch.zeros(len(y), 4)], 1)


def test_codes_are_matched_with_classes_whatever_their_names(variant: InfoGAN) -> None:
    variant.discriminator, variant.q = Bright(), Reads()
    assert variant.measure(held())["code_accuracy"] == pytest.approx(0.7)


def test_without_classes_no_accuracy() -> None:
    torch.manual_seed(0)
    blank = InfoGAN(InfoGAN.Options(**SMALL), DataSpec((1, 8, 8))).eval()
    found = blank.measure(ImageData(torch.zeros(20, 1, 8, 8, dtype=torch.uint8)))
    assert found.keys() == {"information", "slant"}


# The command line.


def test_the_model_file_alone_draws_and_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "infogan", "--steps", "3", "--out", "run", *FLAGS]) == 0
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert {name.split(".")[1] for name in file.keys()} == set(InfoGAN.ema)  # noqa: SIM118  # it is no dict
    assert InfoGAN.ema == ("generator", "discriminator", "q")  # what is drawn from, and what Q needs
    sample = ["sample", "infogan", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "--sweep", "c2=-2..2", "--out", "sweep.png"]) == 0
    assert run([*sample, "--code", "c1=3", "--code", "c2=0.5", "-n", "12", "--out", "some.npz"]) == 0
    with np.load("some.npz", allow_pickle=False) as arrays:
        assert arrays["images"].shape == (12, 8, 8) and "labels" not in arrays
    assert run([*sample, "--code", "c5=3", "--out", "none.png"]) == USAGE
    assert not Path("none.png").exists()


def test_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "infogan", "--preset", "paper", "--steps", "1", "--out", "a", *FLAGS]) == 0
    config = Path("a/config.yaml").read_text()
    assert "lr: 0.001" in config and "d_lr: 0.0002" in config and "info: 1" in config and "jitter: 0" in config


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "infogan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "infogan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Appendix C.1: 62 numbers and 10 + 2 codes into G; 64 and 128 channels in D; Adam 1e-3 for G and 2e-4 for D."""
    variant, recipe = with_preset("infogan", "paper", (1, 28, 28))
    down = [m for m in variant.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.stride) for m in down] == [(1, 64, (2, 2)), (64, 128, (2, 2))]
    assert next(m.in_features for m in variant.generator.modules() if isinstance(m, torch.nn.Linear)) == 62 + 10 + 2
    rates = {name: player.param_groups[0]["lr"] for name, player in variant.players().items()}
    assert rates == {"D": 2e-4, "G": 1e-3}
    variant.step = 1_000
    assert (recipe.batch_size, variant.schedule(), recipe.ema_images) == (128, 1.0, 0)
    o = variant.options
    assert (o.info, o.code_scale, o.jitter, o.r1) == (1, 1, 0, 0)
