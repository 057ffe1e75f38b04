"""Shows a training as it goes: a live dashboard on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any

from rich.console import COLOR_SYSTEMS, Console, ConsoleOptions, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from gantool.hookspecs import hookimpl
from gantool.runtime.signals import unheard
from gantool.training.trainer import Trainer
from gantool.viz.drawing import half_blocks

STEADY, REFRESH = 5.0, 1.0  # seconds between plain lines, and between views of the dashboard
NARROW = 60  # columns; below this, no image beside the numbers
COLUMN = 28  # columns of the numbers
VERBATIM = [(ControlType.BELL,)]  # any: what is marked as a control code is neither measured nor changed


class Display:
    """What prints while a training goes on, and ends it in order when nobody reads that any more."""

    unread: BaseException | None = None

    def show(self, trainer: Trainer, how: Callable[[], object]) -> None:
        try:
            how()
        except (OSError, SystemExit) as error:  # as after Ctrl-C in `gantool train gan | tee log`: save, then stop
            if not unheard(error):
                raise
            self.unread, trainer.stop = error, trainer.stop or "interrupted"

    @hookimpl
    def gantool_train_end(self, trainer: Trainer) -> None:
        if self.unread:
            raise self.unread


class Plain(Display):
    """A line at the start, then one every few seconds, then the last."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        self.last = 0.0

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if now - self.last >= STEADY or trainer.step == trainer.steps:
            self.last = now
            self.show(trainer, lambda: self.console.print(self.line(trainer), highlight=False, soft_wrap=True))

    def line(self, trainer: Trainer) -> str:
        share = f"{trainer.step / trainer.steps:.0%}"
        numbers = [f"{name} {value:.3g}" for name, value in shown(trainer.metrics)]
        pace = f"{trainer.rate:,.0f} images/s"
        return "  ".join(
            [f"step {trainer.step}/{trainer.steps} ({share})", *numbers, pace, f"{clock(trainer.left)} left"]
        )


class Dashboard(Display):
    """A bar, the numbers, and the newest images."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.drawn: Any = None  # the image that `beside` shows, at this side
        self.side = 0
        self.bar = Progress(
            TextColumn("step"), MofNCompleteColumn(), BarColumn(bar_width=None), TimeRemainingColumn(compact=True),
            console=console, auto_refresh=False, expand=True,
        )  # fmt: skip

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.task = self.bar.add_task("", total=trainer.steps, completed=trainer.step)
        self.live = Live(console=self.console, get_renderable=self.render, auto_refresh=False, transient=False)
        self.live.start(refresh=True)
        self.last = time.monotonic()

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        """Between steps: a thread of Live's own would take a core from the step every time."""
        now = time.monotonic()
        if now - self.last >= REFRESH:
            self.last = now
            self.show(trainer, self.live.refresh)

    @hookimpl(tryfirst=True)  # if the last save fails, its error is to be read on a terminal that is whole
    def gantool_train_end(self, trainer: Trainer) -> None:
        if hasattr(self, "live"):
            self.show(trainer, self.live.stop)  # nothing is raised here: others have yet to save

    def render(self) -> Group:
        trainer, width = self.trainer, self.console.width
        self.bar.update(self.task, completed=trainer.step, total=trainer.steps)
        numbers = [*shown(trainer.metrics), ("images/s", round(trainer.rate))]
        table = Table.grid(padding=(0, 1))
        for name, value in numbers:
            table.add_row(Text(name, style="dim"), f"{value:,}" if isinstance(value, int) else f"{value:.3f}")
        colours = None if self.console.no_color else self.console.color_system
        if trainer.grid_image is None or width < NARROW or self.console.height < 20 or colours is None:
            return Group(self.bar, table)
        side = min(width - 32, 2 * (self.console.height - 6), 64)
        if self.drawn is not trainer.grid_image or side != self.side:
            self.drawn, self.side = trainer.grid_image, side
            # A part of the grid at half its size: all of it would be too small to see.
            part = trainer.grid_image[: 2 * side, : 2 * side]
            self.beside = Beside(table, half_blocks(part, side, COLOR_SYSTEMS[colours]))
        self.beside.table = table
        return Group(self.bar, self.beside)


class Beside:
    """A table and the rows of an image, as the escape codes they are printed as.

    As Text, its thousands of colours took .09 s at every refresh, and a third of the training's time; so, .003 s.
    """

    def __init__(self, table: Table, rows: list[str]) -> None:
        self.table, self.rows = table, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        lines = console.render_lines(self.table, options.update(width=COLUMN, height=None))
        blank = [Segment(" " * COLUMN)]
        for line, row in zip_longest(lines, self.rows, fillvalue=None):
            yield from line or blank
            yield Segment(row or "", control=VERBATIM)
            yield Segment.line()


def shown(metrics: dict[str, float]) -> Iterable[tuple[str, float]]:
    """Each player's loss, summed over its terms, then what else was logged."""
    totals: dict[str, float] = {}
    for name, value in sorted(metrics.items(), key=lambda item: "/" not in item[0]):
        player = name.partition("/")[0]
        totals[player] = totals.get(player, 0.0) + value
    return totals.items()


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def display(console: Console) -> Plain | Dashboard:
    """What suits the terminal: TERM=dumb, pipes and CI get plain lines."""
    return Dashboard(console) if console.is_terminal and not console.is_dumb_terminal else Plain(console)
