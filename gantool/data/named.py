"""Reads the named data sets: `digits` from the package, the others through torchvision's downloads."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gantool.errors import UserError

ASSETS = Path(__file__).parents[1] / "assets"
CIFAR_BINARY = ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")

SILENCE = 30  # seconds a server may say nothing


def default_folder() -> Path:
    """Where downloads are kept unless --data-dir or GANTOOL_DATA says otherwise."""
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gantool"


def load(name: str, folder: Path | None, train: bool = True) -> tuple[Tensor, Tensor]:
    """Pixels (N, C, S, S) as bytes, and labels."""
    if name == "digits":
        return digits()
    folder = (folder or default_folder()).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pixels, labels = through_torchvision(name, folder, train)
    except ModuleNotFoundError as error:  # SVHN's files are MATLAB's
        raise UserError(f"{name} needs {error.name}.", f"pip install {error.name}") from None
    except Exception as error:  # networks, archives and torchvision's readers each fail in ways of their own
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{name} is not in {folder} and could not be downloaded: {why[:160]}",
            "Use --data digits, which needs no download, or --data-dir FOLDER holding torchvision's files.",
        ) from None
    return torch.as_tensor(np.ascontiguousarray(pixels)), torch.as_tensor(labels, dtype=torch.int64)


def digits() -> tuple[Tensor, Tensor]:
    """5,000 digits on one sheet, 100 to a row, 500 of each class in turn."""
    with Image.open(ASSETS / "digits.png") as sheet:
        pixels = np.asarray(sheet.convert("L"))
    rows, columns = pixels.shape[0] // 28, pixels.shape[1] // 28
    tiles = pixels.reshape(rows, 28, columns, 28).swapaxes(1, 2).reshape(-1, 1, 28, 28)
    return torch.from_numpy(tiles.copy()), torch.arange(len(tiles)) * 10 // len(tiles)


def through_torchvision(name: str, folder: Path, train: bool) -> tuple[Any, Any]:
    from torchvision import datasets  # type: ignore[import-untyped]  # two seconds, paid only by those who use it

    socket.setdefaulttimeout(socket.getdefaulttimeout() or SILENCE)  # torchvision would wait for ever
    match name:
        case "mnist" | "fashion-mnist" | "kmnist" | "emnist":
            kind = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST"}[name]
            split = {"split": "balanced"} if name == "emnist" else {}
            found = getattr(datasets, kind)(folder, train=train, download=True, **split)
            pixels = found.data.unsqueeze(1)
            return (pixels.mT if name == "emnist" else pixels), found.targets  # EMNIST's files lie on their side
        case "svhn":
            found = datasets.SVHN(folder, split="train" if train else "test", download=True)
            return found.data, found.labels
        case "cifar10":
            return cifar10(folder / "cifar-10-batches-bin", train)
    raise ValueError(f"no reader for {name}")


def cifar10(folder: Path, train: bool) -> tuple[Any, Any]:
    """The binary version: the one torchvision reads is pickled."""
    from torchvision.datasets.utils import download_and_extract_archive  # type: ignore[import-untyped]

    files = [folder / f"data_batch_{i}.bin" for i in range(1, 6)] if train else [folder / "test_batch.bin"]
    if not all(file.is_file() for file in files):
        url, md5 = CIFAR_BINARY
        download_and_extract_archive(url, str(folder.parent), md5=md5)
    rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
