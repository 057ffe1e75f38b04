"""Draws from a model, and shows how far it is."""

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gantool.config.options import InputOptions, SampleCommand, grid_shape
from gantool.data import albums
from gantool.data.pictures import as_bytes, as_floats, as_pictures
from gantool.errors import USAGE, UserError
from gantool.progress.console import console
from gantool.registry import Registry
from gantool.runs.model import open_model
from gantool.runtime import device
from gantool.sampling.writers import KINDS, Drawn, write
from gantool.variant import Variant

CHUNK = 512  # images drawn at once, and the size they may have: more is not faster, and takes more memory
PIXELS = CHUNK * 32 * 32
USUAL = 64
SOON, STEADY = 1.0, 5.0  # seconds until there is a bar; between lines where there can be none


def sample(registry: Registry, name: str, command: SampleCommand, options: Any) -> None:
    out = command.out or Path(f"{name}.png")
    columns, rows = grid_shape(command.grid) if command.grid else (0, 0)
    if out.suffix and out.suffix.lower() not in KINDS and not out.is_dir():
        kinds = ", ".join(f"FILE{kind}" for kind in KINDS)
        raise UserError(f"{out} is none of {kinds} or a folder.", "For example: --out sheet.png", USAGE)
    _, variant, _ = open_model(registry, name, command.run, command.device)
    options = type(variant).SampleOptions(**vars(options))  # the class itself, where a stand-in parsed the flags
    wanted = command.n or columns * rows or None
    if isinstance(options, InputOptions):
        if out.resolve() == options.input.resolve():
            raise UserError(f"{out} holds the inputs, which would be overwritten.", "Give another --out.", USAGE)
        inputs = listed(options.input)[:wanted]
        n, drawn = len(inputs), translate(variant, inputs, options)
    else:
        if sheet := variant.sheet(options):
            if columns not in (0, sheet[0]):
                raise UserError(f"This makes rows of {sheet[0]} pictures.", f"--grid {sheet[0]}x{sheet[1]}", USAGE)
            columns = sheet[0]
        n = wanted or (math.prod(sheet) if sheet else USUAL)
        drawn = draw(variant, n, options)
    device.seed_all(command.seed)
    device.keep_pages()
    screen = console(stderr=True, quiet=command.quiet)
    with torch.inference_mode(), Pace(screen, n) as pace:
        write(out, map(pace, drawn), n, columns or strip(options, wanted))
    screen.print(f"{n} picture{'s' * (n != 1)} in {out}")


class Pace:
    """Says of the pictures that pass how many did: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, console: Console, count: int) -> None:
        self.console, self.count, self.done = console, count, 0
        self.began = self.last = time.monotonic()
        self.bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, part: Drawn) -> Drawn:
        self.done += len(part.images)
        now = time.monotonic()
        if self.console.quiet or now - self.began < SOON:
            pass
        elif self.console.is_terminal and not self.console.is_dumb_terminal:
            if self.bar is None:
                columns = TextColumn("pictures"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(compact=True)
                self.bar = Progress(*columns, console=self.console, transient=True)
                self.bar.add_task("", total=self.count)
                self.bar.start()
            self.bar.update(self.bar.task_ids[0], completed=self.done)
        elif now - self.last >= STEADY:
            self.last = now
            self.console.print(f"{self.done} of {self.count} pictures")
        return part


def draw(variant: Variant, n: int, options: Any) -> Iterator[Drawn]:
    """n images drawn, a few hundred at a time."""
    done, classes = 0, [filename(name) for name in variant.data.classes]
    # A film's noises lie on one path, a sheet's rows belong together. Elsewhere, chunks hold every class equally often.
    turn, most = max(len(classes), 1), min(CHUNK, max(1, PIXELS // variant.data.size**2))
    whole = getattr(options, "interpolate", False) or variant.sheet(options)
    size = n if whole else math.ceil(most / turn) * turn
    while done < n:
        asked = min(size, n - done)
        got = variant.sample(asked, options)
        x, labels = got if isinstance(got, tuple) else (got, None)
        if len(x) != asked:
            raise ValueError(f"{type(variant).__name__}.sample was asked for {asked} images and gave {len(x)}")
        known = None if labels is None else labels.cpu().numpy()
        yield Drawn(as_pictures(as_bytes(x)), known, names(done, asked, known, classes))
        done += asked


def names(first: int, count: int, labels: Any, classes: Sequence[str]) -> Iterator[str]:
    """What to call so many pictures: only a folder asks."""
    for i in range(count):
        yield f"{first + i:05d}-{classes[labels[i]]}" if labels is not None and classes else f"{first + i:05d}"


def filename(name: str) -> str:
    """A class's name as part of a file's: a model file may come from anyone."""
    return re.sub(r"[^\w.-]", "_", name)


def translate(variant: Variant, inputs: Sequence[Path], options: InputOptions) -> Iterator[Drawn]:
    """Every input as the variant would have it, called as it was."""
    spec, alike = variant.data, Counter(file.stem for file in inputs)
    size, channels = (None, None) if options.natural else (spec.size, spec.channels)
    for file in inputs:
        pixels = torch.from_numpy(albums.read_picture(file, size, channels)).unsqueeze(0)
        (x,) = as_floats((pixels,), variant.device)
        made = variant.translate(x, options)
        name = file.stem if alike[file.stem] == 1 else file.name
        yield Drawn(as_pictures(made.cpu() if made.dtype == torch.uint8 else as_bytes(made)), None, [name])


def listed(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(f for f in path.iterdir() if f.suffix.lower() in albums.EXTENSIONS and not f.name.startswith("."))
    if not found:
        raise UserError(f"No pictures in {path}.", f"Pictures end in {' '.join(albums.EXTENSIONS)}.", USAGE)
    return found


def strip(options: Any, n: int | None) -> int | None:
    """A walk is shown in one row."""
    return n if getattr(options, "interpolate", False) else None
