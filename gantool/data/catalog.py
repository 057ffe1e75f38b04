"""The named data sets, as much as can be known without reading them. Imports no torch."""

from pathlib import Path
from typing import NamedTuple

from gantool.errors import USAGE, UserError, did_you_mean


class Entry(NamedTuple):
    images: int
    size: int
    channels: int
    classes: tuple[str, ...]
    about: str


DIGITS = tuple("0123456789")
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")  # EMNIST's balanced split: 15 small letters look like capitals
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CATALOG = {
    "digits": Entry(5_000, 28, 1, DIGITS, "handwritten digits, a sample of MNIST, inside gantool"),
    "mnist": Entry(60_000, 28, 1, DIGITS, "handwritten digits"),
    "fashion-mnist": Entry(60_000, 28, 1, FASHION, "clothes"),
    "kmnist": Entry(60_000, 28, 1, KANA, "cursive Japanese"),
    "emnist": Entry(112_800, 28, 1, DIGITS + LETTERS, "digits and letters, balanced"),
    "cifar10": Entry(50_000, 32, 3, CIFAR, "small photographs"),
    "svhn": Entry(73_257, 32, 3, DIGITS, "house numbers"),
}


def known(data: str) -> bool:
    """Whether it names a data set; a path that exists is none. Neither is an error."""
    if data in CATALOG:
        return True
    if data and Path(data).expanduser().exists():
        return False
    raise UserError(
        f"No data set and no folder named {data!r}.{did_you_mean(data, CATALOG)}",
        f"Data sets: {', '.join(CATALOG)}; or give a folder or zip of pictures.",
        USAGE,
    )
