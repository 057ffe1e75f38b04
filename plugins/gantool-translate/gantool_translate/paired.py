"""Pairs of images, A and B: what goes in, and what should come out."""

from pathlib import Path

import torch
from gantool.api import USAGE, ImageData, Recipe, UserError, open_image
from torch import Tensor
from torch.nn.functional import interpolate

from gantool_translate.unpaired import Two, open_two, two_folders

KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")  # as gantool reads
LAYOUT = "Give --data FOLDER with A/ and B/, whose files are called alike, or with images of both side by side."
LARGEST = 2**31  # bytes of pairs in memory; gantool reads single images as they are needed


class Paired(Two):
    """Each image of A beside the one of B that has its number."""

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        seed = int(torch.randint(2**62, (), generator=rng))  # a pair is mirrored together
        a, b = (x.batch(index, torch.Generator().manual_seed(seed))[0] for x in (self.a, self.b))
        return a, b


def open_pairs(recipe: Recipe, train: bool) -> Paired:
    """Of two folders, A and B, whose files are called alike; those held out are in testA and testB.

    Or of files that hold both images side by side; those held out are in a folder test, if they are.
    """
    root = Path(recipe.data).expanduser()
    if not any((root / name).is_dir() for name in ("A", "B", "trainA", "trainB")) and root.is_dir():
        parts = [root / name for name in (["train"] if train else ["test", "train"])]
        return open_halves(next((part for part in parts if part.is_dir()), root), recipe)
    a, b = open_two(two_folders(root, train), recipe)
    check_partners(a, b)
    return Paired(a, b)


def check_partners(a: ImageData, b: ImageData) -> None:
    """Raise UserError unless the images of both are called alike: one that is not would shift all that follow."""
    names, others = ([Path(name).with_suffix("").as_posix() for name in x.names] for x in (a, b))
    if names == others and len({*names}) == len(names):
        return
    lone = sorted({*names} ^ {*others})
    what, notes = "Two images have one name.", list[str]()
    if lone:
        what, notes = f"{len(lone)} images have no partner, the first {lone[0]}.", [*a.notes, *b.notes]
    hint = "An image and its partner have the same name, one in A/ and one in B/."
    raise UserError(" ".join([what, *(note for note in notes if note.startswith("left out"))]), hint, USAGE)


def files(folder: Path) -> list[Path]:
    """Its images, as paths in it; a link out of it is none of them."""
    inside, there = folder.resolve(), (f for f in folder.rglob("*") if f.suffix.lower() in KINDS and f.is_file())
    found = (f.relative_to(folder) for f in there if f.resolve().is_relative_to(inside))
    return sorted(f for f in found if not any(part.startswith(".") for part in f.parts))


def open_halves(folder: Path, recipe: Recipe) -> Paired:
    """Of files twice as wide as they are high: A is the left half, B the right one."""
    size, channels, found = recipe.size or 32, recipe.channels or 3, files(folder)
    if not found:
        raise UserError(f"There are no pairs in {folder.resolve()}.", LAYOUT, USAGE)
    if (needed := 2 * len(found) * channels * size**2) > LARGEST:
        raise UserError(f"{len(found):,} such pairs take {needed >> 20} MiB.", "Cut them apart, into A/ and B/.", USAGE)
    pixels, kept = torch.empty(2, len(found), channels, size, size, dtype=torch.uint8), 0
    bad, other = list[str](), list[str]()
    for file in found:
        try:
            both = open_image(folder / file, channels=channels)
        except UserError as error:
            bad.append(error.message)
            continue
        _, height, width = both.shape
        if 1.9 < width / height < 2.1:
            pixels[:, kept] = halves(both, size)
            kept += 1
        else:
            other.append(f"{file}, {width} x {height}")
    if other:  # before what is broken: whoever meant another layout has no use for that
        raise UserError(
            f"{len(other)} of {len(found)} images in {folder} are no two squares side by side, the first {other[0]}.",
            LAYOUT, USAGE,
        )  # fmt: skip
    if not kept:
        raise UserError(bad[0], f"Take it out. {LAYOUT}", USAGE)
    pairs = Paired(*(ImageData(half[:kept], flip=recipe.flip) for half in pixels))
    pairs.notes = (f"left out {len(bad)} of {len(found)}, the first: {bad[0]}",) if bad else ()
    return pairs


def halves(both: Tensor, size: int) -> Tensor:
    """The left and the right square of an image."""
    _, height, width = both.shape
    side = min(width // 2, height)
    cut = torch.stack([both[:, :side, left : left + side] for left in (0, width - side)]).float()
    return interpolate(cut, (size, size), mode="bicubic", antialias=True).round().clamp(0, 255).byte()
