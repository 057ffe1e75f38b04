"""A folder of 60,000 JPEGs: seconds until it is read, and training from memory against decoding as it goes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from table import show

from gantool.data import albums
from gantool.data.named import digits

FILES, SIDE, CHANNELS = 60_000, 32, 3
STEPS = {"gan": 50, "dcgan": 20}  # for each of the seconds asked for


def files(args: Namespace) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder, runs = Path(name) / "images", Path(name) / "runs"
        written(folder)
        rows = show(f"files: seconds to read {FILES:,} JPEGs of {SIDE} x {SIDE}", [reading(folder)])
        title = "files: images/s of training, the images in memory and decoded as it goes"
        return rows + show(title, (trained(variant, folder, runs, args) for variant in STEPS))


def written(folder: Path) -> None:
    """Tinted digits, in a folder for each class."""
    pixels, labels = digits()

    def write(i: int) -> None:
        grey = Image.fromarray(pixels[i % len(pixels), 0].numpy()).resize((SIDE, SIDE))
        tint = 255, 37 * i % 256, 91 * i % 256
        tinted = Image.merge("RGB", [grey.point([v * t // 255 for v in range(256)]) for t in tint])
        tinted.save(folder / str(int(labels[i % len(labels)])) / f"{i:05d}.jpg")

    for label in labels.unique().tolist():
        (folder / str(label)).mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(FILES)))


def reading(folder: Path) -> dict[str, Any]:
    start = time.perf_counter()
    album = albums.open_album(folder)
    found = time.perf_counter()
    albums.load(album, SIDE, CHANNELS)
    return {"found and headers": round(found - start, 1), "decoded": round(time.perf_counter() - found, 1)}


def trained(variant: str, folder: Path, runs: Path, args: Namespace) -> dict[str, Any]:
    pairs = [[rate(variant, folder, runs, args, room) for room in (2**40, 0)] for _ in range(args.rounds)]
    kept, streamed = (median(found) for found in zip(*pairs, strict=True))
    ratio = median(s / k for k, s in pairs)
    return {"variant": variant, "memory": round(kept), "streamed": round(streamed), "ratio": round(ratio, 2)}


def rate(variant: str, folder: Path, runs: Path, args: Namespace, room: int) -> float:
    """By the run's own log; `room` is what images may take of memory."""
    out, steps = runs / f"{variant}-{time.monotonic_ns()}", max(100, round(STEPS[variant] * args.seconds))
    command = ["train", variant, f"--data={folder}", f"--steps={steps}", f"--out={out}", "--quiet"]
    environment = os.environ | {"GANTOOL_IN_MEMORY": str(room)}
    subprocess.run([sys.executable, "-m", "gantool", *command, "--device", args.device], check=True, env=environment)
    return median(list(rates(out / "metrics.jsonl"))[1:])


def rates(log: Path) -> Iterator[float]:
    for line in map(json.loads, log.read_text().splitlines()):
        if "images_per_s" in line:
            yield line["images_per_s"]
