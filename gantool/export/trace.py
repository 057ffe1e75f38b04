"""Follows a function of tensors by torch.export, without strictness, at batch 1; what it cannot do is named."""

import logging
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import TorchDispatchMode

from gantool.export.program import Refused

# Operations that stay whole; all others are taken apart by torch into smaller ones.
KEPT = (
    "linear", "conv1d", "conv2d", "conv2d.padding", "conv_transpose1d", "conv_transpose2d.input", "batch_norm",
    "instance_norm", "group_norm", "layer_norm", "pixel_shuffle", "pixel_unshuffle", "prelu", "silu", "softplus",
    "softmax.int", "matmul", "one_hot", "pad", "upsample_nearest2d.vec", "upsample_bilinear2d.vec",
    "upsample_bicubic2d.vec", "_upsample_bicubic2d_aa.vec", "_upsample_bilinear2d_aa.vec", "avg_pool2d",
    "adaptive_avg_pool2d", "dropout", "flatten.using_ints", "unflatten.int", "embedding", "leaky_relu", "gelu", "elu",
    "hardtanh", "channel_shuffle", "repeat", "reshape", "mish",
)  # fmt: skip
TORCH = str(Path(torch.__file__).parent)
HERE = str(Path(__file__).parent)


def traced(module: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    """The program of torch's own operations; a Refused says which line stood in the way."""
    with quiet(), torch.no_grad():
        try:
            return torch.export.export(module.eval(), inputs, strict=False)
        except Refused:
            raise
        except Exception as error:  # torch has dozens of kinds, and most mean one of these two
            raise Refused(reason(error), line_of(error)) from error


def decomposed(program: ExportedProgram) -> ExportedProgram:
    table = torch.export.default_decompositions()
    for name in KEPT:
        packet, _, overload = name.partition(".")
        op = getattr(getattr(torch.ops.aten, packet, None), overload or "default", None)
        if op is not None and op in table:
            del table[op]
    with quiet(), torch.no_grad():
        found: ExportedProgram = program.run_decompositions(table)
    return found


def reason(error: BaseException) -> str:
    said = f"{type(error).__name__} {error}"
    if "DataDependent" in said or "data-dependent" in said or "unbacked" in said or ".item()" in said:
        return "branches on a value"
    if "requires_grad" in said or "does not require grad" in said or "autograd" in said.lower():
        return "trains while it draws"
    cause = error.__cause__ or error
    words = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(str(cause).split()))
    return f"cannot be followed: {words[:120] or type(cause).__name__}"


def line_of(error: BaseException) -> str:
    """The last line of other people's code that led there."""
    return last_of_theirs(traceback.extract_tb(error.__traceback__))


def last_of_theirs(frames: traceback.StackSummary) -> str:
    own = [frame for frame in frames if not frame.filename.startswith((TORCH, HERE, "<"))]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line}" if own else ""


class Located(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Watches an operation go by, and keeps the last line of other people's code that asked for it."""

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name, self.line = name, ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._opname == self.name and not self.line:
            self.line = last_of_theirs(traceback.extract_stack())
        return func(*args, **(kwargs or {}))


def line_of_operation(module: nn.Module, inputs: tuple[Tensor, ...], name: str) -> str:
    """Where it is called from, when the module runs."""
    watch = Located(name)
    with torch.no_grad(), watch, suppress(Exception):
        module(*inputs)
    return str(watch.line)


@contextmanager
def quiet() -> Iterator[None]:
    """Torch tells of itself while it exports; what matters is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
