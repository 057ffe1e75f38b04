"""Tests of the monitor: what goes wrong is said, and a healthy run is left in peace."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gantool.data.pictures import open_data
from gantool.device import seed_all
from gantool.hookspecs import hookimpl
from gantool.measuring.monitor import EARLY, Monitor, signs
from gantool.options import Recipe
from gantool.run import Run
from gantool.trainer import Trainer
from gantool.variants.cgan import CGAN

HEALTHY = {"D gradient": 0.5, "G gradient": 0.4, "D right": 0.7, "diversity": 0.9, "distance": 9.0,
           "rarest class": 0.06, "as asked": 0.95}  # fmt: skip


def line(step: int, **changed: float) -> dict[str, Any]:
    return {"step": step, "probe": HEALTHY | {name.replace("_", " "): value for name, value in changed.items()}}


PAST = [line(step, distance=20.0 - step) for step in range(EARLY)]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, None),
        ({"diversity": 0.4}, "narrow"),
        ({"diversity": 0.1}, "collapse"),
        ({"D_right": 0.995}, "D wins"),
        ({"rarest_class": 0.0}, "missing class"),
        ({"as_asked": 0.1}, "ignored label"),
        ({"distance": 40.0}, "worse"),
        ({"distance": 23.0}, None),
        ({"G_gradient": 1e-5}, "G vanishes"),
        ({"G_gradient": 500.0}, "G explodes"),
        ({"D_gradient": 30.0}, None),
    ],
)
def test_each_sign_has_a_name_and_a_sentence(changed: dict[str, float], name: str | None) -> None:
    found = dict(signs(line(9, **changed), PAST))
    assert list(found) == ([name] if name else [])
    assert all(words.endswith(".") for words in found.values())


def test_the_first_probes_are_not_judged_by_their_samples() -> None:
    assert list(signs(line(9, diversity=0.01, rarest_class=0.0, as_asked=0.1), PAST[:-1])) == []


class Painter(CGAN):
    """Draws real digits, whatever it learns; from `falls` on, one and the same."""

    falls = 10**9
    real: Tensor
    labels: Tensor

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        chosen = torch.randperm(len(self.real))[:n]
        if self.step >= self.falls:
            chosen[:] = chosen[0]
        return self.real[chosen], self.labels[chosen]


@pytest.fixture(scope="module", autouse=True)
def real() -> None:
    data = open_data(Recipe())
    Painter.real, Painter.labels = data.pixels.float() / 127.5 - 1, data.labels


@pytest.fixture
def told() -> list[str]:
    return []


def train(folder: Path, told: list[str], steps: int = 24, falls: int = 10**9) -> Run:
    """Train with a probe every other step."""
    folder.mkdir()
    seed_all(0)
    data = open_data(Recipe())
    options = CGAN.Options(networks="mlp", z=2, g_layers="2", d_layers="2")
    Painter.falls = falls
    trainer = Trainer(Painter(options, data.spec), Recipe(batch_size=4, steps=steps), data, torch.device("cpu"))
    run, monitor = Run(folder), Monitor(Run(folder), 2, told.append)

    class Events:
        @hookimpl
        def gantool_train_start(self, trainer: Trainer) -> None:
            monitor.gantool_train_start(trainer)

        @hookimpl
        def gantool_train_step(self, trainer: Trainer) -> None:
            monitor.gantool_train_step(trainer)

        def gantool_train_end(self, trainer: Trainer) -> None: ...

    trainer.run(Events())
    return run


def test_real_digits_raise_nothing(tmp_path: Path, told: list[str]) -> None:
    run = train(tmp_path / "run", told)
    assert told == []
    probes = [entry["probe"] for entry in run.lines()]
    assert len(probes) == 12
    assert all(0.9 < probe["diversity"] < 1.1 and probe["as asked"] > 0.97 for probe in probes)


def test_a_collapse_is_told_within_three_probes_once_and_with_what_to_try(tmp_path: Path, told: list[str]) -> None:
    run = train(tmp_path / "run", told, falls=15)
    assert [words.partition(":")[0] for words in told if "alike" in words] == ["step 18"]  # 16 is the first to see it
    assert "Try --r1 0.2." in "".join(told)
    kept = [entry for entry in run.lines() if entry.get("sign") == "collapse"]
    assert [entry["step"] for entry in kept] == [18] and kept[0]["words"] in told[0] + told[-1]


def test_a_passing_sign_is_not_told(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    steady = Painter.sample

    def once(self: Painter, n: int, options: Any) -> tuple[Tensor, Tensor]:
        images, labels = steady(self, n, options)
        return (images[:1].expand_as(images), labels) if self.step == 16 else (images, labels)

    monkeypatch.setattr(Painter, "sample", once)
    train(tmp_path / "run", told)
    assert told == []


def test_probes_leave_the_training_as_it_would_have_been(tmp_path: Path, told: list[str]) -> None:
    data = open_data(Recipe())
    states = []
    for probed in (False, True):
        seed_all(0)
        options = CGAN.Options(networks="mlp", z=2, g_layers="2", d_layers="2")
        trainer = Trainer(CGAN(options, data.spec), Recipe(batch_size=4, steps=4), data, torch.device("cpu"))
        folder = tmp_path / str(probed)
        folder.mkdir()
        monitor = Monitor(Run(folder), 2, told.append)
        if probed:
            monitor.gantool_train_start(trainer)
        for _ in range(4):
            trainer.take_step()
            if probed:
                monitor.gantool_train_step(trainer)
        states.append(json.dumps({k: v.tolist() for k, v in trainer.variant.state_dict().items()}))
    assert states[0] == states[1]
