"""Seconds until gantool answers, against Python and a bare Typer app."""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from statistics import median
from typing import Any

from table import show

TYPER = """
import typer
app = typer.Typer(rich_markup_mode=None)
@app.command()
def main(name: str = "x") -> None: ...
app()
"""


def startup(args: Namespace) -> list[dict[str, Any]]:
    gantool = ["-m", "gantool"]
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "bare Python": ["-c", "pass"],
            "bare Typer app": ["-c", TYPER, "--help"],
            "import torch": ["-c", "import torch"],
            "--help": [*gantool, "--help"],
            "train gan --help": [*gantool, "train", "gan", "--help"],
            "list": [*gantool, "list"],
            "a usage error": [*gantool, "train", "gan", "--lr", "fast"],
            "train, first line": [*gantool, "train", "gan", "--steps", "1"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for i in range(args.rounds + 1):
            for name, command in commands.items():
                out = ["--out", str(Path(folder) / f"{i}")] if name.startswith("train,") else []
                times[name].append(first_line([sys.executable, *command, *out]))
    rows = (
        {"answer": name, "s": round(median(found[1:]), 2)} for name, found in times.items()
    )  # the first reads disks
    return show("startup: seconds to the first line, or to the end", rows)


def first_line(command: list[str]) -> float:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    line = process.stdout.readline()
    took = time.perf_counter() - start
    process.stdout.read()
    process.wait()
    return took if line else time.perf_counter() - start
