"""Lines of installed source, found by the name that a variant's own code has for them."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Any

NOISE = re.compile(r"  # (type: ignore|fmt: skip)\S*.*")  # what is said to tools


class Apart(Exception):
    """Lines that should be there are not, or are there twice."""


@dataclass(frozen=True)
class Lines:
    """A piece of a file."""

    name: str  # of the function or class they are in: "GAN.d_loss"
    path: Path
    place: str  # of the file, from its package on: "gantool/variants/gan.py"
    first: int
    text: str

    def numbered(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.text.splitlines(), self.first)

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "file": str(self.path), "place": self.place, "line": self.first, "text": self.text}


def called(cls: type, name: str) -> Any:
    """What the variant's code means by a name: one of its methods, or what one of its modules knows by it.

    Or the whole name of something that is imported: `gantool.api.gradient_norms`.
    """
    modules = [sys.modules[base.__module__] for base in cls.__mro__]
    whole, _, last = name.rpartition(".")
    for thing, parts in (*((it, name.split(".")) for it in (cls, *modules)), (sys.modules.get(whole), [last])):
        for part in parts:
            thing = None if thing is None else getattr(thing, part, None)
        if thing is not None:
            return thing
    raise Apart(f"{name!r} is neither a method nor known to the modules of {cls.__name__}.")


def plain_function(thing: Any) -> Any:
    if isinstance(thing, property):
        return thing.fget
    return thing.func if isinstance(thing, cached_property) else inspect.unwrap(thing)


def lines_of(thing: Any, wanted: str | None = None) -> Lines:
    """All of a function or class; or, of its lines, those that read so, which must be there exactly once."""
    thing = plain_function(thing)
    try:
        source, first = inspect.getsourcelines(thing)
        path = Path(inspect.getsourcefile(thing) or "")
    except (OSError, TypeError) as error:
        raise Apart(f"{getattr(thing, '__qualname__', thing)} has no source: {error}") from None
    source = [NOISE.sub("", line.rstrip()) for line in source]
    start, count = 0, len(source)
    if wanted is not None:
        like = [bare(line) for line in wanted.strip().splitlines()]
        count = len(like)
        starts = [i for i in range(len(source)) if [bare(line) for line in source[i : i + count]] == like]
        if len(starts) != 1:
            times = f"{len(starts)} times" if starts else "not"
            raise Apart(f"{thing.__qualname__} in {path.name} has {times}: {' '.join(like)}")
        (start,) = starts
    module = thing.__module__.split(".")
    place = "/".join([*module[:-1], *(path.parts[-2:] if path.stem == "__init__" else path.parts[-1:])])
    return Lines(thing.__qualname__, path, place, first + start, dedent("\n".join(source[start : start + count])))


def bare(line: str) -> str:
    """A line without its place in the block, and without the comment behind it."""
    return re.sub(r"  # .*", "", line).strip()


def losses(cls: type) -> list[str]:
    """The methods that turns are played with, in their order: `self.d_loss` in `Turn("D", self.d_loss, ...)`."""
    found: dict[str, None] = {}
    for base in reversed([base for base in cls.__mro__ if "turns" in vars(base)]):
        calls = [node for node in ast.walk(ast.parse(lines_of(vars(base)["turns"]).text)) if isinstance(node, ast.Call)]
        mine: dict[str, None] = {}
        for call in sorted(calls, key=lambda call: call.lineno):
            if isinstance(call.func, ast.Name) and call.func.id == "Turn":
                said = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "loss")]
                mine |= {loss.attr: None for loss in said if isinstance(loss, ast.Attribute)}
        if mine:  # else it plays the turns of the class it extends
            found = mine
    return [name for name in found if hasattr(cls, name)]
