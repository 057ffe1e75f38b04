"""What gantool says while it works, and to whom: to nobody, unless somebody asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

Unit = Literal["share", "images", "bytes"]


class Progress:
    """Hears of all that a person may want to see, and shows nothing of it. Subclasses show what suits their screen."""

    def note(self, text: str) -> None:
        """Something to know: files left out, a checkpoint passed over."""

    def warn(self, text: str) -> None:
        """Something that failed and was worked around; shown also where only errors are."""

    def say(self, text: str, strong: bool = False) -> None:
        """How it goes, in a line."""

    def observers(self) -> list[Any]:
        """Who is told of a training's steps, in order to show them."""
        return []

    @contextmanager
    def working(self, what: str, total: float = 1.0, unit: Unit = "share") -> Iterator[Callable[[float], object]]:
        """While something takes longer than a breath. Yields what is to be told how much of the total is done."""
        yield lambda done: None


_current: ContextVar[Progress] = ContextVar("progress", default=Progress())  # noqa: B039  # it holds nothing


def current() -> Progress:
    """Who hears of what is done now."""
    return _current.get()


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """While this lasts, that one hears of everything."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)
