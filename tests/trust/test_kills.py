"""R1, R2: a SIGKILL costs a save interval, and the next while that is written; the run ends as if it had not been."""

import os
import random
import signal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hooks import LINES, at_line, each, torn
from PIL import Image
from spawned import SHARED, VARIANTS, learned, streamed

from gantool.runs import sealed
from gantool.runs.run import RunFolder, step_of

SEED = int(os.environ.get("TRUST_SEED", random.randrange(10**6)))  # TRUST_SEED=123 repeats what was printed
STEPS, SAVE_EVERY = 20, 5
PLUGINS = {  # as in spawned.VARIANTS
    "wgan-gp": ("wgan-gp", "--size", "8", "--width", "1", "--d-steps", "2", *SHARED),
    "cyclegan": (
        "cyclegan", "--size", "8", "--width", "1", "--blocks", "0", "--d-layers", "1", "--pool", "6",
        *SHARED[:2], *SHARED[4:],
    ),
}  # fmt: skip
PACKAGES = {"wgan-gp": "gantool-wgan-gp", "cyclegan": "gantool-translate"}
EVERY = VARIANTS | PLUGINS
PHASES = ("any instant", "saving", "training", "drawing", "resuming", "closing", "starting")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images in two classes, which are also the two sets a translation needs."""
    root, noise = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name in [f"{kind}/{i}.png" for kind in "AB" for i in range(7)]:
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (16, 16, 3), np.uint8)).save(root / name)
    return root


def installed(variant: str) -> str:
    """The plugin that brings it, for GANTOOL_PLUGINS; the test is skipped where it is not installed."""
    if variant in VARIANTS:
        return ""
    try:
        return distribution(PACKAGES[variant]).name
    except PackageNotFoundError:
        pytest.skip(f"{PACKAGES[variant]} is not installed")


def everything(run: Path) -> dict[str, Any]:
    """What was learned, and every image; nothing may be left that an uninterrupted run does not leave."""
    files = [f for f in run.rglob("*") if f.is_file() and f.parent.name != "checkpoints"]
    bytes_ = {str(f.relative_to(run)): f.read_bytes() for f in files if f.suffix in (".png", ".gif", ".tmp")}
    return learned(run) | bytes_


def newest(run: RunFolder) -> int:
    """The step of the newest checkpoint, which must be whole; 0 if there is none yet."""
    if not (saved := run.saved()):
        return 0
    facts, state = sealed.load(saved[0])
    assert facts["step"] == state["step"] == step_of(saved[0])
    return step_of(saved[0])


def logged(run: RunFolder) -> int:
    return max((line["step"] for line in run.lines()), default=0)


class Chain:
    """One run, killed again and again, and resumed each time."""

    def __init__(
        self,
        start: Any,
        name: str,
        args: tuple[object, ...],
        rng: random.Random,
        hook: tuple[Any, ...] = (),
        env: str = "",
    ) -> None:
        self.start, self.args, self.rng, self.hook, self.env = start, args, rng, hook, env
        self.name, self.run, self.best = name, RunFolder(Path("runs", name)), 0

    def go(self, *hooks: tuple[Any, ...]) -> Any:
        """`train`, or `resume` where there is something to resume."""
        train = ("train", *self.args, "--steps", STEPS, "--name", self.name)
        words = ("resume", self.run.folder) if self.run.config.exists() else train
        hooks = (self.hook, *hooks) if self.hook else hooks
        return self.start(*words, hook=(each, *hooks), GANTOOL_PLUGINS=self.env)

    def killed(self, phase: str) -> bool:
        """Begin or go on, and be killed while in this phase; False if it ended before that."""
        note = Path("killed").absolute()
        note.unlink(missing_ok=True)
        if phase == "any instant":
            command = self.go()
            command.process.join(delay := self.rng.uniform(0, 1))
            where = f"after {delay:.3f} s"
            command.kill()
        else:
            command = self.go((at_line, phase, str(note), (self.rng.randrange(LINES[phase]), signal.SIGKILL)))
        code = command.wait()
        if done(code, command):
            return False
        print(f"{self.name}: killed while {phase}:", note.read_text().strip() if note.exists() else where)
        assert code == -signal.SIGKILL, command.err
        saved = newest(self.run)
        assert saved >= self.best
        # A checkpoint is written beside the steps after it, and done before the next one is begun.
        assert logged(self.run) - saved <= 2 * SAVE_EVERY
        self.best = saved
        return True

    def end(self) -> dict[str, Any]:
        """To the last step, and what is there then."""
        command = self.go()
        assert done(command.wait(), command), command.err
        return everything(self.run.folder)


def done(code: int, command: Any) -> bool:
    """Whether it came to its end; it may have been killed between that and its exit."""
    return code == 0 or (code == 2 and "is done: all" in command.err)


@pytest.mark.promise("R1")
def test_a_run_killed_again_and_again_comes_to_its_end(start, times, tried, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    print(f"TRUST_SEED={SEED}")
    rng, args = random.Random(SEED), (*VARIANTS["gan"], "--log-every", "1")
    expected = Chain(start, "whole", args, rng).end()
    kills, wanted, runs = 0, times(18, 160), 0
    chain = Chain(start, "run-0", args, rng)
    while kills < wanted:
        phase = PHASES[(kills + runs) % len(PHASES)]
        if chain.killed(phase):
            kills += 1
            tried(f"kills ({phase})")
        else:
            assert everything(chain.run.folder) == expected
            runs += 1
            chain = Chain(start, f"run-{runs}", args, rng)
    assert chain.end() == expected
    tried("runs brought to their end", runs + 1)


@pytest.mark.promise("R1")
def test_a_kill_in_the_middle_of_a_file_costs_no_more_than_that_file(
    start, times, tried, tmp_path, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    print(f"TRUST_SEED={SEED}")
    rng = random.Random(SEED)
    expected = Chain(start, "whole", VARIANTS["gan"], rng).end()
    after = {"step-000010.safetensors": 5, "model.safetensors": 0, "config.yaml": 0, "progress.gif": 15}
    places = [(name, line) for name in after for line in (None, *range(10))]  # None: with half of it written
    first = [("step-000010.safetensors", None)]
    for number, (name, line) in enumerate(first + rng.sample(places, times(4, len(places)))):
        chain = Chain(start, f"run-{number}", VARIANTS["gan"], rng)
        command = chain.go((torn, name, line, signal.SIGKILL))
        assert command.wait() == -signal.SIGKILL, (name, line, command.err)
        print(f"killed while writing {name}: {'half' if line is None else f'{line} lines'} done")
        assert newest(chain.run) >= after[name]
        assert chain.end() == expected
        tried("kills (in a write)")


@pytest.mark.promise("R1")
def test_a_kill_while_sampling_leaves_a_whole_image_or_none(start, times, tried, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    print(f"TRUST_SEED={SEED}")
    rng = random.Random(SEED)
    run = Chain(start, "run", VARIANTS["gan"], rng)
    expected, kills = run.end(), 0
    while kills < times(3, 40):
        out, note = Path(f"{kills}.png"), Path("killed").absolute()
        skip = rng.randrange(LINES["sampling"])
        code = start(
            "sample", "gan", "--out", out, hook=(at_line, "sampling", str(note), (skip, signal.SIGKILL))
        ).wait()
        assert code == -signal.SIGKILL
        if out.exists():
            Image.open(out).load()
        kills += 1
    assert everything(run.run.folder) == expected
    tried("kills (sample)", kills)


@pytest.mark.promise("R2")
@pytest.mark.parametrize("reading", ["in memory", "streamed"])
@pytest.mark.parametrize("variant", EVERY)
def test_a_killed_run_ends_bit_identical(start, times, tried, tmp_path, monkeypatch, folder, variant, reading) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    print(f"TRUST_SEED={SEED}")
    env = installed(variant)
    own_data = reading == "streamed" or variant == "cyclegan"
    args = (*EVERY[variant], *(("--data", folder) if own_data else ()))
    hook: tuple[Any, ...] = (streamed,) if reading == "streamed" else ()
    rng = random.Random(f"{SEED} {variant} {reading}")
    expected = Chain(start, "whole", args, rng, hook, env).end()
    assert [line["step"] for line in expected["log"] if "epoch" in line] == [*range(3, STEPS, 3), STEPS]
    chain = Chain(start, "killed", args, rng, hook, env)
    for phase in rng.choices(PHASES[:5], k=times(1 if reading == "streamed" else 2, 6)):
        if chain.killed(phase):
            tried("kills")
    assert chain.end() == expected
    tried("runs compared with uninterrupted ones")
