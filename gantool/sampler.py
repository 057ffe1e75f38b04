"""Draws from a model and writes what was drawn: a grid, a film, an .npz, or a folder of PNGs."""

import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gantool import device, drawing, files, terminal
from gantool.data import images
from gantool.data.pictures import as_bytes, as_floats, as_pictures
from gantool.errors import FAILED, USAGE, UserError
from gantool.modelfile import open_model
from gantool.options import InputOptions, SampleCommand, grid_shape
from gantool.registry import Registry
from gantool.variant import Variant

CHUNK = 256  # images drawn at once
USUAL = 64
KINDS = (".png", ".gif", ".npz")


class Drawn(NamedTuple):
    """Some images as bytes (n, H, W, C), their classes where known, and what to call their files."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    names: list[str]


def sample(registry: Registry, name: str, command: SampleCommand, options: Any) -> None:
    out, columns, rows = command.out or Path(f"{name}.png"), *(grid_shape(command.grid) if command.grid else (0, 0))
    if out.suffix and out.suffix.lower() not in KINDS and not out.is_dir():
        raise UserError(
            f"{out} is none of FILE.png, FILE.gif, FILE.npz or a folder.", "For example: --out sheet.png", USAGE
        )
    _, variant, _ = open_model(registry, name, command.run, command.device)
    options = type(variant).SampleOptions(**vars(options))  # the class itself, where a stand-in parsed the flags
    if isinstance(options, InputOptions) and out.resolve() == options.input.resolve():
        raise UserError(f"{out} holds the inputs, which would be overwritten.", "Give another --out.", USAGE)
    n = command.n or (columns * rows if columns else None)
    device.seed_all(command.seed)
    console = terminal.console(stderr=True, quiet=command.quiet)
    with torch.inference_mode():
        count = write(out, draw(variant, n, options), columns or strip(options, n))
    console.print(f"{count} pictures in {out}")


def draw(variant: Variant, n: int | None, options: Any) -> Iterator[Drawn]:
    """n images drawn, or every input translated; a few hundred at a time."""
    if isinstance(options, InputOptions):
        yield from translate(variant, n, options)
        return
    wanted, done, classes = n or USUAL, 0, variant.data.classes
    # A film's noises lie on one path. Elsewhere, chunks hold every class equally often, so that turns go on.
    turn = max(len(classes), 1)
    size = wanted if getattr(options, "interpolate", False) else math.ceil(CHUNK / turn) * turn
    while done < wanted:
        got = variant.sample(min(size, wanted - done), options)
        x, labels = got if isinstance(got, tuple) else (got, None)
        names = [f"{done + i:05d}" for i in range(len(x))]
        if labels is not None and classes:
            names = [f"{name}-{filename(classes[y])}" for name, y in zip(names, labels.tolist(), strict=True)]
        yield Drawn(as_pictures(as_bytes(x)), None if labels is None else labels.cpu().numpy(), names)
        done += len(x)


def filename(name: str) -> str:
    """A class's name as part of a file's: a model file may come from anyone."""
    return re.sub(r"[^\w.-]", "_", name)


def translate(variant: Variant, n: int | None, options: InputOptions) -> Iterator[Drawn]:
    spec, inputs = variant.data, listed(options.input)[:n]
    alike = Counter(file.stem for file in inputs)
    for file in inputs:
        pixels = torch.from_numpy(images.read_picture(file, spec.size, spec.channels)).unsqueeze(0)
        (x,) = as_floats((pixels,), variant.device)
        name = file.stem if alike[file.stem] == 1 else file.name
        yield Drawn(as_pictures(as_bytes(variant.translate(x, options))), None, [name])


def listed(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(f for f in path.iterdir() if f.suffix.lower() in images.EXTENSIONS and not f.name.startswith("."))
    if not found:
        raise UserError(f"No pictures in {path}.", f"Pictures end in {' '.join(images.EXTENSIONS)}.", USAGE)
    return found


def write(out: Path, drawn: Iterator[Drawn], columns: int | None) -> int:
    """Write as `out` asks, by its ending; anything else is a folder. Returns how many."""
    try:
        kind = out.suffix.lower()
        if kind not in KINDS or out.is_dir():
            return write_folder(out, drawn)
        parts = list(drawn)
        stack = np.concatenate([part.images for part in parts])
        out.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".npz":
            write_npz(out, stack, [part.labels for part in parts])
        elif kind == ".gif":
            files.write(out, drawing.animate(stack, 60, 60))
        else:
            files.write(out, drawing.encode_png(drawing.grid(stack, columns)))
        return len(stack)
    except OSError as error:
        full = error.errno in terminal.FULL
        hint = "Free some space, or give another --out." if full else "Give another --out."
        why, code = error.strerror or error, FAILED if full else USAGE
        raise UserError(f"{out} cannot be written: {why}.", hint, code) from None


def write_folder(out: Path, drawn: Iterator[Drawn]) -> int:
    """One PNG each: 00000.png, 00001-frog.png..., or the names of the inputs."""
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    for part in drawn:
        for name, image in zip(part.names, part.images, strict=True):
            # Not synced: ten thousand pictures, each waiting for the disk, would take minutes.
            files.write(out / f"{name}.png", drawing.encode_png(image), sync=False)
            count += 1
    return count


def write_npz(out: Path, stack: NDArray[np.uint8], labels: list[NDArray[np.int64] | None]) -> None:
    """As np.savez does, but without the time of day in it: same seed, same bytes."""
    arrays: dict[str, NDArray[Any]] = {"images": stack[..., 0] if stack.shape[-1] == 1 else stack}
    if known := [part for part in labels if part is not None]:
        arrays["labels"] = np.concatenate(known)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    files.write(out, buffer.getvalue())


def strip(options: Any, n: int | None) -> int | None:
    """A walk is shown in one row."""
    return n if getattr(options, "interpolate", False) else None
