"""A program as JSON and bytes: weights in fp32, in fp16, or in int8 with a scale for each output channel."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gantool.export.program import Op, Program, Weight

Precision = Literal["fp32", "fp16", "int8"]
FEW = 4_096  # numbers of a bias or the like, which stay fp32
LEAST = 256  # numbers that are worth scales of their own
LARGEST = 65_000.0  # in fp16, infinity is near


class Packed(NamedTuple):
    """`program` can be written as JSON; `blob` has the weights it points into."""

    program: dict[str, Any]
    blob: bytes


def packed(p: Program, precision: Precision) -> Packed:
    blob, table = bytearray(), []
    for weight in p.weights:
        blob.extend(b"\0" * (-len(blob) % 4))
        row, data = stored(weight, precision)
        table.append([row[0], len(blob), *row[1:]])
        blob.extend(data)
    program = {
        "inputs": p.inputs, "output": p.output, "shapes": [list(shape) for shape in p.shapes],
        "ops": [plain(op) for op in p.ops], "weights": table,
    }  # fmt: skip
    return Packed(program, bytes(blob))


def plain(op: Op) -> dict[str, Any]:
    found = {"op": op.kind, "in": op.inputs, "to": op.out, **op.attrs}
    if op.weights:
        found["w"] = op.weights
    if op.activation:
        found["act"] = op.activation
    return found


def stored(weight: Weight, precision: Precision) -> tuple[list[Any], bytes]:
    """[format, count, and of int8 how many scales, and how many numbers share one in a row], and the bytes."""
    array = weight.numbers.numpy()
    kind: str = precision
    if precision == "int8" and (weight.axis is None or array.ndim < 2 or array.size < LEAST):
        kind = "fp16"
    if kind == "fp16" and ((weight.axis is None and array.size <= FEW) or np.abs(array).max(initial=0) > LARGEST):
        kind = "fp32"
    if kind == "int8":
        assert weight.axis is not None
        scales, whole = quantised(array, weight.axis)
        inner = math.prod(array.shape[weight.axis + 1 :])
        return ["int8", array.size, array.shape[weight.axis], inner], scales.tobytes() + whole.tobytes()
    return [kind, array.size], array.astype("<f4" if kind == "fp32" else "<f2").tobytes()


def quantised(array: NDArray[np.float32], axis: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Whole numbers from -127 to 127, in the array's own order, and what one is worth along the axis."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = np.asarray(np.abs(array).max(axis=others) / 127, dtype="<f4")
    scales[scales == 0] = 1
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    whole = np.clip(np.rint(array / scales.reshape(shape)), -127, 127).astype(np.int8)
    return scales, np.ascontiguousarray(whole)


def rounded(p: Program, precision: Precision) -> Program:
    """The same program with the weights that a page would read: to see what their format costs."""
    found = Program()
    found.ops, found.shapes, found.inputs, found.output = p.ops, p.shapes, p.inputs, p.output
    for weight in p.weights:
        row, data = stored(weight, precision)
        found.weights.append(Weight(torch.tensor(read(row, data, weight.numbers.shape)), weight.axis))
    return found


def read(row: list[Any], data: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if row[0] != "int8":
        flat = np.frombuffer(data, "<f4" if row[0] == "fp32" else "<f2").astype(np.float32)
        return flat.reshape(shape)
    _, n, count, inner = row
    scales = np.frombuffer(data, "<f4", count)
    whole = np.frombuffer(data, np.int8, n, offset=4 * count).astype(np.float32)
    found: NDArray[np.float32] = (whole * scales[(np.arange(n) // inner) % count]).astype(np.float32)
    return found.reshape(shape)
