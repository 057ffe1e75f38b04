"""Tests of the game: turns, averages, noise, logs, the NaN guard, previews, the clock, and runs on disk."""

import json
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor, nn
from torch.nn.functional import softplus

from gantool import cli
from gantool.api import Data, DataSpec, ImageData, Recipe, Turn, Variant
from gantool.config import yaml
from gantool.config.options import NoiseOptions
from gantool.errors import USAGE, UserError
from gantool.nn.latents import gaussian, truncated, walk
from gantool.runs import sealed
from gantool.runs.run import RunFolder, all_runs, find
from gantool.runtime.device import random_states, restore_random, seed_all
from gantool.training import pace, session, trainer
from gantool.training.callbacks import Gallery
from gantool.training.ema import EMA, GATHERED, NUMBERS
from gantool.training.monitor import Monitor
from gantool.training.trainer import Diverged, Trainer
from gantool.variants.cgan import CGAN
from gantool.variants.gan import GAN

CPU = torch.device("cpu")
ADAM = {"lr": 2e-4, "decay": 0.0, "beta1": 0.5, "beta2": 0.999}  # said here, so that tuned defaults are free to move
NETS = {"z": 4, "g_layers": "4", "d_layers": "4", "augment": "none", **ADAM}
TINY = (
    "--size", 8, "--batch-size", 4, "--z", 4, "--g-layers", "4", "--d-layers", "4", "--lr", 2e-4, "-q",
    "--sample-every", 1000,
)  # fmt: skip
NOBODY: Any = SimpleNamespace(
    gantool_train_start=lambda trainer: None, gantool_train_step=lambda trainer: None,
    gantool_train_end=lambda trainer: None,
)  # fmt: skip


def images(n: int = 24) -> ImageData:
    chance = torch.Generator().manual_seed(1)
    return ImageData(torch.randint(256, (n, 1, 8, 8), generator=chance).to(torch.uint8))


class Normed(GAN):
    """A generator with batch norm."""

    def networks(self) -> tuple[nn.Module, nn.Module]:
        generator = nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=0.3), nn.ReLU(), nn.Linear(4, 64), nn.Tanh(),
            nn.Unflatten(1, (1, 8, 8)),
        )  # fmt: skip
        return generator, super().networks()[1]


def start(cls: type[Variant] = GAN, options: dict[str, Any] | None = None, **recipe: Any) -> Trainer:
    seed_all(0)
    data = images()
    chosen = Recipe(**{"batch_size": 4, "steps": 20, "ema_images": 40, **recipe})
    return Trainer(cls(cls.Options(**(NETS | (options or {}))), data.spec), chosen, data, CPU)


def after(trainer: Trainer, steps: int) -> dict[str, Any]:
    """The state after some steps. Trainers share the process's randomness, so each sets out from the same."""
    if trainer.step == 0:
        seed_all(1)
    for _ in range(steps):
        trainer.take_step()
    return deepcopy(trainer.state())


# Turns.


@pytest.mark.parametrize("k", [1, 3])
def test_a_step_is_algorithm_1_with_k_turns_of_d_on_fresh_data(k: int) -> None:
    trainer, turns = start(options={"d_steps": k}), []
    play = trainer.play

    def watched(turn: Turn) -> Any:
        turns.append(turn)
        return play(turn)

    trainer.play = watched  # type: ignore[method-assign]
    trainer.take_step()
    trainer.take_step()
    assert [turn.player for turn in turns] == [*"D" * k, "G"] * 2
    assert trainer.batches.drawn == 2 * k
    reals = [turn.batch[0] for turn in turns if turn.player == "D"]
    assert not any(torch.equal(a, b) for i, a in enumerate(reals) for b in reals[:i])
    # G answers to what D has just seen, and only it learns through the image.
    assert all(not turn.batch[-1].requires_grad for turn in turns if turn.player == "D")
    assert turns[k].batch[-1].requires_grad
    assert torch.equal(turns[k].batch[-1], turns[k - 1].batch[-1])


