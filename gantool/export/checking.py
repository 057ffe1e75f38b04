"""Before anything is written: does it draw what `sample` draws, alone and in a batch, whatever the random state?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gantool.data.images import as_bytes
from gantool.export import running
from gantool.export.program import Program, Refused
from gantool.export.subject import Subject, overheard
from gantool.runtime import device

COUNT = 64  # images that a page shows, and `gantool sample -n 64` draws
CHECKED = 10  # of them travel inside the page, which compares itself with them
SAME = 1e-3  # two ways to compute one image, in [-1, 1], in fp32


class Wanted(NamedTuple):
    """What must come out: inputs of so many images, and these as torch draws them; `seeded`: those of seed 0."""

    inputs: tuple[Tensor, ...]
    images: Tensor
    seeded: bool


def wanted(subject: Subject, options: Any) -> Wanted:
    """The first images of `sample -n 64 --seed 0`; of a variant that says itself what to export, images of its own."""
    variant = subject.variant
    with torch.inference_mode():
        if not (subject.samples and subject.follows):
            given = as_shown(subject.example(CHECKED), subject)
            return Wanted(given, subject(*given).float().cpu(), False)
        device.seed_all(0)
        with overheard(variant) as heard:
            got = variant.sample(COUNT, options)
    images = got[0] if isinstance(got, tuple) else got
    noise = heard["latents"] or heard["noise"]
    z = [heard["latent"][-1][0][0]] if subject.plain else [noise[-1][1]] if noise else []
    given = (*z, *(answer for _, answer in heard["labels_for"][-1:]))
    if not given or any(len(x) != COUNT for x in given):
        raise Refused("draws from noise that is not one for each image")
    return Wanted(tuple(x[:CHECKED].clone() for x in given), images[:CHECKED].float().cpu(), subject.noise is not None)


def as_shown(given: tuple[Tensor, ...], subject: Subject) -> tuple[Tensor, ...]:
    """Images as a file of them would be read: in bytes."""
    pairs = zip(subject.inputs, given, strict=True)
    return tuple(as_bytes(x).float() / 127.5 - 1 if each.kind == "image" else x for each, x in pairs)


def singles(given: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    return [tuple(x[i : i + 1] for x in given) for i in range(len(given[0]))]


def check_alone(subject: Subject, found: Wanted) -> None:
    """Each image by itself, at two states of every random generator."""
    drawn = []
    for seed in (1, 2):
        device.seed_all(seed)
        with torch.inference_mode():
            drawn.append(torch.cat([subject(*one).float().cpu() for one in singles(found.inputs)]))
    if drawn[0].shape != drawn[1].shape or apart(*drawn) > SAME:
        raise Refused("draws noise of its own")
    if drawn[0].shape != found.images.shape or apart(drawn[0], found.images) > SAME:
        raise Refused("mixes the images of a batch, or draws them by their number")
    if found.images.isnan().any():
        raise Refused("draws what is no number")


def apart(x: Tensor, y: Tensor) -> float:
    """The largest difference."""
    return float((x - y).abs().max())


class Error(NamedTuple):
    """How far a program's images are from torch's."""

    largest: float
    mean: float
    levels: int  # of 255


def check_program(program: Program, found: Wanted) -> None:
    if (largest := error(program, found).largest) > SAME:
        raise Refused(f"comes out otherwise when it is run operation by operation, by {largest:.2g}")


def error(program: Program, found: Wanted) -> Error:
    with torch.inference_mode():
        made = torch.cat([running.run(program, one) for one in singles(found.inputs)])
    made = made.view(found.images.shape)
    levels = 0
    if made.ndim == 4:
        levels = int((as_bytes(made).int() - as_bytes(found.images).int()).abs().max())
    return Error(apart(made, found.images), float((made - found.images).abs().mean()), levels)
