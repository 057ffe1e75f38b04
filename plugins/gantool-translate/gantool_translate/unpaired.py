"""Two sets of images, A and B; and those that are not pairs."""

from pathlib import Path

import torch
from gantool.api import USAGE, DataSpec, FromImages, ImageData, Recipe, UserError, open_folder
from torch import Tensor


class Two(FromImages):
    """Two sets of images of one shape; a subclass says which of B stands beside each of A."""

    def __init__(self, a: ImageData, b: ImageData) -> None:
        super().__init__(a, b)
        self.spec = DataSpec(a.spec.shape)
        self.notes = tuple(f"{name}: {note}" for name, x in (("A", a), ("B", b)) for note in x.notes)

    @property
    def a(self) -> ImageData:
        return self.sets[0]

    @property
    def b(self) -> ImageData:
        return self.sets[1]


class Unpaired(Two):
    """Images of A in their order, each beside one of B at random."""

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        a, _ = self.a.batch(index, rng)
        b, _ = self.b.batch(torch.randint(len(self.b), (len(index),), generator=rng), rng)
        return a, b


def open_unpaired(recipe: Recipe, train: bool) -> Unpaired:
    """Of two folders, A and B; those held out are in testA and testB."""
    return Unpaired(*open_two(two_folders(Path(recipe.data).expanduser(), train), recipe))


def open_two(folders: list[Path], recipe: Recipe) -> list[ImageData]:
    """At one size, and in colour if one of them is: one network draws both."""
    found = [open_folder(path, recipe.size or 32, recipe.channels, recipe.flip) for path in folders]
    channels = max(x.spec.channels for x in found)
    return [
        x if x.spec.channels == channels else open_folder(path, x.spec.size, channels, recipe.flip)
        for path, x in zip(folders, found, strict=True)
    ]


def two_folders(root: Path, train: bool) -> list[Path]:
    held = [root / f"test{domain}" for domain in "AB"]
    return held if not train and all(folder.is_dir() for folder in held) else [folder(root, d) for d in "AB"]


def folder(root: Path, domain: str) -> Path:
    for name in (domain, f"train{domain}"):
        if (root / name).is_dir():
            return root / name
    raise UserError(
        f"There is no folder {domain}/ in {root.resolve()}.",
        "Give --data FOLDER with two folders of images in it: A/ and B/ (or trainA/ and trainB/).",
        USAGE,
    )
