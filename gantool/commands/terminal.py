"""Writes to the terminal: tables, and errors in a few lines. Imports no torch, and rich only where a person reads."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Literal

from gantool.errors import USAGE, UserError, printable
from gantool.progress.console import console
from gantool.runtime import torchrun

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 70  # columns; below this, --help comes without boxes


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for a person; in a pipe, whole lines for grep."""
    cells = [[plain(str(cell)).replace("\n", " ") for cell in row] for row in rows]
    if (sys.stdout.isatty() or "FORCE_COLOR" in os.environ) and console().is_terminal:
        from rich.console import Console

        screen = Console(highlight=False, markup=False, emoji=False)
        columns = zip(header, *cells, strict=True)
        words = (max(len(word) for cell in column for word in cell.split(" ")) for column in columns)
        if sum(words) + 2 * (len(header) - 1) > screen.width:
            stacked(screen, header, cells)
            return
        from rich.table import Table

        drawn = Table(*header, box=None, header_style="dim", pad_edge=False)
        for row in cells:
            drawn.add_row(*row)
        screen.print(drawn)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in [list(header), *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def stacked(screen: "Console", header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a screen too narrow for its columns: below each row's first cell, the others and what they are."""
    from rich.padding import Padding

    screen.print(header[0].rstrip(), style="dim")
    for first, *others in ([cell.rstrip() for cell in row] for row in rows):
        screen.print(first, style="bold")
        lines: list[str] = []
        for named in (f"{name} {cell}".lstrip() for name, cell in zip(header[1:], others, strict=True) if cell):
            if lines and len(f"  {lines[-1]}  {named}") <= screen.width:
                lines[-1] += f"  {named}"
            else:
                lines.append(named)
        screen.print(Padding("\n".join(lines), (0, 0, 0, 2)))


def as_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def help_style() -> Literal["rich"] | None:
    """Boxes for --help, but where they would cut the names of flags short."""
    return "rich" if get_terminal_size().columns >= NARROW else None


def plain(text: str) -> str:
    """Lines that a terminal shows and does not obey."""
    return "\n".join(map(printable, text.splitlines()))[:1_500]


def complain(error: UserError) -> None:
    """What was wrong, and below it what would be right."""
    if error.code == USAGE and not torchrun.first():
        return  # all were given the same command, and the first says what is wrong with it
    err = console(stderr=True)
    err.quiet = False
    with suppress(OSError):  # stderr may be on the full disk too; the exit code still says it
        err.print("error: " if torchrun.first() else f"process {torchrun.rank()}: ", style="bold red", end="")
        err.print(plain(error.message))
        if error.hint:
            err.print("  " + plain(error.hint))


def silence_broken_pipe() -> None:
    """`gantool list | head` ends quietly, also when Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
