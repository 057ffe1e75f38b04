"""Lowering of layers with weights: products, convolutions and norms."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantool.export.elementwise import both
from gantool.export.moving import broadcast
from gantool.export.program import Call, Lower, Program, Value


def linear(p: Program, call: Call) -> Value:
    x, w = p.held(call["input"]), call["weight"]
    if isinstance(w, Value) or isinstance(call["bias"], Value):
        raise call.refuse("has a linear layer whose weights depend on its inputs")
    weights: dict[str, tuple[Tensor | None, int | None]] = {"weight": (w, 0), "bias": (call["bias"], None)}
    return p.emit("linear", [x], call.shape, weights, m=math.prod(x.shape[:-1]), k=x.shape[-1], n=len(w))


def product(p: Program, call: Call) -> Value:
    names = ("mat1", "mat2") if call.name == "addmm" else ("batch1", "batch2") if call.name == "baddbmm" else None
    names = names or ("self", next(n for n in ("mat2", "other", "vec") if call[n] is not None))
    a, b = (p.held(call[name]) for name in names)
    a = Value(a.id, (1, *a.shape)) if len(a.shape) == 1 else a
    b = Value(b.id, (*b.shape, 1)) if len(b.shape) == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (broadcast(p, v, (*batch, *v.shape[-2:])) for v in (a, b))
    m, k, n = *a.shape[-2:], b.shape[-1]
    out = p.emit("matmul", [a, b], call.shape, batch=math.prod(batch), m=m, k=k, n=n)
    if call.name not in ("addmm", "baddbmm"):
        return out
    if call["alpha"] not in (None, 1) or call["beta"] not in (None, 1):
        raise call.refuse("weighs the parts of a product")
    return both(p, "add", out, call["self"], call.shape)


def pair(x: Any, default: int) -> list[int]:
    """Of one number for both sides, two."""
    if x is None or x == []:
        return [default, default]
    return [int(v) for v in (x if isinstance(x, list | tuple) and len(x) == 2 else [first(x), first(x)])]


def first(x: Any) -> Any:
    return x[0] if isinstance(x, list | tuple) else x


def convolution(p: Program, call: Call) -> Value:
    x, w, bias = p.held(call["input"]), call["weight"], call["bias"]
    transposed = call.name.startswith("conv_transpose") or bool(call["transposed"])
    if isinstance(bias, Value):
        raise call.refuse("has a convolution whose bias depends on its inputs")
    if len(x.shape) == 3 or len(w.shape) == 3:
        raise call.refuse("uses a convolution of lines, which pages do not know")
    stride, dilation, groups = pair(call["stride"], 1), pair(call["dilation"], 1), int(call["groups"])
    padding = call["padding"]
    if isinstance(padding, str):
        sides = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
        if padding != "valid" and (stride != [1, 1] or any(side % 2 for side in sides)):
            raise call.refuse("pads a convolution unevenly")
        padding = [0, 0] if padding == "valid" else [side // 2 for side in sides]
    weights: dict[str, tuple[Tensor | None, int | None]] = {"bias": (bias, None)}
    inputs = [x]
    if isinstance(w, Value):
        inputs.append(w)
    else:
        weights["weight"] = (w, 1 if transposed and groups == 1 else 0)
    return p.emit(
        "convt" if transposed else "conv", inputs, call.shape, weights, stride=stride, padding=pair(padding, 0),
        dilation=dilation, groups=groups, ws=list(w.shape), hw=list(x.shape[2:]), out=list(call.shape[2:]),
    )  # fmt: skip


def scaled(p: Program, x: Value, scale: Tensor | None, offset: Tensor | None) -> Value:
    """Each channel times a number, plus another."""
    if scale is None and offset is None:
        return x
    c = x.shape[1]
    s = torch.ones(c).double() if scale is None else scale.double()
    t = torch.zeros(c).double() if offset is None else offset.double()
    weights: dict[str, tuple[Tensor | None, int | None]] = {"scale": (s, None), "offset": (t, None)}
    return p.emit("affine", [x], x.shape, weights, c=c, inner=math.prod(x.shape[2:]))


def batch_norm(p: Program, call: Call) -> Any:
    x, mean, var = call["input"], call["running_mean"], call["running_var"]
    if call["training"] or mean is None:
        raise call.refuse("has batch norm that mixes images")
    s: Tensor = (var.double() + call["eps"]).rsqrt()
    s = s if call["weight"] is None else s * call["weight"].double()
    t = -mean.double() * s
    out = scaled(p, x, s, t if call["bias"] is None else t + call["bias"].double())
    return out if call.name == "batch_norm" else [out, None, None]


def instance_norm(p: Program, call: Call) -> Any:
    x = call["input"]
    if call.name == "instance_norm" and not call["use_input_stats"]:
        raise call.refuse("has instance norm with kept statistics")
    if call.name != "instance_norm" and len(x.shape) < 3:
        raise call.refuse("has batch norm that mixes images")
    groups = x.shape[0] * x.shape[1]
    out = p.emit("norm", [x], x.shape, groups=groups, size=x.size // groups, eps=call["eps"])
    out = scaled(p, out, call["weight"], call["bias"])
    return out if call.name == "instance_norm" else [out, None, None]


def group_norm(p: Program, call: Call) -> Value:
    x, groups = call["input"], call["num_groups"]
    out = p.emit("norm", [x], x.shape, groups=groups, size=x.size // groups, eps=call["eps"])
    return scaled(p, out, call["weight"], call["bias"])


def layer_norm(p: Program, call: Call) -> Value:
    x, size = call["input"], math.prod(call["normalized_shape"])
    out = p.emit("norm", [x], x.shape, groups=x.size // size, size=size, eps=call["eps"])
    for f, weight in (("mul", call["weight"]), ("add", call["bias"])):
        out = out if weight is None else both(p, f, out, weight, x.shape)
    return out


def prelu(p: Program, call: Call) -> Value:
    x, w = call["self"], call["weight"]
    c = x.shape[1] if len(x.shape) > 1 else 1
    slopes = w.expand(c) if w.numel() == 1 else w
    return p.emit("prelu", [x], call.shape, {"slopes": (slopes, None)}, c=c, inner=math.prod(x.shape[2:]))


LOWERED: dict[str, Lower] = {
    **dict.fromkeys(("addmm", "mm", "matmul", "bmm", "mv", "baddbmm"), product),
    **dict.fromkeys(("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "convolution"), convolution),
    **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), batch_norm),
    **dict.fromkeys(("instance_norm", "_native_batch_norm_legit"), instance_norm),
    "linear": linear,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "prelu": prelu,
}
