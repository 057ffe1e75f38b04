"""What a person sees in a notebook: one output that is renewed while a training or anything long goes on."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from gantool.hookspecs import hookimpl
from gantool.progress.display import clock, shown
from gantool.runtime.progress import Progress, Unit

REFRESH = 1.0  # seconds


class Output:
    """HTML in the cell, replaced as it changes."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, page: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(page), display_id=True)
        else:
            self.handle.update(HTML(page))


class InNotebook(Progress):
    """Lines as they come, then what goes on now."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.output = Output()

    def note(self, text: str) -> None:
        self.say(f"note: {text}")

    def warn(self, text: str) -> None:
        self.note(text)

    def say(self, text: str, strong: bool = False) -> None:
        self.lines.append(f"<b>{escape(text)}</b>" if strong else escape(text))
        self.renew()

    def renew(self, below: str = "") -> None:
        self.output.show("<br>".join(self.lines) + below)

    def observers(self) -> list[Any]:
        return [Watching(self)]

    @contextmanager
    def working(self, what: str, total: float = 1.0, unit: Unit = "share") -> Iterator[Callable[[float], object]]:
        last = 0.0

        def tell(done: float) -> None:
            nonlocal last
            if time.monotonic() - last >= REFRESH:
                last = time.monotonic()
                self.renew(bar(escape(what), done, total))

        yield tell
        if last:
            self.renew()


class Watching:
    """The bar, the numbers and the newest images of a training."""

    def __init__(self, screen: InNotebook) -> None:
        self.screen, self.last = screen, 0.0

    @hookimpl
    def gantool_train_step(self, trainer: Any) -> None:
        now = time.monotonic()
        if now - self.last >= REFRESH or trainer.step == trainer.steps:
            self.last = now
            self.screen.renew(page(trainer))


def page(trainer: Any) -> str:
    from gantool.viz.drawing import encode_png

    numbers = "".join(f"<td>{escape(name)}<br>{value:.3g}</td>" for name, value in shown(trainer.metrics))
    left = f"{trainer.rate:,.0f} images/s, {clock(trainer.left)} left"
    image = ""
    if trainer.grid_image is not None:
        image = f'<img src="data:image/png;base64,{b64encode(encode_png(trainer.grid_image)).decode()}">'
    return f"{bar(f'step {trainer.step} of {trainer.steps}', trainer.step, trainer.steps)} {left}" + (
        f"<table><tr>{numbers}</tr></table>{image}"
    )


def bar(what: str, done: float, total: float) -> str:
    return f'<div>{what} <progress value="{done:g}" max="{total:g}"></progress></div>'
