"""gantool from Python: the bytes of the command line, its words, and nothing left behind."""

import asyncio
import importlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Gantool, Install, Result
from PIL import Image

import gantool
from gantool.training.trainer import Trainer

TINY = {"width": 2, "d_width": 2, "batch_size": 4, "device": "cpu"}  # of cgan
ARGS = ("cgan", "--width", 2, "--d-width", 2, "--batch-size", 4, "--device", "cpu")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(name: str) -> bytes:
    return Path("runs", name, "model.safetensors").read_bytes()


# The same bytes, whoever calls.


def test_two_trainings_in_one_process_and_a_command_give_the_same_bytes(process: Gantool) -> None:
    for name in "ab":
        gantool.train("cgan", steps=40, seed=3, name=name, **TINY)
    code = "import sys, torch; torch.set_num_threads(1); from gantool.cli import run; sys.exit(run(sys.argv[1:]))"
    done = process("-c", code, "train", *ARGS, "--steps", 40, "--seed", 3, "--name", "c", "-q")
    assert done.code == 0, done.err
    assert model("a") == model("b") == model("c")


def test_a_training_in_a_thread_beside_an_idle_loop_is_exact_and_hears_no_signal() -> None:
    gantool.train("cgan", steps=12, seed=3, name="here", **TINY)
    seen: list[Any] = []

    async def served() -> None:
        before = signal.getsignal(signal.SIGINT)  # the loop has one of its own

        def step(trainer: Trainer) -> None:
            seen.append(signal.getsignal(signal.SIGINT))

        work = asyncio.create_task(
            asyncio.to_thread(gantool.train, "cgan", steps=12, seed=3, name="there", on_step=step, **TINY)
        )
        while not work.done():
            await asyncio.sleep(0.01)
        await work
        assert set(seen) == {before} and len(seen) == 12

    asyncio.run(served())
    assert model("here") == model("there")


def test_what_is_sampled_is_what_the_command_writes(gantool_command: Gantool) -> None:
    gantool.train("cgan", steps=2, **TINY)
    drawn = gantool.load("cgan").sample(16, digit=7)
    assert drawn.labels is not None and set(drawn.labels) == {7}
    for file in ("a.png", "a.npz", "a.idx"):
        drawn.save(Path("mine", file)) if Path("mine").mkdir(exist_ok=True) is None else None
        assert gantool_command("sample", "cgan", "--digit", 7, "-n", 16, "--out", f"theirs/{file}", "-q").code == 0
        assert Path("mine", file).read_bytes() == Path("theirs", file).read_bytes()
    drawn.save("mine/all")
    assert gantool_command("sample", "cgan", "--digit", 7, "-n", 16, "--out", "theirs/all", "-q").code == 0
    assert {p.name: p.read_bytes() for p in Path("mine/all").iterdir()} == {
        p.name: p.read_bytes() for p in Path("theirs/all").iterdir()
    }


@pytest.fixture
def gantool_command(capsys: pytest.CaptureFixture[str]) -> Gantool:
    from gantool import cli

    def call(*args: object) -> Result:
        cli.registry.cache_clear()
        code = cli.run([str(arg) for arg in args])
        return Result(code, *capsys.readouterr())

    return call


# The same words.

BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"lr": "fast"}, ["--lr", "fast"]),
    ({"lrr": 1}, ["--lrr", "1"]),
    ({"steps": 0}, ["--steps", "0"]),
    ({"steps": 2.5}, ["--steps", "2.5"]),
    ({"steps": 5, "epochs": 1}, ["--steps", "5", "--epochs", "1"]),
    ({"channels": 2}, ["--channels", "2"]),
    ({"precision": "fp64"}, ["--precision", "fp64"]),
    ({"device": "gpu"}, ["--device", "gpu"]),
    ({"grid": "3by3"}, ["--grid", "3by3"]),
    ({"g_layers": "8-x"}, ["--g-layers", "8-x"]),
    ({"data": "digist"}, ["--data", "digist"]),
    ({"preset": "nowhere"}, ["--preset", "nowhere"]),
    ({"config": "nowhere.yaml"}, ["--config", "nowhere.yaml"]),
    ({"config": "wrong.yaml"}, ["--config", "wrong.yaml"]),
    ({"minutes": -1}, ["--minutes", "-1"]),
]


@pytest.mark.parametrize(("keywords", "flags"), BAD, ids=lambda case: str(case))
def test_a_wrong_keyword_is_told_as_a_wrong_flag_is(
    keywords: dict[str, Any], flags: list[str], gantool_command: Gantool
) -> None:
    Path("wrong.yaml").write_text("lr: -1\n")
    with pytest.raises(gantool.UserError) as caught:
        gantool.train("gan", **keywords)
    said = gantool_command("train", "gan", *flags, "-q").err
    assert said == f"error: {caught.value.message}\n  {caught.value.hint}\n"
    assert not Path("runs").exists()


