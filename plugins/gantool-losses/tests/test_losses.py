"""The seven games keep gantool's contract, and what their papers say can be computed comes out."""

import inspect
import json
import math
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from gantool.api import DataSpec, ImageData
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch import Tensor, nn

from gantool_losses.bgan import BGAN
from gantool_losses.dragan import DRAGAN
from gantool_losses.game import Game
from gantool_losses.hinge import Hinge
from gantool_losses.lsgan import LSGAN
from gantool_losses.ragan import RaGAN
from gantool_losses.softmax_gan import SoftmaxGAN
from gantool_losses.wgan_div import WGANDiv

torch.set_num_threads(1)
ALL: dict[str, type[Game]] = {
    "lsgan": LSGAN, "hinge": Hinge, "dragan": DRAGAN, "wgan-div": WGANDiv, "ragan": RaGAN, "bgan": BGAN,
    "softmax-gan": SoftmaxGAN,
}  # fmt: skip
SMALL: dict[str, Any] = {"z": 4, "components": 3, "width": 2, "d_width": 2}
TV, CHI = 0.38292, 0.4081  # of N(0, 1) and N(1, 1)


def quantiles(n: int, mu: float = 0.0) -> Tensor:
    """N(mu, 1) as n points of equal weight, each an image of one pixel."""
    return mu + torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n).view(n, 1, 1, 1)


