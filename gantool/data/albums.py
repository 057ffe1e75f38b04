"""Finding a person's images: a folder or a .zip becomes an `Album`, its images arrays.

Nothing here trusts a file. Names decide which files are looked at, headers decide which are kept, and only
then is anything decoded; a bad image is set aside by name with a reason and never stops the others.
"""

import math
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gantool.data import decoding
from gantool.data.decoding import MODES, Header, Pixels, reason
from gantool.data.decoding import BadImage as BadImage
from gantool.errors import USAGE, UserError, did_you_mean, printable

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
NOTICED = 0.05  # a share that is lost to cropping, and worth a word
LONGEST = 1_000  # characters of a name in a zip
THREADS = min(8, os.cpu_count() or 1)
Progress = Callable[[int, int], None]  # images done, images in all
Entry = tuple[str, str, str]  # name, where a source opens it, what is wrong with it; bad folders end in /
_hidden = re.compile(r"\..*|__macosx|thumbs\.db|desktop\.ini", re.IGNORECASE | re.DOTALL).fullmatch


@dataclass(frozen=True)
class _Folder:
    root: str

    def open(self, location: str) -> BinaryIO:
        return decoding.open_file(os.path.join(self.root, location))

    def files(self) -> Iterator[Entry]:
        real_root, waiting = os.path.realpath(self.root), [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    shown = [entry for entry in entries if not _hidden(entry.name)]
            except OSError:
                yield folder or "./", "", "unreadable"
                continue
            for entry in shown:
                name, link = folder + entry.name, entry.is_symlink()
                is_folder = os.path.isdir(entry.path) if link else entry.is_dir()
                if link and not Path(os.path.realpath(entry.path)).is_relative_to(real_root):
                    yield name + "/" * is_folder, "", "link out of the folder"
                elif not is_folder:
                    yield name, name, ""
                elif not link:  # images in a linked folder are found where they lie, once
                    waiting.append(name + "/")


@dataclass(frozen=True)
class _Zip:
    path: str

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    def open(self, location: str, limit: int | None = None) -> BinaryIO:
        return decoding.open_member(self.archive, location, limit)

    def files(self) -> Iterator[Entry]:
        for location in self.archive.NameToInfo:
            name = location.replace("\\", "/")  # some Windows tools write back-slashes
            parts = [part for part in name.split("/") if part not in ("", ".")]
            if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in parts:
                yield name[:LONGEST], "", "path leaves the archive"
            elif len(name) > LONGEST:
                yield name[:LONGEST], "", "name too long"
            elif not name.endswith("/") and not any(map(_hidden, parts)):
                yield "/".join(parts), location, ""


def _header(source: _Folder | _Zip, location: str) -> Header:
    if isinstance(source, _Zip) and location.lower().endswith((".png", ".jpg", ".jpeg")):
        # The first bytes nearly always hold the header; unpacking whole members would be a full read.
        with suppress(Exception):
            return decoding.header(source.open(location, limit=2**16))
    with source.open(location) as file:
        return decoding.header(file)


@dataclass(frozen=True, eq=False)
class Album:
    """The usable images of a folder or zip, in name order; opens files only to decode."""

    path: str
    around: str  # "a/b/" where all lie in these folders, which their names leave out
    names: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[int, ...] | None
    bad: dict[str, str]
    sizes: Counter[tuple[int, int]]
    grey: bool  # every image is grey
    alpha: bool  # at least one has transparency
    ignored: int  # files that are not images by their name
    loose: int  # images directly in the root, in no class folder
    mixed: bool  # some lie in the root and some in sub-folders, so these cannot be labels
    _source: _Folder | _Zip = field(repr=False)
    _locations: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def cropped(self) -> float:
        """The share of what the images show that lies outside their middle squares."""
        lost = sum(n * (1 - min(size) / max(size)) for size, n in self.sizes.items())
        return lost / self.sizes.total()

    def decode(self, index: int, size: int | None, channels: int) -> Pixels:
        """One image as (channels, size, size), or at its own size, from any thread; raises `BadImage`."""
        mode = MODES[channels]
        try:
            with self._source.open(self._locations[index]) as file:
                return decoding.pixels(file, size, mode)
        except MemoryError:  # its header said that it fits, so no fault of the image: to leave it out would be silent
            raise
        except Exception as error:  # hostile files raise nearly anything
            raise BadImage(self.names[index], reason(error)) from error


def _existing(path: str | Path) -> str:
    if os.path.exists(path):
        return str(path)
    parent, name = os.path.split(os.path.abspath(path))
    siblings: list[str] = []
    with suppress(OSError):
        siblings = [printable(sibling) for sibling in os.listdir(parent)]
    near = did_you_mean(name, siblings).strip() or "Give a folder or a .zip of images."
    raise UserError(f"{printable(str(path))} does not exist.", near, USAGE)


def _none_usable(path: str, bad: dict[str, str]) -> UserError:
    (name, why), *_ = bad.items()
    message = f"No image in {printable(path)} can be used ({len(bad)} bad)."
    return UserError(message, f"{name}: {why}.", USAGE)


def _open_source(path: str) -> _Folder | _Zip:
    shown, hint = printable(path), "Give a folder or a .zip of images."
    if os.path.isdir(path):
        return _Folder(os.path.abspath(path))
    if path.lower().endswith(EXTENSIONS):
        raise UserError(f"{shown} is a single file.", "Give the folder it is in.", USAGE)
    # Only a plain file is opened to see whether it is a zip: a pipe would wait for ever.
    if not os.path.isfile(path) or not (path.lower().endswith(".zip") or zipfile.is_zipfile(path)):
        raise UserError(f"{shown} is neither a folder nor a zip.", hint, USAGE)
    source = _Zip(os.path.abspath(path))
    try:
        _ = source.archive
    except Exception as error:
        raise UserError(f"{shown} is not a usable zip: {reason(error)}.", hint, USAGE) from error
    return source


def open_album(path: str | Path) -> Album:
    """Find the images in a folder or .zip; only headers are read. Raises `UserError` if none is usable."""
    source = _open_source(path := _existing(path))
    found, bad, ignored = {}, dict[str, str](), 0
    for name, location, wrong in sorted((printable(name), *rest) for name, *rest in source.files()):
        if not name.lower().endswith((*EXTENSIONS, "/")):
            ignored += 1
        elif wrong:
            bad[name] = wrong
        else:
            try:
                found[name] = (location, *_header(source, location))
            except Exception as error:  # hostile files raise nearly anything
                bad[name] = reason(error)
    if not found and bad:
        raise _none_usable(path, bad)
    if not found:
        message = f"No images in {printable(path)} ({ignored} other files)."
        raise UserError(message, f"Images are files ending in {' '.join(EXTENSIONS)}.", USAGE)
    locations, sizes, grey, alpha = zip(*found.values(), strict=True)
    folders = [name.split("/")[:-1] for name in found]
    around = os.path.commonprefix(folders)  # noqa: RUF071  # of lists; a zipped folder has a folder around all
    if min(folders) == max(folders):  # one folder holds everything: it is a class, if a lonely one
        around = around[:-1]
    wrapper = "".join(f"{folder}/" for folder in around)
    names = tuple(name.removeprefix(wrapper) for name in found)
    tops = ["".join(folder[len(around) :][:1]) for folder in folders]
    classes, loose = tuple(sorted({*tops} - {""})), tops.count("")
    number = {name: label for label, name in enumerate(classes)}
    labels = tuple(number[name] for name in tops) if len(classes) > 1 and not loose else None
    bad = {name.removeprefix(wrapper): why for name, why in bad.items()}
    facts = (Counter(sizes), all(grey), any(alpha), ignored, loose, loose > 0 and classes != ())
    return Album(path, wrapper, names, classes, labels, bad, *facts, source, locations)


def load(
    album: Album, size: int, channels: int, threads: int = THREADS, progress: Progress | None = None
) -> tuple[Pixels, NDArray[np.int64] | None, dict[str, str]]:
    """All images (N, C, S, S) and labels in order, bad ones left out; and those bad ones with reasons."""
    pixels = np.empty((len(album), channels, size, size), np.uint8)
    bad: dict[str, str] = {}

    def one(index: int) -> str:
        try:
            pixels[index] = album.decode(index, size, channels)
        except BadImage as error:  # which holds on to half a decoded image
            return error.reason
        return ""

    pool = ThreadPoolExecutor(threads)
    try:
        for index, why in enumerate(pool.map(one, range(len(album)))):
            if why:
                bad[album.names[index]] = why
            if progress:
                progress(index + 1, len(album))
    finally:  # after Ctrl-C, do not first decode the rest
        pool.shutdown(cancel_futures=True)
    if len(bad) == len(album):
        raise _none_usable(album.path, bad)
    keep = [index for index, name in enumerate(album.names) if name not in bad]
    for to, origin in enumerate(keep):  # moved up in place: a copy could be as large as memory
        pixels[to] = pixels[origin]
    labels = None if album.labels is None else np.array(album.labels, np.int64)[keep]
    return pixels[: len(keep)], labels, bad


@dataclass(frozen=True)
class Report:
    """What `gantool data check` prints."""

    album: Album
    images: int
    per_class: dict[str, int]
    bad: dict[str, str]

    def lines(self) -> list[str]:
        album, sizes = self.album, self.album.sizes
        chosen = (min(sizes, key=math.prod), sizes.most_common(1)[0][0], max(sizes, key=math.prod))
        small, common, large = (f"{width} x {height}" for width, height in chosen)
        kind = ("grey" if album.grey else "colour") + (", some with transparency" if album.alpha else "")
        beside = f" ({album.loose} images lie beside the sub-folders)" if album.mixed else ""
        return [
            f"images: {self.images}, {kind}",
            f"labels: {f'{len(album.classes)} classes' if album.labels else 'none'}{beside}",
            *(f"  {name}: {count}" for name, count in self.per_class.items()),
            f"sizes: smallest {small}, most common {common}, largest {large}",
            *([f"cut to squares, they lose {album.cropped:.0%}"] if album.cropped >= NOTICED else []),
            f"bad: {len(self.bad)}",
            *(f"  {name}: {why}" for name, why in sorted(self.bad.items())),
            f"other files: {album.ignored}",
        ]


def check(path: str | Path, threads: int = THREADS, progress: Progress | None = None) -> Report:
    """Open and fully decode everything, so that truncated files are found too."""
    album = open_album(path)
    bad = load(album, 4, 3, threads, progress)[2]
    per_class = Counter(name.split("/")[0] for name in album.names if "/" in name and name not in bad)
    return Report(album, len(album) - len(bad), dict(per_class), album.bad | bad)


def read_image(path: str | Path, size: int | None, channels: int | None) -> Pixels:
    """One file as (C, H, W): a centred square of `size`; its own size, or its own channels, for None."""
    path = _existing(path)
    try:
        with decoding.open_file(path) as file:
            if channels is None:
                _, grey, alpha = decoding.header(file)
                channels = 4 if alpha else 1 if grey else 3
                file.seek(0)
            return decoding.pixels(file, size, MODES[channels])
    except Exception as error:
        raise UserError(f"{printable(path)} cannot be used: {reason(error)}.", code=USAGE) from error


def size_of(path: str | Path) -> tuple[int, int]:
    """Width and height of one file, by its header."""
    try:
        with decoding.open_file(_existing(path)) as file:
            return decoding.header(file)[0]
    except Exception as error:
        raise UserError(f"{printable(str(path))} cannot be used: {reason(error)}.", code=USAGE) from error
