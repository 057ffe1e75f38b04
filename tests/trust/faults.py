"""Storage that fails: hooks for `start`, after which every use of it in that process is an event with a number.

An event is a raw write, an fsync, a rename, a removal, a new folder or a file opened to be written. Events are listed
in a file as they come; one of them can kill the process, or from one of them on the disk can be full.
"""

import errno
import io
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

KILL, FULL, PAST = "kill", "full", "past"  # what happens at the event; nothing happens past the last one


class Event(NamedTuple):
    what: str
    name: str  # of the file, or of a rename's target
    inode: int
    size: int


class Disk:
    """What every patched function asks before it does its work."""

    def __init__(self, log: Path, how: str, at: int) -> None:
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.how, self.at, self.count = how, at, 0
        self.asked = False  # whether a file is being opened by way of these hooks

    def event(self, what: str, name: object, file: Any = None, half: Callable[[], int] | None = None) -> int | None:
        """Record it; die or refuse if it is time, the latter with half a write done. Else None: go ahead."""
        self.count += 1
        state = os.stat(file) if file is not None else None
        event = Event(what, str(name), state.st_ino if state else 0, state.st_size if state else 0)
        os.write(self.log, json.dumps(event).encode() + b"\n")
        if self.how == KILL and self.count == self.at:
            if half:
                half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == FULL and self.count >= self.at and what != "remove":
            if half and self.count == self.at:
                return half()  # as a real disk does: what still fits is written, and the next write fails
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return None


class Raw(io.FileIO):
    """A file opened to be written."""

    disk: Disk

    def write(self, data: Any) -> int:
        half = bytes(data)[: len(data) // 2]
        done = self.disk.event("write", self.name, self.fileno(), lambda: super(Raw, self).write(half) if half else 0)
        return super().write(data) if done is None else done


def in_order() -> None:
    """A hook: checkpoints are written between two steps, not beside them, so that each use of the disk has its number.

    Kills and signals at any instant, which need none, find them written as always.
    """
    from gantool.runtime.behind import Behind

    Behind.send = lambda self, errand: errand()  # type: ignore[method-assign, assignment, return-value]


def strike(log: Path, how: str = PAST, at: int = 0, stdout: bool = False) -> None:
    """A hook: from here on storage is watched, and struck by `how` at event number `at`."""
    in_order()
    disk = Disk(log, how, at)
    Raw.disk = disk
    plain_open = io.open

    def opened(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *rest: Any, **more: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return plain_open(file, mode, buffering, encoding, *rest, **more)
        disk.event("open", os.path.basename(file))
        disk.asked = True
        try:
            buffer = io.BufferedWriter(Raw(file, mode.replace("b", "")))
        finally:
            disk.asked = False
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding=encoding)

    def struck(what: str, real: Callable[..., Any], source: Any, *rest: Any, **more: Any) -> Any:
        if what == "folder" or os.path.exists(source):  # what is not there need not be removed
            name = "" if what == "sync" else os.path.basename(rest[0] if what == "rename" else source)
            disk.event(what, name, None if what == "folder" else source)
        return real(source, *rest, **more)

    def overheard(what: str, args: Any) -> None:
        if what == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR) and not disk.asked:
            os.write(disk.log, json.dumps(Event("unseen", args[0], 0, 0)).encode() + b"\n")

    io.open = opened  # type: ignore[assignment]  # what pathlib calls
    named = {"fsync": "sync", "replace": "rename", "rename": "rename", "mkdir": "folder", "unlink": "remove"}
    for function, what in named.items():
        setattr(os, function, partial(struck, what, getattr(os, function)))
    sys.addaudithook(overheard)
    if stdout:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(Raw(os.devnull, "w")))


def two_at_a_time(jobs: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Jobs end with a function that starts a command; they come back in order, each when its command has ended."""
    waiting = iter(jobs)
    while pair := [(*rest, start()) for *rest, start in islice(waiting, 2)]:
        for *rest, command in pair:
            command.wait()
            yield (*rest, command)


def events(log: Path, unseen: bool = False) -> list[Event]:
    """In order; or instead the files that were opened to be written past these hooks."""
    found = [Event(*json.loads(line)) for line in log.read_text().splitlines()]
    return [event for event in found if (event.what == "unseen") == unseen]


def largest_file(size: int) -> None:
    """A hook: no file can become larger than this, as under `ulimit -f`. stdout and stderr are files here."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def full_stdout() -> None:
    """A hook: as `> /dev/full`."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def masked(umask: int, log: Path) -> None:
    """A hook: that umask, and everything recorded."""
    os.umask(umask)
    strike(log)


def traced() -> None:
    """A hook: wait until strace holds this process."""
    in_order()
    import ctypes
    import time

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # Yama: anyone may trace me
    for _ in range(2_000):
        if "TracerPid:\t0\n" not in Path("/proc/self/status").read_text():
            return
        time.sleep(0.005)
    os._exit(99)
