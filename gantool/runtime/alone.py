"""One piece of work at a time in a process: random states and what torch is told are the whole process's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gantool.errors import UserError

TRAINING = "training"
_free, _what, _whose = threading.Condition(), "", 0


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Wait for other short work to end; while a training goes on, or from within, refuse."""
    global _what, _whose
    me = threading.get_ident()
    with _free:
        while _what:
            if _what == TRAINING or _whose == me:
                how = "within it" if _whose == me else "at the same time"
                raise UserError(
                    f"This process is {_what}, and does no {what} {how}.",
                    "Wait until that is done, or use another process.",
                )
            _free.wait()
        _what, _whose = what, me
    try:
        yield
    finally:
        with _free:
            _what = ""
            _free.notify_all()
