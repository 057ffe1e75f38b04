"""Which judge looks at which images."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from gantool.data import named
from gantool.data.catalog import DIGITS
from gantool.data.images import DataSpec, ImageData
from gantool.errors import USAGE, UserError
from gantool.metrics.judge import (
    Judge,
    blank,
    digits_judge,
    for_looking,
    opaque,
    random_judge,
    second_judge,
    train_judge,
)
from gantool.runs import sealed
from gantool.runtime.progress import current


def find_judge(spec: DataSpec, data: str, real: Sequence[ImageData]) -> tuple[Judge, str]:
    """The shipped judge for digits, one trained on real images of other classes, else convolutions never trained."""
    if of_digits(spec, data) or not spec.classes:
        return ready_judge(spec, data), "digits-judge" if spec.classes else "random-convolutions"
    if not real:
        raise UserError("Without its data there is nothing to train a judge on.", "Give --data.", USAGE)
    pixels, labels = (torch.cat([getattr(d, of) for d in real]) for of in ("pixels", "labels"))
    name = f"{Path(data).name}-judge"
    judge = kept_judge(ImageData(pixels, labels, spec.classes), name)
    return judge, f"{name}, {judge.accuracy:.1%} right on images held out"


def ready_judge(spec: DataSpec, data: str) -> Judge:
    """One that needs no training: of digits, or of anything."""
    return for_looking(digits_judge() if of_digits(spec, data) else random_judge(spec.channels))


def check_judge(spec: DataSpec, data: str) -> Judge | None:
    """Another to check the first by, where there is one."""
    return second_judge() if of_digits(spec, data) else None


def of_digits(spec: DataSpec, data: str) -> bool:
    return spec.classes == DIGITS and data != "svhn"  # whose digits are photographs


def kept_judge(data: ImageData, name: str) -> Judge:
    """A judge of these images: from the cache, or trained now and kept there."""
    spec = data.spec
    side = str(spec.height) if spec.height == spec.width else f"{spec.width}x{spec.height}"
    path = named.default_folder() / "judges" / f"{data.fingerprint()}-{side}.safetensors"
    if path.is_file():
        with suppress(UserError, KeyError, RuntimeError):  # one that does not fit is made anew
            facts, weights = sealed.load(path)
            judge = blank(facts["channels"], facts["classes"], facts["side"])
            judge.load_state_dict(weights)
            judge.accuracy = facts["accuracy"]
            return for_looking(judge)
    with current().working(f"training {name}") as tell:
        judge = train_judge(opaque(data.pixels), data.labels, len(data.spec.classes), progress=tell)
    facts = {"channels": judge.channels, "classes": judge.classes, "side": judge.side, "accuracy": judge.accuracy}
    with suppress(OSError):  # it can do without
        path.parent.mkdir(parents=True, exist_ok=True)
        sealed.save(path, facts, judge.state_dict())
    return for_looking(judge)
