"""Latents of images: what a variant with an encoder makes of each."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import torch
from torch import Tensor

from gantool.data.images import as_floats
from gantool.errors import USAGE, UserError
from gantool.registry import Registry
from gantool.variant import Variant

AT_ONCE = 256


def encodes(cls: type[Variant]) -> bool:
    """Whether it has an encoder."""
    return cls.encode is not Variant.encode


def check_encodes(name: str, variant: Variant) -> None:
    if encodes(type(variant)):
        return
    having, registry = [], Registry()
    for other in registry.names():
        with suppress(UserError):  # a broken package
            having += [other] if encodes(registry.load(other)) else []
    hint = f"Of the installed, these have one: {', '.join(having)}." if having else "None that is installed has one."
    raise UserError(f"{name} has no encoder.", hint, USAGE)


def encoded(variant: Variant, inputs: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Names and latents, (n, numbers), a few hundred at a time, of bytes (1, C, H, W) at the model's size."""
    waiting = iter(inputs)
    while part := list(islice(waiting, AT_ONCE)):
        names, images = zip(*part, strict=True)
        (x,) = as_floats((torch.cat(images),), variant.device)
        with torch.inference_mode():
            z = variant.encode(x)
        if z.ndim != 2 or len(z) != len(x):
            raise ValueError(f"{type(variant).__name__}.encode gave the shape {tuple(z.shape)} for {len(x)} images")
        yield names, z.float().cpu()
