"""Reads the named data sets: `digits` from the package, the others from files that downloads.py fetches."""

import math
import os
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gantool.data.catalog import CATALOG
from gantool.data.downloads import Known, alone, fetch, obtain
from gantool.errors import UserError

Array = NDArray[np.uint8]
ASSETS = Path(__file__).parents[1] / "assets"
IDX = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST"}  # their folders


class Damaged(Exception):
    """A file that is there and is not what its name says."""


def default_folder() -> Path:
    """Where downloads are kept unless --data-dir or GANTOOL_DATA says otherwise."""
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gantool"


def weights(url: str, sha256: str, size: int) -> Path:
    """A pretrained network's file, for training alone: from the user's cache, or over https; known by its digest."""
    path = default_folder() / "weights" / sha256[:16] / url.rpartition("/")[2]
    with alone(path.parent):
        fetch(Known(url, size, sha256), path)
    return path


def load(name: str, folder: Path | None, train: bool = True) -> tuple[Tensor, Tensor]:
    """Pixels (N, C, S, S) as bytes, and labels."""
    if name == "digits":
        return digits(train)
    folder = (folder or default_folder()).expanduser()
    try:
        if name == "svhn":
            import scipy.io  # type: ignore[import-untyped]  # noqa: F401  # told before 180 MB are fetched for nothing
        paths = obtain(folder, places(name, train))
        pixels, labels = read(name, paths)
        entry, images, last = CATALOG[name], paths[0].name, paths[-1].name
        if pixels.shape[1:] != (entry.channels, entry.size, entry.size):
            raise Damaged(f"{images} has images of another size than {entry.size}x{entry.size}")
        if len(pixels) != len(labels) or not len(labels):
            raise Damaged(f"{images} has {len(pixels):,} images, {last} {len(labels):,} labels")
        if labels.max() >= len(entry.classes):
            raise Damaged(f"{last} has a label {labels.max()}, and {name} {len(entry.classes)} classes")
    except ModuleNotFoundError as error:  # SVHN's files are MATLAB's
        package = str(error.name).partition(".")[0]
        raise UserError(f"{name} needs {package}.", f"pip install {package}") from None
    except Damaged as error:
        raise UserError(
            f"{name} in {folder} is damaged: {error}.", "Remove that file, and it will be downloaded."
        ) from None
    except (OSError, UserError) as error:
        raise UserError(
            f"{name} is not in {folder} and could not be downloaded: {error}",
            "Use --data digits, which needs no download, or --data-dir FOLDER holding torchvision's files.",
        ) from None
    return torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels.astype(np.int64))


def digits(train: bool = True) -> tuple[Tensor, Tensor]:
    """5,000 digits on one sheet, 100 to a row, 500 of each class in turn; and 1,000 others, held out."""
    with Image.open(ASSETS / ("digits.png" if train else "digits-test.png")) as sheet:
        pixels = np.asarray(sheet.convert("L"))
    rows, columns = pixels.shape[0] // 28, pixels.shape[1] // 28
    tiles = pixels.reshape(rows, 28, columns, 28).swapaxes(1, 2).reshape(-1, 1, 28, 28)
    return torch.from_numpy(tiles.copy()), torch.arange(len(tiles)) * 10 // len(tiles)


def here(name: str, folder: Path | None, train: bool = True) -> bool:
    """Whether it can be read without a download."""
    folder = (folder or default_folder()).expanduser()
    return name == "digits" or all((folder / place).is_file() for place in places(name, train))


def places(name: str, train: bool) -> list[str]:
    """The files of a data set, from its folder on: images, and labels where they have a file of their own."""
    if name == "svhn":
        return ["train_32x32.mat" if train else "test_32x32.mat"]
    if name == "cifar10":
        batches = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
        return [f"cifar-10-batches-bin/{batch}.bin" for batch in batches]
    part = "train" if train else "t10k"
    if name == "emnist":
        part = f"emnist-balanced-{'train' if train else 'test'}"
    return [f"{IDX[name]}/raw/{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]


def read(name: str, paths: list[Path]) -> tuple[Array, Array]:
    match name:
        case "svhn":
            return svhn(*paths)
        case "cifar10":
            rows = np.concatenate([cifar10(path) for path in paths])
            return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
        case _:
            pixels, labels = idx(paths[0], 3)[:, None], idx(paths[1], 1)
            return (pixels.swapaxes(2, 3) if name == "emnist" else pixels), labels  # EMNIST's lie on their side


def idx(path: Path, dimensions: int) -> Array:
    """MNIST's format: two zeros, the type (8: bytes), the number of dimensions, each dimension, the bytes."""
    data, start = np.fromfile(path, np.uint8), 4 + 4 * dimensions
    if len(data) < start or data[:4].tolist() != [0, 0, 8, dimensions]:
        raise Damaged(f"{path.name} does not begin as an idx file of {dimensions} dimensions does")
    shape = struct.unpack(f">{dimensions}I", data[4:start].tobytes())
    if (said := math.prod(shape)) != len(data) - start:
        raise Damaged(f"{path.name} says that it has {said:,} bytes, and has {len(data) - start:,}")
    return data[start:].reshape(shape)


def cifar10(path: Path) -> Array:
    """Rows of a label and three planes of 32x32. This is the binary version: the usual one is pickled."""
    data = np.fromfile(path, np.uint8)
    if len(data) % 3073:
        raise Damaged(f"{path.name} is cut short")
    return data.reshape(-1, 3073)


def svhn(path: Path) -> tuple[Array, Array]:
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=("X", "y"))
        pixels, labels = found["X"].transpose(3, 2, 0, 1), found["y"].reshape(-1)
    except Exception as error:  # scipy's reader fails in ways of its own
        raise Damaged(f"{path.name}: {' '.join(str(error).split())[:100] or type(error).__name__}") from None
    return pixels.astype(np.uint8), (labels % 10).astype(np.uint8)  # its files call the zero ten
