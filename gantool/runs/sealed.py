"""Checkpoints and model files: safetensors whose every byte is covered by a checksum. No pickle.

A sealed file is an ordinary .safetensors file with one metadata entry, `gantool`: JSON that holds the facts, a
skeleton of the state in which tensors are named, and the sha256 of the whole file with those 64 digits as zeros.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from gantool.errors import UserError, printable
from gantool.runs import header
from gantool.runtime import files

FORMAT = 1
BLANK = "0" * 64
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, SafetensorError)
OTHER = "Give another; `gantool runs` lists the runs, and `gantool resume RUN` makes a run's model anew."

Tree = Any  # dicts, lists, tuples, numbers, strings, None and tensors


class Damaged(UserError):
    """The file is not what was written."""


def save(path: Path, facts: dict[str, Any], state: Tree) -> None:
    tensors: dict[str, Tensor] = {}
    skeleton = pack(state, "", tensors, set())
    said = json.dumps({"sha256": BLANK, "format": FORMAT, "facts": facts, "state": skeleton})
    data = safetensors.torch.save(tensors, {"gantool": said})
    _, end, spot = layout(data, path)
    digest = sha256(data, end, spot)
    rest = memoryview(data)
    files.write(path, lambda file: file.writelines((rest[:spot], digest.encode(), rest[spot + 64 :])))


def load(path: Path) -> tuple[dict[str, Any], Tree]:
    """Facts and state, or Damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        start, end, spot = layout(data, path)
        if sha256(data, end, spot).encode() != data[spot : spot + 64]:
            raise Damaged(f"{path} is damaged: its checksum does not match.", OTHER)
        said = json.loads(json.loads(data[start:end])["__metadata__"]["gantool"])
        if (form := int(said["format"])) != FORMAT:
            made_by = re.fullmatch(r"\d[\w.]{0,30}", str(said["facts"].get("gantool")))
            older = f"pip install gantool=={made_by[0]}" if made_by else "Use the gantool that made it."
            hint = "pip install -U gantool" if form > FORMAT else older
            raise UserError(f"{path} has format {form}; this gantool reads {FORMAT}.", hint)
        tensors = safetensors.torch.load(data)
        return dict(said["facts"]), unpack(said["state"], tensors)
    except MALFORMED as error:
        why = printable(f"{type(error).__name__}: {error}"[:200])
        raise Damaged(f"{path} is damaged: {why}", OTHER) from None


def layout(data: bytes, path: Path) -> tuple[int, int, int]:
    """Where the JSON header starts and ends, and where the digest stands in it."""
    length = int.from_bytes(data[:8], "little")
    if length > min(header.LONGEST, len(data) - 8):
        raise Damaged(f"{path} is damaged: cut short, or not a safetensors file.", OTHER)
    mark = b'\\"sha256\\": \\"'
    spot = data.find(mark, 8, 8 + length)
    if spot < 0:
        raise Damaged(f"{path} was not written by gantool.", "Give a run's folder or its model.safetensors.")
    return 8, 8 + length, spot + len(mark)


def sha256(data: bytes, end: int, spot: int) -> str:
    digest = hashlib.sha256(data[:spot] + BLANK.encode() + data[spot + 64 : end])
    digest.update(memoryview(data)[end:])
    return digest.hexdigest()


def pack(tree: Tree, path: str, tensors: dict[str, Tensor], taken: set[int]) -> Any:
    """The tree as JSON can hold it; tensors go to `tensors` under their path."""
    match tree:
        case Tensor():
            while path in tensors or path == "__metadata__":  # {"a.b": x} and {"a": {"b": y}} have one path
                path += "'"
            # safetensors refuses tensors that share memory, as tied weights do.
            memory = tree.untyped_storage().data_ptr()
            tensors[path] = tree.detach().to("cpu", copy=memory in taken).contiguous()
            taken.add(memory)
            return {"tensor": path}
        case dict() if all(isinstance(k, str | int | float | None) for k in tree):
            return {"dict": [[k, pack(v, f"{path}.{k}".lstrip("."), tensors, taken)] for k, v in tree.items()]}
        case list() | tuple():
            items = [pack(v, f"{path}.{i}".lstrip("."), tensors, taken) for i, v in enumerate(tree)]
            return {"tuple" if isinstance(tree, tuple) else "list": items}
        case None | bool() | int() | float() | str():
            return tree
    raise TypeError(f"{path}: a {type(tree).__name__} cannot be saved; keep tensors and plain values, under plain keys")


def unpack(skeleton: Any, tensors: dict[str, Tensor]) -> Tree:
    if not isinstance(skeleton, dict):
        return skeleton
    ((kind, content),) = skeleton.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {key: unpack(value, tensors) for key, value in content}
        case "tuple":
            return tuple(unpack(value, tensors) for value in content)
        case "list":
            return [unpack(value, tensors) for value in content]
    raise ValueError(f"unknown kind {kind!r}")


def same(a: Tree, b: Tree) -> bool:
    """Whether two states are equal to the bit."""
    match a, b:
        case Tensor(), Tensor():
            alike = (a.dtype, a.shape) == (b.dtype, b.shape)
            return alike and torch.equal(*(t.detach().reshape(-1).contiguous().view(torch.uint8) for t in (a, b)))
        case dict(), dict():
            return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
        case (list(), list()) | (tuple(), tuple()):
            return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)
