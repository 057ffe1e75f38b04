"""What gantool gives back and takes: images by their places, images as their files, runs that cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Install
from PIL import Image
from test_docs import FILES

import gantool

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def images(n: int = 5) -> gantool.Images:
    return gantool.Images(list(RNG.integers(0, 256, (n, 8, 8, 1), np.uint8)), np.arange(n), ("a", "b"))


def test_images_are_taken_by_their_place_and_one_by_one() -> None:
    five = images()
    assert len(five[1:3]) == 2 and five[1:3].labels.tolist() == [1, 2]  # type: ignore[union-attr]
    assert np.array_equal(five[-1].arrays[0], five.arrays[4]) and five[-1].names == ["00004"]
    assert [len(one) for one in five] == [1] * 5
    with pytest.raises(IndexError):
        five[5]


def test_images_made_by_hand_are_saved_and_shown() -> None:
    five = images()
    five.save("five")
    assert sorted(path.name for path in Path("five").iterdir()) == [f"{i:05d}.png" for i in range(5)]
    five[2].save("one.png")
    with Image.open("one.png") as one:
        assert np.array_equal(np.asarray(one), five.arrays[2][..., 0])
    shown = five._repr_png_()
    assert shown is not None and shown.startswith(b"\x89PNG") and repr(five) == "<5 images 8x8x1>"


@pytest.fixture
def sharpen(install: Install) -> gantool.Model:
    install("plug-sharpen", FILES["gantool_sharpen"], sharpen="Sharpen")
    return gantool.train("sharpen", size=16, channels=3, width=2, batch_size=4, steps=2, device="cpu").model


def kinds() -> dict[str, Image.Image]:
    """Images that are stored in different ways, most of them not square."""
    colour = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8))
    clear = colour.convert("RGBA")
    clear.putalpha(100)
    kinds = {mode: colour.convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "CMYK")}
    return kinds | {"RGBA": clear, "square": colour.resize((16, 16))}


def test_a_image_is_translated_as_its_file_is(sharpen: gantool.Model) -> None:
    for name, image in kinds().items():
        file = f"{name}.tif" if image.mode == "CMYK" else f"{name}.png"
        image.save(file)
        there = sharpen.translate(file).tensor
        assert there.shape == (1, 3, 16, 16)
        assert torch.equal(sharpen.translate(image).tensor, there), name
        if image.mode in ("L", "RGB", "RGBA"):
            array = np.asarray(image)
            tensor = torch.tensor(np.atleast_3d(array)).permute(2, 0, 1)
            for given in (array, [image], tensor, tensor[None], tensor / 127.5 - 1):
                assert torch.equal(sharpen.translate(given).tensor, there), name


def test_what_one_model_drew_another_translates(sharpen: gantool.Model) -> None:
    gantool.train("gan", steps=1, g_layers="4", d_layers="4", batch_size=4, device="cpu")
    drawn = gantool.load("gan").sample(3)
    made = sharpen.translate(drawn)
    assert made.tensor.shape == (3, 3, 16, 16)
    drawn.save("drawn")
    assert torch.equal(sharpen.translate("drawn").tensor, made.tensor)


def test_a_turned_photo_is_upright(sharpen: gantool.Model) -> None:
    photo = Image.fromarray(RNG.integers(0, 256, (16, 16, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save("photo.png", exif=exif)
    with Image.open("photo.png") as opened:
        assert torch.equal(sharpen.translate(opened).tensor, sharpen.translate("photo.png").tensor)
    assert not torch.equal(sharpen.translate(photo).tensor, sharpen.translate("photo.png").tensor)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 8, 8), np.zeros((8, 8, 5), np.uint8)])
def test_what_is_no_image_is_refused_in_words(sharpen: gantool.Model, wrong: Any) -> None:
    with pytest.raises(gantool.UserError, match="1, 3 or 4 channels, and not the shape"):
        sharpen.translate(wrong)


def test_a_run_that_cannot_be_read_spoils_no_list() -> None:
    run = gantool.train("gan", steps=1, g_layers="4", d_layers="4", batch_size=4, device="cpu")
    bad = Path("runs", "bad", "config.yaml")
    bad.parent.mkdir()
    bad.write_text("- a list\n")
    said = repr(gantool.runs())
    assert repr(run) in said and "<run runs/bad: unreadable: runs/bad/config.yaml is not a settings file.>" in said
    assert gantool.Run("runs/bad")._repr_html_().startswith("&lt;run runs/bad: unreadable")


def test_a_call_is_written_down_as_it_can_be_typed_again() -> None:
    run = gantool.train("gan", steps=1, g_layers="4", d_layers="4", batch_size=4, out=Path("here"), device="cpu")
    said = run.files.made_with()
    assert said.startswith("gantool.train('gan', steps=1, ") and "out='here'" in said
    (run.folder / "config.yaml").rename("old.yaml")
    again = eval(said.replace("'here'", "'there'"), {"gantool": gantool})
    assert again.files.model.read_bytes() == run.files.model.read_bytes()
