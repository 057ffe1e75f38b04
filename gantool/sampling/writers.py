"""Writes images as they come: an .npz, an .idx, or a folder of PNGs; a grid or a film once they are all there.

A writer gives what goes into one file. Packages offer more, which are asked for as gantool's own are.
"""

import io
import struct
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gantool.config.packages import WRITERS, Plugins, imported
from gantool.data.images import as_bytes, as_images
from gantool.data.points import viewable
from gantool.errors import FAILED, USAGE, UserError
from gantool.runtime import faults, files
from gantool.sampling.settings import ENDINGS, STDOUT
from gantool.viz import drawing, sheets
from gantool.viz.rows import by_class

MODES = {1: "grey", 3: "colour", 4: "colour with alpha"}  # by channels
LARGEST = 2**29  # bytes of images held for a grid or a film, which take three times that to make
MANY = 26  # classes that have a row or a column each, at most
FOR_POINTS = "FILE.npz, FILE.csv or FILE.png"
THREADS = 2  # that write PNGs while more is drawn; on two cores four were no faster
TOGETHER = 64  # images a thread is given at once
WAITING = 8  # such lots under way


class Drawn(NamedTuple):
    """Some images as bytes (n, H, W, C), or points (n, k); their classes where known, and what to call their files."""

    images: NDArray[Any]
    labels: NDArray[np.int64] | None
    names: Iterable[str]


class Drawing(NamedTuple):
    """Images to come: how many, in how many columns somebody wants them, and themselves; and how to show them."""

    n: int
    columns: int | None
    parts: Iterator[Drawn]
    classes: Sequence[str] = ()
    scale: int | None = None  # of each pixel in a sheet or a film; None: as large as it takes to be seen


Content = bytes | str | Callable[[IO[bytes]], object]  # the last writes into the file that it is given
Writer = Callable[[Drawing, Path], Content]


def writer(out: Path) -> Writer | None:
    """By its ending, gantool's own or a package's; None for a folder, UserError for an ending that nobody knows."""
    ending = out.suffix.lower().removeprefix(".")
    if str(out) == STDOUT:
        return png
    if not ending or out.is_dir():
        return None
    if ending in OURS:
        return OURS[ending]
    plugins = Plugins()
    if offer := plugins.offer(WRITERS, ending):
        found: Writer = imported(offer)
        return found
    endings = ", ".join(f"FILE.{ending}" for ending in (*OURS, *plugins.offers(WRITERS)))
    more = f"For example: --out sheet.png{plugins.lost()}"
    raise UserError(f"{out} is none of {endings} or a folder.", more, USAGE)


def check_kind(out: Path) -> None:
    """Raise UserError for an ending that nobody writes."""
    writer(out)


def write(out: Path, images: Drawing) -> None:
    """Write the images to come as `out` asks, by its ending; anything else is a folder."""
    first = next(images.parts)  # an option that is wrong shows now, before a folder is made
    images = images._replace(parts=chain([first], images.parts))
    if str(out) == STDOUT:
        sys.stdout.buffer.write(png(images, out))
        sys.stdout.flush()
        return
    try:
        written, points = writer(out), first.images.ndim == 2
        if points and (written is None or written in (gif, idx)):
            raise UserError(f"{out} holds images, and these are points.", f"Give --out {FOR_POINTS}.", USAGE)
        if written is csv and not points:
            raise UserError(f"{out} holds points, and these are images.", "Give --out FILE.npz.", USAGE)
        if written is None:
            write_folder(out, images.parts)
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        files.write(out, written(images, out))
    except OSError as error:
        full = error.errno in faults.FULL
        hint = "Free some space, or give another --out." if full else "Give another --out."
        why, code = error.strerror or error, FAILED if full else USAGE
        raise UserError(f"{out} cannot be written: {why}.", hint, code) from None


def png(images: Drawing, out: Path) -> bytes:
    if images.n == 1 and images.columns in (None, 1):  # of any size: no sheet is made of it
        (part,) = images.parts
        return drawing.encode_png(sheets.enlarged(shown(part.images)[0], images.scale or 1))
    return drawing.encode_png(laid_out(*held(out, images.parts, images.n), images))


def laid_out(samples: NDArray[Any], labels: NDArray[np.int64] | None, images: Drawing) -> drawing.Pixels:
    """One sheet. Where several classes were drawn in turn, each has a column or a row, and its name beside it."""
    x, names = shown(samples), images.classes
    if labels is None or len(x) != len(labels) or labels.max() >= len(names):
        return sheets.sheet(x, images.columns, scale=images.scale)
    if images.columns:
        rows = [labels[i :: images.columns] for i in range(images.columns)]
        alike = all(len(set(column.tolist())) == 1 for column in rows)
        across = [names[column[0]] for column in rows] if alike and len(set(labels.tolist())) > 1 else []
        return sheets.sheet(x, images.columns, across, scale=images.scale)
    turn = list(dict.fromkeys(labels.tolist()))
    if not 1 < len(turn) <= len(x) or len(turn) > MANY or any(labels != np.resize(turn, len(x))):
        return sheets.sheet(x, scale=images.scale)
    found = by_class(torch.from_numpy(x), [names[i] for i in turn], len(x))
    tiles, columns = found.images.flatten(0, 1).numpy(), found.images.shape[1]
    return sheets.sheet(tiles, columns, found.across, found.down, images.scale)


