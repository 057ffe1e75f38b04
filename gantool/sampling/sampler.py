"""Draws from a model: what to draw, a few hundred images at a time, and where they go."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantool.config.options import LabelOptions, grid_shape, takes_input
from gantool.data import albums
from gantool.data.images import as_bytes, as_floats, as_images
from gantool.errors import USAGE, UserError, counted
from gantool.runtime import device, progress
from gantool.sampling.settings import HowToSample
from gantool.sampling.writers import MANY, Drawn, check_kind, write
from gantool.sampling.writers import Drawing as Drawing
from gantool.variant import CLOUD, Variant

CHUNK = 512  # images drawn at once, and the size they may have: more is not faster, and takes more memory
PIXELS = CHUNK * 32 * 32
USUAL = 64


def drawing(variant: Variant, how: HowToSample, options: Any) -> Drawing:
    """What `sample` is to draw; nothing is drawn before the first part is asked for."""
    columns, rows = grid_shape(how.grid) if how.grid else (0, 0)
    wanted, scale = how.n or columns * rows or None, None if how.scale == "auto" else int(how.scale)
    if how.grid and how.n and how.n > columns * rows:
        near = f"--grid {columns}x{-(-how.n // columns)}, or -n {columns * rows}"
        raise UserError(f"{how.n} images do not fit a grid of {how.grid}.", near, USAGE)
    if (source := getattr(options, "input", None)) and takes_input(type(options)):
        each = variant.answers(options)
        files = usable(listed(source)[: wanted and max(1, wanted // each)])
        if not options.natural:
            tell_of_sizes(files, variant)
        made = translated(variant, read(files, variant, options.natural), options)
        return Drawing(len(files) * each, columns or (each if each > 1 else None), made, (), scale)
    if sheet := variant.sheet(options):
        if columns not in (0, sheet[0]):
            raise UserError(f"This makes rows of {sheet[0]} images.", f"--grid {sheet[0]}x{sheet[1]}", USAGE)
        columns = sheet[0]
    n = wanted or (math.prod(sheet) if sheet else usual(variant, options))
    return Drawing(n, columns or strip(options, wanted), draw(variant, n, options), variant.data.classes, scale)


def usual(variant: Variant, options: Any) -> int:
    """How many to draw where nobody says: as many of each class."""
    if not variant.data.images:
        return CLOUD
    turn = len(variant.data.classes) if isinstance(options, LabelOptions) and options.label is None else 1
    return -(-USUAL // turn) * turn if 1 < turn <= MANY else USUAL


def drawn(found: Drawing, seed: int) -> Iterator[Drawn]:
    """Its parts, as they are drawn from this seed."""
    device.seed_all(seed)
    device.tune_malloc()
    done = 0
    with progress.current().working("images", found.n, "images") as tell:
        while True:
            with torch.inference_mode():  # not around the yield: it is whoever asks that goes on there
                part = next(found.parts, None)
            if part is None:
                return
            done += len(part.images)
            tell(done)
            yield part


def sample_to(out: Path, variant: Variant, how: HowToSample, options: Any) -> int:
    """Write them as they come, as `out` asks by its ending; how many there were."""
    check_kind(out)
    if (source := getattr(options, "input", None)) and out.resolve() == Path(source).resolve():
        raise UserError(f"{out} holds the inputs, which would be overwritten.", "Give another --out.", USAGE)
    found = drawing(variant, how, options)
    write(out, found._replace(parts=drawn(found, how.seed)))
    return found.n


def draw(variant: Variant, n: int, options: Any) -> Iterator[Drawn]:
    """n images drawn, a few hundred at a time."""
    done, classes = 0, [filename(name) for name in variant.data.classes]
    # A film's noises lie on one path, a sheet's rows belong together. Elsewhere, chunks hold every class equally often.
    turn, most = max(len(classes), 1), min(CHUNK, max(1, PIXELS // (variant.data.height * variant.data.width)))
    whole = getattr(options, "interpolate", False) or variant.sheet(options)
    size = n if whole else math.ceil(most / turn) * turn
    while done < n:
        count = min(size, n - done)
        got = variant.sample(count, options)
        x, labels = got if isinstance(got, tuple) else (got, None)
        if len(x) != count:
            raise ValueError(f"{type(variant).__name__}.sample was asked for {count} images and gave {len(x)}")
        known = None if labels is None else labels.cpu().numpy()
        arrays = as_images(as_bytes(x)) if x.ndim == 4 else x.float().cpu().numpy()
        yield Drawn(arrays, known, names(done, count, known, classes))
        done += count


def names(first: int, count: int, labels: Any, classes: Sequence[str]) -> Iterator[str]:
    """What to call so many images: only a folder asks."""
    for i in range(count):
        yield f"{first + i:05d}-{classes[labels[i]]}" if labels is not None and classes else f"{first + i:05d}"


def filename(name: str) -> str:
    """A class's name as part of a file's: a model file may come from anyone."""
    return re.sub(r"[^\w.-]", "_", name)


def inputs(variant: Variant, source: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and bytes, at the model's size, of a file, or of each that can be read in a folder."""
    files = usable(listed(source))
    tell_of_sizes(files, variant)
    return read(files, variant)


