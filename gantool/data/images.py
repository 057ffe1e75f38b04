"""Training data: images in memory as bytes, or decoded as they are needed."""

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from gantool.data import albums
from gantool.errors import USAGE, UserError, did_you_mean

IN_MEMORY = int(os.environ.get("GANTOOL_IN_MEMORY", 2 * 2**30))  # bytes of images; more are streamed
# That images become at once, to be enlarged: of tens of thousands of 256 x 256, all would fill most machines' memory.
FLOATS = 2**24


class DataSpec(NamedTuple):
    """What networks must know of the data to be built."""

    shape: tuple[int, ...]  # of an example: (channels, height, width) of images, (numbers,) of points and rows
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # that captions are made of
    inputs: tuple[int, ...] = ()  # of what a translator is given, where that is another shape

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def height(self) -> int:
        return self.shape[1] if self.images else 1

    @property
    def width(self) -> int:
        return self.shape[2] if self.images else 1

    @property
    def images(self) -> bool:
        """Whether examples are images; else they are plain numbers."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """The side of square images; what knows no other refuses others by asking for it."""
        if self.height != self.width:
            raise UserError(f"These are images of {self.shown}, and this variant draws squares.", "--size 32", USAGE)
        return self.height

    @property
    def shown(self) -> str:
        """28x28x1; of points, the numbers of each."""
        return f"{self.width}x{self.height}x{self.channels}" if self.images else f"{self.channels}"

    def class_index(self, label: str) -> int:
        """Look up a class's number, by its name, in capitals or not, or by itself."""
        if label in self.classes:
            return self.classes.index(label)
        folded = [name.casefold() for name in self.classes]
        if folded.count(label.casefold()) == 1:
            return folded.index(label.casefold())
        if label.isdecimal() and int(label) < len(self.classes):
            return int(label)
        meant = "" if label.isdecimal() else did_you_mean(label, self.classes)
        shown = ", ".join(self.classes[:12]) + (", ..." if len(self.classes) > 12 else "")
        raise UserError(f"No class {label!r}.{meant}", f"Classes: {shown}.", USAGE)

    def class_indices(self, labels: str) -> list[int]:
        """Look up several, joined by commas: '3,5'. A name may have a comma of its own."""
        whole = labels in self.classes or "," not in labels
        return [self.class_index(label.strip()) for label in ([labels] if whole else labels.split(","))]


