"""Opens what `--data` names: a data set of gantool or of a package, a folder, a zip."""

import re
from pathlib import Path
from typing import TypeVar, overload

import torch

from gantool.config.options import Recipe
from gantool.config.packages import Offer, broken, imported, in_a_line
from gantool.data import albums, catalog, named, pictures
from gantool.data.crops import Crops
from gantool.data.pictures import Data, Pictures, Streamed, places, shaped
from gantool.errors import USAGE, UserError
from gantool.runtime.faults import debugging, out_of_memory

USUAL_SIZE = 32  # for a folder of pictures of many sizes

Kind = TypeVar("Kind", bound=Data)


@overload
def open_data(recipe: Recipe, train: bool = True) -> Pictures: ...
@overload
def open_data(recipe: Recipe, train: bool = True, *, of: type[Kind]) -> Kind: ...
def open_data(recipe: Recipe, train: bool = True, of: type[Data] = Pictures) -> Data:
    """What a recipe names, at its size and channels: a data set of gantool or a package, a folder, a zip.

    `train=False`: what is held out, never trained on. Where nothing is, the same again, with the same fingerprint.
    """
    data: Data
    if not catalog.known(recipe.data):
        data = open_folder(Path(recipe.data).expanduser(), recipe.size, recipe.channels, recipe.flip)
    elif offer := catalog.offer(recipe.data):
        data = from_package(offer, recipe, train)
    else:
        pixels, labels = named.load(recipe.data, recipe.data_dir, train)
        pixels = shaped(pixels, recipe.size, recipe.channels)
        data = Pictures(pixels, labels, catalog.CATALOG[recipe.data].classes, recipe.flip)
    if not isinstance(data, of):
        held, wanted = (re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower() for kind in (type(data), of))
        raise UserError(
            f"{recipe.data} holds {held}, not {wanted}.", "Without --data, train takes what suits the variant.", USAGE
        )
    return data


def from_package(offer: Offer, recipe: Recipe, train: bool) -> Data:
    """A package's data set. Plain pictures are brought to the recipe's size here; other data know how themselves."""
    function = imported(offer)
    try:
        data = function(recipe) if train else function(recipe, train=False)
    except Exception as error:
        if debugging() or isinstance(error, UserError) or out_of_memory(error):
            raise
        raise broken(offer, in_a_line(error)) from error
    if not isinstance(data, Data):
        raise broken(offer, f"{offer.entry.value} gives no gantool.api.Data.")
    if type(data) is Pictures:
        pixels = shaped(data.pixels, recipe.size, recipe.channels)
        shown = Pictures(pixels, data.labels, data.spec.classes, recipe.flip)
        shown.notes = data.notes
        return shown
    for what in ("size", "channels"):
        asked, is_ = getattr(recipe, what), getattr(data.spec, what)
        if asked not in (None, is_):
            raise UserError(f"{offer.name} has {what} {is_}, and no other.", f"Leave out --{what}.", USAGE)
    return data


def open_folder(
    path: Path, size: int | None = None, channels: int | None = None, flip: bool = False, crop: bool = False
) -> Pictures:
    """The pictures of a folder or zip; class sub-folders are the labels. `crop`: not scaled to size, but cut to it."""
    album = albums.open_album(path)
    size = size or natural_size(album)
    channels = channels or (1 if album.grey else 3)
    notes = [skipped(album.bad)] if album.bad else []
    if album.mixed:
        notes.append(f"{album.loose} pictures lie beside the class folders, so there are no classes.")
    data: Pictures
    if crop:
        data = Crops(album, size, channels, flip)
        notes += data.notes
    elif len(album) * channels * size**2 > pictures.IN_MEMORY:
        data = Streamed(album, size, channels, flip)
    else:
        pixels, labels, bad = albums.load(album, size, channels)
        notes = [skipped(album.bad | bad), *notes[bool(album.bad) :]] if bad else notes
        known = None if labels is None else torch.from_numpy(labels)
        data = Pictures(torch.from_numpy(pixels), known, () if known is None else album.classes, flip)
        data.names = places(album, bad)
    data.notes = tuple(notes)
    return data


def natural_size(album: albums.Album) -> int:
    """The one size of square pictures that all share, if it is one to train at."""
    (width, height), *others = album.sizes
    return width if not others and width == height <= 128 else USUAL_SIZE


def skipped(bad: dict[str, str]) -> str:
    name, reason = next(iter(bad.items()))
    return f"left out {len(bad)} of the files, the first {name}: {reason}. See `gantool data check`."
