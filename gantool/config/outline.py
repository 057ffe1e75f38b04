"""Reads a variant's flags in a third of a second: its module is imported with stand-ins for torch.

`--help`, completion and usage errors need a variant's options but none of its networks, and importing torch costs
seconds. So the module is imported once with torch and the like replaced by empty classes, what is needed of it is
kept, and every trace is removed. That is done only where it must give what the real module would: a stand-in can be
named, called, decorated with and inherited from, and whoever asks it anything, for its truth, its value, its text, is
told nothing and ends the attempt; so does code that could tell a stand-in from torch without asking it. Then the module
is imported as usual, which is slower. What trains is always read from the real class.
"""

import ast
import importlib
import io
import sys
from abc import ABCMeta
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from gantool.config.options import Options, Recipe, SampleOptions
from gantool.config.packages import Offer, check_fits
from gantool.config.schema import settings_of
from gantool.runtime.signals import Interrupted

HEAVY = ("torch", "torchvision", "numpy", "PIL", "safetensors", "scipy")
# What tells a stand-in from the real thing without asking it, and what runs code that is not read here.
TELLING = ("hasattr", "getattr", "isinstance", "issubclass", "type", "id", "vars", "dir", "eval", "exec", "__import__",
           "globals", "locals", "callable")  # fmt: skip
ELSEWHERE = ("importlib", "sys", "pkgutil", "inspect", "ctypes", "pkg_resources", "subprocess")


class Outline:
    """What the command line must know of a variant: the defaults of its recipe, and its two sets of flags."""

    def __init__(self, variant: Any) -> None:
        self.recipe: Recipe = variant.recipe
        self.Options: type[Options] = variant.Options
        self.SampleOptions: type[SampleOptions] = variant.SampleOptions
        if not (isinstance(self.recipe, Recipe) and issubclass(self.Options, Options)):
            raise TypeError("not a variant")
        for section in (self.recipe, self.Options, self.SampleOptions):
            for setting in settings_of(section, ""):  # annotations are remembered: later, names in them are gone
                parts = (setting.default, setting.help, setting.words, setting.least, setting.most, *setting.choices)
                if any(map(unreal, parts)):
                    raise Unknowable


class Unknowable(Exception):
    """A stand-in was asked what only the real thing knows."""


def refuse(*_: object, **__: object) -> Any:
    raise Unknowable


class Anything(ABCMeta):
    """A class of which any attribute exists, any index is allowed and any call succeeds; and that tells nothing."""

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
        return function if callable(function) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(name)

    def __getitem__(self, key: object) -> Any:
        return self


ASKING = ("bool", "len", "iter", "next", "contains", "int", "float", "index", "complex", "str", "repr", "format", "lt",
          "le", "gt", "ge", "round", "neg", "pos", "abs", "invert", "enter", "fspath", "bytes", "dir",
          "reversed")  # fmt: skip
ARITHMETIC = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and",
              "xor")  # fmt: skip
for _name in (*ASKING, *ARITHMETIC, *(f"r{name}" for name in ARITHMETIC)):
    if _name != "repr":  # which tracebacks and debuggers ask for
        setattr(StandIn, f"__{_name}__", refuse)
        if _name not in ("dir", "format"):
            setattr(Anything, f"__{_name}__", refuse)


def equal(self: object, other: object) -> bool:
    """The import system and dataclasses compare by identity; any other answer is torch's to give."""
    if self is other or not unreal(self):
        return self is other
    raise Unknowable


for _kind in (StandIn, Anything):
    _kind.__eq__, _kind.__hash__ = equal, lambda self: id(self)  # type: ignore[method-assign]


def unreal(value: object) -> bool:
    return isinstance(value, StandIn) or (isinstance(value, Anything) and value is not StandIn)


def stand_in(name: str) -> Any:
    return Anything(name, (StandIn,), {})


class Stage(MetaPathFinder, Loader):
    """Answers imports of heavy packages that are installed with empty modules whose attributes are stand-ins."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top not in HEAVY or PathFinder.find_spec(top) is None:
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = StandIn.__getattr__.__get__(module)  # type: ignore[method-assign]


@contextmanager
def staged() -> Iterator[set[str]]:
    """While this lasts, torch is made of stand-ins; afterwards nothing imported meanwhile is left."""
    before, stage = set(sys.modules), Stage()
    sys.meta_path.insert(0, stage)
    try:
        yield before
    finally:
        sys.meta_path.remove(stage)
        for name in set(sys.modules) - before:
            parent, _, child = name.rpartition(".")
            if name.partition(".")[0] not in sys.stdlib_module_names:
                del sys.modules[name]
                vars(sys.modules.get(parent, stage)).pop(child, None)


def outline(offer: Offer, load: Callable[[], Any]) -> Outline:
    """Of what a package offers; `load` imports it as usual."""
    check_fits(offer)
    if "torch" not in sys.modules:
        try:
            return quick(offer)
        except (KeyboardInterrupt, Interrupted):
            raise
        except BaseException:  # it will say itself what is wrong with it
            pass
    return Outline(load())


def quick(offer: Offer) -> Outline:
    """Without torch; raises where that could give anything but what the real class has."""
    with staged() as before, redirect_stdout(io.StringIO()):
        variant: Any = importlib.import_module(offer.entry.module)
        for attribute in offer.entry.attr.split("."):
            variant = getattr(variant, attribute)
        read = [sys.modules[name] for name in sys.modules.keys() - before]
        theirs = [Path(file) for module in read if foreign(module) and (file := getattr(module, "__file__", None))]
        if any(telling(ast.parse(file.read_bytes())) for file in theirs if file.suffix == ".py"):
            raise Unknowable
        if any(file.suffix != ".py" for file in theirs):  # compiled: it cannot be read
            raise Unknowable
        return Outline(variant)


def foreign(module: ModuleType) -> bool:
    """Not Python's, not gantool's: those ask nothing when they are imported, which a test holds them to."""
    top = module.__name__.partition(".")[0]
    return top not in (*sys.stdlib_module_names, *HEAVY, "gantool", "typer", "pluggy", "yaml", "rich")


def telling(tree: ast.Module) -> bool:
    """Whether code that runs as the module is imported can tell stand-ins from torch without asking them."""
    called, nodes = set[str](), list(at_import(tree))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    while True:  # functions that are called at import, and those that these call
        names = {name for node in nodes if isinstance(node, ast.Call) and (name := name_of(node.func))}
        more = [f for f in functions if f.name in names - called]
        called |= names
        if not more:
            break
        nodes += [inner for f in more for statement in f.body for inner in ast.walk(statement)]
    return any(
        isinstance(node, ast.Try | ast.TryStar | ast.Match)
        or (isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops))
        or (isinstance(node, ast.Name) and node.id in (*TELLING, *ELSEWHERE))
        for node in nodes
    )


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """All but the bodies of functions: their decorators and defaults are evaluated, lambdas may be called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, *child.args.defaults, *filter(None, child.args.kw_defaults)):
                yield from ast.walk(part)
        elif isinstance(child, ast.If) and name_of(child.test) == "TYPE_CHECKING":
            continue
        else:
            yield child
            yield from at_import(child)


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