class Scored(nn.Module):
    """A D that is a function of one pixel; `at` is added to it."""

    def __init__(self, score: Any, at: float = 0.0) -> None:
        super().__init__()
        self.score, self.at = score, nn.Parameter(torch.tensor(at, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x.flatten(1)[:, 0]) + self.at  # type: ignore[no-any-return]


def game(cls: type[Game], score: Any = None, at: float = 0.0, **options: Any) -> Any:
    torch.manual_seed(0)
    variant = cls(cls.Options(**SMALL | {"augment": "none", "r1": 0} | options), DataSpec((1, 16, 16)))
    if score is not None:
        variant.discriminator = Scored(score, at)
    return variant


def total(loss: Any) -> Tensor:
    return sum(loss.values(), torch.zeros(())) if isinstance(loss, dict) else loss


def value(loss: Any) -> float:
    return float(total(loss).detach())


@pytest.mark.parametrize("name", ALL)
def test_contract(name: str) -> None:
    check_variant(ALL[name], options=SMALL, size=16)


@pytest.mark.parametrize(("name", "recipe"), [("lsgan", {"size": 20, "channels": 3}), ("dragan", {"size": 16})])
def test_contract_of_mlps(name: str, recipe: dict[str, Any]) -> None:
    check_variant(ALL[name], options=SMALL | {"networks": "mlp", "g_layers": "8", "d_layers": "8"}, **recipe)


@pytest.mark.parametrize("name", ALL)
def test_points_are_drawn_by_mlps(name: str) -> None:
    variant = ALL[name](ALL[name].Options(**SMALL | {"g_layers": "8", "d_layers": "8"}), DataSpec((2,)))
    x, fake = torch.randn(6, 2), variant.sample(6, variant.SampleOptions())
    assert isinstance(fake, Tensor) and fake.shape == (6, 2)
    variant.options.augment = "none"
    for loss in (variant.d_loss((x, torch.zeros(6), fake)), variant.g_loss((x, torch.zeros(6), fake))):
        assert total(loss).isfinite()


def test_all_have_the_same_networks() -> None:
    shapes = [{k: v.shape for k, v in game(cls).state_dict().items() if k != "fooled"} for cls in ALL.values()]
    assert all(shape == shapes[0] for shape in shapes)


@pytest.mark.parametrize("name", ALL)
def test_each_is_one_short_file_that_says_what_it_is(name: str) -> None:
    source = inspect.getsource(inspect.getmodule(ALL[name]))  # type: ignore[arg-type]
    assert 25 <= len(source.splitlines()) <= 50
    for word in ("Paper: ", "Task: ", "Differs from the paper: "):
        assert f"\n{word}" in source.partition('"""\n\nfrom')[0]


# What can be known exactly.


def test_the_best_d_of_least_squares_is_b_p_plus_a_q_over_p_plus_q() -> None:
    """Of three images, real and generated ones in other proportions: no other D has a smaller loss."""
    p, q = torch.tensor([4, 2, 1]), torch.tensor([1, 1, 5])
    x, fake = (torch.arange(3.0).repeat_interleave(n).view(-1, 1, 1, 1) for n in (p, q))
    p, q = p / p.sum(), q / q.sum()
    for a, b in ((0.0, 1.0), (-1.0, 1.0)):
        table = ((b * p + a * q) / (p + q)).requires_grad_()
        variant = game(LSGAN, lambda v: table[v.long()], a=a, b=b)  # noqa: B023
        (slope,) = torch.autograd.grad(total(variant.d_loss((x, None, fake))), table)
        assert slope.abs().max() < 1e-6


def test_what_g_of_least_squares_lowers_is_a_chi_square() -> None:
    """b - c = 1, b - a = 2: at the best D, and with real images in it, it is half the integral of (p-q)^2/(p+q)."""
    variant = game(LSGAN, lambda v: torch.tanh(0.25 - v / 2), a=-1.0, b=1.0, c=0.0)  # (p - q) / (p + q)
    x, fake = quantiles(20_000), quantiles(20_000, 1.0)
    twice = 2 * (variant.g_loss((x, None, fake)) + variant.g_loss((fake, None, x)))
    assert float(twice.detach()) == pytest.approx(CHI, abs=2e-4)


def test_the_best_value_of_the_hinge_is_twice_what_total_variation_leaves() -> None:
    x, fake = quantiles(20_000), quantiles(20_000, 1.0)

    def least(score: Any) -> float:
        return value(game(Hinge, score).d_loss((x, None, fake)))

    best = least(lambda v: torch.sign(0.5 - v))
    assert best == pytest.approx(2 * (1 - TV), abs=2e-4)
    for other in (0.4, 0.6):
        assert least(lambda v: torch.sign(other - v)) > best  # noqa: B023
    for scale in (0.9, 1.1):
        assert least(lambda v: scale * torch.sign(0.5 - v)) > best  # noqa: B023
    assert least(torch.zeros_like) == 2


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_dragan_for_a_line_of_slope_s(slope: float) -> None:
    variant = game(DRAGAN, lambda v: slope * v)
    loss = variant.d_loss((quantiles(50), None, quantiles(50, 1.0)))
    assert value(loss["penalty"]) == pytest.approx(10 * (slope - 1) ** 2)
    assert variant.slopes(quantiles(50)).detach() == pytest.approx(slope)


def test_dragan_looks_around_real_images_and_no_others() -> None:
    seen: list[Tensor] = []

    def square(v: Tensor) -> Tensor:
        seen.append(v.detach())
        return v.square()

    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 16, 16)
    game(DRAGAN, square, spread=0.25).d_loss((x, None, x - 100))
    off = (seen[-1] - torch.tensor([1.0, 3.0])) / (0.25 * float(x.std()))
    assert (off > 0).all() and (off < 1).all()


@pytest.mark.parametrize("mu", [0.5, 1.0, 4.0])
def test_the_slope_of_wgan_div_on_a_line(mu: float) -> None:
    """Slope s gains s mu and costs k s^p, so s = (mu / (k p))^(1 / (p - 1))."""
    slope = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    variant = game(WGANDiv, lambda v: slope * v)
    adam = torch.optim.Adam([slope], 0.01)
    for _ in range(300):
        adam.zero_grad()
        total(variant.d_loss((quantiles(64, mu), None, quantiles(64)))).backward()
        adam.step()
    assert float(slope.detach()) == pytest.approx((mu / 12) ** 0.2, rel=0.05)


