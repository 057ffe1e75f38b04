"""DiffAugment: what D is shown in place of each image, so that it memorises no small data set (Zhao et al., 2020)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

NONE = "none"
Random = Callable[..., Tensor]  # a variant's `random`


def policies(text: str) -> dict[str, int | None]:
    """'translate:2,color' as what is done, in order, and by how much where that is said."""
    found: dict[str, int | None] = {}
    for word in [] if text == NONE else text.split(","):
        name, colon, amount = word.strip().partition(":")
        if name not in POLICIES or (colon and not (name == "translate" and amount.isdecimal() and len(amount) < 4)):
            raise ValueError(f"{text[:80]!r} should be none, or some of translate, translate:PIXELS, color, cutout.")
        found[name] = int(amount) if colon else None
    return found


def checked_policy(text: str | None) -> str | None:
    """The callback of an option that holds one."""
    if text is not None:
        policies(text)
    return text


def policy_of_pixels(pixels: Any) -> str:
    """Of the number of pixels that was an option of 0.1."""
    return f"translate:{int(pixels)}" if int(pixels) else NONE


def diff_augment(x: Tensor, policy: str, random: Random) -> Tensor:
    """Change images at random, each its own way, so that gradients pass; what is no image stays as it is."""
    for name, amount in policies(policy).items() if x.ndim == 4 else ():
        x = POLICIES[name](x, random, amount)
    return x


def translate(x: Tensor, random: Random, pixels: int | None) -> Tensor:
    """Moved by up to so many pixels each way, else by up to an eighth of the side."""
    if pixels is not None:
        return moved(x, (random(torch.rand, len(x), 2) * (2 * pixels + 1)).long() - pixels)
    most = torch.tensor([side // 8 for side in x.shape[2:]], device=x.device)
    return moved(x, (random(torch.rand, len(x), 2) * (2 * most + 1)).long() - most)


def moved(x: Tensor, by: Tensor) -> Tensor:
    """Images moved by (down, right) pixels each, (n, 2); the border is repeated where nothing comes in."""
    n, _, h, w = x.shape
    down, right = by.unsqueeze(2).unbind(1)
    rows = (torch.arange(h, device=x.device) - down).clamp_(0, h - 1)
    columns = (torch.arange(w, device=x.device) - right).clamp_(0, w - 1)
    places = (rows.unsqueeze(2) * w + columns.unsqueeze(1)).view(n, 1, h * w)
    return x.flatten(2).gather(2, places.expand(-1, x.shape[1], -1)).view_as(x)


def color(x: Tensor, random: Random, _: int | None) -> Tensor:
    """Brightness by up to a quarter of the range, saturation from 0 to 2, contrast from .5 to 1.5 of what they were."""
    brightness, saturation, contrast = random(torch.rand, len(x), 3).view(-1, 3, 1, 1, 1).unbind(1)
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * saturation
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (0.5 + contrast)


def cutout(x: Tensor, random: Random, _: int | None) -> Tensor:
    """A square of half the side is grey; part of it may lie outside."""
    n, _, h, w = x.shape
    centre = random(torch.rand, n, 2) * torch.tensor([h, w], device=x.device)
    down, right = ((torch.arange(side, device=x.device) - centre[:, i : i + 1]).abs() for i, side in enumerate((h, w)))
    inside = (down < h / 4).unsqueeze(2) & (right < w / 4).unsqueeze(1)
    return x * ~inside.unsqueeze(1)


POLICIES: dict[str, Callable[[Tensor, Random, int | None], Tensor]] = {
    "translate": translate, "color": color, "cutout": cutout,
}  # fmt: skip
