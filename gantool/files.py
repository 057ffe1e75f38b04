"""Writes a file whole or not at all, whatever kills the process meanwhile. Imports no torch."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO


def write(path: Path, data: bytes | str) -> None:
    """Replace `path` in one step: a reader sees the old bytes or the new ones, even after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last; a rename is on disk only after this."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network file systems cannot, and the file itself is safe already
                os.fsync(handle)
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
