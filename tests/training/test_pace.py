"""What a training computes with: chosen by timing once, kept in the settings, and by whoever resumes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Gantool

from gantool.api import Recipe
from gantool.config import yaml
from gantool.training import pace
from gantool.training.pace import Way, settled, ways

CPU = torch.device("cpu")
TINY = ("--size", 8, "--batch-size", 4, "--z", 4, "--g-layers", "4", "--d-layers", "4", "-q")


class Timed:
    """Stands for a trainer whose steps take what `table` says; what it is left with is `now`."""

    device = CPU

    def __init__(self, table: dict[Way, float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Way] = []
        self.now = Way(0, "auto")

        def take(way: Way, trainer: "Timed") -> None:
            trainer.now = way

        def seconds(trainer: "Timed", seconds: float) -> float:
            self.asked.append(trainer.now)
            return table[trainer.now]

        monkeypatch.setattr(Way, "take", take)
        monkeypatch.setattr(pace, "seconds_a_step", seconds)


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], None]:
    """A machine of so many cores, which multiplies bf16 or not."""

    def have(count: int, bf16: bool) -> None:
        monkeypatch.setattr(torch, "get_num_threads", lambda: count)
        monkeypatch.setattr(pace.devices, "multiplies_bf16", lambda: bf16)

    return have


@pytest.mark.parametrize(
    ("count", "bf16", "said", "expected"),
    [
        (2, False, {}, [(2, "auto"), (1, "auto")]),
        (1, False, {}, [(1, "auto")]),
        (8, True, {}, [(8, "fp32"), (1, "fp32"), (8, "bf16"), (1, "bf16")]),
        (8, True, {"threads": "3"}, [(3, "fp32"), (3, "bf16")]),
        (8, True, {"precision": "fp32"}, [(8, "fp32"), (1, "fp32")]),
        (8, True, {"threads": "1", "precision": "bf16"}, [(1, "bf16")]),
    ],
)
def test_what_was_said_is_not_asked(cores: Any, count: int, bf16: bool, said: Any, expected: Any) -> None:
    cores(count, bf16)
    assert ways(Recipe(**said), CPU) == [Way(*way) for way in expected]


def test_a_gpu_and_several_processes_are_left_as_they_are(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(8, True)
    assert ways(Recipe(), torch.device("cuda")) == [Way(8, "auto")]
    for name, value in {"MASTER_ADDR": "localhost", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert ways(Recipe(), CPU) == [Way(8, "auto")]


def test_the_fastest_is_kept_and_written_down(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(2, True)
    every = {(2, "fp32"): 1.0, (1, "fp32"): 0.5, (2, "bf16"): 0.8, (1, "bf16"): 0.4}
    trainer: Any = Timed({Way(*way): took for way, took in every.items()}, monkeypatch)
    recipe, each = settled(trainer, Recipe(steps=5_000), timed=True)
    assert (recipe.threads, recipe.precision, each) == ("1", "bf16", 0.4)
    assert trainer.now == Way(1, "bf16") and trainer.asked == 2 * [Way(*way) for way in every]


def test_a_lucky_turn_on_a_busy_machine_decides_nothing(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(2, False)
    trainer: Any = Timed({}, monkeypatch)
    both = iter([0.05, 0.2, 0.2])  # once the other processes were waiting

    def seconds(trainer: Timed, seconds: float) -> float:
        trainer.asked.append(trainer.now)
        return next(both) if trainer.now.threads == 2 else 0.1

    monkeypatch.setattr(pace, "seconds_a_step", seconds)
    recipe, each = settled(trainer, Recipe(steps=5_000), timed=True)
    assert (recipe.threads, each) == ("1", pytest.approx(0.1))
    assert len(trainer.asked) == 2 * 3  # until two turns agree


def test_where_no_two_turns_agree_there_is_an_end(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(2, False)
    trainer: Any = Timed({}, monkeypatch)
    taken = iter([0.1, 0.1, 0.2, 0.1] * pace.TURNS)
    monkeypatch.setattr(pace, "seconds_a_step", lambda trainer, seconds: next(taken))
    settled(trainer, Recipe(steps=5_000), timed=True)
    assert len(list(taken)) == 2 * pace.TURNS


@pytest.mark.parametrize(("patience", "turns"), [(1e9, 2), (-1.0, 1)])
def test_each_way_is_timed_twice_and_once_where_steps_take_long(
    patience: float, turns: int, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(2, False)
    monkeypatch.setattr(pace, "PATIENCE", patience)
    trainer: Any = Timed({Way(2, "auto"): 0.03, Way(1, "auto"): 0.04}, monkeypatch)
    settled(trainer, Recipe(steps=5_000), timed=True)
    assert len(trainer.asked) == 2 * turns


@pytest.mark.parametrize(
    ("all_bf16", "one_bf16", "expected"),
    [
        (0.91, 0.85, ("2", "fp32", 1.0)),  # a machine's drift decides nothing
        (0.85, 0.81, ("2", "bf16", 0.85)),
        (0.85, 0.79, ("1", "bf16", 0.79)),
    ],
)
def test_fewer_threads_must_be_worth_more_than_bfloat16(
    all_bf16: float, one_bf16: float, expected: Any, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(2, True)
    every = {(2, "fp32"): 1.0, (1, "fp32"): 0.81, (2, "bf16"): all_bf16, (1, "bf16"): one_bf16}
    trainer: Any = Timed({Way(*way): took for way, took in every.items()}, monkeypatch)
    recipe, each = settled(trainer, Recipe(steps=5_000), timed=True)
    assert (recipe.threads, recipe.precision, each) == expected


def test_what_is_not_timed_takes_all_cores_and_float32(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(2, True)
    trainer: Any = Timed({}, monkeypatch)
    recipe, each = settled(trainer, Recipe(steps=5_000), timed=False)
    assert (recipe.threads, recipe.precision, each, trainer.asked) == ("2", "fp32", 0.0, [])


def test_a_short_run_asks_no_clock(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> float:
        raise AssertionError("a step was timed")

    monkeypatch.setattr(pace, "seconds_a_step", asked)
    assert gantool("train", "gan", *TINY, "--steps", 2).code == 0
    assert gantool("train", "gan", *TINY, "--steps", pace.SHORT).code != 0


def test_a_run_given_minutes_is_timed(gantool: Gantool) -> None:
    assert gantool("train", "gan", *TINY, "--minutes", 0.02, "--name", "short").code == 0
    assert yaml.read(Path("runs/short/config.yaml"))["threads"] in (str(torch.get_num_threads()), "1")


def test_threads_are_those_that_were_asked_for_also_after_a_resume_and_are_put_back(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gantool.training.trainer import Trainer

    step, seen, usual = Trainer.take_step, set[int](), torch.get_num_threads()

    def watched(self: Trainer) -> None:
        seen.add(torch.get_num_threads())
        step(self)

    monkeypatch.setattr(Trainer, "take_step", watched)
    assert gantool("train", "gan", *TINY, "--steps", 2, "--threads", usual + 1, "--name", "wide").code == 0
    assert gantool("resume", "wide", "--steps", 4).code == 0
    assert seen == {usual + 1} and torch.get_num_threads() == usual


def test_a_run_from_before_there_was_the_setting_resumes(gantool: Gantool) -> None:
    assert gantool("train", "gan", *TINY, "--steps", 4, "--save-every", 2, "--name", "old").code == 0
    config = Path("runs/old/config.yaml")
    config.write_text("".join(li for li in config.read_text().splitlines(keepends=True) if "threads" not in li))
    assert gantool("resume", "old", "--steps", 6, "-q").code == 0


@pytest.mark.parametrize("threads", [0, "many", "-1", 4096])
def test_a_number_of_threads_that_is_none_is_refused(gantool: Gantool, threads: object) -> None:
    done = gantool("train", "gan", *TINY, "--steps", 2, f"--threads={threads}")
    assert done.code == 2 and "should be auto, or a number of threads such as 1." in done.err
    assert not Path("runs").exists()


def test_quick_steps_are_timed_twice_and_the_quieter_turn_counts(cores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cores(2, False)
    table = {Way(2, "auto"): 0.001, Way(1, "auto"): 0.01}
    trainer: Any = Timed(table, monkeypatch)
    usual = pace.seconds_a_step

    def seconds(timed: Any, seconds: float) -> float:
        found = usual(timed, seconds)
        table[Way(1, "auto")] = 0.0001  # from now on
        return found

    monkeypatch.setattr(pace, "seconds_a_step", seconds)
    assert settled(trainer, Recipe(steps=5_000), timed=True)[0].threads == "1"
    assert len(trainer.asked) == 4
