"""Many command lines tried in turn in one process: what each said, how long it took, how much memory it took."""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from spawned import Command

HANGS = 30  # seconds a command may take
HOLDS = 1024  # MiB they may hold at once, beyond what the process began with
SAFETY = 8 * 2**30  # bytes of addresses: what goes past HOLDS must not take the machine with it
Line = Sequence[object]


class Outcome(NamedTuple):
    """What became of a command line."""

    line: list[str]
    code: int
    out: str
    err: str
    seconds: float
    grew: float  # MiB above the beginning, if never before so many

    def wrong(self, *codes: int) -> str:
        """What a command must never do, whatever it was given; nothing if it did none of it."""
        said = self.out + self.err
        faults = {
            f"exit code {self.code}": self.code not in codes,
            "a traceback": "Traceback" in said or "This is a bug" in said or "Warning" in said,
            "control codes": any(not c.isprintable() and c != "\n" for c in said),
            "too many words": len(self.err) > 20_000 or max(map(len, said.splitlines()), default=0) > 2_000,
            "too many lines": self.code in (1, 2) and len(errors(self.err)) > 6,
            "no words": self.code in (1, 2) and "error: " not in self.err,
            f"{self.seconds:.0f} s": self.seconds > HANGS,
            f"{self.grew:.0f} MiB": self.grew > HOLDS,
        }
        found = ", ".join(fault for fault, true in faults.items() if true)
        return f"{found}: {' '.join(self.line)[:300]}: {said[-600:]!r}" if found else ""


def errors(text: str) -> list[str]:
    """The lines of an error, without the notes before it."""
    lines = text.splitlines()
    return lines[next((i for i, line in enumerate(lines) if line.startswith("error: ")), 0) :]


def outcomes(start: Callable[..., Command], folder: Path, lines: Sequence[Line], hook: Any = None) -> list[Outcome]:
    """Try them all in `folder`, one after another in one process."""
    report, words = folder / ".report", [[str(word) for word in line] for line in lines]
    command = start(hook=(attempt, words, report, hook), folder=folder)
    code = command.wait(590)
    found = [Outcome(*json.loads(row)) for row in report.read_text().splitlines()]
    last = words[len(found) : len(found) + 1]
    assert code == 0, f"{'it hung' if code == -signal.SIGALRM else code} at {last}: {command.err[-2000:]}"
    for leftover in (report, *command.files):  # so that a folder may be compared with what it was
        leftover.unlink()
    return found


def attempt(lines: list[list[str]], report: Path, hook: Callable[[], None] | None) -> None:
    """A hook: try each here, write down what became of it, and end."""
    from gantool import cli

    if hook:
        hook()
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + SAFETY, addresses + SAFETY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first = before = held()
    with report.open("a") as file:
        for line in lines:
            signal.alarm(HANGS)  # nobody catches this one: it ends the process, whatever C code it is in
            begun = time.monotonic()
            code = cli.run(line)
            took = time.monotonic() - begun
            signal.alarm(0)
            out, err = map(said, (sys.stdout, sys.stderr))
            grew = held() - first if held() > before else 0.0  # a greatest amount only ever rises
            before = held()
            file.write(json.dumps((line, code, out, err, took, grew)) + "\n")
            file.flush()
    os._exit(0)


def held() -> float:
    """MiB, at its greatest until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def said(stream: TextIO) -> str:
    """What was written to it, which is then emptied."""
    stream.flush()
    number = stream.fileno()
    with open(f"/proc/self/fd/{number}", "rb") as file:
        text = file.read(100_000).decode(errors="replace")
    os.ftruncate(number, 0)
    return text
