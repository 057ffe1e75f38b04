"""R6: a changed byte in a checkpoint, a model or the judge is found out; resuming falls back one checkpoint."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attempts import outcomes
from spawned import VARIANTS, learned

from gantool.errors import UserError
from gantool.metrics import judge
from gantool.runs import sealed

Damage = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, chance: random.Random) -> bytes:
    # Half of them in the first kilobyte, where the headers are.
    spot = chance.randrange(min(1000, len(data)) if chance.random() < 0.5 else len(data))
    return data[:spot] + bytes([data[spot] ^ 1 << chance.randrange(8)]) + data[spot + 1 :]


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.choice([chance.randrange(len(data)), chance.randrange(100), len(data) - 1])]


def swap(data: bytes, chance: random.Random) -> bytes:
    """Two blocks change places: the same bytes, in another order."""
    a, b = sorted(chance.sample(range(0, len(data) - 512, 512), 2))
    changed = data[:a] + data[b : b + 512] + data[a + 512 : b] + data[a : a + 512] + data[b + 512 :]
    return changed if changed != data else flip(data, chance)


def zero(data: bytes, chance: random.Random) -> bytes:
    """A block that never reached the disk."""
    spot = chance.randrange(0, len(data) - 512, 512)
    changed = data[:spot] + bytes(512) + data[spot + 512 :]
    return changed if changed != data else flip(data, chance)


def grow(data: bytes, chance: random.Random) -> bytes:
    return data + chance.randbytes(chance.randrange(1, 600))


def emptied(data: bytes, chance: random.Random) -> bytes:
    return b""


MANY = {"bit flips": flip, "truncations": cut}
FEW = {"blocks swapped": swap, "blocks zeroed": zero, "bytes appended": grow}


@pytest.mark.promise("R6")
@pytest.mark.parametrize("kind", ["checkpoint", "model", "judge"])
def test_no_changed_byte_is_missed(kind: str, trained: Path, tmp_path: Path, times, tried) -> None:  # type: ignore[no-untyped-def]
    files = {"model": trained / "model.safetensors", "judge": judge.DIGITS_PATH}
    good = files.get(kind, max((trained / "checkpoints").iterdir())).read_bytes()
    chance, path = random.Random(6), tmp_path / "damaged.safetensors"

    def load() -> object:
        return judge.load_judge(path, judge.DIGITS_SHA256) if kind == "judge" else sealed.load(path)

    path.write_bytes(good)
    load()
    for what, damage in (MANY | FEW).items():
        count = times(300, 1000) if what in MANY else times(30, 100)
        for _ in range(count):
            path.write_bytes(changed := damage(good, chance))
            assert changed != good
            with pytest.raises(UserError if kind == "judge" else sealed.Damaged):
                load()
        tried(what, count)


@pytest.mark.promise("R6")
def test_a_damaged_model_is_not_drawn_from(trained: Path, tmp_path: Path, start, times, tried) -> None:  # type: ignore[no-untyped-def]
    good, chance, lines = (trained / "model.safetensors").read_bytes(), random.Random(7), []
    for number in range(times(4, 40)):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(list((MANY | FEW).values())[number % 5](good, chance))
        lines += [(verb, "gan", "--run", path) for verb in ("sample", "eval")]
    for outcome in outcomes(start, tmp_path, lines):
        assert not outcome.wrong(1)
        assert "is damaged" in outcome.err or "was not written by gantool" in outcome.err
    assert not (tmp_path / "gan.png").exists()
    tried("damaged models given to sample and eval", len(lines))


def another_judge(path: Path) -> None:
    """A hook."""
    judge.DIGITS_PATH = path


@pytest.mark.promise("R6")
def test_a_damaged_judge_measures_nothing(trained: Path, tmp_path: Path, start, tried) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "judge.safetensors"
    path.write_bytes(flip(judge.DIGITS_PATH.read_bytes(), random.Random(8)))
    command = start("eval", "gan", "--run", trained, "-n", 200, hook=(another_judge, path))
    assert command.wait() == 1
    assert "is not the judge this version was built with" in command.err
    assert "pip install --force-reinstall gantool" in command.err
    tried("damaged judges given to eval")


@pytest.mark.promise("R6")
def test_resuming_falls_back_one_checkpoint_and_ends_the_same(start, times, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def train(steps: int, name: str) -> Path:
        assert start("train", *VARIANTS["gan"], "--steps", steps, "--name", name).wait() == 0
        return tmp_path / "runs" / name

    whole, stopped, chance = learned(train(32, "whole")), train(22, "stopped"), random.Random(9)
    damages = [*MANY.values(), *FEW.values(), emptied]
    for number in range(times(3, 40)):
        shutil.copytree(stopped, run := tmp_path / "runs" / f"damaged-{number}")
        newest = run / "checkpoints" / "step-000022.safetensors"
        newest.write_bytes(damages[number % len(damages)](newest.read_bytes(), chance))
        (run / "model.safetensors").write_bytes(b"as old as the checkpoint, and as damaged")
        command = start("resume", run, "--steps", 32)
        assert command.wait() == 0, command.err
        assert "step-000022.safetensors" in command.err
        assert "Falling back to the one before" in command.err
        assert learned(run) == whole
        assert newest.with_suffix(".damaged").is_file()
        shutil.rmtree(run)
        tried("damaged checkpoints resumed from the one before")


@pytest.mark.promise("R6")
def test_a_run_whose_checkpoints_are_all_damaged_is_refused_and_left_alone(start, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert start("train", *VARIANTS["gan"], "--steps", 12, "--name", "r").wait() == 0
    chance, run = random.Random(10), tmp_path / "runs/r"
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(flip(path.read_bytes(), chance))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    command = start("resume", run, "--steps", 20)
    assert command.wait() == 1
    assert "no good checkpoint" in command.err
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    tried("runs with no good checkpoint refused")
