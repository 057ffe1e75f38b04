"""The named data sets, gantool's own and those of packages, without reading any. Imports no torch."""

from pathlib import Path
from typing import NamedTuple

from gantool.config.packages import DATASETS, Offer, clash, offers
from gantool.errors import USAGE, UserError, did_you_mean


class Entry(NamedTuple):
    images: int  # examples
    size: int  # of square images; 0: plain numbers, as many as channels
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
POINTS = {  # rows of numbers, made on the spot
    "gaussian1d": Entry(50_000, 0, 1, (), "points on the line: a Gaussian"),
    "two-gaussians": Entry(50_000, 0, 1, ("0", "1"), "points on the line: two Gaussians, each a class"),
    "line": Entry(50_000, 0, 2, (), "points in the plane: a segment, and nothing beside it"),
    "ring8": Entry(50_000, 0, 2, tuple("01234567"), "points in the plane: eight Gaussians on a circle"),
    "grid25": Entry(50_000, 0, 2, tuple(map(str, range(25))), "points in the plane: 5x5 Gaussians"),
    "spiral": Entry(50_000, 0, 2, (), "points in the plane: a spiral"),
    "moons": Entry(50_000, 0, 2, ("upper", "lower"), "points in the plane: two half circles, each a class"),
}
OURS = CATALOG | POINTS


def names() -> list[str]:
    """Of gantool's own data sets, then of those of packages."""
    return list(dict.fromkeys((*OURS, *offers(DATASETS))))


def offer(name: str) -> Offer | None:
    """The package's that offers it; None if that is gantool, or nobody. Two of one name are refused."""
    found = offers(DATASETS).get(name, [])
    owners = ["gantool"] * (name in OURS) + [o.package for o in found]
    if len(owners) > 1:
        raise clash(name, owners)
    return found[0] if found else None


def is_named(data: str) -> bool:
    """Tell a data set's name (True) from a path that exists (False); raise for what is neither."""
    if offer(data) or data in OURS:
        return True
    if data and Path(data).expanduser().exists():
        return False
    raise UserError(
        f"No data set and no folder named {data!r}.{did_you_mean(data, names())}",
        f"Data sets: {', '.join(names())}; or give a folder or zip of images, or a CSV of points.",
        USAGE,
    )