def test_a_turn_moves_its_players_weights_and_no_others() -> None:
    trainer, moved = start(), {}
    play = trainer.play

    def watched(turn: Turn) -> Any:
        before = {name: p.detach().clone() for name, p in trainer.variant.named_parameters()}
        terms = play(turn)
        changed = (n for n, p in trainer.variant.named_parameters() if not torch.equal(before[n], p))
        moved[turn.player] = {name.partition(".")[0] for name in changed}
        return terms

    trainer.play = watched  # type: ignore[method-assign]
    trainer.take_step()
    assert moved == {"D": {"discriminator"}, "G": {"generator"}}


def test_a_step_is_what_plain_torch_would_do() -> None:
    """Against a loop with zero_grad, backward and unfused Adam on the same draws."""
    options = {"dropout": 0.0, "batch_norm": 0, "lr": 0.01, "r1": 0.0}
    trainer, other = start(options=options), start(options=options)
    g, d, batches, variant = other.variant.generator, other.variant.discriminator, other.batches, other.variant
    adams = {n: torch.optim.Adam(n.parameters(), 0.01, (0.5, 0.999), foreach=False) for n in (g, d)}
    after(trainer, 5)
    seed_all(1)
    for _ in range(5):
        x, _ = next(batches)
        fake = g(variant.noise(4))
        for net, loss in ((d, lambda: softplus(-d(x)).mean() + softplus(d(fake.detach())).mean()),  # noqa: B023
                          (g, lambda: softplus(-d(fake)).mean())):  # noqa: B023  # fmt: skip
            adams[net].zero_grad()
            loss().backward()
            adams[net].step()
    for mine, its in zip(trainer.variant.parameters(), other.variant.parameters(), strict=True):
        assert torch.allclose(mine, its, atol=1e-5)


@pytest.mark.parametrize(("name", "steps"), [("sgd", (1, 1)), ("adam", (1, 1)), ("rmsprop", (0.1**-0.5, 0.19**-0.5))])
def test_an_optimizer_steps_as_its_name_says(name: str, steps: tuple[float, float]) -> None:
    """Down a slope of 1: SGD by lr; Adam too, whatever the slope; RMSprop by that over the root of a mean of squares.

    The mean sets out from 0, and takes in a tenth of each new square.
    """
    players = start(options={"optimizer": name, "lr": 0.01, "beta2": 0.9}).players
    for optimizer in players.values():
        (weight, *_) = optimizer.param_groups[0]["params"]
        for step in steps:
            before = weight.detach().clone()
            weight.grad = torch.ones_like(weight)
            optimizer.step()
            torch.testing.assert_close(before - weight, torch.full_like(weight, 0.01 * step), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("layer", "slope", "passes"), [(nn.Identity(), False, 1), (nn.Identity(), True, 2),
                                                        (nn.BatchNorm1d(64), False, 2)])  # fmt: skip
def test_real_and_fake_are_compared_in_one_pass_where_they_cannot_mix(
    layer: nn.Module, slope: bool, passes: int
) -> None:
    variant = start().variant
    variant.discriminator = nn.Sequential(nn.Flatten(), layer, nn.Linear(64, 1), nn.Flatten(0))
    x, fake = torch.randn(4, 1, 8, 8, requires_grad=slope), torch.randn(4, 1, 8, 8)
    expected = variant.discriminator(x), variant.discriminator(fake)
    seen: list[int] = []
    variant.discriminator.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    for mine, its in zip(variant.compare(variant.discriminator, (x,), (fake,)), expected, strict=True):
        torch.testing.assert_close(mine, its)
    assert len(seen) == passes


def test_a_penaltys_gradients_reach_the_weights_they_belong_to() -> None:
    """Differentiated twice, a convolution's come in another order in memory, which fused kernels do not look at."""
    ends = []
    data = ImageData(torch.randint(256, (8, 1, 28, 28)).to(torch.uint8), torch.arange(8) % 2, ("a", "b"))
    for fused in (True, False):
        seed_all(0)
        trainer = Trainer(CGAN(CGAN.Options(width=4, d_width=4), data.spec), Recipe(batch_size=4, steps=1), data, CPU)
        trainer.players["D"].param_groups[0]["fused"] = fused
        trainer.take_step()
        ends.append(torch.cat([weight.detach().flatten() for weight in trainer.owned["D"]]))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-6)


