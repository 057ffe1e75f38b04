"""Ctrl-C, SIGTERM and a terminal that is closed: the first saves and stops, the second stops at once."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from gantool.runtime import torchrun

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
if HANGUP:
    EXIT[HANGUP] = 129


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
        self.before: dict[int, Any] = {number: signal.signal(number, self.handle) for number in heard()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *where: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        if self.received and (error is None or unheard(error)):
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


def heard() -> list[signal.Signals]:
    """Not a hangup that was told to be ignored, as nohup does."""
    return [number for number in EXIT if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN]


def unheard(error: BaseException) -> bool:
    """Whether nobody reads what is printed: pipe or terminal is gone. SystemExit is how Rich says it."""
    return isinstance(error, BrokenPipeError | SystemExit) or (isinstance(error, OSError) and error.errno == errno.EIO)


def leave_at_once() -> None:
    """Until there is something to save, and when all is done: a signal ends the process, whatever it is importing."""
    for number in heard():
        signal.signal(number, lambda number, frame: os._exit(EXIT[signal.Signals(number)]))
