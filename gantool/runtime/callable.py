"""A folder of modules whose name is also a function's: `gantool.runs()` beside `gantool.runs.run`."""

import importlib
import sys
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """Calls the function of its own name in gantool.library, which is imported then."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        name = self.__name__.rpartition(".")[2]
        return getattr(importlib.import_module("gantool.library"), name)(*args, **keywords)


def make_callable(name: str) -> None:
    sys.modules[name].__class__ = CallableModule
