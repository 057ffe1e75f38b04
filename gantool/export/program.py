"""A traced generator as a flat list of operations on arrays of fixed shape, an image at a time; and their weights."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gantool.errors import UserError

KINDS = (
    "affine", "argmax", "cat", "const", "conv", "convt", "linear", "map", "matmul", "move", "norm", "onehot", "prelu",
    "reduce", "resize", "rows", "softmax", "take", "where", "zip",
)  # fmt: skip


class Refused(UserError):
    """What cannot be exported, and which operation or line of it."""

    def __init__(self, why: str, where: str = "", operation: str = "") -> None:
        hint = "Its author can say what to export: see Variant.exported in docs/plugins.md."
        super().__init__(f"This cannot be exported: it {why}{f' ({where})' if where else ''}.", hint)
        self.why, self.operation = why, operation


class Value(NamedTuple):
    """An array of the program, by its number."""

    id: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Weight(NamedTuple):
    """Numbers that are known; `axis` is the one along which int8 has a scale for each, None: never in int8."""

    numbers: Tensor
    axis: int | None


@dataclass(eq=False)
class Op:
    """One operation: the values it reads, the one it makes, its weights by name, and its plain numbers."""

    kind: str
    inputs: list[int]
    out: int
    weights: dict[str, int] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    activation: list[Any] | None = None  # [function, u, v], done in place on what it makes


class Program:
    """Inputs first; each operation reads what stands before it."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.weights: list[Weight] = []
        self.shapes: list[tuple[int, ...]] = []
        self.inputs: list[int] = []
        self.output = 0

    def value(self, shape: Sequence[int]) -> Value:
        self.shapes.append(tuple(int(side) for side in shape))
        return Value(len(self.shapes) - 1, self.shapes[-1])

    def weight(self, numbers: Tensor, axis: int | None = None) -> int:
        self.weights.append(Weight(numbers.detach().to("cpu", torch.float32).contiguous(), axis))
        return len(self.weights) - 1

    def emit(
        self, kind: str, inputs: Sequence[Value], shape: Sequence[int],
        weights: dict[str, tuple[Tensor | None, int | None]] | None = None, **attrs: Any,
    ) -> Value:  # fmt: skip
        """One more operation, and the value that it makes."""
        out = self.value(shape)
        held = {name: self.weight(t, axis) for name, (t, axis) in (weights or {}).items() if t is not None}
        self.ops.append(Op(kind, [value.id for value in inputs], out.id, held, attrs))
        return out

    def constant(self, numbers: Tensor) -> Value:
        return self.emit("const", [], numbers.shape, {"numbers": (numbers.float(), None)})

    def held(self, known: "Value | Tensor") -> Value:
        """It, as a value: what is known already becomes a constant."""
        return known if isinstance(known, Value) else self.constant(known)


@dataclass(frozen=True, eq=False)
class Call:
    """A traced call: its operator's arguments by the operator's own names; tensors are values, or known numbers."""

    name: str
    target: Any
    args: dict[str, Any]
    shape: Any  # of what it gives; a list of shapes where it gives several
    dtypes: tuple[torch.dtype | None, torch.dtype | None] = (None, None)  # of its first tensor, of what it gives

    def __getitem__(self, name: str) -> Any:
        return self.args.get(name)

    def refuse(self, why: str) -> Refused:
        return Refused(why, operation=self.name)


Lower = Callable[[Program, Call], Any]  # a call as operations, and the value that they make