NO_COMMANDS = """
import typer, typer.main, typer.core, warnings
def refuse(*args, **kwargs): raise AssertionError("a command was built")
typer.Typer.__init__ = typer.main.get_command = typer.core.TyperCommand.__init__ = refuse
typer.core.TyperGroup.__init__ = refuse
import torch; torch.set_num_threads(1)
import gantool
tiny = dict(width=2, d_width=2, batch_size=4)
run = gantool.train("cgan", steps=2, **tiny)
assert gantool.load(run.files.model).sample(4, digit=1).labels.tolist() == [1] * 4
assert gantool.resume(run, steps=3).step == 3
again = gantool.train("cgan", config=run.files.config, steps=2, name="again")
assert again.config["width"] == 2
open("wrong.yaml", "w").write("lr: -1")
for wrong in (dict(lr="fast"), dict(lrr=1), dict(config="wrong.yaml")):
    try: gantool.train("cgan", **wrong)
    except gantool.UserError as error: print(error.message)
try: gantool.load(run).sample(4, digit=11)
except gantool.UserError as error: print(error.message)
"""


def test_no_command_is_built_to_train_open_a_model_check_a_file_or_resume(process: Gantool) -> None:
    done = process("-c", NO_COMMANDS)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "--lr should be a number, such as 0.5.",
        "No such option: --lrr. Did you mean --lr or --d-lr or --r1?",
        "wrong.yaml: lr: should be 0 or more.",
        "No class '11'.",
    ]


def test_importing_gantool_imports_no_torch(process: Gantool) -> None:
    code = "import sys, gantool; dir(gantool); gantool.UserError; gantool.Progress; print('torch' in sys.modules)"
    assert process("-c", code).out == "False\n"


def test_folders_that_are_also_functions_are_both() -> None:
    from gantool.runs.run import RunFolder
    from gantool.variants.gan import GAN

    assert {known.name for known in gantool.variants()} >= {"gan", "cgan", "dcgan"}
    assert gantool.runs() == [] and RunFolder and GAN
    assert gantool.datasets()[0].name == "digits"


# Nothing is left behind, and nothing is said.


def states() -> list[Any]:
    return [
        torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist(),
        torch.get_float32_matmul_precision(), torch.get_num_threads(), Image.MAX_IMAGE_PIXELS, list(warnings.filters),
        *(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)), torch.is_grad_enabled(),
    ]  # fmt: skip


def test_a_call_leaves_the_process_as_it_was_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], images: Any
) -> None:
    importlib.import_module("sympy")  # which torch imports when it is first used, and which adds a filter of warnings
    torch.manual_seed(5), random.seed(6), np.random.seed(7)
    before = states()
    run = gantool.train("cgan", data=str(images({"cat/1.png": "red", "dog/2.png": "blue", "dog/3.png": b"no"})),
                        steps=2, **TINY)  # fmt: skip
    gantool.resume(run, steps=3)
    gantool.load(run).sample(4)
    with pytest.raises(gantool.UserError):
        gantool.train("cgan", steps=2, lr=1e30, **TINY)
    assert states() == before
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_to_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    class Diary(gantool.Progress):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, text: str, strong: bool = False) -> None:
            self.lines.append(text)

    diary = Diary()
    gantool.train("cgan", steps=2, progress=diary, **TINY)
    assert any(line.startswith("2 steps of 4, seed 0") for line in diary.lines)
    gantool.train("cgan", steps=2, progress=True, **TINY)
    assert "step 2/2 (100%)" in capsys.readouterr().out
    gantool.train("cgan", steps=2, progress=False, **TINY)
    assert capsys.readouterr() == ("", "")


def test_minutes_count_from_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setattr("gantool.runtime.caller.time", SimpleNamespace(monotonic=lambda: began))
    seen: list[float] = []
    gantool.train("cgan", minutes=0.06, on_step=lambda trainer: seen.append(trainer.deadline), **TINY)
    assert seen and all(deadline == pytest.approx(began + 0.06 * 60) for deadline in seen)


# One thing at a time.


def test_during_a_training_other_work_is_refused_in_words() -> None:
    said: list[str] = []

    def elsewhere() -> None:
        with pytest.raises(gantool.UserError) as caught:
            gantool.train("cgan", steps=1, **TINY)
        said.append(caught.value.message)

    def step(trainer: Trainer) -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with pytest.raises(gantool.UserError, match="within it"):
            gantool.train("cgan", steps=1, **TINY)

    gantool.train("cgan", steps=1, on_step=step, **TINY)
    assert said == ["This process is training, and does no training at the same time."]
    gantool.train("cgan", steps=1, **TINY)  # and when it is over, not any more