def read(files: Sequence[Path], variant: Variant, natural: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Each file's name and bytes, at the size that the variant wants."""
    spec, alike = variant.data, Counter(file.stem for file in files)
    size, channels = (None, None) if natural else (spec.size, spec.channels)
    for file in files:
        name = file.stem if alike[file.stem] == 1 else file.name
        yield name, torch.from_numpy(albums.read_image(file, size, channels)).unsqueeze(0)


def translated(variant: Variant, inputs: Iterable[tuple[str, Tensor]], options: Any) -> Iterator[Drawn]:
    """Every input as the variant would have it, called as it was."""
    each = variant.answers(options)
    for name, pixels in inputs:
        (x,) = as_floats((pixels,), variant.device)
        made = variant.translate(x, options)
        if len(made) != each:
            raise ValueError(f"{type(variant).__name__}.translate made {len(made)} of one; `answers` says {each}")

        names = [name] if each == 1 else [f"{name}-{i + 1}" for i in range(each)]
        yield Drawn(as_images(made.cpu() if made.dtype == torch.uint8 else as_bytes(made)), None, names)


def usable(files: list[Path]) -> list[Path]:
    """Of several files those that can be read, as in training; a single one must be."""
    if len(files) == 1:
        return files
    bad: dict[str, str] = {}
    for file in files:
        try:
            albums.read_image(file, 4, 3)
        except UserError as error:
            bad[file.name] = error.message
    if len(bad) == len(files):
        raise UserError(f"None of {len(files)} files can be used.", next(iter(bad.values())), USAGE)
    if bad:
        progress.current().note(f"left out {counted(len(bad), 'bad file')}: {next(iter(bad.values()))}")
    return [file for file in files if file.name not in bad]


def tell_of_sizes(files: Sequence[Path], variant: Variant) -> None:
    """That what comes out is of another size than what went in."""
    height, width = variant.data.height, variant.data.width
    sizes = Counter(albums.size_of(file) for file in files)
    if changed := sizes.total() - sizes[width, height]:
        many = f"{changed} inputs are" if changed > 1 else "the input is"
        (w, h), _ = next(pair for pair in sizes.most_common() if pair[0] != (width, height))
        progress.current().note(f"{many} brought from {w}x{h} to {width}x{height}, the model's size.")


def listed(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(f for f in path.iterdir() if f.suffix.lower() in albums.EXTENSIONS and not f.name.startswith("."))
    if not found:
        raise UserError(f"No images in {path}.", f"Images end in {' '.join(albums.EXTENSIONS)}.", USAGE)
    return found


def strip(options: Any, n: int | None) -> int | None:
    """A walk is shown in one row, or in a few if nobody says how long it is."""
    return n or math.isqrt(USUAL) if getattr(options, "interpolate", False) else None
