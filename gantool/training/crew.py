"""Several trainings at once, each a process of one thread on a core of its own.

A small network leaves a second thread little to do: two of them side by side are done sooner than one after the other.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Self

from gantool.runs.run import RunFolder

LEADER = "GANTOOL_LEADER"  # in the environment of one of a crew: the process that it trains for
EVERY = 1.0  # seconds between two looks at whether that is still there


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Crew:
    """While this lasts, `count` processes train runs that have begun, in order; when it ends early, they save and stop.

    Signals are this process's to hear: the others are in groups of their own.
    """

    def __init__(self, runs: Sequence[RunFolder], count: int, device: str) -> None:
        self.runs, self.device = runs, device
        self.pool, self.lock, self.over = ThreadPoolExecutor(count), Lock(), False
        self.free: SimpleQueue[int] = SimpleQueue()
        for _, core in zip(range(count), cycle(cores()), strict=False):
            self.free.put(core)
        self.at_work: set[subprocess.Popen[bytes]] = set()
        self.coming: dict[Path, Future[bool]] = {}

    def __enter__(self) -> Self:
        self.coming = {run.folder: self.pool.submit(self.train, run) for run in self.runs}
        return self

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.over = True
            for process in self.at_work:
                process.terminate()
        self.pool.shutdown(cancel_futures=True)

    def finished(self, run: RunFolder) -> bool:
        """Wait for it; whether it came to its end."""
        return self.coming[run.folder].result()

    def train(self, run: RunFolder) -> bool:
        command = [sys.executable, "-m", "gantool", "resume", str(run.folder), "--device", self.device, "--quiet"]
        packages = os.pathsep.join(filter(None, sys.path))  # the same, wherever from
        here = {**os.environ, "PYTHONPATH": packages, LEADER: str(os.getpid())}
        core = self.free.get()
        with self.lock:
            if self.over:
                return False
            process = subprocess.Popen(
                command, env=here, process_group=None if os.name == "nt" else 0,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self.at_work.add(process)
        if hasattr(os, "sched_setaffinity"):
            with suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, {core})
        try:
            return process.wait() == 0
        finally:
            with self.lock:
                self.at_work.discard(process)
            self.free.put(core)


def follow() -> None:
    """In one of a crew: when its leader is gone without a word, killed say, save and stop as at a signal."""
    if leader := os.environ.pop(LEADER, ""):
        Thread(target=outlive, args=(leader,), name="follow", daemon=True).start()


def outlive(leader: str) -> None:
    while str(os.getppid()) == leader:
        time.sleep(EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
