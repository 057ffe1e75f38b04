"""Reads a variant's flags in a third of a second: its module is imported with stand-ins for torch.

`--help`, completion and usage errors need a variant's options but none of its networks, and importing torch costs
seconds. So the module is imported once with torch and the like replaced by empty classes, what is needed of it is
kept, and every trace is removed. A module that cannot be read so is imported as usual.
"""

import importlib
import io
import sys
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gantool.commands.typer_flags import hints
from gantool.config.options import Options, Recipe, SampleOptions
from gantool.registry import Registry
from gantool.runtime.signals import Interrupted

HEAVY = ("torch", "torchvision", "numpy", "PIL", "safetensors", "scipy")


class Outline:
    """What the command line must know of a variant: the defaults of its recipe, and its two sets of flags."""

    def __init__(self, variant: Any) -> None:
        self.recipe: Recipe = variant.recipe
        self.options: type[Options] = variant.Options
        self.sample_options: type[SampleOptions] = variant.SampleOptions
        if not (isinstance(self.recipe, Recipe) and issubclass(self.options, Options)):
            raise TypeError("not a variant")
        hints(self.options), hints(self.sample_options)  # remembered: later, names in them cannot be looked up


class Anything(ABCMeta):
    """A class of which any attribute exists, any index is allowed and any call succeeds."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(name)

    def __getitem__(cls, key: object) -> Any:
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        # A decorator used bare (`@torch.no_grad`) or called (`@torch.no_grad()`) leaves the function as it was.
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else super().__call__()


class StandIn(metaclass=Anything):
    def __call__(self, function: Any = None, *args: Any, **kwargs: Any) -> Any:
        return function


def stand_in(name: str) -> Any:
    return Anything(name, (StandIn,), {})


class Stage(MetaPathFinder, Loader):
    """Answers every import of a heavy package with an empty module whose attributes are stand-ins."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in HEAVY else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = stand_in  # type: ignore[method-assign]


@contextmanager
def staged() -> Iterator[None]:
    """While this lasts, torch is made of stand-ins; afterwards nothing imported meanwhile is left."""
    before, stage = set(sys.modules), Stage()
    sys.meta_path.insert(0, stage)
    try:
        yield
    finally:
        sys.meta_path.remove(stage)
        for name in set(sys.modules) - before:
            parent, _, child = name.rpartition(".")
            if name.partition(".")[0] not in sys.stdlib_module_names:
                del sys.modules[name]
                vars(sys.modules.get(parent, stage)).pop(child, None)


def outline(registry: Registry, name: str) -> Outline:
    offer = registry.offer(name)
    if "torch" not in sys.modules:
        try:
            with staged(), redirect_stdout(io.StringIO()):
                variant: Any = importlib.import_module(offer.entry.module)
                for attribute in offer.entry.attr.split("."):
                    variant = getattr(variant, attribute)
                return Outline(variant)
        except (KeyboardInterrupt, Interrupted):
            raise
        except BaseException:  # it will say itself what is wrong with it
            pass
    return Outline(registry.load(name))
