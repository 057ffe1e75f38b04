"""Images a second of `gantool sample`, into a file and into a folder, against the network's forward alone."""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from plain import window
from table import show

CHUNK = 256
MOST = 100_000


def sampling(args: Namespace) -> list[dict[str, Any]]:
    """Of the default variants, each after one step: what is drawn does not change the time."""
    with tempfile.TemporaryDirectory() as folder:
        title = "sampling: images/s; the time to start is taken out by drawing two numbers of them"
        return show(title, (drawn(name, args, Path(folder)) for name in ("gan", "cgan", "dcgan")))


def drawn(name: str, args: Namespace, folder: Path) -> dict[str, Any]:
    run, device = folder / name, torch.device(args.device)
    call("train", name, "--steps=1", f"--out={run}", "--device", args.device)
    alone = forward(name, run, args.seconds, device)
    many = min(MOST, max(4 * CHUNK, round(alone * args.seconds)))
    row: dict[str, Any] = {"variant": name, "forward": round(alone)}
    for kind in ("npz", "folder"):
        rates = []
        for i in range(args.rounds):
            out = folder / f"{name}-{i}{'.npz' if kind == 'npz' else ''}"
            n = many if kind == "npz" else min(many, 10_000)
            few = took(name, run, CHUNK, out.with_stem(f"{out.stem}-few"), args.device)
            rates.append((n - CHUNK) / (took(name, run, n, out, args.device) - few))
        row |= {kind: round(median(rates)), f"{kind} share": round(median(rates) / alone, 2)}
    return row


def took(name: str, run: Path, n: int, out: Path, device: str) -> float:
    start = time.perf_counter()
    call("sample", name, f"--run={run}", f"-n{n}", f"--out={out}", "--device", device)
    return time.perf_counter() - start


def call(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "gantool", *arguments, "--quiet"], check=True)


def forward(name: str, run: Path, seconds: float, device: torch.device) -> float:
    from gantool.registry import Registry
    from gantool.runs.model import open_model

    variant = open_model(Registry(), run, str(device)).variant
    options = type(variant).SampleOptions()
    with torch.inference_mode():
        variant.sample(CHUNK, options)
        return CHUNK / window(lambda: variant.sample(CHUNK, options), seconds, device)
