"""Tests of `gantool eval` without a variant's name: two sets of images, or a run that knows whose it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Gantool
from PIL import Image

from gantool.data.named import digits

ImageData = Callable[[dict[str, Any]], Path]


@pytest.fixture(scope="module")
def some() -> tuple[Any, Any]:
    """Three hundred digits, and what they are."""
    pixels, labels = digits()
    return pixels[::16, 0].numpy(), labels[::16].numpy()


def folder(path: Path, images: Any) -> Path:
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(path / f"{i:03d}.png")
    return path


def compared(gantool: Gantool, *args: object) -> dict[str, Any]:
    done = gantool("eval", *args, "--json")
    assert done.code == 0, done.err
    report: dict[str, Any] = json.loads(done.out)
    return report


def test_an_npz_of_digits_is_judged_as_samples_are(gantool: Gantool, some: tuple[Any, Any]) -> None:
    images, labels = some
    np.savez("right.npz", images=images, labels=labels)
    np.savez("wrong.npz", images=images[..., None], labels=(labels + 1) % 10)
    right, wrong = (compared(gantool, "--images", f"{name}.npz", "--against", "digits") for name in ("right", "wrong"))
    assert right["judge"] == "digits-judge" and right["n"] == len(images)
    assert right["scores"]["label_accuracy"] > 0.98 and wrong["scores"]["label_accuracy"] < 0.02
    assert right["scores"]["nearest_ratio"] < 1e-6  # each is one of the digits
    assert right["scores"]["FD"] < 0.01 * right["floor"]["FD"]
    for name, value in right["scores"].items():  # labels change nothing else; copies tie with neighbours, or nearly
        if name in ("label_accuracy", "second_judge", "worst_class_accuracy"):
            continue
        assert wrong["scores"][name] == pytest.approx(value, rel=0.02, abs=1e-5), name


def test_folders_without_classes_say_that_untrained_convolutions_looked(
    gantool: Gantool, some: tuple[Any, Any], tmp_path: Path
) -> None:
    images, _ = some
    one, other = folder(tmp_path / "one", images[::2]), folder(tmp_path / "other", images[1::2])
    done = gantool("eval", "--images", one, "--against", other)
    assert done.code == 0, done.err
    assert f"156 images of {one}, judged by: random-convolutions" in done.out
    assert "FD[random-convolutions, 156, all]" in done.out  # halves would have been too few
    assert "label_accuracy" not in done.out and "one of the images, repeated" in done.out
    noise = folder(tmp_path / "noise", np.random.default_rng(0).integers(0, 256, (156, 28, 28), dtype=np.uint8))
    far, near = (compared(gantool, "--images", images, "--against", other) for images in (noise, one))
    assert far["scores"]["FD"] > 20 * near["scores"]["FD"]
    assert near["scores"]["nearest_ratio"] == pytest.approx(1, abs=0.15)
    assert far["scores"]["nearest_ratio"] > 2


def test_too_few_are_refused_with_the_reason(gantool: Gantool, some: tuple[Any, Any], tmp_path: Path) -> None:
    few, more = folder(tmp_path / "few", some[0][:128]), folder(tmp_path / "more", some[0][:129])
    done = gantool("eval", "--images", few, "--against", "digits", "--metrics", "FD")
    assert done.code == 2
    assert "128 images are too few: FD's covariance of 64 features needs more than 128." in done.err
    assert "--images and --against both need as many" in done.err
    assert gantool("eval", "--images", more, "--against", "digits", "--metrics", "FD").code == 0


def test_other_classes_than_the_real_ones_are_left_out(gantool: Gantool, some: tuple[Any, Any]) -> None:
    np.savez("more.npz", images=some[0], labels=some[1] + 1)  # there is no class 10
    assert "label_accuracy" not in compared(gantool, "--images", "more.npz", "--against", "digits")["scores"]


def test_a_run_says_whose_it_is(gantool: Gantool, trained: Path) -> None:
    first = json.loads(gantool("eval", "gan", "--run", trained, "-n", 130, "--json").out)
    again = compared(gantool, "--run", trained / "model.safetensors", "-n", 130)
    assert (again["variant"], again["scores"]) == ("gan", first["scores"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--n 300", "eval what?"),
        ("--images . --metrics FD", "eval what?"),
        ("--against digits", "eval what?"),
        ("--run here --images . --against digits", "eval what?"),
        ("--n 300 gan", "--n goes behind gan"),
        ("--images gone --against digits", "--images"),
        ("--images . --against digist", "Did you mean digits?"),
        ("--images . --against digits", "No images in"),
        ("--run gone", "No run at gone"),
        ("gan --metrics ,", "names no score"),
    ],
)
def test_what_cannot_be_meant_is_refused(gantool: Gantool, line: str, words: str) -> None:
    done = gantool("eval", *line.split())
    assert (done.code, words in done.err) == (2, True), done.err
    assert len(done.err.splitlines()) <= 6


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": np.zeros((200, 8, 8), np.uint8)}, "images"),
        ({"images": np.zeros((200, 8, 8))}, "not bytes"),
        ({"images": np.zeros((200, 8, 8, 2), np.uint8)}, "not bytes"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "not bytes"),
        ({"images": np.zeros((200, 8, 9), np.uint8)}, "not square"),
        ({"images": np.zeros((200, 8, 8), np.uint8), "labels": np.zeros(9, np.int64)}, "labels"),
        ({"images": np.zeros((200, 8, 8), np.uint8), "labels": np.zeros(200)}, "labels"),
        ({"images": np.array([None])}, "cannot be used"),
    ],
)
def test_an_npz_that_holds_something_else_is_refused(gantool: Gantool, arrays: dict[str, Any], words: str) -> None:
    np.savez("x.npz", **arrays)
    done = gantool("eval", "--images", "x.npz", "--against", "digits")
    assert (done.code, words in done.err) == (2, True), done.err


@pytest.mark.parametrize(("name", "words"), [("x.idx", "none of a folder, a zip and an .npz"), ("x.png", "single file"),
                                             ("x.zip", "x.zip")])  # fmt: skip
def test_a_file_of_another_kind_is_told_what_would_do(gantool: Gantool, name: str, words: str) -> None:
    Path(name).write_bytes(b"rubbish")
    done = gantool("eval", "--images", name, "--against", "digits")
    assert (done.code, words in done.err) == (2, True), done.err


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 rubbish", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_is_refused(gantool: Gantool, content: bytes) -> None:
    Path("x.npz").write_bytes(content)
    done = gantool("eval", "--images", "x.npz", "--against", "digits")
    assert (done.code, "x.npz cannot be used" in done.err) == (2, True), done.err


def test_json_goes_to_stdout_alone_and_to_a_file(gantool: Gantool, trained: Path) -> None:
    done = gantool("eval", "--run", trained, "-n", 130, "--metrics", "confident, fd", "--out", "deep.json", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["scores"].keys() == {"confident", "FD"}
    assert json.loads(Path("deep.json").read_text()) == report
    wrong = gantool("eval", "--run", trained, "-n", 130, "--metrics", "confident", "--out", "gone/x.json")
    assert wrong.code == 2 and "gone" in wrong.err


def test_scores_that_a_variant_has_not_are_named(gantool: Gantool, trained: Path) -> None:
    done = gantool("eval", "--run", trained, "-n", 130, "--metrics", "CAS,confident")
    assert (done.code, "cannot be measured here: CAS" in done.err) == (0, True)
