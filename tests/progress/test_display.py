"""Tests of what is seen while training: plain lines in a pipe, a dashboard on a terminal, and devices."""

import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from gantool.api import ImageData, Recipe
from gantool.commands.terminal import table
from gantool.config.options import device_name
from gantool.errors import UserError
from gantool.progress import display as module
from gantool.progress.display import Dashboard, Plain, clock, display, shown
from gantool.runs import sealed
from gantool.runtime import device
from gantool.training.trainer import Trainer
from gantool.variants.gan import GAN

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(width: int, height: int = 40, **settings: Any) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height, **settings)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(autouse=True)
def a_real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def trainer() -> Trainer:
    torch.manual_seed(0)
    data = ImageData(torch.zeros(8, 1, 8, 8, dtype=torch.uint8))
    variant = GAN(GAN.Options(z=2, g_layers="2", d_layers="2"), data.spec)
    return Trainer(variant, Recipe(batch_size=4, steps=6, log_every=2), data, torch.device("cpu"))


def run(trainer: Trainer, observer: Any, at: Callable[[Trainer], None] = lambda trainer: None) -> None:
    def step(trainer: Trainer) -> None:
        observer.gantool_train_step(trainer=trainer)
        at(trainer)

    end = getattr(observer, "gantool_train_end", lambda trainer: None)
    start = observer.gantool_train_start
    trainer.run(SimpleNamespace(gantool_train_start=start, gantool_train_step=step, gantool_train_end=end))  # type: ignore[arg-type]


