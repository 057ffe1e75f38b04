"""Tests of resuming: whatever stopped a run, it goes on as if nothing had."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gantool.config import yaml
from gantool.hookspecs import hookimpl
from gantool.runs import sealed
from gantool.runs.run import RunFolder
from gantool.runtime.signals import Interrupted
from gantool.training.callbacks import Gallery
from gantool.training.trainer import Trainer

SHARED = ("--batch-size", 4, "--z", 4, "--save-every", 5, "--sample-every", 1000, "--log-every", 10, "-q")
MLP = ("--g-layers", "4", "--d-layers", "4")
VARIANTS = {
    "gan": ("gan", "--size", 8, *MLP, "--decay", 0.01),
    "gan-sgd": ("gan", "--size", 8, *MLP, "--preset", "minimal", "--d-steps", 2),
    "cgan": ("cgan", "--size", 8, "--width", 1, "--d-width", 1, "--flip"),
    "cgan-mlp": ("cgan", "--size", 8, "--networks", "mlp", *MLP),
    "dcgan": ("dcgan", "--size", 16, "--width", 1, "--ema-images", 0),
    "gan-bf16": ("gan", "--size", 8, *MLP, "--precision", "bf16"),
    "dcgan-bf16": ("dcgan", "--size", 16, "--width", 1, "--precision", "bf16"),
}
GAN = (*VARIANTS["gan"], *SHARED, "--lr", 0.0002)
Gantool = Callable[..., Any]


def run(name: str) -> RunFolder:
    return RunFolder(Path("runs", name))


def whole(name: str) -> dict[str, bytes]:
    """All of a run that says what was learned, as bytes."""
    files = [*run(name).saved(), run(name).model]
    return {file.name: file.read_bytes() for file in files}


def log(name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run(name).metrics.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "images_per_s"} for line in lines]


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Send this process a signal while it takes a step."""

    def signal_at(step: int, number: int = signal.SIGINT, times: int = 1) -> None:
        taken = Trainer.take_step

        def take_step(self: Trainer) -> None:
            taken(self)
            if self.step == step:
                monkeypatch.setattr(Trainer, "take_step", taken)
                for _ in range(times):
                    os.kill(os.getpid(), number)
                    time.sleep(0.01)

        monkeypatch.setattr(Trainer, "take_step", take_step)

    return signal_at


@pytest.mark.parametrize("variant", VARIANTS)
def test_40_steps_are_15_and_25_and_17_interrupted_and_23(
    gantool: Gantool, signal_at: Callable[..., None], variant: str
) -> None:
    train = ("train", *VARIANTS[variant], *SHARED)
    assert gantool(*train, "--steps", 40, "--name", "whole").code == 0
    assert gantool(*train, "--steps", 15, "--name", "longer").code == 0
    assert gantool("resume", "longer", "--steps", 40, "-q").code == 0
    signal_at(17)
    assert gantool(*train, "--steps", 40, "--name", "stopped").code == 130
    assert run("stopped").status()[2:5] == (17, 40, "stopped")
    assert gantool("resume", "stopped", "-q").code == 0

    expected = sealed.load(run("whole").checkpoint(40))[1]
    assert expected["step"] == 40
    for name in ("longer", "stopped"):
        state = sealed.load(run(name).checkpoint(40))[1]
        assert [key for key in expected if not sealed.same(state[key], expected[key])] == []
        assert whole(name) == whole("whole")
        assert run(name).config.read_text().split("variant:")[1] == run("whole").config.read_text().split("variant:")[1]
    # Neither double nor missing lines, and means as if there had been no break.
    assert [line["step"] for line in log("whole")] == [10, 20, 30, 40]
    assert log("stopped") == log("whole")
    assert [line["step"] for line in log("longer")] == [10, 15, 20, 30, 40]
    assert log("longer")[3:] == log("whole")[2:]


