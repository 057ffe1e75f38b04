"""S2: model files and checkpoints made to do harm, each with a right checksum, are refused at little cost."""

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attempts import outcomes
from spawned import VARIANTS

Json = Any
ESCAPE = "\x1b[2J\x1b]0;owned\x07\r\nall is well\n"
BLANK = "0" * 64


class File:
    """A sealed file taken apart, to be put together otherwise."""

    def __init__(self, data: bytes) -> None:
        length = struct.unpack("<Q", data[:8])[0]
        self.header: Json = json.loads(data[8 : 8 + length])
        self.inner: Json = json.loads(self.header["__metadata__"]["gantool"])
        self.body = data[8 + length :]
        self.facts: Json = self.inner["facts"]
        self.text: str | None = None  # the inner JSON, where it is to be another than `inner`
        self.raw: bytes | None = None  # the header, likewise
        self.length: int | None = None

    @property
    def state(self) -> Json:
        return self.inner["state"]

    def tensor(self, number: int = 0) -> Json:
        return [value for key, value in self.header.items() if key != "__metadata__"][number]

    def sealed(self) -> bytes:
        text = self.text or json.dumps(self.inner | {"sha256": BLANK})
        if not text.startswith('{"sha256'):  # where gantool writes it
            text = '{"sha256": "' + BLANK + '", ' + text[1:]
        self.header["__metadata__"]["gantool"] = text
        header = self.raw or json.dumps(self.header).encode()
        if (mark := b'\\"sha256\\": \\"') not in header:
            header = mark + BLANK.encode() + b'" ' + header
        length = len(header) if self.length is None else self.length
        data = struct.pack("<Q", length % 2**64) + header + self.body
        return data.replace(BLANK.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


Change = Callable[[File], object]


def entry(state: Json, *keys: str) -> Json:
    """A value in a skeleton, by its keys."""
    for key in keys:
        state = next(value for name, value in state["dict"] if name == key)
    return state


def put(state: Json, value: Json, *keys: str) -> None:
    for pair in entry(state, *keys[:-1])["dict"]:
        if pair[0] == keys[-1]:
            pair[1] = value


def offsets(first: int, last: int, number: int = 0) -> Change:
    return lambda f: f.tensor(number).update(data_offsets=[first, last])


def shape(*sides: int, number: int = 0) -> Change:
    return lambda f: f.tensor(number).update(shape=list(sides))


def settings(**values: Json) -> Change:
    return lambda f: f.facts["settings"].update(values)


def spec(**values: Json) -> Change:
    return lambda f: f.facts["spec"].update(values)


def former(**values: Json) -> Change:
    """As files of 0.1 describe their images."""
    return lambda f: (f.facts["spec"].pop("shape"), f.facts["spec"].update(values))


def facts(**values: Json) -> Change:
    return lambda f: f.facts.update(values)


def without(*names: str) -> Change:
    return lambda f: [f.facts.pop(name) for name in names]


def raw(text: bytes) -> Change:
    return lambda f: setattr(f, "raw", text)


def inner(**values: Json) -> Change:
    return lambda f: f.inner.update(values)


def text(value: str) -> Change:
    return lambda f: setattr(f, "text", value)


def dtype(name: str) -> Change:
    return lambda f: next(t for t in f.header.values() if t.get("dtype") == "F32").update(dtype=name)


def doubled(file: File) -> None:
    """Every tensor as wide again, in numbers of another kind."""
    for name, tensor in file.header.items():
        if name != "__metadata__":
            tensor["data_offsets"] = [2 * end for end in tensor["data_offsets"]]
            tensor["dtype"] = {"F32": "F64", "I64": "C64"}.get(tensor["dtype"], tensor["dtype"])
    file.body += file.body


def sparse(file: File) -> None:
    """The file is as large as it says, and all of it zeros."""
    size = 4 * 10**8
    file.header["huge"] = {"dtype": "U8", "shape": [size], "data_offsets": [len(file.body), len(file.body) + size]}
    file.body += bytes(size)


def moments(size: int) -> Change:
    """Adam's running means are shorter than its weights: a kernel that trusts them writes past their end."""

    def change(file: File) -> None:
        at = len(file.body)
        file.header["short"] = {"dtype": "F32", "shape": [size], "data_offsets": [at, at + 4 * size]}
        file.body += bytes(4 * size)
        for player in ("D", "G"):
            for _, slots in entry(file.state, "optimizers", player, "state")["dict"]:
                put(slots, {"tensor": "short"}, "exp_avg")

    return change


FILE: dict[str, Change] = {  # what neither a model nor a checkpoint may be
    "a header of 2^63 bytes": lambda f: setattr(f, "length", 2**63),
    "a header longer than the file": lambda f: setattr(f, "length", len(f.body) * 10),
    "a header of no bytes": lambda f: setattr(f, "length", 0),
    "a header of 17 MiB": raw(b'{"__metadata__": {"gantool": "' + b" " * (17 * 2**20) + b'"}}'),
    "a header that is no JSON": raw(b"\xff\xfe nothing"),
    "a header of 100,000 brackets": raw(b"[" * 100_000),
    "a header of 5 million lists": raw(b"[" + b"[]," * 5_000_000 + b"[]]"),
    "a header that is a list": raw(b"[1, 2, 3]"),
    "metadata that are a list": raw(b'{"__metadata__": ["gantool"]}'),
    "metadata that are a number": raw(b'{"__metadata__": {"gantool": 5}}'),
    "an entry of 100,000 brackets": text('{"facts": ' + "[" * 100_000 + "}"),
    "an entry of 2 million lists": inner(state={"list": [[]] * 2_000_000}),
    "a tree 20,000 deep": text('{"facts": {}, "format": 1, "state": ' + '{"list": [' * 20_000 + "]}" * 20_000 + "}"),
    "a number of a million digits": text('{"facts": {"step": ' + "9" * 10**6 + '}, "format": 1, "state": {}}'),
    "no state": lambda f: f.inner.pop("state"),
    "facts that are a list": lambda f: f.inner.update(facts=[1, 2]),
    "facts that are nothing": lambda f: f.inner.update(facts=None),
    "a state that is a word": inner(state="generator"),
    "a state that is a list": inner(state={"list": []}),
    "a state of an unknown kind": inner(state={"python/object/apply": "os.system"}),
    "a format of words and escapes": inner(format=ESCAPE),
    "a format that is a list": inner(format=[1] * 100_000),
    "a tensor that is not there": lambda f: f.header.pop(next(k for k in f.header if k != "__metadata__")),
    "an unknown dtype": dtype("OBJECT"),
    "a dtype of escapes": dtype(ESCAPE),
    "a dtype of another width": dtype("F64"),
    "a negative offset": offsets(-4, 4),
    "a negative length": offsets(8, 4),
    "offsets of 2^63": offsets(2**63, 2**63 + 4),
    "overlapping offsets": offsets(0, 16, number=1),
    "an offset beyond the end": lambda f: f.tensor(-1)["data_offsets"].__setitem__(1, len(f.body) + 400),
    "a hole between tensors": lambda f: setattr(f, "body", f.body + bytes(64)),
    "a tensor of 10^9 numbers": shape(10**9),
    "a shape whose product overflows": shape(2**32, 2**32),
    "a shape of 2^63 by nothing": shape(2**63, 0),
    "a negative shape": shape(-1, -4),
    "a shape of 100,000 ones": shape(*[1] * 100_000),
    "tensors of other kinds of numbers": doubled,
    "names with escapes": lambda f: f.header.update({ESCAPE: {"dtype": ESCAPE, "shape": [], "data_offsets": [0, 0]}}),
}

MODEL: dict[str, Change] = FILE | {
    "facts with no settings": without("settings"),
    "facts with no spec": without("spec"),
    "facts with no step": without("step"),
    "facts with no data": without("data"),
    "facts with no package": without("package", "version"),
    "no facts but its kind": lambda f: f.inner.update(facts={"kind": "model"}),
    "no kind": without("kind"),
    "settings that are a list": facts(settings=[1]),
    "a variant that is a list": facts(variant=["gan"]),
    "a variant that is a path": facts(variant="../../gan"),
    "a variant with escapes": facts(variant="gan" + ESCAPE),
    "a package with escapes": facts(variant="ghost", package="gantool" + ESCAPE),
    "a package that is a command": facts(variant="ghost", package="x; rm -rf ~"),
    "a package that is a flag": facts(variant="ghost", package="--upgrade x"),
    "a package of a million letters": facts(variant="ghost", package="x" * 10**6),
    "a version with escapes": lambda f: (facts(version=ESCAPE)(f), settings(g_layers="9")(f)),
    "a generator of 2^32 weights": settings(g_layers="65536-65536"),
    "a discriminator of 2^32 weights": settings(d_layers="65536-65536"),
    "noise of 10^12 numbers": settings(z=10**12),
    "noise of 10^30 numbers": settings(z=10**30),
    "less noise than none": settings(z=-5),
    "noise that is a list": settings(z=[1, 2]),
    "noise that is a mapping": settings(z={"a": {"b": 1}}),
    "noise that is escapes": settings(z=ESCAPE),
    "100,000 layers": settings(g_layers="-".join(["1"] * 100_000)),
    "a layer of 5,000 digits": settings(g_layers="9" * 900, d_layers="9" * 5_000),
    "layers that are a number": settings(g_layers=5),
    "layers that are code": settings(g_layers="__import__('os').system('touch owned')"),
    "images of 10^9 pixels a side": spec(shape=[1, 10**9, 10**9]),
    "images of -8 pixels a side": spec(shape=[1, -8, -8]),
    "images of '8' pixels a side": spec(shape=[1, "8", "8"]),
    "images of 8.5 pixels a side": spec(shape=[1, 8.5, 8.5]),
    "a million channels": spec(shape=[10**6, 8, 8]),
    "true channels": spec(shape=[True, True, True]),
    "images of no sides": spec(shape=[]),
    "images of 1,000 sides": spec(shape=[1] * 1000),
    "images of one side, in words": spec(shape="888"),
    "no shape at all": lambda f: f.facts["spec"].pop("shape"),
    "images of 10^9 pixels a side, as 0.1 said it": former(channels=1, size=10**9),
    "images of -8 pixels a side, as 0.1 said it": former(channels=1, size=-8),
    "images of '8' pixels a side, as 0.1 said it": former(channels=1, size="8"),
    "images of a list a side, as 0.1 said it": former(channels=1, size=[8]),
    "a million channels, as 0.1 said it": former(channels=10**6, size=8),
    "true channels, as 0.1 said it": former(channels=True, size=True),
    "classes that are a word": spec(classes="0123456789"),
    "classes that are numbers": spec(classes=[1, None, 2.5]),
    "classes with escapes": spec(classes=["a" + ESCAPE, "b"]),
    "words that are a word": spec(words="red"),
    "words that are numbers": spec(words=[1, None, 2.5]),
    "words with escapes": spec(words=["a" + ESCAPE, "b"]),
    "data that is a list": facts(data=["digits"]),
    "a step that is a word": facts(step="x" * 1000),
    "no networks": inner(state={"dict": [["networks", {"dict": []}], ["buffers", {"dict": []}]]}),
    "networks that are a list": lambda f: put(f.state, {"list": [1, 2]}, "networks"),
    "networks that are numbers": lambda f: put(f.state, 5, "networks", "generator"),
    "weights that are words": lambda f: entry(f.state, "networks", "generator")["dict"][0].__setitem__(1, "x"),
    "a network of another name": lambda f: entry(f.state, "networks")["dict"][0].__setitem__(0, "__class__"),
    "a network named with dots": lambda f: entry(f.state, "networks")["dict"][0].__setitem__(0, "../" * 50),
    "a weight too many": lambda f: entry(f.state, "networks", "generator")["dict"].append([ESCAPE, 1]),
    "a weight too few": lambda f: entry(f.state, "networks", "generator")["dict"].pop(),
    "a buffer too many": lambda f: put(f.state, {"dict": [["training", 1]]}, "buffers"),
    "buffers that are a word": lambda f: put(f.state, "x", "buffers"),
}

CHECKPOINT: dict[str, Change] = FILE | {
    "no facts but its kind": lambda f: f.inner.update(facts={"kind": "checkpoint"}),
    "facts with no step": without("step"),
    "facts with no settings": without("settings"),
    "settings that are a list": facts(settings=["data"]),
    "a step that is a word": facts(step="many"),
    "a model in its place": facts(kind="model"),
    "a setting with escapes": settings(g_layers=ESCAPE),
    "a setting with an escaped name": settings(**{ESCAPE: 1}),
    "a setting of a million letters": settings(data="x" * 10**6),
    "networks of other sizes": lambda f: (settings(g_layers="9")(f), shape(2, 2)(f)),
    "no step in its state": lambda f: f.state["dict"].pop(0),
    "a state's step that is a word": lambda f: put(f.state, "many", "step"),
    "a state's step of 10^30": lambda f: put(f.state, 10**30, "step"),
    "a state's step before the first": lambda f: put(f.state, -5, "step"),
    "another step in its state": lambda f: put(f.state, 1, "step"),
    "-1 batches drawn": lambda f: put(f.state, -1, "drawn"),
    "10^30 batches drawn": lambda f: put(f.state, 10**30, "drawn"),
    "batches drawn in words": lambda f: put(f.state, "some", "drawn"),
    "no networks": lambda f: put(f.state, {"dict": []}, "networks"),
    "networks that are words": lambda f: put(f.state, "networks", "networks"),
    "averages that are a list": lambda f: put(f.state, {"list": []}, "ema"),
    "no optimizers": lambda f: put(f.state, {"dict": []}, "optimizers"),
    "moments of one number each": moments(1),
    "moments of no numbers": moments(0),
    "optimizers that are nothing": lambda f: put(f.state, None, "optimizers"),
    "an optimizer of words": lambda f: put(f.state, {"dict": [["state", "x"]]}, "optimizers", "D"),
    "no random states": lambda f: put(f.state, {"dict": []}, "random"),
    "random states that are words": lambda f: put(f.state, "dice", "random"),
    "a window of words": lambda f: put(f.state, {"list": ["x", "y"]}, "window"),
    "a window that is a number": lambda f: put(f.state, 5, "window"),
}  # fmt: skip


@pytest.fixture
def mine(start, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """A good run, 12 steps long, with its last checkpoint alone."""
    assert start("train", *VARIANTS["gan"], "--steps", 12, "--name", "mine").wait() == 0
    (tmp_path / "runs/mine/checkpoints/step-000010.safetensors").unlink()
    return tmp_path / "runs/mine"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.promise("S2")
def test_hostile_model_files_are_refused(start, tried, mine: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    good, names = (mine / "model.safetensors").read_bytes(), ["good", *MODEL]
    (folder := tmp_path / "models").mkdir()
    for number, name in enumerate(names):
        MODEL.get(name, lambda _: None)(file := File(good))
        (folder / f"{number}.safetensors").write_bytes(file.sealed())
    before = tree(folder)
    lines = [("sample", "gan", "-q", "--run", f"{n}.safetensors", "--out", f"{n}.png") for n in range(len(names))]
    control, *found = outcomes(start, folder, lines)
    assert not control.wrong(0)  # so that the others are refused for what was done to them
    (folder / "0.png").unlink()
    faults = [f"{name}: {fault}" for name, o in zip(MODEL, found, strict=True) if (fault := o.wrong(1, 2))]
    assert not faults, "\n".join(faults)
    assert tree(folder) == before
    tried("hostile model files", len(found))


@pytest.mark.promise("S2")
def test_hostile_checkpoints_are_refused(start, tried, mine: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name = "checkpoints/step-000012.safetensors"
    good, names = (mine / name).read_bytes(), ["good", *CHECKPOINT]
    (folder := tmp_path / "hostile").mkdir()
    for number, change in enumerate(names):
        shutil.copytree(mine, folder / "runs" / str(number))
        CHECKPOINT.get(change, lambda _: None)(file := File(good))
        (folder / "runs" / str(number) / name).write_bytes(file.sealed())
    before = tree(folder)
    control, *found = outcomes(start, folder, [("resume", str(n), "-q", "--steps", 15) for n in range(len(names))])
    assert not control.wrong(0)
    faults = [f"{name}: {fault}" for name, o in zip(CHECKPOINT, found, strict=True) if (fault := o.wrong(1, 2))]
    assert not faults, "\n".join(faults)
    changed = [path for path, data in tree(folder).items() if before.get(path) != data and "/runs/0/" not in path]
    assert not changed
    tried("hostile checkpoints", len(found))


@pytest.mark.promise("S2")
def test_a_run_of_huge_networks_with_a_small_checkpoint_takes_no_memory(
    start, tried, mine: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    path = mine / "checkpoints/step-000012.safetensors"
    settings(g_layers="65536-65536")(file := File(path.read_bytes()))
    path.write_bytes(file.sealed())
    (mine / "config.yaml").write_text(
        (mine / "config.yaml").read_text().replace("g_layers: '4'", "g_layers: 65536-65536")
    )
    (found,) = outcomes(start, tmp_path, [("resume", "mine", "-q", "--steps", 15)])
    assert not found.wrong(1)
    assert "does not fit" in found.err
    tried("hostile checkpoints")
