"""A command that a package offers: a function of its settings."""

import inspect
from dataclasses import is_dataclass
from typing import Any, get_type_hints

from gantool.commands import typer_flags
from gantool.commands.groups import about
from gantool.commands.shared import at_work
from gantool.commands.typer_flags import Given, settled
from gantool.config.packages import COMMANDS, Plugins, broken, imported, in_a_line
from gantool.config.schema import Schema


def built(plugins: Plugins, name: str) -> Any:
    """The command, or None if nobody has one of this name."""
    if (offer := plugins.offer(COMMANDS, name)) is None:
        return None
    function = imported(offer)
    try:
        every = schema(function)
    except Exception as error:
        raise broken(offer, in_a_line(error)) from error

    def run(given: Given) -> None:
        how = settled(every, given, f"See: gantool {name} --help").values()
        with at_work(answers=True):
            function(*how)

    return typer_flags.built(name, about(offer), every, run)


def schema(function: Any) -> Schema:
    """The flags of a command: those of the dataclass that its one argument is, if it has any."""
    words = list(inspect.signature(function).parameters)
    kinds = [get_type_hints(function).get(word) for word in words]
    if len(kinds) > 1 or not all(isinstance(kind, type) and is_dataclass(kind) for kind in kinds):
        raise TypeError("a command is a function of one argument, its settings, which are a dataclass")
    return Schema({"Options": kinds[0]} if kinds else {})
