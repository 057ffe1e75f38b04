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
            "train, first step": [*gantool, "train", "gan", "--steps", "2000"],  # many: threads are chosen by timing
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for i in range(args.rounds + 1):
            for name, command in commands.items():
                out = ["--out", str(Path(folder) / f"{i}{name}")] if name.startswith("train,") else []
                says = "step " if name == "train, first step" else ""
                times[name].append(first_line([sys.executable, *command, *out], says))
    rows = (
        {"answer": name, "s": round(median(found[1:]), 2)} for name, found in times.items()
    )  # the first reads disks
    return show("startup: seconds to the first line, or to the end", rows)


def first_line(command: list[str], says: str = "") -> float:
    """Seconds until a line that begins so, which ends the command, too; or to the end."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(says):
                took = time.perf_counter() - start
                if says:
                    process.kill()
                else:
                    process.stdout.read()
                return took
    return time.perf_counter() - start