def test_plain_lines_say_step_losses_rate_and_time_left(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEADY", 0.0)
    console = Console(file=io.StringIO(), width=100)
    run(trainer, Plain(console))
    lines = written(console).splitlines()
    assert [line.split()[1] for line in lines] == [f"{step}/6" for step in range(1, 7)]
    assert all(re.search(r"images/s  \d+:\d\d left$", line) for line in lines)
    assert lines[2].startswith("step 3/6 (50%)  D ")
    assert "\x1b" not in written(console)
    total = sum(trainer.metrics[name] for name in ("D/real", "D/fake"))
    assert f"D {total:.3g}  G {trainer.metrics['G/loss']:.3g}" in lines[-1]


def test_plain_lines_come_at_a_steady_pace_and_the_last_step_always(trainer: Trainer) -> None:
    console = Console(file=io.StringIO(), width=100)
    run(trainer, Plain(console))
    assert [line.split()[1] for line in written(console).splitlines()] == ["1/6", "6/6"]


def test_time_left_is_reckoned_from_this_process_own_steps(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer.step, trainer.steps = 1000, 1300  # resumed
    now = [50.0]
    monkeypatch.setattr("gantool.training.trainer.time", SimpleNamespace(monotonic=lambda: now[0]))
    trainer.began, trainer.first = now[0], trainer.step
    assert (trainer.rate, trainer.left) == (0, 0)
    trainer.step, now[0] = 1100, 60.0  # 100 steps of 4 images in 10 s
    assert (trainer.rate, trainer.left) == (40, 20)


@pytest.mark.parametrize(("seconds", "says"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_times_are_minutes_or_hours(seconds: float, says: str) -> None:
    assert clock(seconds) == says


def test_losses_are_summed_by_player_and_come_first() -> None:
    metrics = {"D(x)": 0.5, "D/fake": 1.0, "D/real": 2.0, "G/loss": 4.0}
    assert list(shown(metrics)) == [("D", 3.0), ("G", 4.0), ("D(x)", 0.5)]


@pytest.mark.parametrize(("width", "height"), [(100, 40), (40, 40), (100, 10), (20, 5)])
@pytest.mark.parametrize("no_color", [False, True])
def test_the_dashboard_fits_every_terminal(trainer: Trainer, width: int, height: int, no_color: bool) -> None:
    console = terminal(width, height, no_color=no_color)
    trainer.grid_image = np.random.default_rng(0).integers(0, 256, (78, 78, 1), np.uint8)
    dashboard = Dashboard(console)
    run(trainer, dashboard, lambda trainer: dashboard.live.refresh())
    text = ANSI.sub("", written(console))
    lines = [line for part in text.splitlines() for line in part.split("\r")]
    assert max(map(len, lines)) <= width
    assert ("▀" in text) == (width == 100 and height == 40 and not no_color)
    assert not dashboard.live.is_started
    assert written(console).count("\x1b[?25h") >= written(console).count("\x1b[?25l") == 1  # the cursor is back
    if width >= 40 and height >= 40:
        last = text[text.rindex("step") :]
        assert "6/6" in last
        for name, value in shown(trainer.metrics):
            assert re.search(rf"{re.escape(name)} +{value:.3f}", last)


def test_the_dashboard_shows_a_resumed_run_where_it_is(trainer: Trainer) -> None:
    trainer.step = 4
    console = terminal(80)
    dashboard = Dashboard(console)
    dashboard.gantool_train_start(trainer=trainer)
    dashboard.gantool_train_end(trainer=trainer)
    assert "4/6" in ANSI.sub("", written(console))


def test_a_training_that_never_began_ends_quietly(trainer: Trainer) -> None:
    Dashboard(terminal(80)).gantool_train_end(trainer=trainer)


def test_the_terminal_is_restored_before_a_failing_save_is_told(
    gantool: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = terminal(80)
    monkeypatch.setattr("gantool.progress.display.display", lambda given: Dashboard(console))

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed.Sealed, "write", full)
    monkeypatch.setattr(Trainer, "take_step", lambda self: setattr(self, "stop", "interrupted") or stepped(self))
    stepped = lambda self: setattr(self, "step", self.step + 1)  # noqa: E731
    args = ("--size", 8, "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 100)
    assert gantool("train", "gan", *args).code == 1
    assert written(console).endswith("\x1b[?25h")


@pytest.mark.parametrize(
    ("term", "tty", "kind"), [("xterm", True, Dashboard), ("dumb", True, Plain), ("xterm", False, Plain)]
)
def test_pipes_and_dumb_terminals_get_plain_lines(
    monkeypatch: pytest.MonkeyPatch, term: str, tty: bool, kind: type
) -> None:
    monkeypatch.setenv("TERM", term)
    assert isinstance(display(Console(file=io.StringIO(), force_terminal=tty)), kind)


def test_a_whole_training_in_a_narrow_pipe_is_readable(
    gantool: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    args = ("--size", 8, "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 4)
    done = gantool("train", "gan", *args)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "gan on digits"
    assert "5,000 images 8x8x1, 10 classes; cpu (1 thread)" in lines  # not broken in the middle
    assert any(line.startswith("step 4/4 (100%)  D ") for line in lines)
    assert lines[-1] == "  next: gantool sample gan --run runs/gan-001"
    assert "\x1b" not in done.out
    assert done.err == ""


@pytest.mark.parametrize("width", [29, 40, 80])
def test_a_table_keeps_every_word_on_any_screen(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [("class_balance_kl", "0.002187", "1360", "pass <= 0.10"), ("coverage", "0.7453", "0", "")]
    table(("measure", "value", "ceiling", "verdict"), rows)
    lines = [line.rstrip() for line in ANSI.sub("", capsys.readouterr().out).splitlines()]
    assert all(0 < len(line) <= width for line in lines)
    if width == 80:
        assert lines[0].split() == ["measure", "value", "ceiling", "verdict"]
        assert lines[2].split() == ["coverage", "0.7453", "0"]
    else:
        first = ["  value 0.002187  ceiling 1360"] if width == 40 else ["  value 0.002187", "  ceiling 1360"]
        both = [
            "measure",
            "class_balance_kl",
            *first,
            "  verdict pass <= 0.10",
            "coverage",
            "  value 0.7453  ceiling 0",
        ]
        assert lines == both


# Devices.


def test_auto_is_what_works_here() -> None:
    found = device.choose("auto")
    assert torch.ones(1, device=found).item() == 1
    assert device.choose("cpu") == torch.device("cpu")
    assert device.describe(torch.device("cpu")) == "cpu (1 thread)"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpu", "No device named 'gpu'. Did you mean cuda?"),
        ("cdua", "Did you mean cuda?"),
        ("cuda:x", "No device named 'cuda:x'."),
        ("", "No device named ''."),
    ],
)
def test_an_unknown_device_is_told_with_those_there_are(name: str, says: str) -> None:
    with pytest.raises(ValueError, match="No device") as caught:
        device_name(name)
    assert says in str(caught.value)
    assert "There are auto, cpu, cuda" in str(caught.value)


def test_a_second_cpu_is_not_there() -> None:
    with pytest.raises(UserError, match="There is no device cpu:1 here"):
        device.choose("cpu:1")


@pytest.mark.skipif(torch.accelerator.is_available(), reason="has one")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_says_which_to_use(name: str) -> None:
    with pytest.raises(UserError, match=rf"There is no {name[:4].rstrip(':')}\w* device here") as caught:
        device.choose(name)
    assert "--device cpu" in caught.value.hint


@pytest.mark.parametrize(("precision", "half"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_on_a_cpu_half_precision_is_only_for_those_who_ask(precision: str, half: bool) -> None:
    assert device.half(precision, torch.device("cpu")) == half


def test_a_step_in_half_precision_keeps_whole_weights(trainer: Trainer) -> None:
    trainer.cast, before = device.cast("bf16", torch.device("cpu")), [p.clone() for p in trainer.variant.parameters()]
    trainer.take_step()
    assert all(p.dtype == torch.float32 for p in trainer.variant.parameters())
    assert all(torch.isfinite(p).all() for p in trainer.variant.parameters())
    assert not all(torch.equal(a, b) for a, b in zip(before, trainer.variant.parameters(), strict=True))
