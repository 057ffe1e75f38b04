"""Tests of squares cut out of images at their own size."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gantool.data import images as data_module
from gantool.data.batches import AHEAD, Batches
from gantool.data.crops import Crops
from gantool.data.images import DataSpec, ImageData
from gantool.data.opening import open_folder
from gantool.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pixels say where they are: red the row, green the column, blue the image."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (height, width) in enumerate(((8, 8), (20, 9), (9, 30), (12, 12))):
        rows, columns = np.indices((height, width))
        pixels = np.stack([rows, columns, np.full_like(rows, i)], -1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def opened(path: Path, size: int = 8, flip: bool = False) -> ImageData:
    return open_folder(path, size, flip=flip, crop=True)


def corners(x: Tensor) -> list[tuple[int, int, int]]:
    """Of crops: the image, and where its upper left corner is; all of it must be what lies there."""
    found = []
    for crop in x.int():
        top, left, i = crop[:, 0, 0].tolist()
        rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
        assert torch.equal(crop, torch.stack([rows + top, columns + left, torch.full((8, 8), i)]).int())
        found.append((i, top, left))
    return found


def test_crops_are_pixels_as_they_lie_from_every_place(photos: Path) -> None:
    data = opened(photos)
    assert isinstance(data, Crops) and data.spec == DataSpec((3, 8, 8)) and len(data) == 4
    rng, seen = torch.Generator().manual_seed(0), set()
    for _ in range(300):
        x, y = data.batch(torch.arange(4), rng)
        assert y.tolist() == [0] * 4
        seen |= set(corners(x))
    assert seen == (
        {(0, 0, 0)} | {(1, top, left) for top in range(13) for left in range(2)}
        | {(2, top, left) for top in range(2) for left in range(23)}
        | {(3, top, left) for top in range(5) for left in range(5)}
    )  # fmt: skip
    assert corners(data.fetch(torch.arange(4))[0]) == [(0, 0, 0), (1, 6, 1), (2, 1, 11), (3, 2, 2)]  # the middle


@pytest.mark.parametrize("flip", [False, True])
def test_images_kept_and_decoded_again_give_the_same_crops(
    photos: Path, monkeypatch: pytest.MonkeyPatch, flip: bool
) -> None:
    kept = opened(photos, flip=flip)
    monkeypatch.setattr(data_module, "IN_MEMORY", 0)
    again = opened(photos, flip=flip)
    with closing(Batches(kept, 3, 5, CPU)) as a, closing(Batches(again, 3, 5, CPU)) as b:
        for _ in range(2 * AHEAD):
            assert torch.equal(next(a)[0], next(b)[0])
    assert isinstance(kept, Crops) and isinstance(again, Crops)
    assert len(kept.kept) == 4 and not again.kept
    mirrored = [bool(x[1, 0, 0] > x[1, 0, 7]) for x in kept.batch(torch.zeros(99).long(), torch.Generator())[0]]
    assert any(mirrored) == flip and not all(mirrored)


def test_small_and_damaged_images_are_stood_in_for_by_the_next(photos: Path) -> None:
    whole = (photos / "3.png").read_bytes()
    (photos / "3.png").write_bytes(whole[: len(whole) // 2])
    data = opened(photos, 9)
    assert data.notes == ("1 images are smaller than 9x9; others take their place.",)
    x, _ = data.batch(torch.arange(4), torch.Generator())
    assert x[:, 2, 0, 0].tolist() == [1, 1, 2, 1]


def test_where_no_image_is_large_enough_it_says_how_large_they_are(photos: Path) -> None:
    with pytest.raises(UserError, match="is 13x13 or larger") as error:
        opened(photos, 13)
    assert error.value.hint == "--size 12"
