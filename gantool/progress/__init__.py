"""What a person sees while gantool works: on a terminal, in a pipe, in a notebook."""

import sys

from gantool.runtime.progress import Progress


def fitting() -> Progress:
    """What suits where this runs."""
    python = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if python is not None and hasattr(python, "kernel"):
        from gantool.progress.notebook import InNotebook

        return InNotebook()
    from gantool.progress.terminal import OnTerminal

    return OnTerminal()


def screen(progress: bool | Progress) -> Progress:
    """Who shows it: whoever was given, what suits, or nobody."""
    if isinstance(progress, Progress):
        return progress
    return fitting() if progress else Progress()
