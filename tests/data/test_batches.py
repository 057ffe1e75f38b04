"""Tests of gantool.data.batches: the order of the data is a pure function of seed, epoch and position."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gantool.data import images as data_module
from gantool.data.batches import AHEAD, Batches, mix
from gantool.data.images import Data, DataSpec, ImageData
from gantool.data.opening import open_folder

CPU = torch.device("cpu")


class Numbers(Data):
    """Data whose every example is its own number."""

    spec = DataSpec((1, 1, 1))

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        return index, torch.rand(len(index), generator=rng)


def batches(n: int, size: int, seed: int = 0, drawn: int = 0) -> Batches:
    return Batches(Numbers(n), size, seed, CPU, drawn)


def numbers(source: Iterator[Any], count: int) -> list[int]:
    return torch.cat([next(source)[0] for _ in range(count)]).tolist()


@pytest.mark.parametrize(("n", "size"), [(12, 4), (10, 4), (7, 3), (5, 1), (3, 10), (1, 4), (8, 8)])
def test_every_epoch_holds_every_example_once_and_the_epochs_lie_end_to_end(n: int, size: int) -> None:
    drawn = numbers(batches(n, size), 3 * n)
    assert len(drawn) == 3 * n * size
    epochs = [drawn[i : i + n] for i in range(0, len(drawn), n)]
    assert all(sorted(epoch) == list(range(n)) for epoch in epochs)
    assert n < 5 or len(set(map(tuple, epochs))) > 1


def test_a_batch_larger_than_the_data_is_still_full() -> None:
    (index, _), counts = next(batches(3, 10)), [3, 4]
    assert len(index) == 10
    assert set(torch.bincount(index).tolist()) <= set(counts)


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 17])
def test_started_anywhere_the_rest_is_the_same(stop: int) -> None:
    whole, late = batches(10, 4), batches(10, 4, drawn=stop)
    expected = [next(whole) for _ in range(30)][stop:]
    for index, noise in expected:
        again, same_noise = next(late)
        assert torch.equal(index, again)
        assert torch.equal(noise, same_noise)
    assert late.drawn == whole.drawn == 30


def test_rewinding_draws_the_same_again() -> None:
    source = batches(10, 4)
    first = numbers(source, 9)
    source.rewind(2)
    assert numbers(source, 7) == first[8:]


def test_other_seeds_give_other_orders_and_other_randomness() -> None:
    orders = {tuple(numbers(batches(50, 50, seed), 1)) for seed in range(20)}
    noises = {tuple(next(batches(50, 50, seed))[1].tolist()) for seed in range(20)}
    assert len(orders) == len(noises) == 20


def test_the_first_examples_stay_the_first_however_much_was_drawn() -> None:
    source = batches(10, 4)
    first = next(source)
    numbers(source, 5)
    assert torch.equal(source.first()[0], first[0])
    assert source.drawn == 6


def test_mixed_seeds_never_meet() -> None:
    """Epochs use negative numbers and batches positive ones: 2 x 20 x 500 seeds, all apart, evenly in [0, 2^63)."""
    mixed = [mix(seed, number) for seed in range(20) for number in range(-500, 500)]
    assert len(set(mixed)) == len(mixed)
    assert all(0 <= value < 2**63 for value in mixed)
    # 20,000 even draws have a mean of 1/2 with a deviation of .002, and half of all bits set.
    assert abs(np.mean(mixed) / 2**63 - 0.5) < 0.01
    assert abs(np.mean([value.bit_count() for value in mixed]) - 31.5) < 0.2


def test_an_order_is_not_biased() -> None:
    """Over 2,000 epochs of 4, each example comes first a quarter of the time: 500 with a deviation of 19."""
    first = [int(batches(4, 4, drawn=epoch).index(epoch)[0]) for epoch in range(2000)]
    assert np.bincount(first).tolist() == pytest.approx([500] * 4, abs=100)


def gradient(n: int = 6, size: int = 4) -> ImageData:
    pixels = torch.arange(n * size * size).view(n, 1, size, size).to(torch.uint8)
    return ImageData(pixels, torch.arange(n), flip=True)


def test_flipping_mirrors_about_half_of_the_images_left_to_right() -> None:
    data, mirrored = gradient(), 0
    source = Batches(data, 6, 0, CPU)
    for _ in range(200):
        for image, label in zip(*next(source), strict=True):
            original = data.pixels[label].float() / 127.5 - 1
            flipped = not torch.equal(image, original)
            assert not flipped or torch.equal(image, torch.from_numpy(original.numpy()[:, :, ::-1].copy()))
            mirrored += flipped
    assert 520 < mirrored < 680  # of 1,200: 600 with a deviation of 17


def test_the_same_batch_is_flipped_the_same_way_again() -> None:
    one, two = Batches(gradient(), 4, 3, CPU), Batches(gradient(), 4, 3, CPU, drawn=20)
    for _ in range(20):
        next(one)
    for _ in range(20):
        assert torch.equal(next(one)[0], next(two)[0])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eleven colour images of odd shapes in two class folders."""
    chance = np.random.default_rng(0)
    for i in range(11):
        shape = chance.integers(5, 20, 2)
        path = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (*shape, 3), np.uint8)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImageData]:
    def stream(path: Path, **settings: Any) -> ImageData:
        with monkeypatch.context() as patch:
            patch.setattr(data_module, "IN_MEMORY", 0)
            return open_folder(path, **settings)

    return stream


@pytest.mark.parametrize("flip", [False, True])
def test_streamed_batches_are_those_from_memory_byte_for_byte(
    photos: Path, stream: Callable[..., ImageData], flip: bool
) -> None:
    kept, streamed = open_folder(photos, size=8, flip=flip), stream(photos, size=8, flip=flip)
    assert (kept.streamed, streamed.streamed) == (False, True)
    assert kept.spec == streamed.spec == DataSpec((3, 8, 8), ("cat", "dog"))
    memory = Batches(kept, 4, 5, CPU)
    with closing(Batches(streamed, 4, 5, CPU)) as disk:
        for _ in range(2 * AHEAD):
            for a, b in zip(next(memory), next(disk), strict=True):
                assert torch.equal(a, b)
        # What was decoded ahead is forgotten when the position moves.
        memory.rewind(3)
        disk.rewind(3)
        assert torch.equal(next(memory)[0], next(disk)[0])
        assert torch.equal(memory.first()[0], disk.first()[0])


@pytest.mark.parametrize("broken", ["cat/0.png", "dog/5.png"])
def test_a_image_that_breaks_while_streaming_is_replaced_with_its_label(
    photos: Path, stream: Callable[..., ImageData], broken: str
) -> None:
    whole = (photos / broken).read_bytes()
    (photos / broken).write_bytes(whole[: len(whole) // 2])
    data = stream(photos, size=8)
    good = {tuple(x.flatten().tolist()): int(y) for i in range(11) if (pair := data.decode(i)) for x, y in [pair]}
    assert len(good) == 10
    with closing(Batches(data, 11, 0, CPU)) as disk:
        x, y = disk.fetch(0)
    assert len(x) == 11
    assert [good[tuple(image.flatten().tolist())] for image in x] == y.tolist()
