"""Ctrl-C and SIGTERM: the first saves and stops, the second stops at once."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}


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
        if self.received and kind is None:
            raise Interrupted(self.received)

    def handle(self, number: int, frame: FrameType | None) -> None:
        code = EXIT[signal.Signals(number)]
        if self.received or self.gently is None:
            raise Interrupted(code)
        self.received = code
        self.gently()
        print("\nSaving, then stopping; once more to stop at once.", file=sys.stderr, flush=True)
