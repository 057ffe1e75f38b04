"""An errand in a thread, while whoever sent it goes on: a disk's time, which a training need not wait for."""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

SOON = 2.0  # seconds


class Behind:
    """Runs one errand at a time. What went wrong in it is raised where its sender next asks."""

    def __init__(self) -> None:
        self.thread: Thread | None = None
        self.error: Exception | None = None
        self.longest = 0.0  # seconds that an errand has taken

    def send(self, errand: Callable[[], object]) -> None:
        """Begin it, once the one before is done."""
        self.wait()
        # A daemon, so that a disk that hangs does not keep a process from ending.
        self.thread = Thread(target=self.run, args=(errand,), name="behind", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:  # memory, or the number of threads, is short: then not beside, but at once
            self.thread = None
            self.run(errand)

    def run(self, errand: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            errand()
        except Exception as error:
            self.error = error
        self.longest = max(self.longest, time.monotonic() - began)

    def wait(self) -> None:
        """Until what was sent is done."""
        if self.thread:
            self.thread.join()
            self.thread = None
        self.ask()

    def ask(self) -> None:
        """Raise what has gone wrong so far."""
        if error := self.error:
            self.error = None
            raise error

    def leave(self) -> None:
        """Who must go at once gives what is being written a moment to be whole."""
        if self.thread:
            with suppress(RuntimeError):  # it was about to start
                self.thread.join(SOON)
