"""What tests do to a command from inside its process: signals at a line of the source, numbers that are none.

Light, because every new process imports it.
"""

import inspect
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

# Where in the source a command is, as it does this. A place is the start of FILE:FUNCTION.
PHASES: dict[str, tuple[str, ...]] = {
    "starting": (
        "session.py:Session.", "session.py:train", "run.py:RunFolder.create", "run.py:RunFolder.taken",
        "train.py:run_train",
    ),
    "loading": ("images.py:", "albums.py:", "decoding.py:", "named.py:", "batches.py:Batches.__init__"),
    "timing": ("pace.py:seconds_a_step",),
    "training": (
        "trainer.py:Trainer.take_step", "trainer.py:Trainer.play", "trainer.py:Trainer.run", "batches.py:",
        "variant.py:", "ema.py:EMA.update", "latents.py:", "callbacks.py:MetricsLog", "run.py:RunFolder.append",
    ),
    "saving": (
        "sealed.py:Sealed.", "sealed.py:sha256", "files.py:write", "files.py:sync_folder", "model.py:describe",
        "model.py:sealed_of", "callbacks.py:Checkpoints.", "run.py:RunFolder.prune", "trainer.py:Trainer.check",
        "trainer.py:Trainer.state", "device.py:random_states", "behind.py:",
    ),
    "drawing": (
        "callbacks.py:Gallery.", "drawing.py:grid", "drawing.py:encode_png", "charts.py:", "trainer.py:Trainer.preview",
        "trainer.py:Trainer.sampling", "ema.py:EMA.swapped",
    ),
    "closing": (
        "callbacks.py:Gallery.gantool_train_end", "callbacks.py:read", "drawing.py:animate",
        "drawing.py:_shared_palette", "drawing.py:_rgb",
    ),
    "resuming": (
        "session.py:", "sealed.py:load", "trainer.py:Trainer.restore", "batches.py:Batches.rewind",
        "run.py:RunFolder.forget_after", "run.py:RunFolder.write_config", "run.py:RunFolder.taken",
        "run.py:RunFolder.saved", "device.py:restore_random",
    ),
    "sampling": (
        "sampler.py:", "writers.py:", "model.py:", "sealed.py:load", "drawing.py:", "files.py:", "variant.py:",
    ),
    "measuring": (
        "evaluation.py:", "scores.py:", "sheet.py:", "report.py:", "judge.py:", "measures.py:", "model.py:",
        "sealed.py:load", "files.py:write",
    ),
    "checking": ("albums.py:", "decoding.py:", "listing.py:data_check"),
}  # fmt: skip
# About as many lines as the shortest such phase of the tests runs through.
LINES = {
    "starting": 80, "loading": 500, "timing": 20, "training": 1600, "saving": 800, "drawing": 1600, "closing": 40,
    "resuming": 300, "sampling": 500, "measuring": 300, "checking": 300,
}  # fmt: skip


def each(*hooks: tuple[Any, ...]) -> None:
    for function, *args in hooks:
        function(*args)