class Data(ABC):
    """Anything a variant trains on. A batch is a pure function of the examples' numbers and of `rng`."""

    spec: DataSpec
    notes: tuple[str, ...] = ()  # what a person should know: files left out, labels not found

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Examples by number. Images stay bytes: the trainer moves them to the device and to [-1, 1]."""

    def to(self, device: torch.device) -> Self:
        """Move what is in memory to the device that trains."""
        return self

    def fingerprint(self) -> str:
        """Changes when the data does: a run is not resumed on others, and what is held out is known for it."""
        return str(len(self))


class ImageData(Data):
    """(image, class) pairs in memory; the class is 0 where there is none."""

    streamed = False
    names: tuple[str, ...] = ()  # of the files they come from, from their folder on

    def __init__(
        self, pixels: Tensor, labels: Tensor | None = None, classes: tuple[str, ...] = (), flip: bool = False
    ) -> None:
        self.pixels, self.flip = pixels, flip
        self.labels = torch.zeros(len(pixels), dtype=torch.int64) if labels is None else labels
        self.spec = DataSpec(tuple(pixels.shape[1:]), classes)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        x, y = self.fetch(index)
        return self.mirrored(x, rng), y

    def mirrored(self, x: Tensor, rng: torch.Generator) -> Tensor:
        if not self.flip:
            return x
        mirror = (torch.rand(len(x), generator=rng) < 0.5).to(x.device).view(-1, 1, 1, 1)
        return torch.where(mirror, x.flip(-1), x)

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index.to(self.pixels.device)
        return self.pixels.index_select(0, index), self.labels.index_select(0, index)

    def to(self, device: torch.device) -> Self:
        self.pixels, self.labels = self.pixels.to(device), self.labels.to(device)
        return self

    def some(self, index: Tensor) -> "ImageData":
        """Take a part: the images with these numbers."""
        part = ImageData(*self.fetch(index), self.spec.classes, self.flip)
        part.names, part.notes = chosen(self.names, index), self.notes
        return part

    def fingerprint(self) -> str:
        crc = zlib.crc32(self.labels.cpu().numpy().tobytes(), zlib.crc32(self.pixels.cpu().contiguous().numpy().data))
        return f"{len(self)}-{crc:08x}"


class Streamed(ImageData):
    """Images decoded when a batch asks for them, because all of them would not fit in memory."""

    streamed = True

    def __init__(self, album: albums.Album, size: int, channels: int, flip: bool) -> None:
        self.album, self.flip, self.names = album, flip, places(album)
        self.spec = DataSpec((channels, size, size), album.classes if album.labels else ())
        self.labels = torch.tensor(album.labels or [0] * len(album))
        spare = next(filter(None, map(self.decode, range(len(album)))), None)
        if spare is None:
            raise UserError(f"No image in {album.path} can be decoded.", "See `gantool data check`.", USAGE)
        self.spare = spare

    def __len__(self) -> int:
        return len(self.album)

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [self.decode(i) or self.spare for i in index.tolist()]  # one bad image must not end a long run
        return torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])

    def decode(self, i: int) -> tuple[Tensor, Tensor] | None:
        """An image and its class; None if only its header was good."""
        try:
            return torch.from_numpy(self.album.decode(i, self.spec.size, self.spec.channels)), self.labels[i]
        except albums.BadImage:
            return None

    def to(self, device: torch.device) -> Self:
        return self

    def some(self, index: Tensor) -> ImageData:
        return Part(self, index)

    def fingerprint(self) -> str:
        return f"{len(self)}-{zlib.crc32(chr(0).join(self.album.names).encode(errors='replace')):08x}"


class Part(ImageData):
    """Some of a set of streamed images, by number."""

    streamed = True

    def __init__(self, whole: Streamed, index: Tensor) -> None:
        self.whole, self.index, self.flip, self.spec, self.notes = whole, index, whole.flip, whole.spec, whole.notes
        self.labels, self.names = whole.labels[index], chosen(whole.names, index)

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        return self.whole.batch(self.index[index], rng)

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.whole.fetch(self.index[index])

    def to(self, device: torch.device) -> Self:
        return self

    def some(self, index: Tensor) -> ImageData:
        return Part(self.whole, self.index[index])

    def fingerprint(self) -> str:
        return f"{self.whole.fingerprint()}-{zlib.crc32(self.index.numpy().tobytes()):08x}"


class FromImages(Data):
    """Data made of sets of images, batch by batch: a subclass says how, in `batch`. As many as the first set has."""

    def __init__(self, *sets: ImageData) -> None:
        self.sets, self.spec = sets, DataSpec(sets[0].spec.shape, sets[0].spec.classes)
        self.notes = tuple(note for images in sets for note in images.notes)

    @property
    def streamed(self) -> bool:
        return any(images.streamed for images in self.sets)

    @property
    def images(self) -> ImageData:
        """The first set."""
        return self.sets[0]

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Self:
        self.sets = tuple(images.to(device) for images in self.sets)
        return self

    def fingerprint(self) -> str:
        return "-".join(images.fingerprint() for images in self.sets)


def chosen(names: tuple[str, ...], index: Tensor) -> tuple[str, ...]:
    return tuple(names[i] for i in index.tolist()) if names else ()


def places(album: albums.Album, bad: Container[str] = ()) -> tuple[str, ...]:
    return tuple(album.around + name for name in album.names if name not in bad)


def shaped(pixels: Tensor, size: int | None, channels: int | None) -> Tensor:
    """Bytes of another size, antialiased, and of 1, 3 or 4 channels."""
    if (size or pixels.shape[-1], channels or pixels.shape[1]) == (pixels.shape[-1], pixels.shape[1]):
        return pixels.contiguous()
    side = max(size or 0, *pixels.shape[-2:])
    many = max(1, FLOATS // side**2)
    made = torch.empty(0)
    for start in range(0, max(1, len(pixels)), many):
        part = coloured(sized(pixels[start : start + many], size), channels)
        made = made if start else part.new_empty(len(pixels), *part.shape[1:])  # joined, they would be there twice
        made[start : start + many] = part
    return made


def sized(pixels: Tensor, size: int | None) -> Tensor:
    if not size or size == pixels.shape[-1]:
        return pixels
    found = interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True)
    return found.round().clamp(0, 255).to(torch.uint8)


def coloured(pixels: Tensor, channels: int | None) -> Tensor:
    have = pixels.shape[1]
    if channels == 1 and have == 3:
        grey = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        return (pixels * grey).sum(1, keepdim=True).round().to(torch.uint8)
    if channels in (3, 4) and have == 1:
        pixels = pixels.expand(-1, 3, -1, -1)
    if channels == 4 and pixels.shape[1] == 3:
        pixels = torch.cat([pixels, torch.full_like(pixels[:, :1], 255)], 1)
    return pixels


def as_floats(batch: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    """A batch on the device, its bytes as numbers in [-1, 1]."""
    return tuple(
        t.to(device, torch.float32).div_(127.5).sub_(1) if t.dtype == torch.uint8 else t.to(device) for t in batch
    )


def in_batches(held: Data, device: torch.device, size: int = 500, most: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Go through all of the data in batches on the device, or through at most so many examples, evenly spread."""
    rng = torch.Generator().manual_seed(0)
    for index in torch.split(evenly(len(held), most), size):
        yield as_floats(held.batch(index, rng), device)


def evenly(count: int, most: int | None = None) -> Tensor:
    """Numbers of examples: all, or at most so many from everywhere."""
    return torch.arange(0, count, max(1, -(-count // most)) if most else 1)


def as_bytes(images: Tensor) -> Tensor:
    """Turn images in [-1, 1] into bytes, the way they are saved and measured."""
    return images.detach().float().clamp(-1, 1).add_(1).mul_(127.5).round_().to("cpu", torch.uint8)


def as_images(pixels: Tensor) -> NDArray[np.uint8]:
    """Bytes (n, C, H, W) as images (n, H, W, C)."""
    array: NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    return array
