"""Trains the digits judge, or with --second the other one, on MNIST, and writes it among the package's assets.

Afterwards put the digest this prints into `DIGITS_SHA256`, or `SECOND_SHA256`, in gantool/metrics/judge.py.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gantool.metrics.judge import DIGITS_PATH, SECOND_PATH, Judge, LeNet, judge_bytes, judge_classes, train_judge


def read_idx(path: Path) -> Tensor:
    """An uncompressed idx file of unsigned bytes: a magic number, the sizes (big-endian), the bytes."""
    data = path.read_bytes()
    if data[:3] != b"\x00\x00\x08":
        raise SystemExit(f"{path} is not an idx file of unsigned bytes")
    sizes = np.frombuffer(data, ">u4", count=data[3], offset=4).astype(int)
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes).copy())


def read_digits(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) uint8 and labels (N,) int64 of "train" or "t10k"."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte").unsqueeze(1)
    return images, read_idx(folder / f"{part}-labels-idx1-ubyte").long()


def show(fraction: float) -> None:
    """One rewritten line on standard error."""
    print(f"\rtraining {fraction:6.1%}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Train, score on the test set, write."""
    parser = argparse.ArgumentParser(description="Train the digits judge on MNIST.")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that holds MNIST/raw/*-ubyte")
    parser.add_argument("--second", action="store_true", help="the other architecture, from another seed")
    parser.add_argument("--out", type=Path, help="default: the package's own")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, help="default: 0, of the second 1")
    parser.add_argument("--threads", type=int, default=1, help="one thread is what makes a run repeatable")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = args.data_dir / "MNIST" / "raw"
    images, labels = read_digits(folder, "train")
    kind, path, seed = (LeNet, SECOND_PATH, 1) if args.second else (Judge, DIGITS_PATH, 0)
    seed = seed if args.seed is None else args.seed
    judge = train_judge(images, labels, 10, epochs=args.epochs, seed=seed, progress=show, kind=kind)
    images, labels = read_digits(folder, "t10k")
    right = judge_classes(judge, images.float() / 127.5 - 1) == labels
    blob = judge_bytes(judge)
    path = args.out or path
    path.write_bytes(blob)
    print(f"\nheld-out accuracy {judge.accuracy:.4f}, test accuracy {right.float().mean():.4f}")
    print(f"{path} {len(blob)} bytes sha256 {hashlib.sha256(blob).hexdigest()}")


if __name__ == "__main__":
    main()
