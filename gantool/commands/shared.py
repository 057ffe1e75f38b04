"""What the commands share: how a variant's settings are known, and who shows how the library gets on."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from gantool.commands.groups import registry
from gantool.config.outline import Outline, outline
from gantool.config.packages import broken
from gantool.config.schema import Schema
from gantool.errors import USAGE, UserError
from gantool.runtime.signals import Signals

OURS = ("resume", "dry_run", "quiet", "out", "run", "json")  # of flags, those that the library has no use for

# Flags of several commands.
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print only errors.")]
Events = Annotated[bool, Option("--json", help="Print JSON: a line for each event.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
WhichRun = Annotated[
    Path | None,
    Option(
        help="A run, a .safetensors model file, or packaged.", show_default="the variant's newest run, else packaged"
    ),
]


@contextmanager
def at_work(quiet: bool = False, answers: bool = False, events: bool = False) -> Iterator[Signals]:
    """While the library works for a command: signals are heard, and a person, or a program, sees how it goes."""
    from gantool.runtime.progress import Progress, shown_by

    screen: Progress
    if events:
        from gantool.progress.events import AsEvents

        screen = AsEvents()
    else:
        from gantool.progress.terminal import OnTerminal

        screen = OnTerminal(quiet, answers)
    with Signals() as signals, shown_by(screen):
        yield signals


def known(name: str) -> Outline:
    """What the command line must know of a variant."""
    offer = registry().offer(name)
    try:
        return outline(offer, lambda: registry().load(name))
    except TypeError as error:
        raise broken(offer, str(error)) from None


def schema(name: str, sections: dict[str, Any], **how: Any) -> Schema:
    """A command's settings, with those of a variant."""
    try:
        return Schema(sections, own=name, **how)
    except TypeError as error:
        raise broken(registry().offer(name), str(error)) from None


def of(name: str, model: Any, verb: str) -> Any:
    """The model, if it is this variant's."""
    if model.name != name:
        raise UserError(f"{model.path} is a {model.name}.", f"gantool {verb} {model.name} --run {model.path}", USAGE)
    return model


def free(name: str) -> Path:
    """The name, or the first numbered one that nothing has."""
    first = Path(name)
    names = chain([first], (first.with_stem(f"{first.stem}-{i}") for i in count(2)))
    return next(path for path in names if not path.exists())
