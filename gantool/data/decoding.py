"""One hostile file becomes the facts of its image's header, or its pixels; in any thread.

Files are opened within limits, their headers decide what is decoded, and all that is raised has a `reason`.
"""

import io
import logging
import math
import os
import stat
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS, MAX_BYTES = 64_000_000, 256 * 2**20
READS = 1_000_000  # of one file: more small parts than any image has, and a few seconds' work
SLOW = 4_000_000  # pixels, of the kinds that Pillow decodes in Python: text, runs
LARGE = 16_000_000  # pixels; such images are decoded one at a time, so that not every thread holds half a gigabyte
_one_large = threading.Lock()
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by channels
_FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
_DEEP_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_GREY_MODES = {"1", "L", "LA"} | _DEEP_MODES
_Turn = Image.Transpose
TURNS = {2: _Turn.FLIP_LEFT_RIGHT, 3: _Turn.ROTATE_180, 4: _Turn.FLIP_TOP_BOTTOM, 5: _Turn.TRANSPOSE,
         6: _Turn.ROTATE_270, 7: _Turn.TRANSVERSE, 8: _Turn.ROTATE_90}  # fmt: skip  # by EXIF orientation
Pixels = NDArray[np.uint8]
Header = tuple[tuple[int, int], bool, bool]  # (width, height), grey, alpha

_lifting = threading.Lock()
_lifted: list[None] = []  # one for each thread that decodes now
_before: Any = None  # what was there when the first came


class Refused(Exception):
    """An image, or its file, is not to be used; the text is the reason."""


class BadImage(Exception):
    """An image that turned out not to be usable; `name` and `reason` say which and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class _Counted:
    """A file that does not let itself be read for minutes: a comment by the letter, a million chunks of nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, READS

    def read(self, size: int = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Refused("too many parts")
        return self.file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@contextmanager
def unlimited() -> Iterator[None]:
    """While any thread decodes: without Pillow's own limit, its warnings and its log, which are all the process's.

    Our limit is stricter and applied to every header, and Pillow's is a warning that hides the size. Others are of odd
    metadata, which has no bearing on the pixels. The first to come sets this and the last to go puts it back.
    """
    global _before
    log = logging.getLogger("PIL")
    with _lifting:
        if not _lifted:
            _before = Image.MAX_IMAGE_PIXELS, warnings.filters[:], log.propagate
            Image.MAX_IMAGE_PIXELS, log.propagate = None, False
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _lifted.append(None)
    try:
        yield
    finally:
        with _lifting:
            _lifted.pop()
            if not _lifted:
                Image.MAX_IMAGE_PIXELS, filters, log.propagate = _before
                warnings.filters[:] = filters  # type: ignore[index]
                warnings._filters_mutated()  # type: ignore[attr-defined]


def reason(error: Exception) -> str:
    """Why an image cannot be used, in a person's words."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    if isinstance(error, OSError) and error.errno is not None:
        return "unreadable"
    return "cut short" if "truncated" in str(error).lower() else "damaged"


def _check_bytes(count: int) -> None:
    if count == 0:
        raise Refused("empty file")
    if count > MAX_BYTES:
        raise Refused(f"too large ({count // 2**20} MiB)")


def open_file(path: str) -> BinaryIO:
    info = os.stat(path)
    if not stat.S_ISREG(info.st_mode):  # opening a named pipe would wait for ever
        raise Refused("not a file")
    _check_bytes(info.st_size)
    return open(path, "rb")


def open_member(archive: zipfile.ZipFile, location: str, limit: int | None = None) -> BinaryIO:
    info = archive.getinfo(location)
    if info.flag_bits & 1:
        raise Refused("encrypted")
    _check_bytes(info.file_size)
    with archive.open(info) as member:  # read() stops at MAX_BYTES whatever unpacks to more
        return io.BytesIO(member.read(limit or MAX_BYTES))


def _open(file: BinaryIO) -> Image.Image:
    """The image, only its header read; by that, what must not or cannot be decoded is turned away."""
    image = Image.open(cast(BinaryIO, _Counted(file)), formats=_FORMATS)
    width, height = image.size
    in_python = image.tile and image.tile[0][0] in Image.DECODERS
    if width * height > (SLOW if in_python else MAX_PIXELS):
        raise Refused(f"too large ({width} x {height})")
    if image.mode == "LAB":
        raise Refused("LAB colours")
    # A phone's JPEG may hold a second frame (MPO); its first is the photo, so JPEG is not asked.
    if image.format in ("GIF", "PNG", "WEBP", "TIFF") and getattr(image, "is_animated", False):
        raise Refused("several pages" if image.format == "TIFF" else "animated")
    return image


def header(file: BinaryIO) -> Header:
    with unlimited():
        image = _open(file)
        return image.size, image.mode in _GREY_MODES, image.has_transparency_data


def _to_8_bits(values: NDArray[Any]) -> Pixels:
    """Deep greys scaled, not clipped; floats are taken as 0..1, as 0..255, or as 0..their maximum."""
    wide = values.astype(np.float32)  # changed in place: a large image's copies would be a gigabyte
    np.nan_to_num(wide, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    most = float(wide.max())
    if values.dtype.kind == "f":
        top = 1.0 if most <= 1 else max(most, 255.0)
    else:
        top = 65535.0 if most <= 65535 else 2.0**31
    np.clip(wide, 0, top, out=wide)
    wide *= 255 / top
    wide += 0.5
    return wide.astype(np.uint8)


def _plain(image: Image.Image) -> Image.Image:
    """The same image as L, RGB or RGBA, whatever it was stored as."""
    if image.mode in _DEEP_MODES:
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    mode = "L" if image.mode in _GREY_MODES else "RGB"
    return image if image.mode == mode else image.convert(mode)


def pixels(file: BinaryIO, size: int | None, mode: str) -> Pixels:
    """As (C, H, W): the centre square scaled to `size`, or all of it at its own size for None."""
    with unlimited():
        image = _open(file)
        with _one_large if math.prod(image.size) > LARGE else nullcontext():
            return _pixels(image, size, mode)


def _pixels(image: Image.Image, size: int | None, mode: str) -> Pixels:
    if size is not None:  # lets a JPEG be decoded at 1/2, 1/4 or 1/8, still twice what is needed
        image.draft("L" if mode == "L" else None, (2 * size, 2 * size))
    image.load()
    drawn = _plain(image)
    if size is not None:  # cropping as part of the resize never builds the parts cut away
        side = min(drawn.size)
        left, top = (drawn.width - side) // 2, (drawn.height - side) // 2
        box = (left, top, left + side, top + side)
        drawn = drawn.resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    turn = None
    with suppress(Exception):  # broken metadata: leave the image as it lies
        turn = TURNS.get(image.getexif().get(0x0112, 1))
    drawn = drawn if turn is None else drawn.transpose(turn)
    if mode != "RGBA" and drawn.mode == "RGBA":
        drawn = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn)
    array = np.atleast_3d(np.asarray(drawn.convert(mode)))
    return array.transpose(2, 0, 1).copy()  # Pillow's own array is read-only
