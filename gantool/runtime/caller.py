"""Who set something going: when, and in what words. The command line says so; a call from Python says it itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Caller(NamedTuple):
    began: float  # by time.monotonic(); --minutes counts from here
    words: str  # what was typed


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def caller(words: str) -> Caller:
    """Whoever is around; else the call itself, which begins now and is called so."""
    return _current.get() or Caller(time.monotonic(), words)


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)