def test_opening_a_model_beside_a_training_is_refused_and_leaves_its_numbers_alone() -> None:
    run = gantool.train("cgan", steps=12, name="whole", **TINY)
    said: list[str] = []

    def elsewhere() -> None:
        with pytest.raises(gantool.UserError) as caught:
            gantool.load(run)
        said.append(caught.value.message)

    def step(trainer: Trainer) -> None:
        if trainer.step == 6:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    gantool.train("cgan", steps=12, name="beside", on_step=step, **TINY)
    assert said == ["This process is training, and does no loading at the same time."]
    assert model("beside") == model("whole")


def test_short_work_waits_for_its_turn() -> None:
    run = gantool.train("cgan", steps=1, **TINY)
    drawn: list[Any] = []
    threads = [threading.Thread(target=lambda: drawn.append(gantool.load(run).sample(600).tensor)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 4 and all(torch.equal(each, drawn[0]) for each in drawn)


def test_ctrl_c_gives_back_a_run_that_resumes_to_the_same_bytes() -> None:
    def step(trainer: Trainer) -> None:
        if trainer.step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    run = gantool.train("cgan", steps=20, seed=1, name="cut", on_step=step, **TINY)
    assert (run.state, run.step, run.outcome and run.outcome.ending) == ("stopped", 7, "interrupted")
    gantool.resume(run)
    gantool.train("cgan", steps=20, seed=1, name="whole", **TINY)
    assert model("cut") == model("whole")


# Names.


def test_a_variants_name_means_its_newest_run_and_a_path_any() -> None:
    gantool.train("cgan", steps=1, name="gan", **TINY)
    with pytest.raises(gantool.UserError, match="no run of gan"):
        gantool.load("gan")
    assert gantool.load("runs/gan").name == "cgan" == gantool.load("cgan").name
    gantool.train("gan", steps=1, g_layers="4", d_layers="4", batch_size=4, name="b")
    assert gantool.load("gan").path == Path("runs/b/model.safetensors")
    with pytest.raises(gantool.UserError, match=r"named 'cgna'\. Did you mean cgan"):
        gantool.load("cgna")


OWN = '''"""OWN: a variant whose options have names of gantool's."""
from dataclasses import dataclass
from typing import Annotated
from typer import Option
from gantool.variants.gan import GAN

class Own(GAN):
    @dataclass(kw_only=True)
    class Options(GAN.Options):
        progress: Annotated[int, Option(help="How far.")] = 1
        variant: Annotated[str, Option(help="Which.")] = "plain"
        size: Annotated[int, Option(help="How large the mind is.")] = 5
        steps: Annotated[int, Option(min=0, help="On the ladder.")] = 3
        config: Annotated[str, Option(help="As the stars are.")] = "open"
        beat: Annotated[int, Option("--beat", "-b", help="Of the drum.")] = 2
'''


def test_an_option_keeps_its_name_and_gantools_own_gives_way(install: Install, gantool_command: Gantool) -> None:
    install("plug-own", OWN, own="Own")
    small = {"g_layers": "4", "d_layers": "4", "batch_size": 4}
    own = {"variant": "odd", "size": 7, "steps": 0, "config": "shut", "beat": 9, "progress": 4}
    run = gantool.train("own", settings=own, gantool_steps=2, gantool_size=8, name="a", **small)
    kept = run.config
    assert {name: kept[name] for name in own} == own
    assert (run.variant, kept["gantool_steps"], kept["gantool_size"], run.state) == ("own", 2, 8, "done")
    flags = [word for name, value in own.items() if name != "beat" for word in (f"--{name}", value)]
    line = ("train", "own", *flags, "-b", 9, "--gantool-steps", 2, "--gantool-size", 8, "--batch-size", 4)
    done = gantool_command(*line, "--g-layers", "4", "--d-layers", "4", "--name", "b", "-q")
    assert done.code == 0, done.err
    assert model("a") == model("b")
    assert gantool_command("train", "own", "--gantool-config", "runs/a/config.yaml", "--name", "c", "-q").code == 0
    assert model("a") == model("c")
    assert gantool.resume("a", settings={"gantool_steps": 3}).step == 3
    assert gantool.load("own").sample(2).tensor.shape == (2, 1, 8, 8)
    assert "own" in gantool_command("runs").out


def test_what_is_asked_of_a_second_python_is_answered(tmp_path: Path) -> None:
    """`python -W error -c 'import gantool'` says nothing at all."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", "import gantool"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
