"""Parts of a data set: what is held out, all of it in batches, one image of a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gantool.api import USAGE, ImageData, UserError, evenly, held_out, in_batches, open_folder, open_image
from gantool.data import images as in_memory

CPU = torch.device("cpu")


def images(n: int, classes: tuple[str, ...] = ()) -> ImageData:
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(-1, 1, 2, 2)
    return ImageData(pixels.contiguous(), torch.arange(n) % max(1, len(classes)), classes)


def numbers(data: ImageData) -> list[int]:
    x, _ = data.batch(torch.arange(len(data)), torch.Generator())
    return x.amax((1, 2, 3)).tolist()


@pytest.mark.parametrize(
    ("n", "share", "some"), [(100, 0.2, 20), (17, 0.1, 1), (5, 0.2, 1), (2, 0.2, 1), (3, 0.999, 2), (9, 0.5, 4)]
)
def test_a_share_is_held_out_from_everywhere_and_no_image_is_in_both(n: int, share: float, some: int) -> None:
    training, held = held_out(images(n), share)
    assert (len(training), len(held)) == (n - some, some)
    assert sorted(numbers(training) + numbers(held)) == list(range(n))
    again = held_out(images(n), share)
    assert [part.fingerprint() for part in again] == [training.fingerprint(), held.fingerprint()]


def test_what_is_held_out_keeps_classes_and_notes() -> None:
    whole = images(40, ("a", "b"))
    whole.notes, whole.names = ("left out one",), tuple(f"{i}.png" for i in range(40))
    for part in held_out(whole):
        assert part.spec == whole.spec and part.notes == whole.notes
        assert part.labels.tolist() == [i % 2 for i in numbers(part)]
        assert part.names == tuple(f"{i}.png" for i in numbers(part))


def test_one_image_cannot_be_parted() -> None:
    with pytest.raises(UserError) as error:
        held_out(images(1))
    assert error.value.code == USAGE


@pytest.mark.parametrize("crop", [False, True])
def test_images_too_many_for_memory_are_parted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: bool) -> None:
    for i in range(10):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.new("L", (9, 9), 10 * i).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    monkeypatch.setattr(in_memory, "IN_MEMORY", 0)
    whole = open_folder(tmp_path, 8, 1, crop=crop)
    training, held = held_out(whole)
    assert held.streamed and training.fingerprint() != held.fingerprint() != whole.fingerprint()
    assert sorted(numbers(training) + numbers(held)) == [10 * i for i in range(10)]
    assert held.spec == whole.spec and len(held.names) == len(held) == 2
    assert [held.names[i].endswith(f"{n // 10}.png") for i, n in enumerate(numbers(held))] == [True, True]
    assert held.labels.tolist() == [(n // 10) % 2 for n in numbers(held)]
    assert numbers(held.some(torch.tensor([1]))) == numbers(held)[1:]


def test_all_comes_in_batches_as_numbers() -> None:
    parts = list(in_batches(images(7, ("a", "b")), CPU, 3))
    assert [len(x) for x, _ in parts] == [3, 3, 1]
    x, y = map(torch.cat, zip(*parts, strict=True))
    torch.testing.assert_close(x[:, 0, 0, 0], torch.arange(7) / 127.5 - 1)
    assert y.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_of_many_some_from_everywhere_are_enough() -> None:
    assert evenly(7, 2_000).tolist() == list(range(7)) and evenly(2_000, 2_000).tolist() == list(range(2_000))
    assert evenly(9_999, 2_000).tolist() == list(range(0, 9_999, 5)) and evenly(3).tolist() == [0, 1, 2]
    assert [len(x) for x, _ in in_batches(images(100), CPU, size=4, most=10)] == [4, 4, 2]


def test_an_image_is_opened_at_its_own_size_or_at_another(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    x: Tensor = open_image(tmp_path / "x.png")
    assert x.dtype == torch.uint8 and torch.equal(x, torch.from_numpy(pixels).permute(2, 0, 1))
    assert open_image(tmp_path / "x.png", 4, 1).shape == (1, 4, 4)


def test_what_is_no_image_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"rubbish")
    for name, words in (("x.png", "not an image"), ("none.png", "does not exist"), (".", "not a file")):
        with pytest.raises(UserError, match=words) as error:
            open_image(tmp_path / name)
        assert error.value.code == USAGE
