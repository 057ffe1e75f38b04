"""Images with their captions written under them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

WIDE = 128  # pixels, at least, that an image is enlarged to
LINES, HEIGHT = 4, 12  # of writing: how many, and how high


def captioned(x: Tensor, texts: Sequence[str]) -> Tensor:
    """Images (n, C, S, S) in [-1, 1], enlarged by a whole number, white writing on black below."""
    times = -(-WIDE // x.shape[3])
    large = x.repeat_interleave(times, 2).repeat_interleave(times, 3)
    below = torch.stack([lettered(text, large.shape[3]) for text in texts]).to(x)
    below = below.expand(-1, min(x.shape[1], 3), -1, -1)
    if x.shape[1] == 4:
        below = torch.cat([below, torch.ones_like(below[:, :1])], 1)
    return torch.cat([large, below], 2)


def lettered(text: str, width: int) -> Tensor:
    """(1, height, width) in [-1, 1]."""
    font = ImageFont.load_default()
    page = Image.new("L", (width, LINES * HEIGHT + 4))
    for number, line in enumerate(wrapped(text, width - 4, font.getlength)[:LINES]):
        ImageDraw.Draw(page).text((2, 1 + number * HEIGHT), line, fill=255, font=font)
    return torch.from_numpy(np.array(page)).unsqueeze(0) / 127.5 - 1


def wrapped(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """Lines that fit, broken between words; a word that is too long sticks out."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and length(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