def test_an_interruption_between_two_moves_of_the_average_leaves_no_trace_in_what_is_drawn(gantool: Gantool) -> None:
    """Saving looks at the average, whose batch statistics are gathered for whoever looks; it moves at 68 and 72."""
    assert gantool("train", *GAN, "--steps", 71, "--name", "whole").code == 0
    assert gantool("train", *GAN, "--steps", 69, "--name", "stopped").code == 0
    assert gantool("resume", "stopped", "--steps", 71, "-q").code == 0
    assert whole("stopped")["step-000071.safetensors"] == whole("whole")["step-000071.safetensors"]
    assert whole("stopped")["model.safetensors"] == whole("whole")["model.safetensors"]


def test_a_damaged_checkpoint_is_told_and_the_one_before_goes_on(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--steps", 40, "--name", "whole").code == 0
    assert gantool("train", *GAN, "--steps", 25, "--name", "broken").code == 0
    newest = run("broken").checkpoint(25)
    data = bytearray(newest.read_bytes())
    data[-9] ^= 4
    newest.write_bytes(data)
    done = gantool("resume", "broken", "--steps", 40, "-q")
    assert done.code == 0
    assert "step-000025.safetensors is damaged" in done.err
    assert "Falling back to the one before" in done.err
    assert whole("broken") == whole("whole")
    assert [line["step"] for line in log("broken")] == [10, 20, 30, 40]


def test_with_no_good_checkpoint_resuming_is_refused_and_nothing_is_lost(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--steps", 10).code == 0
    for path in run("gan-001").saved():
        path.write_bytes(path.read_bytes()[:-1])
    before = {file: file.read_bytes() for file in Path("runs").rglob("*") if file.is_file()}
    done = gantool("resume", "gan-001", "--steps", 20, "-q")
    assert done.code == 1
    assert "has no good checkpoint to go on from" in done.err
    assert {file: file.read_bytes() for file in Path("runs").rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("lr: 0.0002", "lr: 0.01", "lr: 0.0002 in the checkpoint, 0.01 now"),
        ("batch_size: 4", "batch_size: 8", "batch_size: 4 in the checkpoint, 8 now"),
        ("seed: 0", "seed: 1", "seed: 0 in the checkpoint, 1 now"),
        ("steps: 10", "steps: 7", "steps: 10 are done already, 7 asked for"),
    ],
)
def test_an_edited_config_is_refused_naming_the_key_and_both_values(
    gantool: Gantool, old: str, new: str, says: str
) -> None:
    assert gantool("train", *GAN, "--steps", 10).code == 0
    config, before = run("gan-001").config, whole("gan-001")
    config.write_text(config.read_text().replace(f"\n{old}\n", f"\n{new}\n"))
    steps = () if "steps" in old else ("--steps", 20)
    done = gantool("resume", "gan-001", *steps, "-q")
    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) <= 6
    assert whole("gan-001") == before


