"""Opens what `--data` names: a data set of gantool or of a package, a folder, a zip, a table of points."""

import re
from pathlib import Path
from typing import TypeVar, overload

import torch
from torch import Tensor

from gantool.config.options import Recipe
from gantool.config.packages import Offer, broken, imported, in_a_line
from gantool.data import albums, catalog, named
from gantool.data import images as in_memory
from gantool.data.crops import Crops
from gantool.data.images import Data, ImageData, Streamed, places, shaped
from gantool.data.points import MADE
from gantool.data.tables import is_table, open_table
from gantool.errors import USAGE, UserError
from gantool.runtime.faults import debugging, out_of_memory

USUAL_SIZE = 32  # for a folder of images of many sizes

Kind = TypeVar("Kind", bound=Data)


@overload
def open_data(recipe: Recipe, train: bool = True) -> ImageData: ...
@overload
def open_data(recipe: Recipe, train: bool = True, *, of: type[Kind]) -> Kind: ...
@overload
def open_data(recipe: Recipe, train: bool = True, *, of: tuple[type[Data], ...]) -> Data: ...
def open_data(recipe: Recipe, train: bool = True, of: type[Data] | tuple[type[Data], ...] = ImageData) -> Data:
    """What a recipe names, at its size and channels: a data set of gantool or a package, a folder, a zip, a CSV.

    `train=False`: what is held out, never trained on. Where nothing is, the same again, with the same fingerprint.
    """
    data: Data
    if not catalog.is_named(recipe.data):
        path = Path(recipe.data).expanduser()
        if is_table(path):
            data = of_its_own_shape(open_table(path), path.name, recipe)
        else:
            data = open_folder(path, recipe.size, recipe.channels, recipe.flip)
    elif offer := catalog.offer(recipe.data):
        data = from_package(offer, recipe, train)
    elif recipe.data in MADE:
        data = of_its_own_shape(MADE[recipe.data](train), recipe.data, recipe)
    else:
        pixels, labels = named.load(recipe.data, recipe.data_dir, train)
        pixels = shaped(pixels, recipe.size, recipe.channels)
        data = ImageData(pixels, labels, catalog.CATALOG[recipe.data].classes, recipe.flip)
    if not isinstance(data, of):
        wanted = " or ".join(map(called, of if isinstance(of, tuple) else (of,)))
        raise UserError(
            f"{recipe.data} holds {called(type(data))}, not {wanted}.",
            "Without --data, train takes what suits the variant.", USAGE,
        )  # fmt: skip
    return data


def called(kind: type) -> str:
    """LabelledPairs, ImageData: as a person says it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower().replace("image data", "images")


def of_its_own_shape(data: Data, name: str, recipe: Recipe) -> Data:
    """Data that come in one shape: another is refused."""
    spec = data.spec
    square = spec.images and spec.height == spec.width
    for what, is_ in (("size", spec.height if square else 0), ("channels", spec.channels if spec.images else 0)):
        if getattr(recipe, what) not in (None, is_):
            said = f"has {what} {is_}, and no other" if is_ else f"has no {what}"
            raise UserError(f"{name} {said}.", f"Leave out --{what}.", USAGE)
    return data


def from_package(offer: Offer, recipe: Recipe, train: bool) -> Data:
    """A package's data set. Plain images are brought to the recipe's size here; other data know how themselves."""
    function = imported(offer)
    try:
        data = function(recipe) if train else function(recipe, train=False)
    except Exception as error:
        if debugging() or isinstance(error, UserError) or out_of_memory(error):
            raise
        raise broken(offer, in_a_line(error)) from error
    if not isinstance(data, Data):
        raise broken(offer, f"{offer.entry.value} gives no gantool.api.Data.")
    if type(data) is ImageData:
        pixels = shaped(data.pixels, recipe.size, recipe.channels)
        shown = ImageData(pixels, data.labels, data.spec.classes, recipe.flip)
        shown.notes = data.notes
        return shown
    return of_its_own_shape(data, offer.name, recipe)


def open_folder(
    path: Path, size: int | None = None, channels: int | None = None, flip: bool = False, crop: bool = False
) -> ImageData:
    """The images of a folder or zip; class sub-folders are the labels. `crop`: not scaled to size, but cut to it."""
    album = albums.open_album(path)
    size = size or natural_size(album)
    channels = channels or (1 if album.grey else 3)
    notes = [skipped(album.bad)] if album.bad else []
    if album.mixed:
        notes.append(f"{album.loose} images lie beside the class folders, so there are no classes.")
    if not crop and album.cropped >= albums.NOTICED:
        notes.append(f"images are cut to their middle squares, which leaves out {album.cropped:.0%} of what they show.")
    data: ImageData
    if crop:
        data = Crops(album, size, channels, flip)
        notes += data.notes
    elif len(album) * channels * size**2 > in_memory.IN_MEMORY:
        data = Streamed(album, size, channels, flip)
    else:
        pixels, labels, bad = albums.load(album, size, channels)
        notes = [skipped(album.bad | bad), *notes[bool(album.bad) :]] if bad else notes
        known = None if labels is None else torch.from_numpy(labels)
        data = ImageData(torch.from_numpy(pixels), known, () if known is None else album.classes, flip)
        data.names = places(album, bad)
    data.notes = tuple(notes)
    return data


def open_image(path: str | Path, size: int | None = None, channels: int | None = None) -> Tensor:
    """One file as bytes (C, H, W): its centred square at `size`, or all of it at its own; and in its own channels."""
    return torch.from_numpy(albums.read_image(path, size, channels))


def held_out(images: ImageData, share: float = 0.2) -> tuple[ImageData, ImageData]:
    """Those to train on, and a share that is not: always the same, from everywhere, and at least one of each."""
    if len(images) < 2:
        raise UserError("One image cannot be parted, so that some are held out.", "Give more images.", USAGE)
    of = torch.arange(len(images) + 1) * round(1000 * share) // 1000
    held = of[1:] > of[:-1]
    if held.all() or not held.any():
        held = torch.arange(len(images)) == len(images) - 1
    return images.some((~held).nonzero().squeeze(1)), images.some(held.nonzero().squeeze(1))


def open_split(recipe: Recipe, share: float = 0.2) -> tuple[ImageData, ImageData]:
    """What to train on and what is held out: the data's own split or, where nothing is held out, a share set aside."""
    images, held = open_data(recipe), open_data(recipe, train=False)
    return held_out(images, share) if held.fingerprint() == images.fingerprint() else (images, held)


def natural_size(album: albums.Album) -> int:
    """The one size of square images that all share, if it is one to train at."""
    (width, height), *others = album.sizes
    return width if not others and width == height <= 128 else USUAL_SIZE


def skipped(bad: dict[str, str]) -> str:
    name, reason = next(iter(bad.items()))
    return f"left out {len(bad)} of the files, the first {name}: {reason}. See `gantool data check`."
