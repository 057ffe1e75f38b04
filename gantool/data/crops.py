"""Squares cut out of images at their own size: for networks that must see pixels as a camera wrote them."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from gantool.data import albums, images
from gantool.errors import USAGE, UserError


class Crops(images.Streamed):
    """One square of each image, cut at random. Images are kept, once decoded, if all of them would fit."""

    def __init__(self, album: albums.Album, size: int, channels: int, flip: bool) -> None:
        small = sum(count for sides, count in album.sizes.items() if min(sides) < size)
        if small == len(album):
            most = max(map(min, album.sizes))
            raise UserError(f"No image in {album.path} is {size}x{size} or larger.", f"--size {most}", USAGE)
        if small:
            self.notes = (f"{small} images are smaller than {size}x{size}; others take their place.",)
        self.kept: dict[int, Tensor | None] = {}
        pixels = sum(math.prod(sides) * count for sides, count in album.sizes.items())
        self.keep = pixels * channels <= images.IN_MEMORY
        super().__init__(album, size, channels, flip)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        x, y = self.cut(index, torch.rand(len(index), 2, generator=rng).tolist())
        return self.mirrored(x, rng), y

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.cut(index, [(0.5, 0.5)] * len(index))

    def cut(self, index: Tensor, places: Iterable[tuple[float, float]]) -> tuple[Tensor, Tensor]:
        size, squares, labels = self.spec.size, [], []
        for i, (down, right) in zip(index.tolist(), places, strict=True):
            x, y = self.usable(i)
            top, left = (int(at * (side - size + 1)) for at, side in zip((down, right), x.shape[1:], strict=True))
            squares.append(x[:, top : top + size, left : left + size])
            labels.append(y)
        return torch.stack(squares), torch.stack(labels)

    def usable(self, i: int) -> tuple[Tensor, Tensor]:
        """Image number i, or the next one that is large enough and not damaged: one that is not ends no long run."""
        return next(filter(None, map(self.decode, (*range(i, len(self)), *range(i)))))

    def decode(self, i: int) -> tuple[Tensor, Tensor] | None:
        if i in self.kept:
            x = self.kept[i]
        else:
            x = self.read(i)
            if self.keep or x is None:
                self.kept[i] = x
        return None if x is None else (x, self.labels[i])

    def read(self, i: int) -> Tensor | None:
        try:
            x = torch.from_numpy(self.album.decode(i, None, self.spec.channels))
        except albums.BadImage:
            return None
        return x if min(x.shape[1:]) >= self.spec.size else None
