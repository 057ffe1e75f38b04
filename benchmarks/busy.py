"""Whole trainings beside busy processes: how much longer they take than alone."""

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from table import show

NAMES = ("gan", "cgan", "dcgan")
STEPS = 1_500  # long enough for a run to choose its threads
SPIN = "while True: pass"
CORES = os.cpu_count() or 1


def busy(args: Namespace) -> list[dict[str, Any]]:
    """With `--beside` of them, two for each core if not said."""
    count = args.beside or 2 * CORES
    fair = f"{(count + CORES) / CORES:.1f}"  # with a thread a core
    title = f"busy: seconds of {STEPS:,} steps from Enter, beside {count} busy processes; a fair share takes x {fair}"
    return show(title, rows(args, count))


def rows(args: Namespace, count: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        for name in [n for n in NAMES if n in (args.only or NAMES)]:
            took: dict[str, list[float]] = {"alone": [], "auto": [], "all": []}
            for i in range(args.rounds):
                took["alone"].append(train(name, Path(folder) / f"{name}-{i}-alone"))
                with spinning(count):
                    took["auto"].append(train(name, Path(folder) / f"{name}-{i}-auto"))
                    took["all"].append(train(name, Path(folder) / f"{name}-{i}-all", "--threads", str(CORES)))
            alone, auto, most = map(median, took.values())
            yield {
                "network": name, "alone": round(alone), "beside": round(auto), "times": round(auto / alone, 1),
                "all threads": round(most), "times as long": round(most / alone, 1),
            }  # fmt: skip


def train(name: str, run: Path, *more: str) -> float:
    line = [sys.executable, "-m", "gantool", "train", name, "--steps", str(STEPS), "--out", str(run), "-q", *more]
    began = time.monotonic()
    subprocess.run(line, check=True)
    return time.monotonic() - began


@contextmanager
def spinning(count: int) -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