def test_code_after_a_yield_runs_once_the_turns_weights_have_moved() -> None:
    class Clipped(GAN):
        def turns(self, batches: Iterator[Any]) -> Iterator[Turn]:
            for turn in super().turns(batches):
                yield turn
                if turn.player == "D":
                    for weight in self.discriminator.parameters():
                        weight.data.clamp_(-0.001, 0.001)

    trainer = start(Clipped, {"lr": 1.0})
    after(trainer, 3)
    assert max(p.abs().max() for p in trainer.variant.discriminator.parameters()) <= 0.001


def test_the_step_size_falls_as_the_schedule_says() -> None:
    trainer, seen = start(options={"decay": 0.25, "lr": 0.01}), []
    for _ in range(4):
        trainer.take_step()
        seen.append([group["lr"] for o in trainer.players.values() for group in o.param_groups])
    assert seen == [[pytest.approx(0.01 / (1 + 0.25 * step))] * 2 for step in range(4)]


# Theory: D against p = N(0, 1) and q = N(1, 1).


class Gaussians(Data):
    spec = DataSpec((1, 1, 1))

    def __len__(self) -> int:
        return 1 << 20

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        return torch.randn(len(index), 1, generator=rng), index


class OnlyD(GAN):
    """G is fixed at q, so that D's best answer is known: its logit is log p/q = 1/2 - x."""

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.discriminator = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))

    def turns(self, batches: Iterator[Any]) -> Iterator[Turn]:
        batch = next(batches)
        yield Turn("D", self.d_loss, (*batch, 1 + torch.randn_like(batch[0])))


def test_a_trained_d_reaches_the_value_and_the_odds_that_theory_says() -> None:
    seed_all(0)
    data = Gaussians()
    options = OnlyD.Options(**(NETS | {"lr": 0.02, "decay": 0.02, "r1": 0.0}))
    trainer = Trainer(OnlyD(options, data.spec), Recipe(batch_size=4096, steps=400), data, CPU)
    after(trainer, 400)
    x = torch.linspace(-8, 9, 4001, dtype=torch.float64)
    with torch.no_grad():
        logit = trainer.variant.discriminator.double()(x.unsqueeze(1))
    p, q = (torch.exp(-((x - mu) ** 2) / 2) / math.sqrt(2 * math.pi) for mu in (0, 1))
    value = torch.trapezoid(p * -softplus(-logit) + q * -softplus(logit), x).item()
    assert value == pytest.approx(-1.16345, abs=0.01)
    assert -value / 2 == pytest.approx(0.58173, abs=0.005)  # D's mean BCE
    bulk = (x > -2) & (x < 3)
    assert (logit.sigmoid() - p / (p + q))[bulk].abs().max() < 0.03
    means = {name: torch.stack([t[name] for t in trainer.window[-50:]]).mean() for name in ("D/real", "D/fake")}
    assert (means["D/real"] + means["D/fake"]) / 2 == pytest.approx(0.58173, abs=0.01)  # what the log shows


@pytest.mark.parametrize(
    ("log_every", "measured"), [(25, [1, 6, 11, 16, 21]), (3, [1, 2, 3]), (7, [1, 2, 3, 4, 5, 6, 7])]
)
def test_what_is_only_logged_is_measured_in_some_steps_before_each_line(log_every: int, measured: list[int]) -> None:
    trainer = start(log_every=log_every)
    for _ in range(2):
        after(trainer, log_every)
        assert [i for i, terms in enumerate(trainer.window, start=1) if "D right" in terms] == measured
        assert all("D/real" in terms for terms in trainer.window)
        trainer.read_window()
        assert "D right" in trainer.metrics


def test_g_losses_are_the_papers_and_their_slopes_differ_by_the_odds() -> None:
    """log(1 - D) and -log D have slopes -D and D - 1 in the logit: D / (1 - D) = e^logit apart."""
    slopes = {}
    for loss in ("saturating", "non-saturating"):
        variant = GAN(GAN.Options(**NETS, loss=loss), DataSpec((1, 8, 8)))  # type: ignore[arg-type]
        variant.discriminator = nn.Identity()
        logit = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
        value = variant.g_loss((None, None, logit))
        d = 1 / (1 + np.exp(-logit.detach().numpy()))
        oracle = np.log(1 - d).mean() if loss == "saturating" else -np.log(d).mean()
        assert isinstance(value, Tensor)
        assert value.item() == pytest.approx(oracle)
        (slopes[loss],) = torch.autograd.grad(value, logit)
    assert torch.allclose(slopes["saturating"] / slopes["non-saturating"], logit.exp())


