"""Ctrl-C and SIGTERM: the first saves and stops, the second stops at once."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from gantool import torchrun

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}
UNHEARD = (BrokenPipeError, SystemExit)  # nobody reads what is printed; SystemExit is how Rich says it


class Interrupted(BaseException):
    """Ends the command with the signal's exit code."""

    def __init__(self, code: int) -> None:
        self.code = code


class Signals:
    """While this lasts, a first signal calls `gently` if there is such a way, and any other ends the command.

    A command that ended gently still ends with the signal's exit code.
    """

    def __init__(self) -> None:
        self.gently: Callable[[], None] | None = None
        self.received = 0  # the exit code of the first signal

    def __enter__(self) -> Self:
        self.before: dict[int, Any] = {number: signal.signal(number, self.handle) for number in EXIT}
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        if self.received and kind in (None, *UNHEARD):
            raise Interrupted(self.received)

    def handle(self, number: int, frame: FrameType | None) -> None:
        code = EXIT[signal.Signals(number)]
        if self.received or self.gently is None:
            raise Interrupted(code)
        self.received = code
        self.gently()
        if not torchrun.first():
            return
        with suppress(OSError, RuntimeError):  # nobody reads it, or it broke into a line being printed
            print("\nSaving, then stopping; once more to stop at once.", file=sys.stderr, flush=True)


def leave_at_once() -> None:
    """Until there is something to save, and when all is done: a signal ends the process, whatever it is importing."""
    for number in EXIT:
        signal.signal(number, lambda number, frame: os._exit(EXIT[signal.Signals(number)]))