def test_without_its_price_the_critic_of_wgan_div_gains_by_every_slope() -> None:
    values = []
    for slope in (1.0, 10.0, 100.0):
        variant = game(WGANDiv, lambda v: slope * v, k=0.0)  # noqa: B023
        values.append(value(variant.d_loss((quantiles(64, 2.0), None, quantiles(64)))))
    assert values == pytest.approx([-2.0, -20.0, -200.0])


@pytest.mark.parametrize("cls", [RaGAN, SoftmaxGAN])
@pytest.mark.parametrize("loss", ["d_loss", "g_loss"])
def test_a_constant_added_to_d_changes_nothing_where_scores_only_compare(cls: type[Game], loss: str) -> None:
    values = [
        value(getattr(game(cls, torch.sin, at), loss)((quantiles(32), None, quantiles(32, 1.0))))
        for at in (0.0, 5.0, -40.0)
    ]
    assert values == pytest.approx([values[0]] * 3, abs=1e-6) and values[0] > 0


def test_ragan_compares_each_with_the_others_mean() -> None:
    """Two real scores, 1 and 3, and two of fakes, -1 and 1, written out."""
    variant = game(RaGAN, lambda v: v)
    x, fake = (torch.tensor(v, dtype=torch.float64).view(2, 1, 1, 1) for v in ([1.0, 3.0], [-1.0, 1.0]))
    loss = variant.d_loss((x, None, fake))
    softplus = [math.log1p(math.exp(v)) for v in (-1, -3)]
    assert value(loss["real"]) == pytest.approx(sum(softplus) / 2)  # mean of fakes is 0
    assert value(loss["fake"]) == pytest.approx(sum(softplus) / 2)  # of real ones 2
    worse = [math.log1p(math.exp(v)) for v in (1, 3)]
    assert value(variant.g_loss((x, None, fake))) == pytest.approx(sum(worse))


@pytest.mark.parametrize("logit", [-2.0, -0.1, 0.0, 0.1, 2.0])
def test_g_of_bgan_seeks_the_boundary(logit: float) -> None:
    """No gradient exactly where D says 1/2; else towards it, by the logit itself."""
    variant = game(BGAN, torch.zeros_like, logit)
    x = quantiles(8)
    loss = variant.g_loss((x, None, x))
    (slope,) = torch.autograd.grad(loss, variant.discriminator.at)
    assert float(slope) == logit
    assert float(loss.detach()) == pytest.approx(logit**2 / 2)


def test_bgan_keeps_what_d_said_of_its_fakes() -> None:
    variant = game(BGAN, torch.zeros_like, 2.0)
    x = quantiles(8)
    for _ in range(600):
        variant.g_loss((x, None, x))
    assert variant.measure(x)["D_of_fakes"] == pytest.approx(1 / (1 + math.exp(-2.0)), abs=0.01)


@pytest.mark.parametrize("n", [4, 7])
def test_where_d_of_softmax_gan_is_constant_both_losses_are_log_2b(n: int) -> None:
    variant = game(SoftmaxGAN, torch.zeros_like, 0.7)
    batch = (quantiles(n), None, quantiles(n, 1.0))
    for loss in (variant.d_loss(batch), variant.g_loss(batch)):
        assert value(loss) == pytest.approx(math.log(2 * n))


def test_softmax_gan_s_d_is_best_where_the_softmax_is_even_over_the_real() -> None:
    variant = game(SoftmaxGAN, lambda v: torch.where(v < 0.5, 30.0, -30.0))
    real, fake = torch.zeros(4, 1, 1, 1), torch.ones(4, 1, 1, 1)
    assert value(variant.d_loss((real, None, fake))) == pytest.approx(math.log(4))


# Negative controls are settings, and do what they say.


def test_where_a_is_b_least_squares_tell_nothing() -> None:
    variant = game(LSGAN, torch.zeros_like, 1.0, a=1.0)
    batch = (quantiles(8), None, quantiles(8, 1.0))
    assert value(variant.d_loss(batch)) == 0


