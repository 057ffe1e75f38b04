"""Where a person reads: rich's console, printing just what it is given."""

from rich.console import Console

from gantool.runtime import torchrun


def console(stderr: bool = False, quiet: bool = False) -> Console:
    """One that prints what it is given: no markup, no emoji, no colouring of numbers, no lines broken in a pipe."""
    quiet = quiet or not torchrun.first()
    return Console(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False, soft_wrap=True)
