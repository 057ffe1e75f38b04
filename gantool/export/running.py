"""Runs a program in torch, operation by operation: what the page's own runtime is to do, said once more."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gantool.export.program import Op, Program

Arrays = Sequence[Tensor]
Maps = dict[str, Callable[..., Tensor]]

ZIPS: Maps = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
    "minimum": torch.minimum, "pow": torch.pow, "gt": torch.gt, "lt": torch.lt, "ge": torch.ge, "le": torch.le,
    "eq": torch.eq, "ne": torch.ne, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
}  # fmt: skip
MAPS: Maps = {
    "leaky": lambda x, u, v: F.leaky_relu(x, u), "clamp": lambda x, u, v: x.clamp(u, v),
    "elu": lambda x, u, v: torch.where(x > 0, x, u * x.expm1()) * v, "gelu": lambda x, u, v: F.gelu(x),
    "gelu_tanh": lambda x, u, v: F.gelu(x, approximate="tanh"), "silu": lambda x, u, v: F.silu(x),
    "softplus": lambda x, u, v: F.softplus(x), "mish": lambda x, u, v: F.mish(x), "relu": lambda x, u, v: F.relu(x),
}  # fmt: skip


def run(p: Program, inputs: Sequence[Tensor]) -> Tensor:
    """The image of one image's inputs."""
    values: list[Tensor] = [torch.empty(0)] * len(p.shapes)
    for i, x in zip(p.inputs, inputs, strict=True):
        values[i] = x.to(torch.float32).flatten()
    for op in p.ops:
        weights = {name: p.weights[w].numbers for name, w in op.weights.items()}
        made = OPS[op.kind](op, [values[i] for i in op.inputs], weights, p.shapes[op.out])
        if op.activation:
            name, u, v = op.activation
            made = mapping(name)(made.float(), float(u), float(v))
        values[op.out] = made.to(torch.float32).flatten()
    return values[p.output].view(p.shapes[p.output])


def mapping(name: str) -> Callable[..., Tensor]:
    if name in MAPS:
        return MAPS[name]
    base, _, side = name.rpartition("_")
    if side in ("by", "of"):
        f = ZIPS[base]
        return lambda x, u, v: f(*((x, torch.tensor(u)) if side == "by" else (torch.tensor(u), x)))
    plain = getattr(torch, name)
    return lambda x, u, v: plain(x)


def mapped(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return mapping(op.attrs["f"])(x[0], float(op.attrs.get("u", 0)), float(op.attrs.get("v", 0)))


def linear(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return F.linear(x[0].view(op.attrs["m"], op.attrs["k"]), w["weight"], w.get("bias"))


def matmul(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    a = op.attrs
    return x[0].view(a["batch"], a["m"], a["k"]) @ x[1].view(a["batch"], a["k"], a["n"])


def conv(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    a = op.attrs
    kernel = w["weight"] if "weight" in w else x[1].view(a["ws"])
    image = x[0].view(1, -1, *a["hw"])
    if op.kind == "conv":
        return F.conv2d(image, kernel, w.get("bias"), a["stride"], a["padding"], a["dilation"], a["groups"])
    size = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, s, p, d, k in zip(a["hw"], a["stride"], a["padding"], a["dilation"], a["ws"][2:], strict=True)
    ]
    extra = [o - n for o, n in zip(a["out"], size, strict=True)]
    return F.conv_transpose2d(
        image, kernel, w.get("bias"), a["stride"], a["padding"], extra, a["groups"], a["dilation"]
    )


def affine(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return x[0].view(-1, op.attrs["c"], op.attrs["inner"]) * w["scale"][:, None] + w["offset"][:, None]


def prelu(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    rows = x[0].view(-1, op.attrs["c"], op.attrs["inner"])
    return torch.where(rows > 0, rows, rows * w["slopes"][:, None])


def norm(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    rows = x[0].view(op.attrs["groups"], -1)
    return F.layer_norm(rows, rows.shape[1:], eps=op.attrs["eps"])


def zipped(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return ZIPS[op.attrs["f"]](x[0], x[1])


def where(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return torch.where(x[0] != 0, x[1], x[2])


def cat(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return torch.cat([part.view(op.attrs["outer"], -1) for part in x], 1)


def take(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    index = torch.tensor(op.attrs["index"])
    return torch.where(index < 0, torch.tensor(op.attrs["fill"]), x[0][index.clamp(min=0)])


def move(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    at = torch.zeros(1, dtype=torch.int64)
    for table in op.attrs["tables"]:
        if isinstance(table, dict):
            table = [table["start"] + i * table["step"] for i in range(table["length"])]
        entries = torch.tensor([-(2**40) if v is None else v for v in table])
        at = (at[:, None] + entries).flatten()
    return torch.where(at < 0, torch.tensor(op.attrs["fill"]), x[0][at.clamp(min=0)])


def resize(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    a = op.attrs
    down, across = dense(a["rows"], a["ih"]), dense(a["columns"], a["iw"])
    return down @ x[0].view(a["c"], a["ih"], a["iw"]) @ across.T


def dense(taps: list[list[float]], n: int) -> Tensor:
    matrix = torch.zeros(len(taps), n)
    for row, (start, *numbers) in zip(matrix, taps, strict=True):
        row[int(start) : int(start) + len(numbers)] = torch.tensor(numbers)
    return matrix


def reduce(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    rows, f = x[0].view(op.attrs["outer"], op.attrs["k"], op.attrs["inner"]), op.attrs["f"]
    if f in ("var", "std"):
        found: Tensor = getattr(torch, f)(rows, 1, correction=op.attrs["correction"])
        return found
    made: Tensor = getattr(torch, {"max": "amax", "min": "amin"}.get(f, f))(rows, 1)
    return made


def along(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    rows = x[0].view(op.attrs["outer"], op.attrs["k"], op.attrs["inner"])
    return rows.argmax(1) if op.kind == "argmax" else rows.softmax(1)


def onehot(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return F.one_hot(x[0].long(), op.attrs["n"])


def rows(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    return w["table"].reshape(op.attrs["n"], -1)[x[0].long()]


def const(op: Op, x: Arrays, w: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    assert w["numbers"].numel() == math.prod(shape)
    return w["numbers"]


OPS: dict[str, Callable[[Op, Any, dict[str, Tensor], tuple[int, ...]], Tensor]] = {
    "affine": affine, "argmax": along, "cat": cat, "const": const, "conv": conv, "convt": conv, "linear": linear,
    "map": mapped, "matmul": matmul, "move": move, "norm": norm, "onehot": onehot, "prelu": prelu, "reduce": reduce,
    "resize": resize, "rows": rows, "softmax": along, "take": take, "where": where, "zip": zipped,
}  # fmt: skip
