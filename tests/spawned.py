"""gantool's command line as processes of its own, started in a tenth of a second and killed without mercy.

A server process imports torch once; every command is a fork of it, with a pid, signals and exit code of its own.
"""

import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
# The last two lines are what commands import on their way.
SERVER.set_forkserver_preload([
    "gantool.library", "gantool.commands.answers", "gantool.progress.display", "gantool.progress.terminal", "spawned",
    "gantool.api", "gantool.config.yaml", "gantool.commands.listing",
    "pydantic.type_adapter", "typer._adapters", "yaml", "PIL.PngImagePlugin", "PIL.GifImagePlugin",
])  # fmt: skip
LIMIT = 60.0  # seconds; a command that takes longer hangs
Hook = Callable[..., None]  # called in the new process, before the command, with the arguments given

# The smallest runs that save, draw and log often, each a few hundred steps a second. In one arithmetic, however long
# they are: else a timing decides, and two of a seed are not the same.
SHARED = ("--batch-size", "4", "--z", "4", "--save-every", "5", "--sample-every", "10", "--log-every", "3",
          "--precision", "fp32")  # fmt: skip
MLP = ("--size", "8", "--g-layers", "4", "--d-layers", "4")
VARIANTS: dict[str, tuple[str, ...]] = {
    "gan": ("gan", *MLP, *SHARED),
    "cgan": ("cgan", "--size", "8", "--width", "1", "--d-width", "1", "--flip", *SHARED),
    "dcgan": ("dcgan", "--size", "16", "--width", "1", "--d-width", "1", *SHARED),
}


class Command:
    """One command line at work, or what it left."""

    def __init__(self, args: tuple[object, ...], folder: Path, hook: tuple[Any, ...], **environment: str) -> None:
        number = len(list(folder.glob(".out-*")))
        self.files = folder / f".out-{number}", folder / f".err-{number}"
        for file in self.files:
            file.touch()  # the next command has the next number, however soon it starts
        words = [str(arg) for arg in args]
        here = {**os.environ, "GANTOOL_PLUGINS": "", "COLUMNS": "100", **environment}
        self.process = SERVER.Process(target=work, args=(words, str(folder), self.files, hook, here))
        self.process.start()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, if it still runs."""
        if self.process.pid is not None and self.process.is_alive():
            os.kill(self.process.pid, number)

    def wait(self, seconds: float = LIMIT) -> int:
        """The exit code, or minus the number of the signal that ended it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"still running after {seconds} s; it said {self.out[-500:]!r} and {self.err[-500:]!r}")
        return self.process.exitcode

    @property
    def out(self) -> str:
        return self.files[0].read_text(errors="replace") if self.files[0].exists() else ""

    @property
    def err(self) -> str:
        return self.files[1].read_text(errors="replace") if self.files[1].exists() else ""


def work(
    args: list[str], folder: str, files: tuple[Path, Path], hook: tuple[Any, ...], environment: dict[str, str]
) -> None:
    """In the new process: become `gantool ARGS`."""
    gc.freeze()  # else the first collection touches, and so copies, every page of the server's
    os.chdir(folder)
    os.environ.clear()  # the server's is as old as the server
    os.environ.update(environment)
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    import torch

    from gantool import cli

    torch.set_num_threads(1)
    sys.argv[1:] = args
    if hook:
        hook[0](*hook[1:])
    code = cli.run(args)
    sys.stderr.flush()
    os._exit(code)


def streamed() -> None:
    """A hook: images are decoded as they are asked for, however few they are."""
    from gantool.data import images

    images.IN_MEMORY = 0


def until(condition: Callable[[], object], seconds: float = LIMIT) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it never came")
        time.sleep(0.002)


def learned(run: Path) -> dict[str, Any]:
    """All of a run that says what was learned: its last checkpoint and its model as bytes, and its log."""
    last = max((run / "checkpoints").glob("step-*.safetensors"))
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in log:
        line.pop("images_per_s", 0)  # the one number that depends on the clock
    return {last.name: last.read_bytes(), "model": (run / "model.safetensors").read_bytes(), "log": log}
