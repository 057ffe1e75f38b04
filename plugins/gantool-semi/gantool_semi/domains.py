"""Two sets of images, A and B, of one kind of thing shown in two ways; no image of one belongs to one of the other."""

from pathlib import Path

import torch
from gantool.api import USAGE, Data, FromImages, ImageData, Recipe, UserError, is_named, open_data, open_folder
from torch import Tensor


class Domains(FromImages):
    """(image of A, its class, an image of B at random): what B's images show, no batch tells."""

    def __init__(self, a: ImageData, b: ImageData) -> None:
        super().__init__(a, b)
        self.notes = tuple(f"{name}: {note}" for name, x in (("A", a), ("B", b)) for note in x.notes)

    @property
    def a(self) -> ImageData:
        return self.sets[0]

    @property
    def b(self) -> ImageData:
        return self.sets[1]

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        other = torch.randint(len(self.b), (len(index),), generator=rng)
        return *self.a.batch(index, rng), self.b.batch(other, rng)[0]


def open_domains(recipe: Recipe, train: bool) -> Data:
    """Of a named data set, or of two folders, A and B; held out are those in testA and testB, if they are there."""
    if is_named(recipe.data):
        return open_data(recipe, train, of=Domains)
    root = Path(recipe.data).expanduser()
    held = [root / "testA", root / "testB"]
    folders = held if not train and all(folder.is_dir() for folder in held) else [root / "A", root / "B"]
    if not all(folder.is_dir() for folder in folders):
        raise UserError(f"{root} has no two folders A and B.", "Give --data FOLDER with A/ and B/ in it.", USAGE)
    size, channels = recipe.size or 32, recipe.channels or 3
    return Domains(*(open_folder(folder, size, channels, recipe.flip) for folder in folders))
