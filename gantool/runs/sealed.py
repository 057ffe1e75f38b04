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
KINDS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64", torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.complex64: "C64",
}  # fmt: skip
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, SafetensorError)
OTHER = "Give another; `gantool runs` lists the runs, and `gantool resume RUN` makes a run's model anew."

Tree = Any  # dicts, lists, tuples, numbers, strings, None and tensors


class Damaged(UserError):
    """The file is not what was written."""


def save(path: Path, facts: dict[str, Any], state: Tree) -> None:
    Sealed(facts, state).write(path)


class Sealed:
    """A file to be, whose numbers are still where they were: as bytes they would be copied three times.

    `apart`, they are copied once, here: what they were of may change before they are written.
    """

    def __init__(self, facts: dict[str, Any], state: Tree, apart: bool = False) -> None:
        tensors: dict[str, Tensor] = {}
        skeleton = pack(state, "", tensors, apart)
        said = json.dumps({"sha256": BLANK, "format": FORMAT, "facts": facts, "state": skeleton})
        # As safetensors orders them: what is aligned best comes first, so that all are.
        tensors = dict(sorted(tensors.items(), key=lambda pair: (-pair[1].itemsize, pair[0])))
        self.head, self.body = head(tensors, said), [memory_of(tensor) for tensor in tensors.values()]

    def write(self, path: Path) -> None:
        _, end, spot = layout(self.head, path, sum(map(len, self.body)))
        digest = sha256(self.head, end, spot, *self.body)
        start, rest = self.head[:spot], self.head[spot + 64 :]
        files.write(path, lambda file: file.writelines((start, digest.encode(), rest, *self.body)))


def head(tensors: dict[str, Tensor], said: str) -> bytes:
    """The format's first bytes: a length, then JSON that says where each tensor's numbers are in what follows."""
    entries: dict[str, Any] = {"__metadata__": {"gantool": said}}
    at = 0
    for name, tensor in tensors.items():
        where = [at, at := at + tensor.nbytes]
        entries[name] = {"dtype": KINDS[tensor.dtype], "shape": list(tensor.shape), "data_offsets": where}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def memory_of(tensor: Tensor) -> memoryview:
    """Its numbers, as the bytes they are."""
    return memoryview(tensor.flatten().view(torch.uint8).numpy().data)


def load(path: Path) -> tuple[dict[str, Any], Tree]:
    """Facts and state, or Damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        start, end, spot = layout(data, path)
        if sha256(data[:end], end, spot, memoryview(data)[end:]).encode() != data[spot : spot + 64]:
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


def layout(data: bytes, path: Path, more: int = 0) -> tuple[int, int, int]:
    """Where the JSON header starts and ends, and where the digest stands in it; so many bytes come after these."""
    length = int.from_bytes(data[:8], "little")
    if length > min(header.LONGEST, len(data) + more - 8):
        raise Damaged(f"{path} is damaged: cut short, or not a safetensors file.", OTHER)
    mark = b'\\"sha256\\": \\"'
    spot = data.find(mark, 8, 8 + length)
    if spot < 0:
        raise Damaged(f"{path} was not written by gantool.", "Give a run's folder or its model.safetensors.")
    return 8, 8 + length, spot + len(mark)


def sha256(data: bytes, end: int, spot: int, *body: memoryview) -> str:
    """Of a header with its digest blank, and what comes after it."""
    digest = hashlib.sha256(data[:spot] + BLANK.encode() + data[spot + 64 : end])
    for part in body:
        digest.update(part)
    return digest.hexdigest()


def pack(tree: Tree, path: str, tensors: dict[str, Tensor], apart: bool) -> Any:
    """The tree as JSON can hold it; tensors go to `tensors` under their path."""
    match tree:
        case Tensor() if tree.dtype in KINDS:
            while path in tensors or path == "__metadata__":  # {"a.b": x} and {"a": {"b": y}} have one path
                path += "'"
            tensors[path] = tree.detach().to("cpu", copy=apart).contiguous()
            return {"tensor": path}
        case dict() if all(isinstance(k, str | int | float | None) for k in tree):
            return {"dict": [[k, pack(v, f"{path}.{k}".lstrip("."), tensors, apart)] for k, v in tree.items()]}
        case list() | tuple():
            items = [pack(v, f"{path}.{i}".lstrip("."), tensors, apart) for i, v in enumerate(tree)]
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
