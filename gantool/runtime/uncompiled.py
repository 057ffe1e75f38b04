"""torch without its compiler: its optimisers import that at once, 800 modules, for nothing where nothing is compiled.

Half of the time from Enter to the first step was theirs. What stands in for `torch._dynamo` answers the two questions
that optimisers ask, as the compiler itself does where it is at rest, and gives way to it when anything else is asked.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


class StandIn(ModuleType):
    """The compiler's module until it is wanted."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.left: list[Any] = []  # functions that the compiler was to leave alone

    def graph_break(self, *args: Any, **more: Any) -> None:
        """Where the compiler is not at work, it does nothing either."""

    def disable(self, function: Callable[..., Any] | None = None, *args: Any, **more: Any) -> Any:
        if not getattr(function, "__module__", "").startswith("torch.optim."):  # may outlast this, and be compiled
            return self.give_way().disable(function, *args, **more)
        self.left.append(function)
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # as `inspect` asks of every module; imports ask for that one
            raise AttributeError(name)
        return getattr(self.give_way(), name)

    def stand(self) -> None:
        sys.modules[NAME] = self
        vars(torch)["_dynamo"] = self

    def leave(self) -> None:
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME], vars(torch)["_dynamo"]
        for function in self.left:
            vars(function).pop("__dynamo_disable", None)  # where torch keeps what it was answered
        self.left.clear()

    def give_way(self) -> ModuleType:
        self.leave()
        return importlib.import_module(NAME)


@contextmanager
def uncompiled() -> Iterator[None]:
    """While this lasts, unless the compiler is there already. Afterwards all is as it was."""
    if NAME in sys.modules:
        yield
        return
    stand_in = StandIn()
    stand_in.stand()
    try:
        yield
    finally:
        stand_in.leave()
