"""The run directory: everything one training made, enough to repeat it, resume it and sample from it."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from gantool import __version__
from gantool.config.options import core
from gantool.errors import RESUME, USAGE, UserError, did_you_mean
from gantool.runtime import files

RUNS = Path("runs")
KEPT = 2  # checkpoints


class Status(NamedTuple):
    """A run at a glance."""

    variant: str
    data: str
    step: int
    steps: int
    state: str  # running, done, stopped, or new: nothing saved yet
    score: str


class RunFolder:
    """One folder. Reading it needs no torch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.metrics = folder / "metrics.jsonl"
        self.samples = folder / "samples"
        self.checkpoints = folder / "checkpoints"
        self.model = folder / "model.safetensors"
        self.eval = folder / "eval.json"

    @property
    def name(self) -> str:
        return self.folder.name

    # Making and taking one.

    @classmethod
    def create(cls, variant: str, name: str | None, out: Path | None) -> "RunFolder":
        """A new folder: --out, runs/NAME, or the first free runs/VARIANT-NNN."""
        if out is not None and name is not None:
            raise UserError("Give --name or --out, not both.", code=USAGE)
        if name is not None and (Path(name).name != name or name in ("", ".", "..")):
            raise UserError(f"{name!r} is not a name for a run.", "A name has no slashes; use --out for a path.", USAGE)
        run = None
        if out is not None or name is not None:
            run = cls(out if out is not None else RUNS / str(name))
            if not untouched(run.folder):
                hint = f"Go on with it: gantool resume {run.folder}. Or choose another --name."
                raise UserError(f"{run.folder} is already there.", hint, USAGE)
        try:
            files.make_folder(RUNS if run is None else run.folder)
            return run or cls(first_free(variant))
        except (NotADirectoryError, FileExistsError, PermissionError) as error:
            where = run.folder if run else RUNS
            raise UserError(f"{where} cannot be made: {error.strerror}.", "Give another --out.", USAGE) from None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While this lasts, be the only process that writes here."""
        for _ in range(20):  # `gantool runs` holds it for an instant, to see whether it is free
            if held := files.lock(self.folder / ".lock"):
                break
            time.sleep(0.01)
        else:
            raise UserError(f"{self.folder} is being trained by another process.", "Wait for it, or stop it.")
        with held:
            try:
                for folder in (self.folder, self.samples, self.checkpoints):
                    files.make_folder(folder)
                    files.sweep(folder)
                yield
            except Exception as error:
                if self.config.is_file():
                    error.add_note(f"{RESUME} {self.folder}")
                raise

    def write_config(self, variant: str, values: dict[str, Any], source: str, made_with: str) -> None:
        comments = [f"Made by gantool {__version__} ({source}) with:", f"  {made_with}", "Repeat it with:"]
        comments.append(f"  gantool train {variant} --config {self.config}")
        from gantool.config import yaml

        files.write(self.config, yaml.write(yaml.owned(variant, values), comments))

    def made_with(self) -> str:
        """The command or the call that made it, as its config says."""
        with suppress(OSError, UnicodeError), self.config.open(encoding="utf-8") as file:
            lines = [line for _, line in zip(range(2), file, strict=False)]
            if lines[1:] and lines[1].startswith("#   "):
                return lines[1].removeprefix("#   ").rstrip()
        return ""

    def settings(self) -> tuple[str, dict[str, Any]]:
        """The variant's name, and what it was told."""
        from gantool.config import yaml  # here and above, because YAML takes a tenth of --help's time

        values = yaml.read(self.config)
        return yaml.whose(values), values

    def read_config(self) -> dict[str, Any]:
        return self.settings()[1]

    @property
    def variant(self) -> str:
        """Whose it is; nothing, if its config cannot be read: one bad run must not hide the others."""
        with suppress(UserError):
            return self.settings()[0]
        return ""

    # Its metrics.

    def append(self, line: dict[str, Any]) -> None:
        with files.naming(self.metrics), self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def sync_log(self) -> None:
        """No checkpoint is newer than its log, even after a power cut."""
        if self.metrics.exists():
            with files.naming(self.metrics), self.metrics.open("ab") as file:
                os.fsync(file.fileno())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line; one cut short by a kill is not there."""
        if self.metrics.exists():
            for text in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict) and isinstance(line.get("step"), int):
                    yield line

    def forget_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint one resumes from: it will be logged again."""
        kept = [json.dumps(line) + "\n" for line in self.lines() if line["step"] <= step]
        files.write(self.metrics, "".join(kept))

    # Its checkpoints.

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}.safetensors"

    def saved(self) -> list[Path]:
        """Checkpoints, newest first."""
        found = [p for p in self.checkpoints.glob("step-*.safetensors") if step_of(p) >= 0]
        return sorted(found, key=step_of, reverse=True)

    def prune(self) -> None:
        for old in self.saved()[KEPT:]:
            old.unlink(missing_ok=True)

    # What became of it.

    def status(self) -> Status:
        variant, config = self.settings()
        variant, data = variant or "?", str(core(config, "data") or "?")
        saved = self.saved()
        step, steps = step_of(saved[0]) if saved else 0, core(config, "steps")
        steps = steps if isinstance(steps, int) else 0  # a config may be anyone's
        state = "done" if saved and step >= steps else "stopped" if saved else "new"
        return Status(variant, data, step, steps, "running" if self.busy() else state, self.score(step))

    def busy(self) -> bool:
        """Whether a process is training it now."""
        try:
            held = files.lock(self.folder / ".lock", "rb")
        except OSError:
            return False
        if held:
            held.close()
        return held is None

    def score(self, step: int) -> str:
        try:
            report = json.loads(self.eval.read_text())
            name, value = next(iter(report["scores"].items()))
            return f"{name} {value:.3g}" + ("" if report.get("step", step) == step else f" at step {report['step']}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
            return ""


def untouched(folder: Path) -> bool:
    """Whether a run may begin here: nothing is, or only what a start that was killed leaves behind."""
    return not folder.exists() or (
        folder.is_dir() and all(p.is_dir() or p.name.startswith(".") for p in folder.rglob("*"))
    )


def step_of(path: Path) -> int:
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1


def first_free(variant: str) -> Path:
    for number in range(1, 1_000_000):
        folder = RUNS / f"{variant}-{number:03d}"
        try:
            folder.mkdir()
            files.sync_folder(RUNS)
            return folder
        except FileExistsError:
            continue
    raise UserError(f"{RUNS} is full of runs.", "Give --name.")


def all_runs(root: Path = RUNS) -> list[RunFolder]:
    """The runs in a folder, newest first."""
    found = [RunFolder(config.parent) for config in root.glob("[!.]*/config.yaml") if config.is_file()]
    return sorted(found, key=lambda r: (r.config.stat().st_mtime_ns, r.name), reverse=True)


def find(name: str | Path) -> RunFolder:
    """A run by its folder, or by its name under runs/."""
    for folder in (Path(name), RUNS / name):
        if (folder / "config.yaml").is_file():
            return RunFolder(folder)
    names = [run.name for run in all_runs()]
    there = f"Runs: {', '.join(names[:8])}." if names else "There are none yet: gantool train gan"
    raise UserError(f"No run at {name}.{did_you_mean(str(name), names)}", there, USAGE)


def runs_of(variant: str) -> list[RunFolder]:
    """The variant's runs, newest first; at least one."""
    if found := [run for run in all_runs() if run.variant == variant]:
        return found
    raise UserError(f"There is no run of {variant} in {RUNS}/ yet.", f"Make one: gantool train {variant}", USAGE)


def newest() -> RunFolder:
    if found := all_runs():
        return found[0]
    raise UserError(f"There are no runs in {RUNS}/ yet.", "Make one: gantool train gan", USAGE)


def unfinished() -> RunFolder:
    """The newest run that was stopped before its end."""
    for run in all_runs():
        if run.variant and run.status().state in ("stopped", "new"):
            return run
    raise UserError(f"No unfinished run under {RUNS}/.", "See `gantool runs`.", USAGE)


def model_in(*candidates: RunFolder) -> Path:
    """The model of the first run that has one."""
    run = next((run for run in candidates if run.model.is_file()), candidates[0])
    if not run.model.is_file():
        raise UserError(f"{run.folder} has no model yet.", f"gantool resume {run.folder}")
    return run.model
