"""What one variant changes of another: networks, players, turns, losses, defaults."""

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from torch import nn

from gantool.config.schema import Schema
from gantool.reading.built import Built, built
from gantool.reading.source import Apart, lines_of, losses
from gantool.training.session import schema_of
from gantool.variant import Variant, parameters_of

GAME = ("players", "turns", "fake", "noise", "latent", "schedule", "before_step", "dataset")
ABSENT = "-"


@dataclass(frozen=True)
class Row:
    """One thing, as each of the two has it; `-` where it has none."""

    name: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        return self.a != self.b


@dataclass(frozen=True)
class Change:
    """One method, and what would make the first's source the second's, line by line."""

    name: str
    a: str  # where it is: "gantool/variants/gan.py:70"
    b: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Differences:
    """Of two variants, what the second has otherwise than the first."""

    a: str
    b: str
    kinship: str
    networks: tuple[Row, ...]
    players: tuple[Row, ...]
    settings: tuple[Row, ...]
    code: tuple[Change, ...]

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        rows = {name: [{"name": row.name, "a": row.a, "b": row.b} for row in getattr(self, name)]
                for name in ("networks", "players", "settings")}  # fmt: skip
        code = [{**vars(change), "lines": list(change.lines)} for change in self.code]
        return {"a": self.a, "b": self.b, "kinship": self.kinship, **rows, "code": code}

    def __repr__(self) -> str:
        return f"<{self.b} beside {self.a}: {len(self.settings)} settings, {len(self.code)} methods differ>"


def differences(names: tuple[str, str], classes: tuple[Any, Any]) -> Differences:
    one, other = (built(cls) for cls in classes)
    return Differences(
        *names, kinship(names, classes),
        tuple(beside(networks(one), networks(other))),
        tuple(beside(players(one), players(other))),
        tuple(row for row in beside(*(settings(schema_of(*pair)) for pair in zip(names, classes, strict=True)))
              if row.differs),
        tuple(changes(classes)),
    )  # fmt: skip


def beside(a: dict[str, str], b: dict[str, str]) -> Iterator[Row]:
    for name in dict.fromkeys([*a, *b]):
        yield Row(name, a.get(name, ABSENT), b.get(name, ABSENT))


def kinship(names: tuple[str, str], classes: tuple[Any, Any]) -> str:
    """What they have in common, as classes."""
    (a, b), (one, other) = names, classes
    if issubclass(other, one):
        return f"{b} extends {a}"
    if issubclass(one, other):
        return f"{a} extends {b}"
    shared = next(cls for cls in one.__mro__ if issubclass(other, cls))
    return f"both extend {shared.__module__}.{shared.__qualname__}"


def networks(found: Built) -> dict[str, str]:
    """Each network: its parameters and its layers, counted; and the data it is built for."""
    what = {"built for": found.spec.shown + (f", {len(found.spec.classes)} classes" if found.spec.classes else "")}
    if found.variant is None:
        return what | {"not built": found.why}
    children = dict(found.variant.named_children())
    counts = parameters_of(found.variant)
    return what | {name: f"{count:,}: {layers(children[name])}" if name in children else f"{count:,}"
                   for name, count in counts.items()}  # fmt: skip


def layers(network: nn.Module) -> str:
    """Linear x4, LeakyReLU x3, Tanh: those that are made of no others, in the order they are met."""
    kinds = Counter(type(layer).__name__ for layer in network.modules() if not list(layer.children()))
    return ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in kinds.items())


def players(found: Built) -> dict[str, str]:
    """Each player: its optimiser, and what it moves."""
    if found.variant is None:
        return {}
    owner = {id(weight): name.partition(".")[0] for name, weight in found.variant.named_parameters()}
    said = {}
    for name, optimizer in found.variant.players().items():
        groups = optimizer.param_groups
        moves = dict.fromkeys(owner.get(id(weight), "?") for group in groups for weight in group["params"])
        rates = dict.fromkeys(f"{group['lr']:g}" for group in groups)
        kind = type(optimizer).__name__.removeprefix("Fused")
        said[name] = f"{kind}, lr {' and '.join(rates)}, moves {', '.join(moves)}"
    return said


def settings(schema: Schema) -> dict[str, str]:
    """Each setting's default, in a person's words."""
    return {s.key: s.shown or "open" for s in schema.stored()}


def changes(classes: tuple[Any, Any]) -> Iterator[Change]:
    """Of the methods that are the game, those whose source is not the same."""
    one, other = classes
    names = ["players", "turns", *losses(one), *losses(other), *methods(one), *methods(other)]
    for name in dict.fromkeys(names):
        a, b = (where(cls, name) for cls in classes)
        if a == b or (a is None and b is None):
            continue
        (place, mine), (elsewhere, theirs) = a or ("", []), b or ("", [])
        edits = tuple(list(unified_diff(mine, theirs, lineterm="", n=2))[2:])
        if edits:
            yield Change(name, place, elsewhere, edits)


def methods(cls: Any) -> list[str]:
    """What the class itself, or those between it and Variant, say of how it plays."""
    return [name for name in GAME if any(name in vars(base) for base in cls.__mro__ if base is not Variant)]


def where(cls: Any, name: str) -> tuple[str, list[str]] | None:
    method = inspect.getattr_static(cls, name, None)
    if method is None:
        return None
    try:
        found = lines_of(getattr(method, "__func__", method))
    except Apart:
        return None
    return f"{found.place}:{found.first}", undocumented(found.text)


def undocumented(text: str) -> list[str]:
    """A function's lines without its docstring."""
    lines, (function, *_) = text.splitlines(), ast.parse(text).body
    first = function.body[0] if isinstance(function, ast.FunctionDef) else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        del lines[first.lineno - 1 : first.end_lineno]
    return lines