def at_line(phase: str, note: str, *signals: tuple[int, int]) -> None:
    """Send this process signals, as (lines of that phase to let pass first, number).

    `note` tells when, by time.monotonic(), and where.
    """
    left, places = [list(pair) for pair in signals], PHASES[phase]
    known: dict[CodeType, bool] = {}

    def line(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line" and left:
            left[0][0] -= 1
            if left[0][0] < 0:
                number = left.pop(0)[1]
                with Path(note).open("a") as file:
                    file.write(f"{time.monotonic()} {place(frame.f_code)}:{frame.f_lineno}\n")
                os.kill(os.getpid(), number)
        return line

    def call(frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code not in known:
            known[code] = "gantool" in code.co_filename and place(code).startswith(places)
        return line if known[code] else None

    traced(call)


def traced(call: Any) -> None:
    """In each thread: checkpoints are written beside the training."""
    threading.settrace(call)
    sys.settrace(call)


def torn(name: str, lines: int | None, number: int) -> None:
    """Be killed while that file is being written: after so many lines of what writes it, or with half of it written."""
    from gantool.runtime import files

    def half(handle: int, sync: Any = os.fsync) -> None:
        if name in os.path.basename(os.readlink(f"/proc/self/fd/{handle}")):
            os.truncate(handle, os.fstat(handle).st_size // 2)
            os.kill(os.getpid(), number)
        sync(handle)

    def line(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal lines
        if event == "line" and lines is not None:
            lines -= 1
            if lines < 0:
                os.kill(os.getpid(), number)
        return line

    def call(frame: FrameType, event: str, arg: Any) -> Any:
        return line if frame.f_code in writing and name in frame.f_locals["path"].name else None

    writing = files.write.__code__, inspect.unwrap(files.whole).__code__
    if lines is None:
        os.fsync = half
    else:
        traced(call)


def place(code: CodeType) -> str:
    return f"{os.path.basename(code.co_filename)}:{code.co_qualname}"


def spoilt(where: str, at: int, value: float, place: float, *numbers: int) -> None:
    """At that step, put NaN or infinity among the losses or somewhere in the state; then get these signals.

    Not into the average's batch statistics: those are gathered anew before anybody looks, whatever they held.
    """
    import torch

    from gantool.training.trainer import Trainer, tensors

    taken, played = Trainer.take_step, Trainer.play

    def play(self: Trainer, turn: Any) -> Any:
        if where == "losses" and self.step == at - 1:
            whole = turn.loss
            turn = turn._replace(loss=lambda batch: add(whole(batch), value))
        return played(self, turn)

    def take_step(self: Trainer) -> None:
        taken(self)
        if self.step == at:
            if where != "losses":
                state = [t for n, t in tensors(self.state()[where]) if where != "ema" or ".running_" not in n]
                weights = [t for t in state if t.is_floating_point() and t.numel() > 1]
                chosen = weights[int(place * len(weights))].data.view(-1)
                with torch.no_grad():
                    chosen[int(place * 7919) % len(chosen)] = value
            for number in numbers:
                os.kill(os.getpid(), number)

    Trainer.take_step, Trainer.play = take_step, play  # type: ignore[method-assign]


def add(loss: Any, value: float) -> Any:
    """A loss, or the first of its terms, and what is no number."""
    if not isinstance(loss, dict):
        return loss + value
    first = next(iter(loss))
    return loss | {first: loss[first] + value}


def late(looked: str, go: str) -> None:
    """Between finding the name of the run free and taking it, tell so, and wait."""
    from gantool.runs.run import RunFolder

    create = RunFolder.create

    def slow(*args: Any) -> RunFolder:
        run = create(*args)
        Path(looked).touch()
        while not Path(go).exists():
            time.sleep(0.01)
        return run

    RunFolder.create = slow  # type: ignore[method-assign, assignment]


def long_film(number: int) -> None:
    """A film that takes a minute, and a signal meanwhile."""
    from gantool.viz import drawing

    whole = drawing.animate

    def animate(*args: Any) -> bytes:
        os.kill(os.getpid(), number)
        time.sleep(60)
        return whole(*args)

    drawing.animate = animate


def on_terminal(path: str) -> None:
    """Everything is read from and printed on this terminal, which hangs the process up when it is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may have been started by nohup
    os.setsid()
    terminal = os.open(path, os.O_RDWR)  # the first that a session opens is the one that controls it
    for file in (0, 1, 2):
        os.dup2(terminal, file)


def terminal_gone() -> None:
    """What is printed goes to a terminal that was closed, and was never this process's to be hung up with."""
    ours, its = os.openpty()
    for file in (0, 1, 2):
        os.dup2(its, file)
    os.close(its)
    os.close(ours)


def unhung() -> None:
    """As nohup starts a process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def unread(step: int, *numbers: int) -> None:
    """What is printed goes into a pipe that nobody reads from that step on, when these signals come, too."""
    from gantool.progress import display
    from gantool.training.trainer import Trainer

    taken, (read, write) = Trainer.take_step, os.pipe()
    for file in (1, 2):
        os.dup2(write, file)
    display.STEADY = 0.0

    def take_step(self: Trainer) -> None:
        taken(self)
        if self.step == step:
            os.close(read)
            for number in numbers:
                os.kill(os.getpid(), number)

    Trainer.take_step = take_step  # type: ignore[method-assign]
