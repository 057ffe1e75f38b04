"""Data sets made by code from gantool's digits. Everybody has the same, and a fifth is held out, always the same."""

import colorsys

import torch
from gantool.api import Data, ImageData, Recipe, as_floats, held_out, open_data
from torch import Tensor
from torch.nn.functional import max_pool2d

from gantool_translate.paired import Paired
from gantool_translate.scores import along, digits_in, drawn_with, nearest_tint, over_all, share
from gantool_translate.unpaired import Unpaired

SIZE = 32
DIGITS = tuple("0123456789")
HUES = torch.tensor([colorsys.hsv_to_rgb(i / 10, 0.8, 1.0) for i in range(10)])  # of each digit, as bright as white
HATCH = 0.4  # how much darker every other stroke of the crayon is
WHITE, BLACK = torch.ones(3), torch.zeros(3)
INK, PAPER = torch.tensor([0.10, 0.15, 0.55]), torch.tensor([0.98, 0.93, 0.80])
TINTS = {"red": (1.0, 0.25, 0.2), "green": (0.3, 0.9, 0.35), "blue": (0.35, 0.5, 1.0)}


def edges(recipe: Recipe, train: bool = True) -> Data:
    """Pairs: the outline of a digit, and the digit in crayon, a colour for each of the ten."""
    x, y = digits(recipe, train)
    return outlined(x, y, y, recipe, train)


def crayons(recipe: Recipe, train: bool = True) -> Data:
    """The same pairs, the crayon any of ten: no outline tells its colour."""
    x, y = digits(recipe, train)
    any_ = torch.randint(len(HUES), (len(x),), generator=torch.Generator().manual_seed(2 + train))
    return outlined(x, y, any_, recipe, train)


def outlined(x: Tensor, y: Tensor, hue: Tensor, recipe: Recipe, train: bool) -> Data:
    solid = x > 0.5
    outline = thick(solid.float()).bool() & ~solid
    start = torch.randint(4, (len(x), 1, 1, 1), generator=torch.Generator().manual_seed(int(train)))
    side = torch.arange(x.shape[-1])
    dark = (side.view(-1, 1) + side + start) % 4 < 2  # where the crayon's strokes begin is in no outline
    b = HUES[hue].view(-1, 3, 1, 1) * x * (1 - HATCH * dark.float())
    return Paired(images(outline.float().expand(-1, 3, -1, -1), y, recipe), images(b, y, recipe))


class Worlds(Unpaired):
    """Unpaired images of which it is known what each would be in the other world."""

    def __init__(self, a: ImageData, b: ImageData, a_in_b: Tensor, b_in_a: Tensor) -> None:
        super().__init__(a, b)
        self.a_in_b, self.b_in_a = a_in_b, b_in_a

    def scores(self, in_b: Tensor, in_a: Tensor) -> dict[str, float]:
        """Of all A drawn in B and all B drawn in A, the worse way of each."""
        found = []
        for out, truth, labels, world in (
            (in_b, self.a_in_b, self.a.labels, (PAPER, INK)),
            (in_a, self.b_in_a, self.b.labels, (BLACK, WHITE)),
        ):
            paper, ink = (colour.to(out.device) for colour in world)
            m, _ = along(out, paper, ink)
            (exact,) = as_floats((truth,), out.device)
            kept = share(digits_in(m) == labels.to(out.device))
            found.append({"domain": share(drawn_with(out, paper, ink)), "kept": kept, "psnr": over_all(out, exact)})
        return {name: min(way[name] for way in found) for name in found[0]}


def two_worlds(recipe: Recipe, train: bool = True) -> Data:
    """Unpaired: digits white on black, and other digits, thick and blue on paper."""
    x, y = digits(recipe, train)
    white = in_colours(x, WHITE, BLACK)
    blue = in_colours(thick(x), INK, PAPER)
    a, b = (torch.arange(len(x)) % 2 == which for which in (0, 1))  # other digits, not the same ones
    in_a, in_b = (images(p[keep], y[keep], recipe) for p, keep in ((white, a), (blue, b)))
    return Worlds(in_a, in_b, as_bytes(blue[a]), as_bytes(white[b]))


class Tints(ImageData):
    """Images in one tint each, which is their class; `ink` is what they have in common, `digits` what they show."""

    def __init__(self, ink: Tensor, digits: Tensor, tints: Tensor, flip: bool) -> None:
        self.ink, self.digits = ink, digits
        super().__init__(as_bytes(tinted(ink, tints)), tints, tuple(TINTS), flip)

    def scores(self, out: Tensor, tint: int, of: Tensor) -> dict[str, float]:
        """Of all images drawn in one tint; only those `of` which it is asked count."""
        colour = torch.tensor(list(TINTS.values()), device=out.device)
        (exact,) = as_floats((as_bytes(tinted(self.ink, torch.full((len(out),), tint))),), out.device)
        m, _ = along(out[of], torch.zeros_like(colour[tint]), colour[tint])
        return {
            "domain": share(nearest_tint(out[of], colour) == tint),
            "kept": share(digits_in(m) == self.digits.to(out.device)[of]),
            "psnr": over_all(out[of], exact[of]),
        }


def tints(recipe: Recipe, train: bool = True) -> Data:
    """Digits in red, green or blue, which is the class."""
    x, y = digits(recipe, train)
    return Tints(x, y, torch.arange(len(x)) % len(TINTS), recipe.flip)


def digits(recipe: Recipe, train: bool) -> tuple[Tensor, Tensor]:
    """From 0 to 1, (n, 1, S, S), and which they are; every fifth is held out."""
    found = open_data(Recipe(data="digits", size=recipe.size or SIZE))
    mine = held_out(found)[not train]
    return mine.pixels.float() / 255, mine.labels


def thick(x: Tensor) -> Tensor:
    """A pixel wider on every side."""
    return max_pool2d(x, 3, 1, 1)


def in_colours(x: Tensor, ink: Tensor, paper: Tensor) -> Tensor:
    paper, ink = (colour.view(1, 3, 1, 1) for colour in (paper, ink))
    return paper + x * (ink - paper)


def tinted(ink: Tensor, tints: Tensor) -> Tensor:
    """Each in its own, by number."""
    return ink * torch.tensor(list(TINTS.values()))[tints].view(-1, 3, 1, 1)


def images(x: Tensor, y: Tensor, recipe: Recipe) -> ImageData:
    return ImageData(as_bytes(x), y, DIGITS, recipe.flip)


def as_bytes(x: Tensor) -> Tensor:
    return (x * 255).round().to(torch.uint8)
