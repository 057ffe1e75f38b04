"""Ctrl-C, SIGTERM and a terminal that is closed: the first saves and stops, the second stops at once."""

import _thread
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from types import FrameType
from typing import Any, Self

from gantool.runtime import torchrun
from gantool.runtime.progress import current

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}
HUNG_UP = 129
HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
if HANGUP:
    EXIT[HANGUP] = HUNG_UP
SOON = 0.02  # seconds
SAVING = "Saving, then stopping; once more to stop at once."


class Interrupted(BaseException):
    """Ends the command with the signal's exit code."""

    def __init__(self, code: int) -> None:
        self.code = code


_listening: "Signals | None" = None  # the command that hears signals now


class Signals:
    """While this lasts, a first signal calls `gently` if there is such a way, and any other ends the command.

    A command that ended gently still ends with the signal's exit code.
    """

    def __init__(self) -> None:
        self.gently: Callable[[], None] | None = None
        self.received = 0  # the exit code of the first signal

    def __enter__(self) -> Self:
        global _listening
        self.before: dict[int, Any] = {number: signal.signal(number, self.handle) for number in self.numbers()}
        self.outer, _listening = _listening, self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *where: object) -> None:
        global _listening
        _listening = self.outer
        for number, handler in self.before.items():
            signal.signal(number, handler)
        if error is None or unheard(error):
            self.end()

    def numbers(self) -> list[signal.Signals]:
        return heard()

    def end(self) -> None:
        """What came is said once nothing is left to save."""
        if self.received:
            raise Interrupted(self.received)

    def handle(self, number: int, frame: FrameType | None) -> None:
        code = EXIT[signal.Signals(number)]
        if self.received or self.gently is None:
            if importing(frame):
                return once_more_soon(number)
            self.at_once(code)
        self.received = code
        if self.gently:
            self.gently()
        self.tell()

    def at_once(self, code: int) -> None:
        raise Interrupted(code)

    def tell(self) -> None:
        if torchrun.first():
            with suppress(OSError, RuntimeError):  # nobody reads it, or it broke into a line being printed
                print(f"\n{SAVING}", file=sys.stderr, flush=True)


class CtrlC(Signals):
    """In somebody else's program: Ctrl-C alone, in the main thread alone, and the call returns what there is."""

    def numbers(self) -> list[signal.Signals]:
        return [signal.SIGINT] if threading.current_thread() is threading.main_thread() else []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *where: object) -> None:
        super().__exit__(KeyboardInterrupt, KeyboardInterrupt(), *where)  # nothing is raised after a gentle end

    def end(self) -> None:
        if self.received:
            raise KeyboardInterrupt

    def at_once(self, code: int) -> None:
        raise KeyboardInterrupt

    def tell(self) -> None:
        with suppress(OSError, RuntimeError):
            current().note(SAVING)


def listening() -> AbstractContextManager[Signals]:
    """Who hears signals while a call lasts: the command, if there is one around, else the call itself."""
    return nullcontext(_listening) if _listening else CtrlC()


def heard() -> list[signal.Signals]:
    """Not a hangup that was told to be ignored, as nohup does."""
    return [number for number in EXIT if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN]


def importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: there, what is raised may be swallowed, or turned into something else."""
    while frame:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def once_more_soon(number: int) -> None:
    """A bare thread: threading's own locks may be held by what the signal interrupted."""

    def again() -> None:
        time.sleep(SOON)
        _thread.interrupt_main(signal.Signals(number))

    _thread.start_new_thread(again, ())


def unheard(error: BaseException) -> bool:
    """Whether nobody reads what is printed: pipe or terminal is gone. SystemExit is how Rich says it."""
    return isinstance(error, BrokenPipeError | SystemExit) or (isinstance(error, OSError) and error.errno == errno.EIO)


def hung_up(error: BaseException) -> bool:
    """Whether this came of a terminal that was closed, whose signal is late, or was for another process."""
    return isinstance(error, OSError) and error.errno == errno.EIO and any(map(closed, (1, 2)))


def closed(file: int) -> bool:
    try:
        os.write(file, b"")
    except OSError as error:
        return error.errno == errno.EIO
    return False


def leave_at_once() -> None:
    """Until there is something to save, and when all is done: a signal ends the process, whatever it is importing."""
    for number in heard():
        signal.signal(number, lambda number, frame: os._exit(EXIT[signal.Signals(number)]))
