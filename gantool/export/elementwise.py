"""Lowering of what is done number by number, of sums and their like, and of choices."""

import math
from typing import Any

import torch
from torch import Tensor

from gantool.export.moving import broadcast, gathered_from, permuted
from gantool.export.program import Call, Lower, Program, Value

MAPS = (
    "abs", "ceil", "cos", "erf", "exp", "floor", "log", "log1p", "logical_not", "mish", "neg", "reciprocal", "relu",
    "round", "rsqrt", "sigmoid", "sign", "silu", "sin", "softplus", "sqrt", "tanh", "trunc",
)  # fmt: skip
ZIPS = (
    "add", "div", "eq", "ge", "gt", "le", "logical_and", "logical_or", "lt", "maximum", "minimum", "mul", "ne", "pow",
    "sub",
)  # fmt: skip
REDUCED = {"amax": "max", "amin": "min", "any": "max", "mean": "mean", "prod": "prod", "sum": "sum", "var": "var",
           "std": "std"}  # fmt: skip
LARGE = 3e38


def mapped(p: Program, call: Call) -> Value:
    return p.emit("map", [call["self"]], call.shape, f=call.name)


def with_slopes(p: Program, call: Call) -> Value:
    x = call["self"]
    if call.name == "leaky_relu":
        return p.emit("map", [x], call.shape, f="leaky", u=float(call["negative_slope"]))
    if call.name == "elu":
        return p.emit("map", [x], call.shape, f="elu", u=float(call["alpha"]), v=float(call["scale"]))
    return p.emit("map", [x], call.shape, f="gelu_tanh" if call["approximate"] == "tanh" else "gelu")


def clamped(p: Program, call: Call) -> Value:
    low, high = (call["min_val"], call["max_val"]) if call.name == "hardtanh" else (call["min"], call["max"])
    if isinstance(low, Value | Tensor) or isinstance(high, Value | Tensor):
        raise call.refuse("clamps by tensors")
    u, v = -LARGE if low is None else float(low), LARGE if high is None else float(high)
    return p.emit("map", [call["self"]], call.shape, f="clamp", u=u, v=v)


def zipped(p: Program, call: Call) -> Value:
    x, y, alpha = call["self"], call["other"], call["alpha"]
    if call.name == "pow":
        y = call["exponent"] if call["exponent"] is not None else y
    if call["rounding_mode"]:
        raise call.refuse("divides with rounding")
    if alpha is not None and alpha != 1:
        y = both(p, "mul", y, alpha, y.shape) if isinstance(y, Value) else y * alpha
    if call.name == "rsub":
        return both(p, "sub", y, x, call.shape)
    return both(p, call.name, x, y, call.shape)


def both(p: Program, f: str, x: Any, y: Any, shape: tuple[int, ...]) -> Value:
    """f(x, y), number by number: of a value and a plain number, one of a map."""
    if isinstance(x, Value) and (n := plain(y)) is not None:
        return p.emit("map", [x], shape, f=f"{f}_by", u=n)
    if isinstance(y, Value) and (n := plain(x)) is not None:
        return p.emit("map", [y], shape, f=f"{f}_of", u=n)
    x, y = (broadcast(p, p.held(v), shape) for v in (x, y))
    return p.emit("zip", [x, y], shape, f=f)


def plain(x: Any) -> float | str | None:
    """A single number, as JSON can hold it; None for several."""
    if isinstance(x, Value) or (isinstance(x, Tensor) and x.numel() != 1):
        return None
    number = float(x)
    return number if math.isfinite(number) else "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"


def chosen(p: Program, call: Call) -> Value:
    parts = (v if isinstance(v, Value | Tensor) else torch.tensor(float(v)) for v in
             (call["condition"], call["self"], call["other"]))  # fmt: skip
    return p.emit("where", [broadcast(p, p.held(v), call.shape) for v in parts], call.shape)


def converted(p: Program, call: Call) -> Value:
    """Between number formats: only towards whole numbers anything is lost."""
    was, now = call.dtypes
    x: Value = call["self"]
    assert was is not None and now is not None
    if not was.is_floating_point or now.is_floating_point:
        return x
    if now == torch.bool:
        return p.emit("map", [x], call.shape, f="ne_by", u=0.0)
    return p.emit("map", [x], call.shape, f="trunc")


def reduced(p: Program, call: Call) -> Value:
    x: Value = call["self"]
    dims, n = call["dim"], len(x.shape)
    dims = list(range(n)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
    dims = sorted(d % n for d in dims)
    if dims != list(range(dims[0], dims[-1] + 1)):  # bring them together, at the end
        x = permuted(p, x, [d for d in range(n) if d not in dims] + dims)
        dims = list(range(n - len(dims), n))
    outer, k, inner = (math.prod(x.shape[a:b]) for a, b in around(dims[0], dims[-1] + 1))
    correction = 1 if call["correction"] is None else float(call["correction"])
    return p.emit("reduce", [x], call.shape, f=REDUCED[call.name], outer=outer, k=k, inner=inner, correction=correction)


def around(first: int, end: int) -> tuple[tuple[int, int | None], ...]:
    return (0, first), (first, end), (end, None)


def along(p: Program, call: Call) -> Value:
    """softmax and argmax."""
    x: Value = call["self"]
    dim = call["dim"]
    if dim is None:
        outer, k, inner = 1, x.size, 1
    else:
        d = dim % len(x.shape)
        outer, k, inner = (math.prod(x.shape[a:b]) for a, b in around(d, d + 1))
    kind = "argmax" if call.name == "argmax" else "softmax"
    return p.emit(kind, [x], call.shape, outer=outer, k=k, inner=inner)


def one_hot(p: Program, call: Call) -> Value:
    return p.emit("onehot", [call["self"]], call.shape, n=call.shape[-1])


def joined(p: Program, call: Call) -> Value:
    parts, d = [p.held(v) for v in call["tensors"]], call["dim"] % len(call.shape)
    if call.name == "stack":
        parts = [Value(v.id, (*v.shape[:d], 1, *v.shape[d:])) for v in parts]
    parts = [v for v in parts if v.size]
    sizes = [math.prod(v.shape[d:]) for v in parts]
    return p.emit("cat", parts, call.shape, outer=math.prod(call.shape[:d]), sizes=sizes)


def scattered(p: Program, call: Call) -> Value:
    """One value written into a part of another: where each number comes from is found by sending places through."""
    into, part = (p.held(call[name]) for name in ("self", "src"))
    both = p.emit("cat", [into, part], (into.size + part.size,), outer=1, sizes=[into.size, part.size])
    places = torch.arange(into.size + part.size, dtype=torch.float64)
    args = call.args | {"self": places[: into.size].view(into.shape), "src": places[into.size :].view(part.shape)}
    return gathered_from(p, both, call.target(**args).round().long(), 0.0)


LOWERED: dict[str, Lower] = {
    **dict.fromkeys(MAPS, mapped),
    **dict.fromkeys((*ZIPS, "rsub"), zipped),
    **dict.fromkeys(REDUCED, reduced),
    **dict.fromkeys(("leaky_relu", "elu", "gelu"), with_slopes),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), clamped),
    **dict.fromkeys(("_to_copy", "to", "type_as"), converted),
    **dict.fromkeys(("softmax", "_softmax", "argmax"), along),
    **dict.fromkeys(("cat", "stack"), joined),
    **dict.fromkeys(("slice_scatter", "select_scatter"), scattered),
    "where": chosen,
    "one_hot": one_hot,
}
