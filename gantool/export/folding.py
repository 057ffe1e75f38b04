"""Makes a program shorter and exactly as it was: scales into weights beside them, activations into what they follow."""

import math
from collections import defaultdict

from torch import Tensor

from gantool.export.program import Op, Program

WEIGHTED = ("linear", "conv", "convt")
CLOSED = ("relu", "leaky", "tanh", "sigmoid", "clamp", "silu")  # activations done in place


def folded(p: Program) -> Program:
    while any(step(p) for step in (fold_affine, fold_activation, single_pixel)):
        pass
    return renumbered(p)


def readers(p: Program) -> dict[int, list[Op | None]]:
    """Who reads each value; None is whoever gets the image."""
    found = defaultdict[int, list[Op | None]](list)
    for op in p.ops:
        for value in op.inputs:
            found[value].append(op)
    found[p.output].append(None)
    return found


def drop(p: Program, op: Op, instead: int) -> None:
    """Take an operation out; who read what it made reads another value."""
    for other in p.ops:
        other.inputs = [instead if value == op.out else value for value in other.inputs]
    p.output = instead if p.output == op.out else p.output
    p.ops.remove(op)


def fold_affine(p: Program) -> bool:
    read, made_by = readers(p), {op.out: op for op in p.ops}
    for op in p.ops:
        if op.kind != "affine":
            continue
        before, after = made_by.get(op.inputs[0]), read[op.out]
        alone = len(read[op.inputs[0]]) == 1
        if before and alone and before.activation is None and "weight" in before.weights and into_former(p, before, op):
            drop(p, op, before.out)
            return True
        if len(after) == 1 and after[0] and after[0].kind == "linear" and into_next(p, op, after[0]):
            drop(p, op, op.inputs[0])
            return True
    return False


def into_former(p: Program, layer: Op, op: Op) -> bool:
    """Scale what the layer gives, by its weights."""
    if layer.kind not in WEIGHTED:
        return False
    scale, offset = (numbers(p, op, name) for name in ("scale", "offset"))
    weight, axis = p.weights[layer.weights["weight"]]
    w = weight.double()
    if layer.kind == "linear":
        n, each = layer.attrs["n"], op.attrs["inner"]
        if n != op.attrs["c"] * each or (layer.attrs["m"] != 1 and each != 1):
            return False
        scale, offset = scale.repeat_interleave(each), offset.repeat_interleave(each)
        w = w * scale[:, None]
    elif layer.kind == "conv":
        w = w * scale[:, None, None, None]
    else:
        groups = layer.attrs["groups"]
        w = (w.view(groups, -1, *w.shape[1:]) * scale.view(groups, 1, -1, 1, 1)).view(w.shape)
    bias = bias_of(p, layer)
    layer.weights["weight"] = p.weight(w, axis)
    layer.weights["bias"] = p.weight(offset if bias is None else bias * scale + offset)
    return True


def into_next(p: Program, op: Op, layer: Op) -> bool:
    """Scale what a linear layer reads, by its weights. Not a convolution: what it pads with is not scaled."""
    each = max(1, op.attrs["inner"])
    if layer.attrs["m"] != 1 or layer.attrs["k"] != op.attrs["c"] * each:
        return False
    scale, offset = (numbers(p, op, name).repeat_interleave(each) for name in ("scale", "offset"))
    weight, axis = p.weights[layer.weights["weight"]]
    w, bias = weight.double(), bias_of(p, layer)
    layer.weights["bias"] = p.weight(w @ offset if bias is None else bias + w @ offset)
    layer.weights["weight"] = p.weight(w * scale, axis)
    return True


def numbers(p: Program, op: Op, name: str) -> Tensor:
    return p.weights[op.weights[name]].numbers.double()


def bias_of(p: Program, layer: Op) -> Tensor | None:
    return numbers(p, layer, "bias") if "bias" in layer.weights else None


def fold_activation(p: Program) -> bool:
    read, made_by = readers(p), {op.out: op for op in p.ops}
    for op in p.ops:
        if op.kind != "map" or op.attrs["f"] not in CLOSED:
            continue
        before = made_by.get(op.inputs[0])
        foldable = before and before.activation is None and before.kind in (*WEIGHTED, "affine", "norm", "zip")
        if before and foldable and len(read[before.out]) == 1:
            before.activation = [op.attrs["f"], op.attrs.get("u", 0.0), op.attrs.get("v", 0.0)]
            drop(p, op, before.out)
            return True
    return False


def single_pixel(p: Program) -> bool:
    """A transposed convolution of a single pixel is a linear layer."""
    for op in p.ops:
        a = op.attrs
        if op.kind != "convt" or "weight" not in op.weights or a["groups"] != 1 or math.prod(a["hw"]) != 1:
            continue
        if a["padding"] != [0, 0] or a["out"] != a["ws"][2:]:
            continue
        w = p.weights[op.weights["weight"]].numbers
        bias = bias_of(p, op)
        op.kind, op.attrs = "linear", {"m": 1, "k": len(w), "n": w[0].numel()}
        op.weights["weight"] = p.weight(w.reshape(len(w), -1).T, 0)
        if bias is not None:
            op.weights["bias"] = p.weight(bias.repeat_interleave(math.prod(a["ws"][2:])))
        return True
    return False


def renumbered(p: Program) -> Program:
    """Without what nobody reads, and with equal weights once; values and weights numbered in their order."""
    live, kept = {p.output}, list[Op]()
    for op in reversed(p.ops):
        if op.out in live:
            kept.append(op)
            live |= set(op.inputs)
    found = Program()
    values, weights, seen = dict[int, int](), dict[int, int](), dict[tuple[bytes, object, object], int]()

    def value(old: int) -> int:
        if old not in values:
            values[old] = found.value(p.shapes[old]).id
        return values[old]

    def weight(old: int) -> int:
        numbers, axis = p.weights[old]
        first = seen.setdefault((numbers.numpy().tobytes(), tuple(numbers.shape), axis), old)
        if first not in weights:
            weights[first] = found.weight(*p.weights[first])
        return weights[first]

    found.inputs = [value(i) for i in p.inputs]
    for op in reversed(kept):
        inputs = [value(i) for i in op.inputs]
        held = {name: weight(w) for name, w in sorted(op.weights.items())}
        found.ops.append(Op(op.kind, inputs, value(op.out), held, op.attrs, op.activation))
    found.output = value(p.output)
    return found
