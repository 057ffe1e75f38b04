"""Writes a file whole or not at all, whatever kills the process meanwhile. Imports no torch."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CANNOT = (errno.EINVAL, errno.EBADF, errno.ENOTSUP)  # what file systems say that do not sync folders


def write(path: Path, data: bytes | str | Callable[[IO[bytes]], object], sync: bool = True) -> None:
    """Replace `path` in one step: a reader sees the old bytes or the new ones; with `sync`, after a power cut too.

    What is too large to hold is given as a function, which writes it to the file that it is given.
    """
    with whole(path, sync) as file:
        data(file) if callable(data) else file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def whole(path: Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` when all went well, and else is gone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with naming(path):
        try:
            with temporary.open("wb") as file:
                yield file
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if sync:
            sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors say which file they are about; those of a write or an fsync do not by themselves."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def make_folder(folder: Path) -> None:
    """Make it and those above it, so that a power cut does not take it away with all that is in it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last; a rename is on disk only after this."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in CANNOT:
                raise
        finally:
            os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def lock(path: Path, mode: str = "ab") -> IO[bytes] | None:
    """An exclusive lock that the system lifts when this process ends, however it ends; None if another holds it."""
    file: IO[bytes] = path.open(mode)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
