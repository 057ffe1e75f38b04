"""What a person sees while something takes longer than a breath: a bar on a terminal, a line elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gantool.progress.console import console


@contextmanager
def waiting(what: str) -> Iterator[Callable[[float], None]]:
    """Yields what is to be told the share that is done."""
    err = console(stderr=True)
    if not err.is_terminal:
        err.print(f"{what}...")
        yield lambda share: None
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn(compact=True)
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