# Averages.


def test_the_average_follows_the_half_life_in_images() -> None:
    trainer, live = start(options={"batch_norm": 0, "lr": 0.01}, ema_images=40), []
    oracle = [p.detach().numpy().copy() for p in trainer.variant.generator.parameters()]
    for step in range(1, 41):
        trainer.take_step()
        live = [p.detach().numpy() for p in trainer.variant.generator.parameters()]
        keep = min(0.5 ** (4 / 40), (1 + step) / (10 + step))
        oracle = [keep * mine + (1 - keep) * its for mine, its in zip(oracle, live, strict=True)]
    for mine, its, moving in zip(trainer.ema.copies.parameters(), oracle, live, strict=True):
        assert np.allclose(mine.numpy(), its, atol=1e-6)
        assert not np.allclose(mine.numpy(), moving, atol=1e-4)


def test_a_change_is_half_forgotten_after_the_half_life() -> None:
    holder = nn.Module()
    holder.generator = nn.Linear(1, 1)
    average = EMA(holder, ("generator",), 1120)
    nn.init.constant_(average.copies["generator"].weight, 1.0)
    nn.init.constant_(holder.generator.weight, 0.0)
    for step in range(10_001, 10_113):  # 112 steps of 10 images, long after the first ones
        average.update(step, 10)
    assert average.copies["generator"].weight.item() == pytest.approx(0.5, abs=1e-4)


