"""What a person sees on a terminal or in a pipe: lines, bars while one waits, the dashboard of a training."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from gantool.progress.console import console
from gantool.runtime import torchrun
from gantool.runtime.progress import Progress, Unit

SOON, STEADY = 1.0, 5.0  # seconds until images have a bar; between lines where there can be none
LARGE = 2**20  # bytes worth a bar


class OnTerminal(Progress):
    """Lines on stdout, or all on stderr where stdout is for the answer; notes and bars on stderr."""

    def __init__(self, quiet: bool = False, answers: bool = False) -> None:
        self.quiet = quiet
        self.lines, self.err = console(stderr=answers, quiet=quiet), console(stderr=True, quiet=quiet)

    def note(self, text: str) -> None:
        if torchrun.first() and not self.quiet:
            print(f"note: {text}", file=sys.stderr)

    def warn(self, text: str) -> None:
        if torchrun.first():
            print(f"note: {text}", file=sys.stderr)

    def say(self, text: str, strong: bool = False) -> None:
        self.lines.print(text, style="bold" if strong else None, soft_wrap=True)

    def observers(self) -> list[Any]:
        if self.quiet:
            return []
        from gantool.progress.display import display

        return [display(Console(highlight=False, markup=False))]

    @contextmanager
    def working(self, what: str, total: float = 1.0, unit: Unit = "share") -> Iterator[Callable[[float], object]]:
        with Working(self.err, what, total, unit) as said:
            yield said


class Working:
    """A bar on a terminal, which images get only if they take long; elsewhere a line now and then."""

    def __init__(self, screen: Console, what: str, total: float, unit: Unit) -> None:
        self.screen, self.what, self.total, self.unit = screen, what, total, unit
        self.began = self.last = time.monotonic()
        self.live = screen.is_terminal and not screen.is_dumb_terminal
        self.bar: Bar | None = None

    def __enter__(self) -> "Working":
        if self.unit == "share" and not self.live:
            self.screen.print(f"{self.what}...")
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, done: float) -> None:
        now = time.monotonic()
        if self.screen.quiet or (self.unit == "images" and now - self.began < SOON):
            return
        if self.live and not (self.unit == "bytes" and self.total < LARGE):
            if self.bar is None:
                self.bar = Bar(*self.columns(), console=self.screen, transient=True)
                self.bar.add_task(self.what, total=self.total)
                self.bar.start()
            self.bar.update(self.bar.task_ids[0], completed=done)
        elif self.unit == "images" and not self.live and now - self.last >= STEADY:
            self.last = now
            self.screen.print(f"{done:.0f} of {self.total:.0f} {self.what}")

    def columns(self) -> list[ProgressColumn]:
        what = TextColumn("{task.description}", markup=False)
        if self.unit == "images":
            return [what, MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(compact=True)]
        if self.unit == "bytes":
            return [what, BarColumn(), DownloadColumn(), TransferSpeedColumn()]
        return [what, BarColumn(), TimeRemainingColumn(compact=True)]