def test_a_turned_hinge_falls_without_bound_as_real_scores_fall() -> None:
    batch = (quantiles(8), None, quantiles(8, 1.0))
    low, lower = (value(game(Hinge, torch.zeros_like, at, real_weight=-1).d_loss(batch)) for at in (-10, -100))
    assert lower == pytest.approx(-101) and low == pytest.approx(-11)


@pytest.mark.parametrize(("cls", "spoil"), [(RaGAN, {"swapped": True}), (SoftmaxGAN, {"over": "real"})])
def test_spoilt_games_are_other_games(cls: type[Game], spoil: dict[str, Any]) -> None:
    batch = (quantiles(8), None, quantiles(8, 1.0))
    usual, spoilt = (value(game(cls, torch.sin, **how).d_loss(batch)) for how in ({}, spoil))
    assert usual != pytest.approx(spoilt, abs=1e-3)


def test_the_measured_slopes_of_a_line() -> None:
    held = ImageData(torch.randint(256, (20, 1, 16, 16), dtype=torch.uint8))
    for cls in (DRAGAN, WGANDiv):
        with torch.no_grad():
            assert game(cls, lambda v: 3 * v).measure(held) == {"slope": pytest.approx(3)}


@pytest.mark.parametrize("loss", ["d_loss", "g_loss"])
@pytest.mark.parametrize("cls", ALL.values())
def test_d_sees_images_moved(cls: type[Game], loss: str) -> None:
    variant = game(cls, augment="translate:3")
    x, fake = torch.rand(32, 1, 16, 16), -torch.rand(32, 1, 16, 16)
    seen: list[Tensor] = []
    variant.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    getattr(variant, loss)((x, torch.zeros(32), fake))
    shown = torch.cat(seen)
    assert not any(torch.equal(part, whole) for whole in (x, fake) for part in shown.split(32))


def test_r1_is_paid_where_it_is_asked_for() -> None:
    for cls in (LSGAN, Hinge, RaGAN, BGAN, SoftmaxGAN):
        variant = game(cls, lambda v: 2 * v, r1=0.5, r1_every=4)
        loss = variant.d_loss((quantiles(8), None, quantiles(8, 1.0)))
        assert value(loss["r1"]) == pytest.approx(0.5 / 2 * 4 * 4)


@pytest.mark.parametrize("name", ALL)
def test_presets_have_no_tricks(name: str) -> None:
    for preset in ("paper", "pytorch-gan") if name != "hinge" else ("paper",):  # PyTorch-GAN has no hinge
        variant, recipe = with_preset(name, preset, (1, 28, 28))
        o = variant.options
        assert (o.r1, o.augment, o.components, o.decay, recipe.ema_images) == (0, "none", 0, 0, 0)
        players = variant.players().values()
        assert all(player.param_groups[0]["betas"] == (0.5, 0.999) for player in players)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--size", "16", "--z", "4", "--components", "0", "--g-layers", "8", "--d-layers", "8", "--batch-size", "4"]
    quiet = ["--device", "cpu", "--quiet"]
    assert run(["train", "lsgan", "--networks", "mlp", "--a", "-1", "--c", "0", "--steps", "3", *small, *quiet]) == 0
    assert run(["sample", "lsgan", "-n", "4", "--out", "four.png", *quiet]) == 0
    assert Path("four.png").is_file()


@pytest.mark.slow
def test_the_gap_of_wgan_div_falls_as_the_images_get_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The critic's gap as logged, and how far samples are from real digits to the judge, by ranks."""
    monkeypatch.chdir(tmp_path)
    assert run(["train", "wgan-div", "--steps", "600", "--out", "run", "--device", "cpu", "--quiet"]) == 0
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    probes = {line["step"]: line["probe"]["distance"] for line in lines if "probe" in line}
    every = min(probes)
    gaps = [mean(line["gap"] for line in lines if "gap" in line and s - every < line["step"] <= s) for s in probes]
    assert len(gaps) >= 10
    ranks = torch.stack([torch.tensor(x).argsort().argsort().double() for x in (gaps, [*probes.values()])])
    assert torch.corrcoef(ranks)[0, 1] >= 0.7
