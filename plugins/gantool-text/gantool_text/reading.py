"""Reads off an image what the data set `captions` says of it: size, colour, digit and place, by closed form."""

import colorsys

import torch
from gantool.api import judged_digits
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from gantool_text.scenes import CENTRES, COLOURS, LONGER

FAINT = 0.3  # the brightest point of an image with nothing in it is below this
EDGE = 0.3  # of the brightest: what is below is no ink
STRAY = 0.02  # of the ink, at each end of rows and columns, may lie apart
PALE = 0.25  # a saturation below this is no colour
SIDE, LONGER_SIDE, MIDDLE = 28, 20, 14.5  # how the judge was shown digits, their centre of mass in the middle


def read(x: Tensor) -> tuple[Tensor, Tensor]:
    """Of images (n, 3, S, S) in [-1, 1]: the numbers of size, colour, digit and place, (n, 4), -1 where none is seen;
    and the judge's features of the digit, (n, 64).
    """
    rgb = (x.double() + 1) / 2
    ink = rgb.amax(1)
    bright = ink.amax((1, 2), keepdim=True)
    ink = ink / bright.clamp_min(1e-9)
    down, along = (ends(ink > EDGE, axis) for axis in (2, 1))
    middle = torch.stack([down.sum(1) / 2, along.sum(1) / 2], 1)  # of the box
    longer = torch.maximum(down[:, 1] - down[:, 0], along[:, 1] - along[:, 0])
    size = (longer > sum(LONGER) / 2).long()
    place = torch.cdist(middle, torch.tensor(CENTRES, dtype=middle.dtype, device=x.device)).argmin(1)
    features, probabilities = judged_digits(framed(ink, longer))
    found = torch.stack([size, colour(rgb, ink), probabilities.argmax(1), place], 1)
    return torch.where(bright.view(-1, 1) > FAINT, found, -1), features


def ends(mask: Tensor, axis: int) -> Tensor:
    """From where to where there is ink, (n, 2), in pixels; a few that lie apart are not heeded."""
    share = mask.sum(axis).double().cumsum(1)
    share = share / share[:, -1:].clamp_min(1)
    return torch.stack([(share <= STRAY).sum(1), (share < 1 - STRAY).sum(1) + 1], 1).double()


def colour(rgb: Tensor, ink: Tensor) -> Tensor:
    """The nearest hue to that of the ink's mean; -1 for grey."""
    weight = (ink * (ink > EDGE)).unsqueeze(1)
    mean = (rgb * weight).sum((2, 3)) / weight.sum((2, 3)).clamp_min(1e-9)
    own = torch.tensor([colorsys.rgb_to_hsv(*shade)[0] for shade in COLOURS.values()], device=rgb.device)
    mine = torch.tensor([colorsys.rgb_to_hsv(*shade)[0] for shade in mean.tolist()], device=rgb.device)
    apart = (mine.unsqueeze(1) - own + 0.5) % 1 - 0.5  # hues lie on a circle
    pale = mean.amax(1) - mean.amin(1) < PALE * mean.amax(1)
    return torch.where(pale, -1, apart.abs().argmin(1))


def framed(ink: Tensor, longer: Tensor) -> Tensor:
    """Digits as MNIST has them: 20 pixels long, their centre of mass in the middle of 28x28; in [-1, 1]."""
    n, side = len(ink), ink.shape[-1]
    at = torch.arange(side, device=ink.device, dtype=ink.dtype) + 0.5
    mass = ink.sum((1, 2)).clamp_min(1e-9)
    right, down = (ink.sum(1) @ at) / mass, (ink.sum(2) @ at) / mass
    reach = longer * SIDE / LONGER_SIDE / side  # half an image is 1
    matrix = ink.new_zeros(n, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = reach
    off = reach * (2 * MIDDLE / SIDE - 1)
    matrix[:, 0, 2], matrix[:, 1, 2] = 2 * right / side - 1 - off, 2 * down / side - 1 - off
    grid = affine_grid(matrix, [n, 1, SIDE, SIDE], align_corners=False)
    return (2 * grid_sample(ink.unsqueeze(1), grid, align_corners=False) - 1).float().clamp(-1, 1)
