"""Many command lines tried in turn, each in a fork of its own: what it said, how long it took, how much it held."""

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from commands import Command

HANGS = 30  # seconds a command may take
HOLDS = 1024  # MiB a command may hold at once, beyond what it began with
SAFETY = 8 * 2**30  # bytes of addresses: what goes past HOLDS must not take the machine with it
Line = Sequence[object]


class Outcome(NamedTuple):
    """What became of a command line."""

    line: list[str]
    code: int  # minus the number of the signal that ended it: -14 is a hang
    out: str
    err: str
    seconds: float
    grew: float  # MiB

    def wrong(self, *codes: int) -> str:
        """What a command must never do, whatever it was given; nothing if it did none of it."""
        said = self.out + self.err
        faults = {
            f"exit code {self.code}": self.code not in codes,
            "a traceback": "Traceback" in said or "This is a bug" in said or "Warning" in said,
            "control codes": any(not c.isprintable() and c != "\n" for c in said),
            "too many words": len(said) > 20_000 or max(map(len, said.splitlines()), default=0) > 2_000,
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


def outcomes(start: Callable[..., Command], folder: Path, lines: Sequence[Line], seconds: float = 590) -> list[Outcome]:
    """Try them all in `folder`."""
    report = folder / ".outcomes.json"
    words = [[str(word) for word in line] for line in lines]
    command = start(hook=(attempt, words, report), folder=folder)
    assert command.wait(seconds) == 0, command.err[-2000:]
    found = [Outcome(*row) for row in json.loads(report.read_text())]
    for leftover in (report, *command.files):  # so that a folder may be compared with what it was
        leftover.unlink()
    return found


def attempt(lines: list[list[str]], report: Path) -> None:
    """A hook: try each in a fork of this process, write down what became of it, and end."""
    from gantool import cli

    cli.registry().names()
    found = []
    for line in lines:
        files = [report.with_suffix(f".{number}") for number in (1, 2)]
        begun = time.monotonic()
        if (child := os.fork()) == 0:
            one(line, files)
        _, status, usage = os.wait4(child, 0)
        took, before = time.monotonic() - begun, int(report.with_suffix(".before").read_text())
        out, err = (file.read_bytes()[:100_000].decode(errors="replace") for file in files)
        found.append(
            Outcome(line, os.waitstatus_to_exitcode(status), out, err, took, (usage.ru_maxrss - before) / 1024)
        )
        for file in (*files, report.with_suffix(".before")):
            file.unlink()
    report.write_text(json.dumps(found))
    os._exit(0)


def one(line: list[str], files: list[Path]) -> None:
    """In the fork: become that command line."""
    from gantool import cli

    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    files[0].with_suffix(".before").write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + SAFETY, addresses + SAFETY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(HANGS)  # nobody catches this one: it ends the process, whatever C code it is in
    code = 120
    try:
        code = cli.run(line)
    finally:
        os._exit(code)