def gif(images: Drawing, out: Path) -> bytes:
    frames = shown(held(out, images.parts, images.n)[0])
    times = images.scale or sheets.large_enough(frames[0])
    return drawing.animate((sheets.enlarged(frame, times) for frame in frames), 60, 60)


def csv(images: Drawing, out: Path) -> str:
    """Points, a row each; and their class, where it is known."""
    rows: list[str] = []
    for part in images.parts:
        if not rows:
            label = ["label"] if part.labels is not None else []
            rows.append(",".join([*(f"x{i + 1}" for i in range(part.images.shape[1])), *label]))
        for i, point in enumerate(part.images):
            label = [str(part.labels[i])] if part.labels is not None else []
            rows.append(",".join([*(f"{number:.9g}" for number in point), *label]))
    return "\n".join(rows) + "\n"


def shown(samples: NDArray[Any]) -> drawing.Pixels:
    """As they can be looked at: of many channels the first three, of points one image of all."""
    if samples.ndim == 4 and samples.shape[-1] in MODES:
        return samples
    x = torch.from_numpy(samples)
    x = viewable(x.permute(0, 3, 1, 2) if x.ndim == 4 else x)
    return as_images(x if x.dtype == torch.uint8 else as_bytes(x))


def held(out: Path, drawn: Iterator[Drawn], count: int) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """All of them in one array, if it is not too large, and their labels."""
    stack, done, labels = None, 0, list[NDArray[np.int64]]()
    for part in drawn:
        if stack is None:
            if count * part.images[0].size > LARGEST:
                many = f"{count:,} images of {'x'.join(map(str, part.images.shape[2:0:-1]))}"
                streamed = "Give --out FILE.npz, FILE.idx or a folder: these hold any number."
                raise UserError(f"{many} are too many for {out}, which is made in memory.", streamed, USAGE)
            stack = np.empty((count, *part.images.shape[1:]), part.images.dtype)
        check_alike(stack.shape[1:], part.images.shape[1:])
        stack[done : done + len(part.images)] = part.images
        done += len(part.images)
        labels += [] if part.labels is None else [part.labels]
    assert stack is not None  # -n is 1 or more
    return stack, np.concatenate(labels) if labels else None


def check_alike(*shapes: tuple[int, ...]) -> None:
    if len(set(shapes)) > 1:
        said = [
            f"{width}x{height} in {MODES.get(channels, f'{channels} channels')}" for height, width, channels in shapes
        ]
        raise UserError(f"One file holds no images of {said[0]} and of {said[1]}.", "Give a folder: --out DIR", USAGE)


def stream(
    file: IO[bytes], drawn: Iterator[Drawn], count: int, header: Callable[[tuple[int, ...]], bytes]
) -> NDArray[np.int64] | None:
    """Write a header, which says how many will come, and the images; return the labels, which belong elsewhere."""
    # One array for all labels: small ones, kept, would lie between the large ones given back, and memory would grow.
    labels, known, done, shape = np.zeros(count, np.int64), False, 0, None
    for part in drawn:
        grey = part.images.ndim == 4 and part.images.shape[-1] == 1
        images = part.images[..., 0] if grey else part.images
        if shape is None:
            shape = part.images.shape[1:]
            file.write(header((count, *images.shape[1:])))
        check_alike(shape, part.images.shape[1:])
        file.write(np.ascontiguousarray(images).data)
        if part.labels is not None:
            labels[done : done + len(images)], known = part.labels, True
        done += len(images)
    if done != count:
        raise ValueError(f"{done} images came, not {count}")
    return labels if known else None


def npz(images: Drawing, out: Path) -> Content:
    """As np.savez does, but without the time of day in it: same seed, same bytes.

    Not deflated: at its fastest that takes 21 us an image for a quarter of the size; an MLP draws one in 10.
    """

    first = next(images.parts)
    name, dtype = "images" if first.images.ndim == 4 else "samples", first.images.dtype

    def archived(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                labels = stream(member, chain([first], images.parts), images.n, partial(npy_header, dtype))
            if labels is not None:
                header = npy_header(labels.dtype, labels.shape)
                archive.writestr(zipfile.ZipInfo("labels.npy"), header + labels.tobytes())

    return archived


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer, descr = io.BytesIO(), np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def idx(images: Drawing, out: Path) -> Content:
    """MNIST's own format: images in one file, and their labels, where they are known, in another beside it."""
    beside = out.with_name(f"{out.stem}-labels{out.suffix}")

    def streamed(file: IO[bytes]) -> None:
        labels = stream(file, images.parts, images.n, partial(idx_header, 0x08))
        file.flush()  # if there is no room for the images, the labels must stay as they were too
        if labels is not None:
            small = int(labels.max()) < 256
            values = labels.astype(np.uint8 if small else ">i4").tobytes()
            files.write(beside, idx_header(0x08 if small else 0x0C, labels.shape) + values)
        else:
            beside.unlink(missing_ok=True)  # they were those of other images

    return streamed


def idx_header(kind: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape)


OURS: dict[str, Writer] = dict(zip(ENDINGS, (png, gif, npz, idx, csv), strict=True))


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
        for batch in waiting:
            batch.result()
    finally:
        pool.shutdown(cancel_futures=True)  # those under way are written whole


def write_pngs(out: Path, named: Sequence[tuple[str, drawing.Pixels]]) -> None:
    for name, image in named:
        # Not synced: ten thousand images, each waiting for the disk, would take minutes.
        files.write(out / f"{name}.png", drawing.encode_png(shown(image[None])[0]), sync=False)
