"""Writes pictures as they come: an .npz, an .idx, or a folder of PNGs; a grid or a film once they are all there."""

import io
import struct
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gantool.errors import FAILED, USAGE, UserError
from gantool.runtime import faults, files
from gantool.viz import drawing

KINDS = (".png", ".gif", ".npz", ".idx")
MODES = {1: "grey", 3: "colour", 4: "colour with alpha"}  # by channels
LARGEST = 2**29  # bytes of pictures held for a grid or a film, which take three times that to make
THREADS = 2  # that write PNGs while more is drawn; on two cores four were no faster
TOGETHER = 64  # pictures a thread is given at once
WAITING = 8  # such lots under way


class Drawn(NamedTuple):
    """Some images as bytes (n, H, W, C), their classes where known, and what to call their files."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    names: Iterable[str]


def check_kind(out: Path) -> None:
    """Raise UserError for an ending that is none of ours."""
    if out.suffix and out.suffix.lower() not in KINDS and not out.is_dir():
        kinds = ", ".join(f"FILE{kind}" for kind in KINDS)
        raise UserError(f"{out} is none of {kinds} or a folder.", "For example: --out sheet.png", USAGE)


def write(out: Path, drawn: Iterator[Drawn], count: int, columns: int | None) -> None:
    """Write the `count` pictures to come as `out` asks, by its ending; anything else is a folder."""
    drawn = chain([next(drawn)], drawn)  # an option that is wrong shows now, before a folder is made
    try:
        kind = out.suffix.lower()
        if kind not in KINDS or out.is_dir():
            write_folder(out, drawn)
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        if kind in (".npz", ".idx"):
            files.write(out, partial(npz, drawn, count) if kind == ".npz" else partial(idx, out, drawn, count))
        elif kind == ".gif":
            files.write(out, drawing.animate(held(out, drawn, count), 60, 60))
        elif count == 1 and columns in (None, 1):  # of any size: no sheet is made of it
            (part,) = drawn
            files.write(out, drawing.encode_png(part.images[0]))
        else:
            files.write(out, drawing.encode_png(drawing.grid(held(out, drawn, count), columns)))
    except OSError as error:
        full = error.errno in faults.FULL
        hint = "Free some space, or give another --out." if full else "Give another --out."
        why, code = error.strerror or error, FAILED if full else USAGE
        raise UserError(f"{out} cannot be written: {why}.", hint, code) from None


def held(out: Path, drawn: Iterator[Drawn], count: int) -> drawing.Picture:
    """All of them in one array, if it is not too large."""
    stack, done = None, 0
    for part in drawn:
        if stack is None:
            if count * part.images[0].size > LARGEST:
                many = f"{count:,} pictures of {part.images.shape[2]}x{part.images.shape[1]}"
                streamed = "Give --out FILE.npz, FILE.idx or a folder: these hold any number."
                raise UserError(f"{many} are too many for {out}, which is made in memory.", streamed, USAGE)
            stack = np.empty((count, *part.images.shape[1:]), np.uint8)
        check_alike(stack.shape[1:], part.images.shape[1:])
        stack[done : done + len(part.images)] = part.images
        done += len(part.images)
    assert stack is not None  # -n is 1 or more
    return stack


def check_alike(*shapes: tuple[int, ...]) -> None:
    if len(set(shapes)) > 1:
        said = [f"{width}x{height} in {MODES[channels]}" for height, width, channels in shapes]
        raise UserError(f"One file holds no pictures of {said[0]} and of {said[1]}.", "Give a folder: --out DIR", USAGE)


def stream(
    file: IO[bytes], drawn: Iterator[Drawn], count: int, header: Callable[[tuple[int, ...]], bytes]
) -> NDArray[np.int64] | None:
    """Write a header, which says how many will come, and the images; return the labels, which belong elsewhere."""
    # One array for all labels: small ones, kept, would lie between the large ones given back, and memory would grow.
    labels, known, done, shape = np.zeros(count, np.int64), False, 0, None
    for part in drawn:
        images = part.images[..., 0] if part.images.shape[-1] == 1 else part.images
        if shape is None:
            shape = part.images.shape[1:]
            file.write(header((count, *images.shape[1:])))
        check_alike(shape, part.images.shape[1:])
        file.write(images.data)
        if part.labels is not None:
            labels[done : done + len(images)], known = part.labels, True
        done += len(images)
    if done != count:
        raise ValueError(f"{done} pictures came, not {count}")
    return labels if known else None


def npz(drawn: Iterator[Drawn], count: int, file: IO[bytes]) -> None:
    """As np.savez does, but without the time of day in it: same seed, same bytes.

    Not deflated: at its fastest that takes 21 us an image for a quarter of the size; an MLP draws one in 10.
    """
    with zipfile.ZipFile(file, "w") as archive:
        with archive.open(zipfile.ZipInfo("images.npy"), "w", force_zip64=True) as member:
            labels = stream(member, drawn, count, partial(npy_header, np.dtype(np.uint8)))
        if labels is not None:
            header = npy_header(labels.dtype, labels.shape)
            archive.writestr(zipfile.ZipInfo("labels.npy"), header + labels.tobytes())


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer, descr = io.BytesIO(), np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def idx(out: Path, drawn: Iterator[Drawn], count: int, file: IO[bytes]) -> None:
    """MNIST's own format: images in one file, and their labels, where they are known, in another beside it."""
    labels = stream(file, drawn, count, partial(idx_header, 0x08))
    beside = out.with_name(f"{out.stem}-labels{out.suffix}")
    file.flush()  # if there is no room for the images, the labels must stay as they were too
    if labels is not None:
        small = int(labels.max()) < 256
        values = labels.astype(np.uint8 if small else ">i4").tobytes()
        files.write(beside, idx_header(0x08 if small else 0x0C, labels.shape) + values)
    else:
        beside.unlink(missing_ok=True)  # they were those of other images


def idx_header(kind: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape)


def write_folder(out: Path, drawn: Iterator[Drawn]) -> None:
    """One PNG each: 00000.png, 00001-frog.png..., or the names of the inputs."""
    out.mkdir(parents=True, exist_ok=True)
    pool, waiting = ThreadPoolExecutor(THREADS), deque[Future[None]]()
    try:
        for part in drawn:
            named = list(zip(part.names, part.images, strict=True))
            for first in range(0, len(named), TOGETHER):
                waiting.append(pool.submit(write_pngs, out, named[first : first + TOGETHER]))
                if len(waiting) > WAITING:
                    waiting.popleft().result()
        for lot in waiting:
            lot.result()
    finally:
        pool.shutdown(cancel_futures=True)  # those under way are written whole


def write_pngs(out: Path, named: Sequence[tuple[str, drawing.Picture]]) -> None:
    for name, image in named:
        # Not synced: ten thousand pictures, each waiting for the disk, would take minutes.
        files.write(out / f"{name}.png", drawing.encode_png(image), sync=False)
