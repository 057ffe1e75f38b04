"""What of a variant can leave gantool: a function of tensors, and what each of them means. Imports no torch."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple


class Input(NamedTuple):
    """One tensor that the function is given; of n images the first side is n."""

    name: str
    kind: Literal["noise", "class", "choice", "number", "image"]
    shape: tuple[int, ...] = ()  # of one image's: (numbers,) of noise, (C, H, W) of an image
    names: Sequence[str] = ()  # of classes, or of what is to choose from: the tensor has its index
    low: float = -2.0  # of a number
    high: float = 2.0


class Exported(NamedTuple):
    """`draw(*tensors)` gives images in [-1, 1], (n, C, H, W); or points, (n, numbers)."""

    draw: Callable[..., Any]
    inputs: tuple[Input, ...]
