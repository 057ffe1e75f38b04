"""Where a person reads: rich's console, printing just what it is given."""

from typing import TYPE_CHECKING

from gantool.runtime import torchrun

if TYPE_CHECKING:
    from rich.console import Console


def console(stderr: bool = False, quiet: bool = False) -> "Console":
    """One that prints what it is given: no markup, no emoji, no colouring of numbers, no lines broken in a pipe."""
    from rich.console import Console  # some 20 ms, which a list in a pipe need not wait for

    quiet = quiet or not torchrun.first()
    return Console(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False, soft_wrap=True)
