"""Tests of the judge: what it accepts, what it refuses to load, and how well it tells digits apart."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gantool.data.images import as_bytes
from gantool.errors import UserError
from gantool.metrics.judge import (
    DIGITS_PATH,
    DIGITS_SHA256,
    Judge,
    digits_judge,
    for_looking,
    judge_bytes,
    judge_classes,
    load_judge,
    look,
    random_judge,
    second_judge,
    train_judge,
)

LABELS = torch.arange(10).repeat_interleave(500)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small only lose by more threads, and badly where the cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    with Image.open(DIGITS_PATH.with_name("digits.png")) as sheet:
        tiles = np.asarray(sheet).reshape(50, 28, 100, 28).swapaxes(1, 2).reshape(5000, 1, 28, 28)
    return torch.from_numpy(tiles.copy()).float() / 127.5 - 1


@pytest.fixture(scope="module")
def toy() -> tuple[Tensor, Tensor]:
    """Dark, middling and bright 16x16 colour noise: three classes nothing could confuse."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(100)
    noise = torch.randint(0, 40, (300, 3, 16, 16), generator=generator)
    return (noise + 100 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels


def accuracy(judge: Judge, images: Tensor, labels: Tensor) -> float:
    return float((judge_classes(judge, images) == labels).float().mean())


def test_digits_are_recognised(digits: Tensor) -> None:
    judge = digits_judge()
    assert accuracy(judge, digits, LABELS) >= 0.985
    assert accuracy(judge, digits, (LABELS + 1) % 10) < 0.01
    assert judge.accuracy >= 0.985
    assert (judge.classes, judge.side, judge.channels, judge.training) == (10, 28, 1, False)
    assert sum(parameter.numel() for parameter in judge.parameters()) < 120_000


def test_other_sizes_and_colours_are_brought_to_the_judges(digits: Tensor) -> None:
    judge, some, labels = digits_judge(), digits[::10], LABELS[::10]
    large = torch.nn.functional.interpolate(some, (64, 64), mode="bilinear")
    assert accuracy(judge, large.expand(-1, 3, -1, -1), labels) >= 0.98
    assert torch.allclose(judge.prepare(some.expand(-1, 3, -1, -1)), some, atol=1e-5)
    assert judge.features(some[:7]).shape == (7, 64)
    assert Judge(channels=3, side=32).prepare(some).shape == (500, 3, 32, 32)


@pytest.mark.parametrize("which", [digits_judge, second_judge, lambda: random_judge(3)])
def test_a_judge_for_looking_sees_the_same_and_is_another(which: Callable[[], Judge], digits: Tensor) -> None:
    judge = which()
    before = {name: weight.clone() for name, weight in judge.state_dict().items()}
    quick, pixels = for_looking(judge), as_bytes(digits[::100])
    for found, expected in zip(look(quick, pixels), look(judge, pixels), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert all(torch.equal(weight, before[name]) for name, weight in judge.state_dict().items())


@pytest.mark.parametrize("value", [1.01, -1.01, 255.0, float("nan"), float("inf")])
def test_a_wrong_range_is_refused(value: float) -> None:
    images = torch.zeros(2, 1, 28, 28)
    images[1, 0, 3, 3] = value
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        Judge().eval()(images)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((28, 28), "float"), ((1, 2, 28, 28), "float"), ((1, 1, 28, 28), "uint8")]
)
def test_a_wrong_shape_or_type_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match="floats"):
        Judge().eval()(torch.zeros(shape, dtype=getattr(torch, dtype)))


def test_one_flipped_bit_is_refused(tmp_path: Path) -> None:
    blob = bytearray(DIGITS_PATH.read_bytes())
    assert len(blob) <= 600_000
    blob[-1] ^= 1
    changed = tmp_path / "judge.safetensors"
    changed.write_bytes(blob)
    with pytest.raises(UserError, match="not the judge this version"):
        load_judge(changed, DIGITS_SHA256)


def test_what_is_not_a_judge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    with pytest.raises(UserError, match="cannot read"):
        load_judge(path)
    path.write_bytes(b"not tensors at all")
    with pytest.raises(UserError, match="is not a judge"):
        load_judge(path)


def test_a_judge_is_trained_saved_and_read_back(toy: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    seen: list[float] = []
    state = torch.get_rng_state()
    judge = train_judge(*toy, classes=3, epochs=2, progress=seen.append)
    assert torch.equal(torch.get_rng_state(), state), "training disturbed the global generator"
    assert judge.accuracy >= 0.9
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    path = tmp_path / "judge.safetensors"
    path.write_bytes(judge_bytes(judge))
    again = load_judge(path)
    images = toy[0].float() / 127.5 - 1
    assert (again.side, again.channels, again.classes) == (32, 3, 3)
    assert again.accuracy == pytest.approx(judge.accuracy, abs=1e-6)
    with torch.no_grad():
        assert torch.equal(again(images), judge(images))


def test_a_seed_repeats(toy: tuple[Tensor, Tensor]) -> None:
    first, second, other = (train_judge(*toy, classes=3, epochs=1, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_labels_past_the_classes_are_refused(toy: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UserError, match="label from 0 to 1"):
        train_judge(*toy, classes=2)
