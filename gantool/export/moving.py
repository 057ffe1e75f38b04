"""Lowering of what only moves numbers, found by sending 0, 1, 2... through it; and of what resizes, by unit vectors."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from gantool.export.program import Call, Lower, Program, Value

MOVES = (
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose", "t",
    "numpy_T", "expand", "repeat", "slice", "select", "split", "split_with_sizes", "chunk", "unbind", "flip", "roll",
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
    "pixel_shuffle", "pixel_unshuffle", "upsample_nearest2d", "_upsample_nearest_exact2d", "channel_shuffle",
    "movedim", "unfold", "as_strided", "index_select", "narrow", "tile", "rot90", "diagonal",
)  # fmt: skip
RESIZES = (
    "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa", "avg_pool2d",
    "adaptive_avg_pool2d", "_adaptive_avg_pool2d",
)  # fmt: skip
NOWHERE = -(2**40)
SMALL = 1e-12  # a weight of a resize below which there is none


def moved(p: Program, call: Call) -> Any:
    name = first(call)
    x, args, fill = call[name], dict(call.args), 0.0
    if call.name in ("pad", "constant_pad_nd") and args.get("mode", "constant") == "constant":
        fill, args["value"] = float(args["value"] or 0.0), 0.0
    if any(isinstance(v, Value) for other, v in args.items() if other != name):
        raise call.refuse("moves numbers by numbers")
    places = torch.arange(1, x.size + 1, dtype=torch.float64).view(x.shape)
    got = call.target(**(args | {name: places}))
    found = [gathered_from(p, x, g.round().long() - 1, fill) for g in (got if isinstance(got, list | tuple) else [got])]
    return found if isinstance(got, list | tuple) else found[0]


def first(call: Call) -> str:
    """The name by which an operator is given what it moves."""
    return "self" if isinstance(call["self"], Value) else "input"


def indexed(p: Program, call: Call) -> Value:
    """table[index], of a table that is known; or a value by an index that is."""
    x, indices = call["self"], call["indices"]
    if isinstance(x, Tensor) and len(indices) == 1:
        return rows(p, x, indices[0], call.shape)
    if any(isinstance(i, Value) for i in indices):
        raise call.refuse("moves numbers by numbers")
    places = torch.arange(x.size, dtype=torch.float64).view(x.shape)
    return gathered_from(p, x, call.target(places, indices).long(), 0.0)


def embedded(p: Program, call: Call) -> Value:
    if isinstance(call["weight"], Value):
        raise call.refuse("looks up rows of a table that depends on its inputs")
    return rows(p, call["weight"], call["indices"], call.shape)


def rows(p: Program, table: Tensor, index: Value, shape: Sequence[int]) -> Value:
    axis = 0 if table.is_floating_point() else None  # whole numbers stay whole
    return p.emit("rows", [index], shape, {"table": (table, axis)}, size=table[0].numel(), n=len(table))


def copied(p: Program, call: Call) -> Value:
    return broadcast(p, p.held(call["src"]), call.shape)


def broadcast(p: Program, x: Value, shape: Sequence[int]) -> Value:
    if x.shape == tuple(shape):
        return x
    return gathered_from(p, x, torch.arange(x.size).view(x.shape).expand(tuple(shape)), 0.0)


def permuted(p: Program, x: Value, order: Sequence[int]) -> Value:
    return gathered_from(p, x, torch.arange(x.size).view(x.shape).permute(tuple(order)), 0.0)


def gathered_from(p: Program, x: Value, index: Tensor, fill: float) -> Value:
    """Each place of the result takes its number from a place of x, or is filled (-1)."""
    index, shape = index.contiguous(), tuple(index.shape)
    if index.numel() == x.size and torch.equal(index.flatten(), torch.arange(x.size)):
        return Value(x.id, shape)  # another shape, and nothing more
    if not (index >= 0).any():
        return p.constant(torch.full(shape, fill))
    if (tables := separated(index)) is not None:
        return p.emit("move", [x], shape, tables=[shortened(t) for t in merged(tables)], fill=fill)
    return p.emit("take", [x], shape, index=index.flatten().tolist(), fill=fill)


def separated(index: Tensor) -> list[list[int | None]] | None:
    """One table for each axis, whose entries add up to every index; None where there are none such."""
    if not index.dim():
        return None
    centre = tuple(int(i) for i in (index >= 0).nonzero()[0])
    base, tables, total = int(index[centre]), [], torch.zeros((), dtype=torch.int64)
    for axis, n in enumerate(index.shape):
        line = index[tuple(slice(None) if a == axis else i for a, i in enumerate(centre))]
        table = torch.where(line < 0, torch.tensor(NOWHERE), line - base)
        total = total + table.view([n if a == axis else 1 for a in range(index.dim())])
        tables.append(table)
    total = total + base
    if not torch.equal(torch.where(total < NOWHERE // 2, torch.tensor(-1), total), index):
        return None
    tables[0] = torch.where(tables[0] < NOWHERE // 2, tables[0], tables[0] + base)
    return [[None if v < NOWHERE // 2 else v for v in table.tolist()] for table in tables]


def merged(tables: list[list[int | None]]) -> list[list[int | None]]:
    """Axes that move as one are one."""
    found: list[list[int | None]] = []
    for i, table in enumerate(tables):
        if len(table) == 1 and i:  # it adds 0
            continue
        found.append(table)
        while len(found) > 1 and (together := product(found[-2], found[-1])):
            found[-2:] = [together]
    return found


def product(outer: list[int | None], inner: list[int | None]) -> list[int | None]:
    """Two axes as one, where its steps are as even; nothing where they are not."""
    a, b = stride(outer), stride(inner)
    if a is None or b is None or (len(outer) > 1 and a != b * len(inner)):
        return []
    return [(u or 0) + (v or 0) for u in outer for v in inner]


def stride(table: list[int | None]) -> int | None:
    """The step from each entry to the next, if that is one; 0 of a single entry."""
    if None in table:
        return None
    numbers = [v for v in table if v is not None]
    steps = {b - a for a, b in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else None if steps else 0


def shortened(table: list[int | None]) -> list[int | None] | dict[str, int | None]:
    """A table of even steps, by its start, its step and its length."""
    step = stride(table)
    return table if step is None or len(table) < 4 else {"start": table[0], "step": step, "length": len(table)}


def resized(p: Program, call: Call) -> Value:
    """A linear map of rows, then one of columns: f(u v') = (A u)(B v)'."""
    name = first(call)
    x: Value = call[name]
    _, c, h, w = x.shape

    def f(image: Tensor) -> Tensor:
        made: Tensor = call.target(**(call.args | {name: image[None, None]}))
        return made[0, 0]

    whole = f(torch.ones(h, w, dtype=torch.float64))
    i, j = divmod(int(whole.abs().argmax()), whole.shape[1])
    of_rows, of_columns = torch.eye(h, dtype=torch.float64), torch.eye(w, dtype=torch.float64)
    down = torch.stack([f(row[:, None].expand(h, w))[:, j] for row in of_rows], 1)
    across = torch.stack([f(column.expand(h, w))[i] for column in of_columns], 1) / whole[i, j]
    trial = torch.randn(h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if not torch.allclose(f(trial), down @ trial @ across.T, atol=1e-6):
        raise call.refuse("resizes otherwise than by rows and by columns")
    return p.emit("resize", [x], (1, c, len(down), len(across)), c=c, ih=h, iw=w, rows=taps(down), columns=taps(across))


def taps(matrix: Tensor) -> list[list[float]]:
    """Of each row: where its numbers that are not 0 begin, and these."""
    found = []
    for row in matrix:
        at = (row.abs() > SMALL).nonzero().flatten().tolist() or [0]
        found.append([at[0], *(float(f"{v:.9g}") for v in row[at[0] : at[-1] + 1].tolist())])
    return found


LOWERED: dict[str, Lower] = {
    **dict.fromkeys(MOVES, moved),
    **dict.fromkeys(RESIZES, resized),
    "index": indexed,
    "embedding": embedded,
    "copy": copied,
}
