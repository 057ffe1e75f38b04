"""Two folders of pictures, A and B, that are not pairs."""

from pathlib import Path
from typing import Self

import torch
from gantool.api import USAGE, Data, DataSpec, Recipe, UserError, open_folder
from torch import Tensor


class Unpaired(Data):
    """Pictures of A in their order, each beside one of B at random; those held out are in testA and testB."""

    def __init__(self, recipe: Recipe, train: bool = True) -> None:
        root = Path(recipe.data)
        folders = [root / f"test{domain}" for domain in "AB"]
        if train or not all(folder.is_dir() for folder in folders):
            folders = [folder(root, domain) for domain in "AB"]
        found = [open_folder(path, recipe.size or 32, recipe.channels, recipe.flip) for path in folders]
        channels = max(x.spec.channels for x in found)  # one network draws both: colour if either is
        self.a, self.b = (
            x if x.spec.channels == channels else open_folder(path, x.spec.size, channels, recipe.flip)
            for path, x in zip(folders, found, strict=True)
        )
        self.spec = DataSpec(channels, self.a.spec.size)
        self.streamed = self.a.streamed or self.b.streamed
        self.notes = tuple(f"{name}: {note}" for name, x in (("A", self.a), ("B", self.b)) for note in x.notes)

    def __len__(self) -> int:
        return len(self.a)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        a, _ = self.a.batch(index, rng)
        b, _ = self.b.batch(torch.randint(len(self.b), (len(index),), generator=rng), rng)
        return a, b

    def to(self, device: torch.device) -> Self:
        self.a, self.b = self.a.to(device), self.b.to(device)
        return self

    def fingerprint(self) -> str:
        return f"{self.a.fingerprint()}-{self.b.fingerprint()}"


def folder(root: Path, domain: str) -> Path:
    for name in (domain, f"train{domain}"):
        if (root / name).is_dir():
            return root / name
    raise UserError(
        f"There is no folder {domain}/ in {root.resolve()}.",
        "Give cyclegan --data FOLDER with two folders of pictures in it: A/ and B/ (or trainA/ and trainB/).",
        USAGE,
    )
