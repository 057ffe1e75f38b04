"""R11: two processes never write one run, and the lock of a killed one is no lock."""

import signal
from pathlib import Path

import pytest
from hooks import at_line, late
from spawned import VARIANTS, learned, until

from gantool.runs.run import RunFolder

GAN = (*VARIANTS["gan"], "--steps")
LONG = 10_000_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.promise("R11")
def test_a_run_in_training_is_not_resumed_nor_begun_again(start, tried) -> None:  # type: ignore[no-untyped-def]
    run = RunFolder(Path("runs/run"))
    first = start("train", *GAN, LONG, "--name", "run")
    until(lambda: len(run.saved()) == 2)
    for args, code, says in (
        (("resume", "run"), 1, "is being trained by another process"),
        (("train", "gan", "--resume", "--name", "run"), 1, "is being trained by another process"),
        (("train", *GAN, 5, "--name", "run"), 2, "is already there"),
        (("train", *GAN, 5, "--out", "runs/run"), 2, "is already there"),
    ):
        second = start(*args)
        assert second.wait() == code, second.err
        assert says in second.err
        tried("second processes turned away")
    assert first.process.exitcode is None
    first.kill(signal.SIGINT)
    assert first.wait() == 130
    steps = int(run.saved()[0].stem.removeprefix("step-")) + 4
    assert start("resume", "run", "--steps", steps).wait() == 0
    assert start("train", *GAN, steps, "--name", "whole").wait() == 0
    assert learned(run.folder) == learned(Path("runs/whole"))


@pytest.mark.promise("R11")
def test_of_two_that_begin_at_once_one_trains(start, times, tried) -> None:  # type: ignore[no-untyped-def]
    assert start("train", *GAN, 15, "--name", "whole").wait() == 0
    for number in range(times(2, 20)):
        both = [start("train", *GAN, 15, "--name", number) for _ in range(2)]
        assert sorted(command.wait() for command in both)[0] == 0
        assert [c.process.exitcode for c in both].count(0) == 1, [c.err for c in both]
        assert learned(Path(f"runs/{number}")) == learned(Path("runs/whole"))
    tried("pairs of train", times(2, 20))


@pytest.mark.promise("R11")
def test_one_that_looked_before_the_other_began_is_turned_away_all_the_same(start, tried) -> None:  # type: ignore[no-untyped-def]
    slow = start("train", *GAN, 10, "--name", "run", hook=(late, "looked", "go"))
    until(Path("looked").exists)
    assert start("train", *GAN, 15, "--name", "run").wait() == 0
    before = learned(Path("runs/run"))
    Path("go").touch()
    assert slow.wait() == 2
    assert "is already there" in slow.err
    assert learned(Path("runs/run")) == before
    tried("late starters turned away")


@pytest.mark.promise("R11")
def test_a_killed_process_leaves_no_lock_and_of_two_that_resume_one_does(start, times, tried) -> None:  # type: ignore[no-untyped-def]
    assert start("train", *GAN, 40, "--name", "whole").wait() == 0
    for number in range(times(2, 20)):
        run = RunFolder(Path(f"runs/{number}"))
        kill = at_line, "training", str(Path("killed").absolute()), (1200, signal.SIGKILL)
        first = start("train", *GAN, 40, "--name", number, hook=kill)
        assert first.wait() == -signal.SIGKILL
        assert (run.folder / ".lock").exists()
        assert not run.busy()
        tried("locks of killed processes taken over")
        both = [start("resume", number) for _ in range(2)]
        codes = sorted(command.wait() for command in both)
        # The other came while it trained (1), or when all was done (2).
        assert codes[0] == 0 and codes[1] in (1, 2), [c.err for c in both]
        assert learned(run.folder) == learned(Path("runs/whole"))
        tried("pairs of resume")
