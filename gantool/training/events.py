"""Who is told of a training: observers, gantool's own in order, and those fenced off that must never end it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pluggy

from gantool import hookspecs
from gantool.runtime.faults import out_of_memory
from gantool.runtime.progress import current
from gantool.training.trainer import Diverged, Trainer


def heard_by(observers: list[Any]) -> Any:
    """What the trainer calls, for these to hear of it in their order."""
    hooks = pluggy.PluginManager("gantool")
    hooks.add_hookspecs(hookspecs)
    for observer in reversed(observers):  # pluggy calls the last registered first
        hooks.register(observer)
    return hooks.hook


class Fenced:
    """An observer that training does not hang on: if it fails, it is dropped with a word, and the training goes on.

    It hears of an end only if it heard of the start.
    """

    def __init__(self, name: str, load: Callable[[], Any]) -> None:
        self.name, self.hooks = name, pluggy.PluginManager("gantool")
        self.started = False
        self.hooks.add_hookspecs(hookspecs)
        self.guard(lambda: self.register(load()))

    def register(self, found: Any) -> None:
        self.hooks.register(found() if isinstance(found, type) else found)

    def guard(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Diverged:  # that the training has failed is no fault of whoever sees it
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, Exception) and out_of_memory(error):
                raise  # so is memory that is short: going on would be going on without what was asked for
            for plugin in self.hooks.get_plugins():
                self.hooks.unregister(plugin)
            with suppress(OSError, SystemExit):  # nobody may read it
                current().warn(f"observer {self.name!r} failed and was dropped: {error!r}")

    @hookspecs.hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        self.started = True
        self.guard(lambda: self.hooks.hook.gantool_train_start(trainer=trainer))

    @hookspecs.hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        self.guard(lambda: self.hooks.hook.gantool_train_step(trainer=trainer))

    @hookspecs.hookimpl
    def gantool_train_end(self, trainer: Trainer) -> None:
        if self.started:
            self.guard(lambda: self.hooks.hook.gantool_train_end(trainer=trainer))
