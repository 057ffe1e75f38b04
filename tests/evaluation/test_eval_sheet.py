"""Tests of eval.png: what it shows is so, whatever the images and the names of their classes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Gantool
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gantool.evaluation import sheet
from gantool.evaluation.scores import Ground, Seen, ground, see
from gantool.metrics import measures
from gantool.metrics.judge import Judge, random_judge
from gantool.viz import charts

LONG = [f"{word} with a name that is far longer than a page has room for" for word in ("cats", "dogs")]


def noise(n: int, channels: int = 3, side: int = 8, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, side, side), generator=rng, dtype=torch.uint8)


def judge(classes: int) -> Judge:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Judge(3, classes, 32).eval() if classes else random_judge(3)


def drawing_of(
    pixels: Tensor, training: Tensor | None, classes: list[str], asked: bool = True, lines: Any = ()
) -> NDArray[np.uint8]:
    who, n = judge(len(classes)), len(pixels)
    drawn = see(who, pixels, torch.arange(n) % len(classes) if classes and asked else None)
    on = Ground(who.classes)
    if training is not None:
        on = ground(who, see(who, training, None), training, None)
    found = {
        "variant": "tiny",
        "step": 5,
        "n": n,
        "run": "runs/x",
        "judge": "j",
        "floor_from": "nothing",
        "split": "train",
    }
    found |= {"scores": {"FD": 1.5, "confident": 0.25}, "floor": {"FD": 9.0}, "ceiling": {"FD": 0.1}}
    if drawn.labels is not None:
        table = measures.confusion(drawn.labels, drawn.probabilities.argmax(1), len(classes))
        found["confusion"] = table.tolist()
    return sheet.page(found, drawn, on, training, classes, lines)


def test_a_sample_is_beside_the_training_image_it_copies() -> None:
    training = noise(150)
    copies = training[torch.randperm(150, generator=torch.Generator().manual_seed(1))]
    shown, side, left = drawing_of(copies, training, []), 64, sheet.MARGIN
    expected = copies[0].permute(1, 2, 0).repeat_interleave(8, 0).repeat_interleave(8, 1).numpy()
    tops = [y for y in range(300) if (shown[y : y + side, left : left + side] == expected).all()]
    assert len(tops) == 1
    assert (shown[tops[0] : tops[0] + side, left + side + 2 : left + 2 * side + 2] == expected).all()


@pytest.mark.parametrize("classes", [[], ["a", "b"], LONG, [f"kind {i}" for i in range(20)], [*"abcdefghij"] * 9])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_any_classes_fit_on_a_page(classes: list[str], asked: bool, known: bool) -> None:
    probe = {"step": 5, "probe": {"distance": 2.0, "diversity": float("nan")}}
    shown = drawing_of(noise(180, seed=1), noise(140) if known else None, classes, asked, [probe, {"step": 6}])
    assert shown.shape[1] == sheet.WIDTH and 400 < shown.shape[0] <= 1414
    for edge in (shown[:, :30], shown[:, -30:], shown[:30], shown[-10:]):
        assert (edge == 255).all()


def test_the_same_images_make_the_same_page() -> None:
    first, again = (drawing_of(noise(150), noise(140, seed=2), ["a", "b"]) for _ in range(2))
    assert (first == again).all()


def test_the_confusion_is_blue_where_it_is_right_and_orange_where_not() -> None:
    page = sheet.Page()
    table = np.array([[8, 0], [6, 2]])
    bottom = sheet.confusion(page, table, ["a", "b"], 0)
    shown = np.asarray(page.image).astype(int)
    corners = [[shown[bottom - (2 - row) * 32 + 4, 54 + 32 * column + 10] for column in range(2)] for row in range(2)]
    blue = [[pixel[2] - pixel[0] for pixel in row] for row in corners]
    assert blue[0][0] > 150 and blue[1][0] < -150 and 0 < blue[1][1] < 80
    assert blue[0][1] == 0


def test_names_are_cut_to_their_room_and_unknown_letters_become_numbers() -> None:
    for wide in (0, 10, 50, 200):
        assert charts.font(13).getlength(sheet.cut(LONG[0], 13, wide)) <= max(wide, charts.font(13).getlength("…"))
    assert sheet.cut("short", 13, 200) == "short"
    assert [sheet.legible(name, 4) for name in ("café", "日本", "plain")] == ["cafe", "class 4", "plain"]


def test_large_images_are_reduced_and_small_ones_kept_sharp() -> None:
    assert sheet.tile(noise(1, 1, 128)[0]).size == (64, 64)
    assert sheet.tile(noise(1, 4, 24)[0]).size == (48, 48)


def test_eval_leaves_its_image_in_the_run(gantool: Gantool) -> None:
    args = ("--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 2, "--steps", 1, "-q")
    assert gantool("train", "gan", *args).code == 0
    assert gantool("eval", "gan", "-n", 130).code == 0
    with Image.open(io.BytesIO(Path("runs/gan-001/eval.png").read_bytes())) as image:
        assert image.width == sheet.WIDTH


def test_the_chosen_parts_keep_their_rows() -> None:
    seen = Seen(noise(5), torch.arange(10.0).view(5, 2), torch.arange(5.0).view(5, 1), None)
    part = seen.part(torch.tensor([4, 1]))
    assert part.features.tolist() == [[8.0, 9.0], [2.0, 3.0]] and part.labels is None
    assert torch.equal(part.pixels, seen.pixels[[4, 1]])
