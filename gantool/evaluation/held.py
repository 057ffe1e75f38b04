"""What a model is measured against: data held out, or, where none are, those it was trained on."""

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch

from gantool.config.options import Recipe, core
from gantool.data.images import Data, DataSpec, ImageData
from gantool.data.opening import open_data
from gantool.errors import UserError
from gantool.evaluation.settings import HowToMeasure
from gantool.runs.run import RunFolder
from gantool.runtime.progress import current
from gantool.variant import Variant


class Real(NamedTuple):
    """Real images: `reference` is measured against, `others` are what a perfect generator would draw."""

    reference: ImageData
    others: ImageData
    split: str  # test: images the model was not trained on; train: one half of those it was
    training: ImageData | None  # all it was trained on, if these are


class Held(NamedTuple):
    """A variant's data: `held` and `training` are the same where nothing is held out."""

    training: Data
    held: Data

    @property
    def split(self) -> str:
        return "train" if self.held is self.training else "test"


def held_data(facts: dict[str, Any], path: Path, variant: Variant, how: HowToMeasure) -> Held | None:
    """What the model was trained on, or --data, as the variant reads it; None if that is gone."""
    kept = RunFolder(path.parent).read_config() if RunFolder(path.parent).config.is_file() else facts["settings"]
    folder = how.data_dir or (Path(where) if (where := core(kept, "data_dir")) else None)
    recipe = at(variant.data, replace(variant.recipe, data=how.data or str(core(kept, "data")), data_dir=folder))
    try:
        return opened(variant.dataset, recipe, variant.options)
    except UserError as error:
        if how.data:
            raise
        without_real(error)
        return None


def without_real(error: UserError) -> None:
    current().warn(f"measured without real images. {error.message}")


def at(spec: DataSpec, recipe: Recipe) -> Recipe:
    """The recipe of data of this shape, as far as a recipe can say it; what is of another shape says it itself."""
    square = spec.images and spec.height == spec.width
    plain = cast(Literal[1, 3, 4], spec.channels) if spec.images and spec.channels in (1, 3, 4) else None
    return replace(recipe, size=spec.height if square else None, channels=plain)


def opened(dataset: Callable[..., Data], *request: Any) -> Held:
    """What a data set, or a variant's `dataset`, answers when it is asked so."""
    training = dataset(*request)
    if "train" not in signature(dataset).parameters:  # an author who knows nothing of held-out data
        return Held(training, training)
    held = dataset(*request, train=False)
    return Held(training, training if held.fingerprint() == training.fingerprint() else held)


def open_real(data: str, folder: Path | None) -> Real:
    """Real images, at their own size."""
    return real_of(opened(open_data, Recipe(data=data, data_dir=folder)), data)


def real_of(data: Held, name: str, fingerprint: str | None = None) -> Real:
    """Of plain images. With a fingerprint, only what has it counts as trained on."""
    training, held = cast(tuple[ImageData, ImageData], data)
    if training.streamed or held.streamed:
        raise UserError(f"{name} is too large to be measured in memory.")
    real = halves(training) if held is training else Real(mixed(held), mixed(training), "test", training)
    return real if fingerprint in (None, training.fingerprint()) else real._replace(training=None)


def halves(data: ImageData) -> Real:
    """Where no images were held out."""
    both, half = mixed(data), len(data) // 2
    pixels, labels = both.pixels, both.labels
    first = ImageData(pixels[:half], labels[:half], both.spec.classes)
    return Real(first, ImageData(pixels[half:], labels[half:], both.spec.classes), "train", data)


def mixed(data: ImageData, seed: int = 0) -> ImageData:
    """In an order drawn at random: a folder's is that of its classes."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return ImageData(data.pixels[order], data.labels[order], data.spec.classes)