def test_a_flag_said_again_must_be_as_it_was(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--steps", 10).code == 0
    done = gantool("train", "gan", "--resume", "--lr", 0.01, "--steps", 20, "-q")
    assert done.code == 2
    assert "lr: 0.0002 in the checkpoint, 0.01 now" in done.err
    assert gantool("train", "gan", "--resume", "--lr", 0.0002, "--steps", 20, "-q").code == 0
    assert run("gan-001").status()[2:5] == (20, 20, "done")


def test_changed_images_are_refused(gantool: Gantool, images: Callable[..., Path]) -> None:
    folder = images({f"{i}.png": (i, 0, 0) for i in range(6)})
    assert gantool("train", *GAN, "--data", folder, "--steps", 10).code == 0
    images({"0.png": (99, 0, 0)})
    done = gantool("resume", "gan-001", "--steps", 20, "-q")
    assert done.code == 2
    assert f"data: {folder} holds other images than it did" in done.err


def test_a_run_in_training_is_left_alone(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--steps", 10).code == 0
    before = whole("gan-001")
    with run("gan-001").taken():
        done = gantool("resume", "gan-001", "--steps", 20, "-q")
    assert done.code == 1
    assert "runs/gan-001 is being trained by another process" in done.err
    assert whole("gan-001") == before


def test_a_finished_run_says_how_to_go_on(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--steps", 10).code == 0
    done = gantool("resume", "gan-001", "-q")
    assert done.code == 2
    assert "is done: all 10 steps" in done.err
    assert "gantool resume runs/gan-001 --steps 20" in done.err


def test_resume_alone_takes_the_newest_unfinished_run(gantool: Gantool, signal_at: Callable[..., None]) -> None:
    signal_at(7)
    assert gantool("train", *GAN, "--steps", 12).code == 130
    assert gantool("train", *GAN, "--steps", 3).code == 0
    assert gantool("resume", "-q").code == 0
    assert run("gan-001").status().state == "done"
    done = gantool("resume", "-q")
    assert (done.code, "No unfinished run" in done.err) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_stops_at_once_and_keeps_what_was_saved(
    gantool: Gantool, signal_at: Callable[..., None], number: int, code: int
) -> None:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    signal_at(17, number, times=2)
    done = gantool("train", *GAN, "--steps", 40)
    assert done.code == code
    assert "Saving, then stopping; once more to stop at once." in done.err
    assert [path.stem for path in run("gan-001").saved()] == ["step-000015", "step-000010"]
    assert {n: signal.getsignal(n) for n in before} == before
    assert gantool("resume", "gan-001", "-q").code == 0


def test_a_slow_disk_is_not_waited_for_and_gets_what_was_when_it_was_asked(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps go on beside a save, whose numbers are those of its own step; the end waits for it, and allows for it."""
    write, taken, gone_on, trainers = sealed.Sealed.write, Trainer.take_step, threading.Event(), set[Trainer]()

    def slow(self: sealed.Sealed, path: Path) -> None:
        if path.stem == "step-000005":
            assert gone_on.wait(60)
            time.sleep(0.2)
        write(self, path)

    def take_step(self: Trainer) -> None:
        taken(self)
        trainers.add(self)
        if self.step == 8:
            assert not run("slow").saved()
            gone_on.set()

    assert gantool("train", *GAN, "--steps", 9, "--name", "quick").code == 0
    monkeypatch.setattr(sealed.Sealed, "write", slow)
    monkeypatch.setattr(Trainer, "take_step", take_step)
    assert gantool("train", *GAN, "--steps", 9, "--name", "slow").code == 0
    assert [path.stem for path in run("slow").saved()] == ["step-000009", "step-000005"]
    assert (whole("slow"), log("slow")) == (whole("quick"), log("quick"))
    assert trainers.pop().pause >= 0.2  # what a run given minutes keeps for its last save


def test_a_command_that_must_end_at_once_leaves_no_half_of_a_checkpoint(
    gantool: Gantool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second signal at the end, before the last save, while a slow disk has the one before in hand."""
    write = sealed.Sealed.write

    def slow(self: sealed.Sealed, path: Path) -> None:
        if path.stem == "step-000010":
            time.sleep(0.2)
        write(self, path)

    def end(self: Gallery, trainer: Trainer) -> None:
        raise Interrupted(130)

    monkeypatch.setattr(sealed.Sealed, "write", slow)
    monkeypatch.setattr(Gallery, "gantool_train_end", hookimpl(end))
    assert gantool("train", *GAN, "--steps", 11).code == 130
    assert [path.stem for path in run("gan-001").saved()] == ["step-000010", "step-000005"]


def test_a_full_disk_keeps_the_last_checkpoint(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    write = sealed.Sealed.write

    def full(self: sealed.Sealed, path: Path) -> None:
        if "step-000015" in path.name:
            raise OSError(28, "No space left on device", str(path))
        write(self, path)

    monkeypatch.setattr(sealed.Sealed, "write", full)
    done = gantool("train", *GAN, "--steps", 40)
    assert done.code == 1
    assert "No space left on device" in done.err
    assert "gantool resume" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setattr(sealed.Sealed, "write", write)
    assert run("gan-001").status()[2:5] == (10, 40, "stopped")
    assert gantool("resume", "gan-001", "-q").code == 0


# Real processes.


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)], ids=["INT", "TERM", "KILL"]
)
def test_a_process_stopped_by_a_signal_goes_on_exactly(gantool: Gantool, number: int, code: int) -> None:
    told = *map(str, GAN), "--threads", "1", "--precision", "fp32"
    train = [sys.executable, "-m", "gantool", "train", *told, "--steps", "100000", "--name", "stopped"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with subprocess.Popen(train, env=one_thread, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while len(run("stopped").saved()) < 2 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        assert run("stopped").status().state == "running"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    steps = run("stopped").status().step + 12
    # The length is the one setting that may differ; the config and thus the checkpoints name it.
    assert gantool("resume", "stopped", "--steps", steps, "-q").code == 0
    assert gantool("train", *told, "--steps", steps, "--name", "whole").code == 0
    assert whole("stopped") == whole("whole")
    assert log("stopped") == log("whole")
    assert not list(Path("runs/stopped").rglob(".*.tmp"))
    assert torch.get_num_threads() == 1


def test_a_run_killed_before_its_first_checkpoint_is_resumed_from_the_start(gantool: Gantool) -> None:
    for name in ("whole", "cut"):
        assert gantool("train", *GAN, "--name", name, "--steps", 6).code == 0
    for file in [*run("cut").saved(), run("cut").model]:
        file.unlink()
    assert json.loads(gantool("runs", "--json").out)[0]["state"] == "new"
    done = gantool("resume", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert (whole("cut"), log("cut")) == (whole("whole"), log("whole"))


def test_a_start_killed_before_its_settings_were_written_leaves_the_name_free(gantool: Gantool) -> None:
    for folder in ("samples", "checkpoints"):
        Path("runs/mine", folder).mkdir(parents=True)
    for leftover in (".lock", ".config.yaml.1.tmp"):
        Path("runs/mine", leftover).touch()
    assert gantool("train", *GAN, "--name", "mine", "--steps", 2).code == 0
    assert not Path("runs/mine/.config.yaml.1.tmp").exists()


def test_one_unreadable_run_does_not_hide_the_others(gantool: Gantool) -> None:
    assert gantool("train", *GAN, "--name", "good", "--steps", 2).code == 0
    Path("runs/bad").mkdir()
    Path("runs/bad/config.yaml").write_text("{")
    assert gantool("sample", "gan", "-q").code == 0
    assert "No unfinished run" in gantool("resume").err


def test_a_run_older_than_a_setting_goes_on_without_it(gantool: Gantool) -> None:
    """`augment` first meant none; `gan` has another default now, which is for runs to come."""
    assert gantool("train", *GAN, "--augment", "none", "--steps", 10, "--name", "whole").code == 0
    assert gantool("train", *GAN, "--augment", "none", "--steps", 5, "--name", "old").code == 0
    config = run("old").config.read_text()
    run("old").config.write_text(config.replace("augment: none\n", ""))
    for path in [*run("old").saved(), run("old").model]:
        facts, state = sealed.load(path)
        assert facts["settings"].pop("augment") == "none"
        sealed.save(path, facts, state)
    assert gantool("sample", "gan", "--run", run("old").folder, "-q", "--out", "old.png").code == 0
    assert gantool("resume", "old", "--steps", 10, "-q").code == 0
    assert whole("old")["step-000010.safetensors"] == whole("whole")["step-000010.safetensors"]


def test_what_suits_the_data_is_settled_once(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    """D sees few images moved, and pays less; a run goes on as it began, whatever is thought best by then."""

    def settled(name: str) -> Any:
        found = yaml.read(run(name).config)
        return found["augment"], found["r1"], found["components"]

    for name, many, said, suits in (
        ("few", 5_001, (), ("translate:1", 0.2, 2_000)), ("many", 5_000, (), ("none", 0.5, 0)),
        ("told", 5_001, ("--augment", "none", "--components", 0), ("none", 0.2, 0)),
        ("too", 5_000, ("--augment", "translate:2", "--r1", 0), ("translate:2", 0, 0)),
        ("clouds", 5_000, ("--components", 30), ("none", 0.5, 30)),
    ):  # fmt: skip
        monkeypatch.setattr("gantool.config.options.MANY", many)
        assert gantool("train", *GAN, *said, "--steps", 2, "--name", name).code == 0
        assert settled(name) == suits
    monkeypatch.setattr("gantool.config.options.MANY", 5_000)
    assert gantool("resume", Path("runs", "few"), "--steps", 4, "-q").code == 0
    assert settled("few") == ("translate:1", 0.2, 2_000)
