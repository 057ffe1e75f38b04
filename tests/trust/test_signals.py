"""R8: the first Ctrl-C or SIGTERM saves and ends with 130 or 143 within five seconds; the second aborts safely."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hooks import LINES, at_line, each, long_film, on_terminal, terminal_gone, torn, unhung, unread
from PIL import Image
from spawned import VARIANTS, Command, learned, until

from gantool.runs import sealed
from gantool.runs.run import RunFolder, step_of
from gantool.runtime.signals import leave_at_once

SEED = int(os.environ.get("TRUST_SEED", random.randrange(10**6)))  # TRUST_SEED=123 repeats what was printed
LIMIT = 5.0  # seconds, from the signal to the exit
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
LONG = 10_000_000  # steps: only a signal ends it
MINE = (*VARIANTS["gan"], "--log-every", 1, "--steps")
Send = Callable[..., Command]


@pytest.fixture
def rng() -> random.Random:
    print(f"TRUST_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def send(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> Send:
    """Start a command; in this phase it gets a signal, or more; it must end in time, with that signal's code."""
    monkeypatch.chdir(tmp_path)

    def send(phase: str, *args: object, more: int = 0) -> Command:
        note = tmp_path / "sent"
        note.unlink(missing_ok=True)
        numbers = [rng.choice(list(CODES)) for _ in range(1 + more)]
        skips = [rng.randrange(LINES[phase]), *(rng.randrange(30) for _ in range(more))]
        hook = (at_line, phase, str(note), *zip(skips, numbers, strict=True))
        command = start(*args, hook=(each, (leave_at_once,), hook))
        code, ended = command.wait(), time.monotonic()
        assert note.exists(), f"it ended with {code} before it was {phase}, and said {command.err}"
        times, places = zip(*(line.split() for line in note.read_text().splitlines()), strict=True)
        print(f"{phase}: {[n.name for n in numbers]} at {places}")
        assert code in [CODES[number] for number in numbers[: len(places)]], command.err
        if len(places) == 1:
            assert code == CODES[numbers[0]]
        assert ended - float(times[-1]) < LIMIT
        assert "Traceback" not in command.err and len(command.err.strip().splitlines()) <= 6
        assert not list(Path().rglob(".*.tmp"))
        return command

    return send


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images that takes a while to decode."""
    folder = tmp_path_factory.mktemp("many")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    image.save(folder / "0.png")
    for i in range(1, 40):
        os.link(folder / "0.png", folder / f"{i}.png")
    return folder


def saved(run: RunFolder) -> int:
    """The step its newest checkpoint holds, which must be whole; 0 if there is none."""
    if not (found := run.saved()):
        return 0
    facts, _ = sealed.load(found[0])
    assert facts["step"] == step_of(found[0])
    return step_of(found[0])


def last(run: RunFolder) -> int:
    return max((line["step"] for line in run.lines()), default=0)


@pytest.mark.promise("R8")
def test_a_signal_before_anything_is_there_leaves_nothing_behind(send: Send, times, tried, many: Path) -> None:  # type: ignore[no-untyped-def]
    for phase, args in {
        "loading": ("train", *MINE, 5, "--data", many),
        "timing": ("train", *VARIANTS["gan"], "--minutes", 0.15),
        "checking": ("data", "check", many),
    }.items():
        for _ in range(times(2, 50)):
            send(phase, *args)
            assert not Path("runs").exists()
        tried(f"signals while {phase}", times(2, 50))


@pytest.mark.promise("R8")
def test_a_signal_saves_the_step_in_hand_and_the_run_goes_on_as_if_there_had_been_none(  # type: ignore[no-untyped-def]
    send: Send, start, times, tried, rng
) -> None:
    run, phases = RunFolder(Path("runs/run")), ["training", "saving", "drawing", "resuming"]
    assert start("train", *MINE, 12, "--name", "run").wait() == 0
    before = saved(run)
    for number in range(times(8, 200)):
        phase = phases[number % len(phases)]
        send(phase, "resume", "run", "--steps", LONG)
        if phase == "resuming":  # before the first step: nothing is new
            assert saved(run) >= before
        else:
            assert saved(run) == last(run) >= before
        before = saved(run)
    for phase in phases:
        tried(f"signals while {phase}", times(8, 200) // len(phases))
    steps = before + 7
    assert start("resume", "run", "--steps", steps).wait() == 0
    assert start("train", *MINE, steps, "--name", "whole").wait() == 0
    assert learned(Path("runs/run")) == learned(Path("runs/whole"))


@pytest.mark.promise("R8")
def test_a_signal_in_the_closing_film_ends_a_run_that_is_done(send: Send, start, times, tried) -> None:  # type: ignore[no-untyped-def]
    assert start("train", *MINE, 20, "--name", "whole").wait() == 0
    for number in range(times(2, 50)):
        send("closing", "train", *MINE, 20, "--name", f"run-{number}")
        assert learned(Path(f"runs/run-{number}")) == learned(Path("runs/whole"))
        if (film := Path(f"runs/run-{number}/progress.gif")).exists():  # it can be spared
            assert film.read_bytes() == Path("runs/whole/progress.gif").read_bytes()
    tried("signals while closing", times(2, 50))


@pytest.mark.promise("R8")
def test_a_long_film_is_not_waited_for(start, tried, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert start("train", *MINE, 7, "--name", "whole").wait() == 0
    assert start("train", *MINE, 7, "--name", "run", hook=(long_film, signal.SIGTERM)).wait(LIMIT + 5) == 143
    assert learned(Path("runs/run")) == learned(Path("runs/whole"))
    tried("signals while closing")


@pytest.mark.promise("R8")
@pytest.mark.parametrize("number", [None, signal.SIGINT])
def test_with_nobody_reading_any_more_the_state_is_saved(start, tried, tmp_path, monkeypatch, number) -> None:  # type: ignore[no-untyped-def]
    """As in `gantool train gan 2>&1 | tee log` and Ctrl-C, which ends tee first."""
    monkeypatch.chdir(tmp_path)
    command = start("train", *MINE, 40, "--name", "run", hook=(unread, 7, *([number] if number else [])))
    assert command.wait() == (CODES[number] if number else 1)
    run = RunFolder(Path("runs/run"))
    assert saved(run) == last(run) == 7
    assert start("resume", "run").wait() == 0
    assert start("train", *MINE, 40, "--name", "whole").wait() == 0
    assert learned(Path("runs/run")) == learned(Path("runs/whole"))
    tried("broken pipes")


@pytest.mark.promise("R8")
def test_a_closed_terminal_saves_the_run(start, tried, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    ours, its = os.openpty()
    command = start("train", *MINE, LONG, "--name", "run", hook=(on_terminal, os.ttyname(its)), TERM="xterm")
    said = b""
    while b"images/s" not in said:  # the dashboard is there
        said += os.read(ours, 65536)
    run = RunFolder(Path("runs/run"))
    until(lambda: last(run) > 5)
    os.close(its)
    os.close(ours)
    assert command.wait(LIMIT + 5) == 129
    assert saved(run) == last(run) > 5
    steps = saved(run) + 7
    assert start("resume", "run", "--steps", steps).wait() == 0
    assert start("train", *MINE, steps, "--name", "whole").wait() == 0
    assert learned(Path("runs/run")) == learned(Path("runs/whole"))
    tried("closed terminals")


@pytest.mark.promise("R8")
@pytest.mark.parametrize("words", [("list",), ("train", *MINE, 7, "--name", "run")])
def test_a_terminal_that_is_gone_before_its_signal_is_a_hangup_too(start, tmp_path, monkeypatch, words) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert start(*words, hook=(terminal_gone,)).wait() == 129


@pytest.mark.promise("R8")
def test_nohup_is_respected(start, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    command = start("train", *MINE, 300, "--name", "run", hook=(unhung,))
    until(lambda: last(RunFolder(Path("runs/run"))) > 5)
    command.kill(signal.SIGHUP)
    assert command.wait() == 0
    assert last(RunFolder(Path("runs/run"))) == 300


@pytest.mark.promise("R8")
def test_a_second_signal_aborts_and_loses_nothing_that_was_saved(send: Send, start, times, tried) -> None:  # type: ignore[no-untyped-def]
    run = RunFolder(Path("runs/run"))
    assert start("train", *MINE, 12, "--name", "run").wait() == 0
    whole, count = saved(run), times(4, 100)
    for number in range(count):
        send(("training", "saving", "drawing", "resuming")[number % 4], "resume", "run", "--steps", LONG, more=1)
        assert saved(run) >= whole
        assert sealed.load(run.model)[0]["step"] >= saved(run)
        whole = saved(run)
    assert start("resume", "run", "--steps", whole + 3).wait() == 0
    tried("second signals", count)


@pytest.mark.promise("R8")
@pytest.mark.parametrize("phase", ["sampling", "measuring"])
def test_a_signal_while_sampling_or_measuring_leaves_the_run_as_it_was(send: Send, start, times, tried, phase) -> None:  # type: ignore[no-untyped-def]
    assert start("train", *MINE, 6).wait() == 0
    before = {file: file.read_bytes() for file in Path("runs").rglob("*") if file.is_file()}
    for _ in range(times(2, 50)):
        send(
            phase, *({"sampling": ("sample", "gan", "--out", "x.gif"), "measuring": ("eval", "gan", "-n", 200)}[phase])
        )
        assert {file: file.read_bytes() for file in Path("runs").rglob("*") if file.is_file()} == before
        assert not Path("x.gif").exists()
    tried(f"signals while {phase}", times(2, 50))


@pytest.mark.promise("R8")
def test_a_signal_in_the_middle_of_a_file_leaves_no_half_of_it(start, times, tried, tmp_path, monkeypatch, rng) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert start("train", *MINE, 6).wait() == 0
    for line in rng.sample(range(3, 9), times(2, 6)):
        command = start("sample", "gan", "--out", "x.gif", hook=(torn, "x.gif", line, signal.SIGTERM))
        assert command.wait() == 143, command.err
        print(f"SIGTERM after {line} lines: {sorted(p.name for p in tmp_path.glob('*.gif*'))}")
        assert not list(tmp_path.glob(".*.tmp"))
    tried("signals in a write", times(2, 6))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.promise("R8")
def test_a_signal_at_any_moment_from_the_first_import_to_the_last(times, tried, tmp_path, rng) -> None:  # type: ignore[no-untyped-def]
    """Python alone is up in a few hundredths of a second; from then on, gantool answers."""
    train = [sys.executable, "-m", "gantool", "train", *map(str, MINE), "400", "--out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for number in range(times(4, 50)):
        with subprocess.Popen(
            [*train, f"run-{number}"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            listening(process.pid)
            time.sleep(delay := rng.uniform(0, 4))
            which = rng.choice(list(CODES))
            began = time.monotonic()
            process.send_signal(which)
            _, err = process.communicate(timeout=60)
            seconds = time.monotonic() - began
        print(f"{which.name} after {delay:.2f} s: {process.returncode} after {seconds:.2f} s, {err.decode()!r}")
        assert process.returncode in (CODES[which], 0)
        assert seconds < LIMIT
        assert b"Traceback" not in err
    tried("signals while importing torch, or just after", times(4, 50))


def listening(pid: int) -> None:
    """Wait until the process hears SIGTERM: the kernel knows which signals a process catches."""
    caught = Path(f"/proc/{pid}/status")
    bit = 1 << (signal.SIGTERM - 1)
    until(lambda: int(caught.read_text().split("SigCgt:")[1].split()[0], 16) & bit)
    assert "torch" not in Path(f"/proc/{pid}/maps").read_text()  # it listens before the slow imports