def test_with_batch_norm_the_average_gathers_statistics_of_its_own_when_somebody_looks() -> None:
    trainer = start(Normed, {"lr": 0.05})
    copy, noises = trainer.ema.copies["generator"], list[Tensor]()
    trainer.variant.generator.register_forward_pre_hook(lambda module, args: noises.append(args[0].clone()))
    for _ in range(20):
        trainer.take_step()
    random = torch.get_rng_state()
    trainer.state()
    assert torch.equal(torch.get_rng_state(), random)
    shown = [copy[0](z) for z in noises[-(GATHERED // len(noises[0])) :]]  # what the live network was shown last
    assert torch.allclose(copy[1].running_mean, torch.stack([h.mean(0) for h in shown]).mean(0), atol=1e-6)
    assert torch.allclose(copy[1].running_var, torch.stack([h.var(0) for h in shown]).mean(0), atol=1e-6)
    assert not torch.allclose(copy[1].running_mean, trainer.variant.generator[1].running_mean)
    assert copy[1].momentum == trainer.variant.generator[1].momentum


@pytest.mark.parametrize(
    ("examples", "width", "kept"), [(64, 2, GATHERED // 64), (300, 2, 1), (1_000, 2, 1), (2, NUMBERS // 8, 4)]
)
def test_what_is_kept_for_statistics_is_bounded(examples: int, width: int, kept: int) -> None:
    holder = nn.Module()
    holder.g = nn.BatchNorm1d(width, affine=False)
    average = EMA(holder, ("g",), 100)
    for _ in range(GATHERED // examples + 4):
        holder.g(torch.zeros(examples, width))
    assert len(average.shown["g"]) == kept


def test_other_buffers_are_copied_also_beside_batch_norm() -> None:
    holder = nn.Module()
    holder.g, holder.mapping = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Linear(2, 2)
    holder.g.register_buffer("mine", torch.zeros(2))
    holder.mapping.register_buffer("centre", torch.zeros(2))
    average = EMA(holder, ("g", "mapping"), 100)
    holder.g.mine += 3
    holder.mapping.centre += 4
    average.update(1, 10)
    assert average.copies["g"].mine.tolist() == [3, 3]
    assert average.copies["mapping"].centre.tolist() == [4, 4]


@pytest.mark.parametrize("half_life", [0, 40])
def test_sampling_leaves_the_live_networks_as_they_were(half_life: int) -> None:
    trainer = start(Normed, ema_images=half_life)
    before, live = after(trainer, 3), trainer.variant.generator
    mean = live[1].running_mean.clone()
    with trainer.ema.swapped():
        assert (trainer.variant.generator is live) == (half_life == 0)
        assert not trainer.variant.training
        assert not trainer.variant.generator.training
        trainer.variant.sample(4, GAN.SampleOptions())
    assert trainer.variant.generator is live
    assert live.training
    assert torch.equal(live[1].running_mean, mean)
    with pytest.raises(ZeroDivisionError), trainer.ema.swapped():
        1 / 0  # noqa: B018
    assert trainer.variant.generator is live
    assert all(sealed.same(trainer.state()[key], before[key]) for key in before if key != "random")


def test_nothing_averaged_trains_all_the_same() -> None:
    class Plain(GAN):
        ema = ()

    after(start(Plain), 2)


# Noise.


def test_truncated_noise_is_gaussian_within_its_bound() -> None:
    torch.manual_seed(0)
    z = truncated(lambda n: torch.randn(n, 8), 20_000, 1.0)
    assert z.abs().max() <= 1
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(0.5396, abs=0.01)  # of a standard normal cut at one
    assert (z.abs() == 1).float().mean() < 1e-3  # redrawn, not clamped
    assert truncated(lambda n: torch.randn(n, 8), 100, 1e-3).abs().max() <= 1e-3


def test_a_walk_keeps_the_norm_and_ends_where_it_should() -> None:
    torch.manual_seed(0)
    ends = nn.functional.normalize(torch.randn(2, 64, dtype=torch.float64))
    path = walk(ends[:1], ends[1:], 9)
    assert torch.allclose(path.norm(dim=1), torch.ones(9, dtype=torch.float64))
    assert torch.allclose(path[[0, -1]], ends)
    angles = torch.acos((path[1:] * path[:-1]).sum(1))
    assert torch.allclose(angles, angles.mean().expand(8))  # steps of one length
    z = gaussian(lambda n: torch.randn(n, 64), 7, NoiseOptions(interpolate=True), lambda z: z)
    assert z.shape == (7, 64)
    assert z.norm(dim=1).min() > 0.9 * z[[0, -1]].norm(dim=1).min()


@pytest.mark.parametrize("end", [1.0, -1.0, 2.0])
def test_a_walk_between_parallel_noises_stays_finite(end: float) -> None:
    path = walk(torch.ones(1, 1), torch.full((1, 1), end), 5)
    assert torch.isfinite(path).all()
    assert path[0].item() == pytest.approx(1, abs=0.02)


# The log.


def test_a_line_of_the_log_is_the_mean_since_the_last() -> None:
    trainer, values = start(log_every=5, steps=12), []

    def remember(trainer: Trainer) -> None:
        if trainer.logged:
            lines.append((trainer.step, trainer.metrics["D/real"]))

    lines: list[tuple[int, float]] = []
    play = trainer.play

    def watched(turn: Turn) -> Any:
        terms = play(turn)
        values.extend(terms[name].item() for name in terms if name == "D/real")
        return terms

    trainer.play = watched  # type: ignore[method-assign]
    trainer.run(SimpleNamespace(**(vars(NOBODY) | {"gantool_train_step": remember})))
    means = [np.mean(values[:5]), np.mean(values[5:10]), np.mean(values[10:])]
    assert lines == [(step, pytest.approx(mean)) for step, mean in zip((5, 10, 12), means, strict=True)]
    assert trainer.ending == "done"


class Sometimes(GAN):
    """Logs a number at every fourth step only."""

    def d_loss(self, batch: Any) -> Any:
        if self.step % 4 == 0:
            self.log(seldom=torch.tensor(float(self.step)))
        return super().d_loss(batch)


def test_a_number_logged_now_and_then_counts_once_and_resumes_exactly() -> None:
    whole, first, second = start(Sometimes), start(Sometimes), start(Sometimes)
    expected = after(whole, 7)
    second.restore(after(first, 6))
    assert sealed.same(after(second, 1), expected)
    whole.read_window()
    assert whole.metrics["seldom"] == 2  # of 0 and 4


# When things go wrong.


def poison(monkeypatch: pytest.MonkeyPatch, at: int, value: float = math.nan) -> None:
    g_loss = GAN.g_loss
    monkeypatch.setattr(GAN, "g_loss", lambda self, b: g_loss(self, b) * (value if self.step == at - 1 else 1))


@pytest.mark.parametrize("log_every", [1, 25])
def test_a_loss_that_is_no_number_ends_the_run_with_the_last_checkpoint_whole(
    gantool: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, log_every: int
) -> None:
    poison(monkeypatch, at=12)
    done = gantool("train", "gan", *TINY, "--steps", 30, "--save-every", 5, "--log-every", log_every)
    assert done.code == 1
    assert "error: G/loss became nan at step 12; training stopped." in done.err
    assert "lower --lr than 0.0002" in done.err
    run = RunFolder(Path("runs/gan-001"))
    assert [path.stem for path in run.saved()] == ["step-000010", "step-000005"]
    facts, state = sealed.load(run.checkpoint(10))
    assert facts["step"] == state["step"] == 10
    assert sealed.load(run.model)[0]["step"] == 10
    assert all(math.isfinite(value) for line in run.lines() for value in line.values())
    assert gantool("sample", "gan", "-n", 2, "-q").code == 0
    monkeypatch.undo()


def test_weights_that_are_no_numbers_are_never_saved(
    gantool: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.take_step

    def broken(self: Trainer) -> None:
        step(self)
        if self.step == 7:  # after which the loss of this step is still fine
            with torch.no_grad():
                self.variant.generator[0].weight[0, 0] = math.inf
            self.stop = "interrupted"

    monkeypatch.setattr(Trainer, "take_step", broken)
    done = gantool("train", "gan", *TINY, "--steps", 30, "--save-every", 5)
    assert done.code == 1
    assert "generator.0.weight is no longer finite at step 7" in done.err
    assert [path.stem for path in RunFolder(Path("runs/gan-001")).saved()] == ["step-000005"]
    assert sealed.load(Path("runs/gan-001/model.safetensors"))[0]["step"] == 5


def test_an_infinite_loss_is_named_too() -> None:
    trainer = start(log_every=4)
    after(trainer, 2)
    trainer.window[1]["D/real"] = torch.tensor(math.inf)
    with pytest.raises(Diverged, match="D/real became inf at step 2"):
        trainer.check_losses()


# Previews and timing are not training.


def test_previews_do_not_change_what_is_learned(gantool: Callable[..., Any]) -> None:
    for name, every in (("with", 1), ("without", 1000)):
        assert gantool("train", "gan", *TINY, "--steps", 12, "--name", name, "--sample-every", every).code == 0
    states = [sealed.load(RunFolder(Path("runs", name)).checkpoint(12))[1] for name in ("with", "without")]
    assert sealed.same(*states)
    assert len(list(Path("runs/with/samples").glob("step-*.png"))) == 12


def test_a_preview_leaves_every_state_as_it_was_and_is_the_same_twice() -> None:
    trainer = start(Normed)
    before = after(trainer, 3)
    first = trainer.preview().images
    assert sealed.same(trainer.state(), before)
    torch.rand(5)
    assert torch.equal(trainer.preview().images, first)
    assert first.shape == (64, 1, 8, 8)
    assert first.dtype == torch.uint8


def test_timing_a_few_steps_takes_them_back() -> None:
    trainer, other = start(), start()
    assert pace.seconds_a_step(trainer, 0.01) > 0
    assert sealed.same(trainer.state(), other.state())
    assert sealed.same(after(trainer, 4), after(other, 4))


class Clock(SimpleNamespace):
    """Time that passes only while steps are taken."""

    now, each = 1000.0, 0.5

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, step = Clock(), Trainer.take_step

    def slow(self: Trainer) -> None:
        clock.now += clock.each
        step(self)

    monkeypatch.setattr(trainer, "time", clock)
    monkeypatch.setattr(session, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(cli, "time", clock)
    monkeypatch.setattr(Trainer, "take_step", slow)
    return clock


def test_minutes_are_what_a_run_takes_and_are_written_down_as_steps(gantool: Callable[..., Any], clock: Clock) -> None:
    assert gantool("train", "gan", *TINY, "--minutes", 1).code == 0
    assert 0.94 * 60 < clock.now - 1000 <= 60
    config = yaml.read(Path("runs/gan-001/config.yaml"))
    (newest, *_) = RunFolder(Path("runs/gan-001")).saved()
    assert newest.stem == f"step-{config['steps']:06d}"
    assert not {"minutes", "epochs"} & config.keys()
    # The same again by steps.
    assert gantool("train", "gan", "--config", "runs/gan-001/config.yaml", "-q").code == 0
    again = RunFolder(Path("runs/gan-002")).checkpoint(config["steps"])
    assert again.read_bytes() == newest.read_bytes()


@pytest.mark.parametrize("late", [2, -0.3])
def test_on_a_machine_that_slows_down_or_quickens_a_run_given_minutes_is_done_in_time(
    gantool: Callable[..., Any], clock: Clock, monkeypatch: pytest.MonkeyPatch, late: float
) -> None:
    step = Trainer.take_step

    def drifting(self: Trainer) -> None:
        step(self)
        clock.now += late if self.step > 5 else 0

    monkeypatch.setattr(Trainer, "take_step", drifting)
    assert gantool("train", "gan", *TINY, "--minutes", 1).code == 0
    assert 0.94 * 60 - late < clock.now - 1000 <= 60
    run = RunFolder(Path("runs/gan-001"))
    status = run.status()
    assert status.state == "done" and status.step == status.steps and (run.folder / "progress.gif").is_file()
    assert [line["end"] for line in run.lines() if "end" in line][-1] == status.steps
    assert gantool("resume", "gan-001").code == USAGE


def test_where_the_end_was_moved_a_resumed_run_moves_it_too(
    gantool: Callable[..., Any], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.take_step

    def drifting(self: Trainer) -> None:
        step(self)
        clock.now += 0.7 if 60 < self.step < 75 else 0

    monkeypatch.setattr(Trainer, "take_step", drifting)
    monkeypatch.setattr(GAN, "schedule", lambda self: 1 - 0.9 * self.progress)
    flags = "--save-every", 60, "--log-every", 2, "--minutes", 1, "--name", "run"
    assert gantool("train", "gan", *TINY, *flags).code == 0
    run = RunFolder(Path("runs/run"))
    (whole, *later, early), lines = run.saved(), list(run.lines())
    kept = whole.read_bytes()
    assert early == run.checkpoint(60) and len([line for line in lines if line["step"] > 60 and "end" in line]) > 1
    for checkpoint in (whole, *later):  # killed before these, it has the new ends in its log alone
        checkpoint.unlink()
    assert gantool("resume", "run", "-q").code == 0
    assert whole.read_bytes() == kept
    assert [line.get("end") for line in run.lines()] == [line.get("end") for line in lines]


def test_too_few_minutes_still_take_a_step(gantool: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert gantool("train", "gan", *TINY, "--minutes", 0.01).code == 0
    assert yaml.read(Path("runs/gan-001/config.yaml"))["steps"] == 1


@pytest.mark.parametrize(("epochs", "steps"), [(1, 6), (2.5, 15), (0.01, 1)])
def test_epochs_become_steps(
    gantool: Callable[..., Any], tmp_path: Path, epochs: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GAN, "dataset", classmethod(lambda cls, recipe, options=None: images(24)))
    assert gantool("train", "gan", *TINY, "--epochs", epochs).code == 0
    assert yaml.read(Path("runs/gan-001/config.yaml"))["steps"] == steps


# Random states and the options of optimisers.


def test_every_random_state_is_kept(tmp_path: Path) -> None:
    import random

    seed_all(5)
    np.random.standard_normal(3)  # an odd number leaves one in numpy's cache
    sealed.save(tmp_path / "a.safetensors", {}, random_states(CPU))
    drawn = [(torch.rand(3).tolist(), random.random(), np.random.standard_normal(3).tolist()) for _ in range(2)]
    restore_random(sealed.load(tmp_path / "a.safetensors")[1], CPU)
    assert (torch.rand(3).tolist(), random.random(), np.random.standard_normal(3).tolist()) == drawn[0]


def test_a_variant_without_losses_says_what_it_needs() -> None:
    @dataclass(kw_only=True)
    class Own(Variant.Options):
        z: int = 4

    class Empty(Variant):
        Options = Own  # type: ignore[assignment]

        def __init__(self, options: Any, data: DataSpec) -> None:
            super().__init__(options, data)
            self.generator = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
            self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))

    data = images()
    trainer = Trainer(Empty(Own(), data.spec), Recipe(batch_size=4, steps=2), data, CPU)
    with pytest.raises(NotImplementedError, match="Empty needs d_loss"):
        trainer.take_step()


# Runs on disk.


def test_the_film_shows_the_grids_in_the_order_of_their_steps(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.samples.mkdir()
    for step, grey in ((999_950, 10), (1_000_000, 20), (1_000_050, 30)):
        Image.new("L", (4, 4), grey).save(run.samples / f"step-{step:06d}.png")
    Gallery(run, 50).gantool_train_end(trainer=SimpleNamespace(ending="done", stop=""))  # type: ignore[arg-type]
    with Image.open(tmp_path / "progress.gif") as film:
        shades = [frame.convert("L").getpixel((0, 0)) for frame in ImageSequence.Iterator(film)]
    assert shades == [10, 20, 30]


class Drawn(OnlyD):
    """Numbers, and a way to show them."""

    def preview(self, batch: Any) -> Tensor:
        return batch[0][:3].view(3, 1, 1, 1).expand(3, 1, 4, 4)


def test_data_that_are_no_images_are_shown_as_the_variant_does(tmp_path: Path) -> None:
    trainer = Trainer(Drawn(Drawn.Options(**NETS), Gaussians.spec), Recipe(grid="3x1"), Gaussians(), CPU)
    run = RunFolder.create("gan", None, tmp_path / "run")
    run.samples.mkdir()
    gallery, monitor = Gallery(run, 1), Monitor(run, 1, print)
    gallery.gantool_train_start(trainer)
    monitor.gantool_train_start(trainer)
    assert monitor.judge is None  # which looks at images
    assert (run.samples / "real.png").exists()  # as dots
    assert trainer.grid_image is not None and trainer.grid_image.shape == (4, 3 * 4 + 2 * 2, 1)
    trainer.step = 1
    gallery.gantool_train_step(trainer)
    assert [file.name for file in run.samples.glob("step-*")] == ["step-000001.png"]


def test_runs_are_numbered_and_named(gantool: Callable[..., Any], tmp_path: Path) -> None:
    for extra in ([], [], ["--name", "mine"], ["--out", tmp_path / "deep" / "er"]):
        assert gantool("train", "gan", *TINY, "--steps", 1, *extra).code == 0
    assert sorted(run.name for run in all_runs()) == ["gan-001", "gan-002", "mine"]
    assert (tmp_path / "deep" / "er" / "model.safetensors").is_file()
    kept = {"config.yaml", "metrics.jsonl", "samples", "checkpoints", "losses.png", "progress.gif", "model.safetensors"}
    assert {file.name for file in Path("runs/mine").iterdir()} == kept | {".lock"}
    for again in (["--name", "mine"], ["--out", "runs/mine"]):
        done = gantool("train", "gan", *TINY, "--steps", 1, *again)
        assert done.code == 2
        assert "is already there" in done.err


def test_a_run_says_what_became_of_it(gantool: Callable[..., Any]) -> None:
    gantool("train", "gan", *TINY, "--steps", 6, "--save-every", 3)
    run = find("gan-001")
    assert run.status()[:5] == ("gan", "digits", 6, 6, "done")
    run.checkpoint(6).unlink()
    assert run.status()[2:5] == (3, 6, "stopped")
    with run.taken():
        assert run.status().state == "running"
        with pytest.raises(UserError, match="being trained by another process"), run.taken():
            pass
    run.checkpoint(3).unlink()
    assert run.status().state == "new"
    run.eval.write_text(json.dumps({"scores": {"label_accuracy": 0.98765}}))
    assert run.status().score == "label_accuracy 0.988"
    run.eval.write_text("{")
    assert run.status().score == ""


def test_a_line_cut_short_by_a_kill_is_forgotten(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step in (5, 10, 15):
        run.append({"step": step, "D/loss": step / 10})
    with run.metrics.open("a") as file:
        file.write('{"step": 20, "D/lo')
    assert [line["step"] for line in run.lines()] == [5, 10, 15]
    run.forget_after(10)
    run.append({"step": 15, "D/loss": 1.5})
    assert [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()] == [5, 10, 15]


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.checkpoints.mkdir()
    for step in (5, 900, 1_000_000, 90):
        run.checkpoint(step).touch()
    (run.checkpoints / "step-mine.safetensors").touch()
    run.prune()
    assert [path.stem for path in run.saved()] == ["step-1000000", "step-000900"]
    assert (run.checkpoints / "step-mine.safetensors").exists()
