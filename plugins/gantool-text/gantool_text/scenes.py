"""The data set `captions`: large and small digits in colours, here and there, and what people may say of them."""

from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import torch
from gantool.api import USAGE, ImageData, Recipe, UserError, open_data
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gantool_text.captions import Captions

Grey = NDArray[np.uint8]
SIDE = 32
SIZES = {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")}
LONGER = (12, 18)  # the longer side of a digit, in pixels
COLOURS = {"red": (230, 50, 50), "yellow": (230, 210, 50), "green": (50, 200, 70), "blue": (60, 90, 240),
           "purple": (185, 60, 220)}  # fmt: skip
VARIED = 25  # how far each of the three numbers may be off
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = {
    "top left": ("at the top left", "in the upper left corner", "top left"),
    "top right": ("at the top right", "in the upper right corner", "top right"),
    "bottom left": ("at the bottom left", "in the lower left corner", "bottom left"),
    "bottom right": ("at the bottom right", "in the lower right corner", "bottom right"),
    "centre": ("at the centre", "in the middle", "in the center"),
}
CENTRES = ((9.5, 9.5), (9.5, 22.5), (22.5, 9.5), (22.5, 22.5), (16.0, 16.0))  # (down, right), in pixels
MOVED = 1  # pixels that a digit may be off
PHRASES = (
    "a {size} {colour} {digit} {place}",
    "{place} a {size} {colour} {digit}",
    "a {colour} {digit}, {size}, {place}",
    "there is a {size} {digit} {place} and it is {colour}",
    "the {digit} {place} is {colour} and {size}",
    "the number {digit}, {size} and {colour}, {place}",
)
MEANINGS = tuple(product(range(2), range(5), range(10), range(5)))  # size, colour, digit, place
EACH = {True: 40, False: 4}  # images of each meaning, to train on and held out


class Meant(Captions):
    """Captions whose images' meanings are known, (n, 4); `unseen` says which meanings nobody trains on."""

    meanings: Tensor
    unseen: Tensor


def captions(recipe: Recipe, train: bool = True) -> Meant:
    """Coloured digits, 500 meanings, each in 54 ways of saying it; 50 meanings are held out."""
    if recipe.flip:
        raise UserError("These captions say left and right, and nobody reads a mirrored 3.", "Leave out --flip.", USAGE)
    pixels, meaning = drawn(train)
    said = [list(ways(*MEANINGS[m])) for m in range(len(MEANINGS))]
    each = len(said[0])
    data = Meant(ImageData(pixels), [text for texts in said for text in texts], meaning * each,
                 torch.full_like(meaning, each))  # fmt: skip
    data.meanings = torch.tensor(MEANINGS)[meaning]
    data.unseen = torch.tensor([held_out(*m) for m in MEANINGS])[meaning]
    return data


def held_out(size: int, colour: int, digit: int, place: int) -> bool:
    """One meaning of each colour and digit, ten of each place, 25 of each size: no word, and no two, are unheard of."""
    return place == (colour + 2 * digit) % 5 and size == (colour + digit) % 2


def ways(size: int, colour: int, digit: int, place: int) -> Iterator[str]:
    """All that is said of a meaning."""
    sizes, places = list(SIZES.values())[size], list(PLACES.values())[place]
    for phrase, big, there in product(PHRASES, sizes, places):
        yield phrase.format(size=big, colour=list(COLOURS)[colour], digit=DIGITS[digit], place=there)


def begun(incomplete: str) -> list[str]:
    """What Tab offers: the plainest way of saying each meaning."""
    plainest = (next(ways(*meaning)) for meaning in MEANINGS)
    return [text for text in plainest if text.startswith(incomplete)]


@cache
def drawn(train: bool) -> tuple[Tensor, Tensor]:
    """Images (n, 3, 32, 32) and the numbers of their meanings. Every tenth digit is for those held out."""
    digits, rng = open_data(Recipe(data="digits")), torch.Generator().manual_seed(0 if train else 1)
    mine = (torch.arange(len(digits)) % 10 == 9) != train
    pixels, meanings = list[Tensor](), list[Tensor]()
    for digit in range(10):
        pool = digits.pixels[mine & (digits.labels == digit), 0].numpy()
        meant = [m for m, it in enumerate(MEANINGS) if it[2] == digit and not (train and held_out(*it))]
        wanted = torch.tensor(meant).repeat_interleave(EACH[train])
        turns = [torch.randperm(len(pool), generator=rng) for _ in range(-(-len(wanted) // len(pool)))]
        pixels.append(scenes(pool, torch.cat(turns)[: len(wanted)], torch.tensor(MEANINGS)[wanted], rng))
        meanings.append(wanted)
    return torch.cat(pixels), torch.cat(meanings)


def scenes(pool: Grey, which: Tensor, meanings: Tensor, rng: torch.Generator) -> Tensor:
    """Digits of the pool as their meanings say: in about that colour, about there, on black."""
    n = len(which)
    off = torch.randint(-VARIED, VARIED + 1, (n, 3), generator=rng)
    shade = (torch.tensor(list(COLOURS.values()))[meanings[:, 1]] + off).clamp(0, 255)
    moved = torch.randint(-MOVED, MOVED + 1, (n, 2), generator=rng).tolist()
    inks = [[inked(digit, longer) for digit in pool] for longer in LONGER]
    grey = np.zeros((n, SIDE, SIDE), np.uint8)
    for page, i, (size, _, _, place), by in zip(grey, which.tolist(), meanings.tolist(), moved, strict=True):
        ink = inks[size][i]
        top, left = (corner(*each) for each in zip(CENTRES[place], ink.shape, by, strict=True))
        page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return (torch.from_numpy(grey).unsqueeze(1).int() * shade.view(n, 3, 1, 1).int() // 255).byte()


def corner(centre: float, side: int, by: int) -> int:
    """Where a digit begins, such that it is on the image."""
    return min(max(int(centre - side / 2) + by, 0), SIDE - side)


def inked(digit: Grey, longer: int) -> Grey:
    """The part with ink in it, its longer side so many pixels."""
    (top, bottom), (left, right) = (np.flatnonzero((digit > 60).any(axis))[[0, -1]] for axis in (1, 0))
    cut = Image.fromarray(digit[top : bottom + 1, left : right + 1])
    scale = longer / max(cut.size)
    width, height = (max(1, round(side * scale)) for side in cut.size)
    # Pillow counts in whole numbers, so that everybody gets the same bytes.
    return np.asarray(cut.resize((width, height), Image.Resampling.BICUBIC))
