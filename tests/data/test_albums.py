"""Tests of gantool.data.albums: friendly folders, hostile files, and what a person is told about both."""

import io
import os
import struct
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gantool.data import decoding
from gantool.data.albums import Album, BadImage, check, load, open_album, read_image
from gantool.errors import UserError

both = pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(colour: Any = RED, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    return encoded(Image.new(mode, size, colour))


def noise(size: tuple[int, int] = (64, 64)) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(values)


def put(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir(exist_ok=True)
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def put_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def store(tmp_path: Path, zipped: bool, files: dict[str, bytes]) -> Path:
    return put_zip(tmp_path / "a.zip", files) if zipped else put(tmp_path / "a", files)


def bomb_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest


def animation(kind: str) -> bytes:
    frames = [noise(), noise().rotate(90)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def fails(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    assert caught.value.code == 2
    text = f"{caught.value.message}\n{caught.value.hint}".strip()
    assert len(text.splitlines()) <= 2
    text.encode()  # printable
    return text


def one(tmp_path: Path, data: bytes, name: str = "a.png") -> Album:
    return open_album(put(tmp_path / "one", {name: data}))


# ---- finding ----


@both
def test_classes_are_sub_folders(tmp_path: Path, zipped: bool) -> None:
    files = {"dogs/2.png": plain(), "cats/b.JPG": encoded(noise(), "JPEG"), "dogs/1/x.png": plain()}
    files |= {"dogs/.DS_Store": b"x", "__MACOSX/cats/._b.png": b"x", ".git/a.png": plain(), "note.txt": b""}
    album = open_album(store(tmp_path, zipped, files))
    assert album.names == ("cats/b.JPG", "dogs/1/x.png", "dogs/2.png")
    assert album.classes == ("cats", "dogs")
    assert album.labels == (0, 1, 1)
    assert (album.bad, album.ignored, album.mixed, album.loose, len(album)) == ({}, 1, False, 0, 3)
    assert dict(album.sizes) == {(8, 8): 2, (64, 64): 1}
    assert not album.grey and not album.alpha
    assert album.decode(2, 4, 3)[:, 0, 0].tolist() == [255, 0, 0]


@both
def test_steps_into_a_wrapping_folder(tmp_path: Path, zipped: bool) -> None:
    files = {
        "pets/cats/a.png": plain(),
        "pets/dogs/b.png": plain(),
        "pets/dogs/c.png": b"",
        "__MACOSX/x": b"",
    }
    album = open_album(store(tmp_path, zipped, files))
    assert album.names == ("cats/a.png", "dogs/b.png")
    assert album.classes == ("cats", "dogs") and album.labels == (0, 1)
    assert album.bad == {"dogs/c.png": "empty file"}
    assert album.decode(1, 4, 1).shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("names", "classes", "loose", "mixed"),
    [
        (["a.png", "b.png"], (), 2, False),
        (["cats/a.png", "cats/b.png"], ("cats",), 0, False),
        (["pets/cats/a.png"], ("cats",), 0, False),
        (["a.png", "cats/b.png", "dogs/c.png"], ("cats", "dogs"), 1, True),
        (["pets/a.png", "pets/cats/b.png"], ("cats",), 1, True),
    ],
)
def test_unlabelled(tmp_path: Path, names: list[str], classes: Any, loose: int, mixed: bool) -> None:
    album = open_album(put(tmp_path / "a", dict.fromkeys(names, plain())))
    assert album.labels is None
    assert (album.classes, album.loose, album.mixed) == (classes, loose, mixed)


def test_grey_and_alpha(tmp_path: Path) -> None:
    grey = put(tmp_path / "g", {"a.png": plain(9, mode="L"), "b.png": plain(1, mode="1")})
    assert open_album(grey).grey
    put(grey, {"c.png": plain((1, 2), mode="LA")})
    assert open_album(grey).grey and open_album(grey).alpha
    put(grey, {"d.png": plain()})
    assert not open_album(grey).grey


@both
def test_bad_files_are_named_with_reasons(tmp_path: Path, zipped: bool) -> None:
    reasons = {
        ("empty.png", b""): "empty file",
        ("script.png", b"#!/bin/sh\nrm -rf /\n"): "not an image",
        ("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg"/>'): "not an image",
        ("page.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"): "not an image",
        ("moving.gif", animation("GIF")): "animated",
        ("moving.webp", animation("WEBP")): "animated",
        ("moving.png", animation("PNG")): "animated",
        ("pages.tif", animation("TIFF")): "several pages",
        ("bomb.png", bomb_png(60000, 60000)): "too large (60000 x 60000)",
        ("big.png", bomb_png(9000, 9000)): "too large (9000 x 9000)",
    }
    album = open_album(store(tmp_path, zipped, {"good.png": plain()} | dict(reasons.keys())))
    assert album.names == ("good.png",)
    assert album.bad == {name: reason for (name, _), reason in reasons.items()}


def test_links_pipes_and_loops(tmp_path: Path) -> None:
    root = put(tmp_path / "a", {"in/a.png": plain(), "in/b.png": plain()})
    outside = put(tmp_path / "secret", {"s.png": plain()})
    (root / "in" / "out.png").symlink_to(outside / "s.png")
    (root / "in" / "ok.png").symlink_to("a.png")
    (root / "in" / "broken.png").symlink_to("nothing.png")
    (root / "in" / "loop").symlink_to(root)
    (root / "in" / "self.png").symlink_to("self.png")
    (root / "in" / "self").symlink_to("self")
    (root / "outdir").symlink_to(outside)
    (root / "in" / "null.png").symlink_to("/dev/null")
    os.mkfifo(root / "in" / "pipe.png")
    album = open_album(root)
    assert album.names == ("in/a.png", "in/b.png", "in/ok.png")
    assert album.bad == {
        "in/out.png": "link out of the folder",
        "in/null.png": "link out of the folder",
        "outdir/": "link out of the folder",
        "in/broken.png": "unreadable",
        "in/self.png": "unreadable",
        "in/pipe.png": "not a file",
    }


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "a", {"a.png": plain()})
    (tmp_path / "link").symlink_to("a")
    assert open_album(tmp_path / "link").names == ("a.png",)


def test_unreadable_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put(tmp_path / "a", {"a.png": plain(), "b.png": plain(), "shut/c.png": plain()})
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("shut/"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    def deny(path: str, mode: str) -> Any:  # tests may run as root, whom no permission stops
        if path.endswith("b.png"):
            raise PermissionError(13, "Permission denied")
        return io.FileIO(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(decoding, "open", deny, raising=False)
    assert open_album(root).bad == {"b.png": "unreadable", "shut/": "unreadable"}


def test_odd_names_can_be_printed_and_opened(tmp_path: Path) -> None:
    root = put(tmp_path / "a", {"ünï 猫.png": plain(GREEN)})
    for raw in (b"caf\xe9.png", b"clear\x1b[2J.png", b"\xff.png"):
        with open(os.path.join(os.fsencode(root), raw), "wb") as file:
            file.write(plain(BLUE))
    with open(os.path.join(os.fsencode(root), b"\xfe.png"), "wb"):
        pass
    report = check(root)
    album = report.album
    assert "ünï 猫.png" in album.names and len(album) == 4
    assert all(name.isprintable() for name in album.names)
    assert album.bad == {"\\udcfe.png": "empty file"}
    "\n".join(report.lines()).encode()
    for index, name in enumerate(album.names):
        expected = [0, 255, 0] if "猫" in name else [0, 0, 255]
        assert album.decode(index, 2, 3)[:, 0, 0].tolist() == expected


# ---- zips ----


def test_zip_names_that_leave_the_archive(tmp_path: Path) -> None:
    out = ["../up.png", "/abs.png", "a/../../b.png", "C:\\x.png", "..\\win.png"]
    files = dict.fromkeys([*out, "fine/in.png", "back\\s.png"], plain())
    album = open_album(put_zip(tmp_path / "a.zip", files))
    assert album.names == ("back/s.png", "fine/in.png")
    assert len(album.bad) == 5 and set(album.bad.values()) == {"path leaves the archive"}
    assert sorted(os.listdir(tmp_path)) == ["a.zip"]
    assert album.decode(0, 2, 3).shape == (3, 2, 2)


def test_zip_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_BYTES", 100_000)
    files = {"ok.png": plain(), "bomb.png": bytes(3_000_000), "liar.bmp": bytes(99_999)}
    path = put_zip(tmp_path / "a.zip", files)
    data = bytearray(path.read_bytes())
    assert data.count(struct.pack("<I", 99_999)) == 2
    path.write_bytes(data.replace(struct.pack("<I", 99_999), struct.pack("<I", 50)))
    album = open_album(path)
    assert album.names == ("ok.png",)
    assert album.bad["bomb.png"].startswith("too large")
    assert album.bad["liar.bmp"] in ("damaged", "not an image")


def test_encrypted_and_damaged_members(tmp_path: Path) -> None:
    files = {"ok.png": plain(), "locked.png": plain(), "hurt.png": encoded(noise())}
    path = put_zip(tmp_path / "a.zip", files)
    data = bytearray(path.read_bytes())
    locked = data.rindex(b"PK\x01\x02", 0, data.rindex(b"locked.png"))
    data[locked + 8] |= 1
    start = data.index(b"hurt.png") + 8 + 2000
    data[start : start + 50] = bytes(50)
    path.write_bytes(data)
    report = check(path)
    assert report.images == 1
    assert report.bad["locked.png"] == "encrypted"
    assert report.bad["hurt.png"] in ("damaged", "cut short", "not an image")


def test_a_zip_of_large_members_is_read_past_their_first_bytes(tmp_path: Path) -> None:
    image = noise((256, 256))
    files = {"a.png": encoded(image), "b.bmp": encoded(image, "BMP"), "c.tif": encoded(image, "TIFF")}
    files["d.jpg"] = encoded(image, "JPEG", comment=b"x" * 60_000, quality=95)
    album = open_album(put_zip(tmp_path / "a.zip", files))
    assert len(album) == 4 and not album.bad
    assert (album.decode(0, 256, 3) == np.asarray(image).transpose(2, 0, 1)).all()


# ---- decoding ----


@pytest.mark.parametrize(
    ("data", "name", "rgb"),
    [
        (plain(1, mode="1"), "a.png", (255, 255, 255)),
        (plain(200, mode="L"), "a.png", (200, 200, 200)),
        (plain((100, 255), mode="LA"), "a.png", (100, 100, 100)),
        (plain((100, 0), mode="LA"), "a.png", (255, 255, 255)),
        (plain((0, 0, 0, 0), mode="RGBA"), "a.png", (255, 255, 255)),
        (plain((255, 0, 0, 128), mode="RGBA"), "a.png", (255, 127, 127)),
        (encoded(Image.new("RGB", (8, 8), GREEN).quantize(4)), "a.png", GREEN),
        (encoded(Image.new("P", (8, 8), 0), transparency=0), "a.png", (255, 255, 255)),
        (encoded(Image.new("P", (8, 8), 0), transparency=bytes([0, 255])), "a.png", (255, 255, 255)),
        (encoded(Image.new("RGB", (8, 8), RED), transparency=RED), "a.png", (255, 255, 255)),
        (encoded(Image.new("RGB", (8, 8), GREEN), "GIF"), "a.gif", GREEN),
        (encoded(Image.new("RGB", (8, 8), GREEN), "WEBP", lossless=True), "a.webp", GREEN),
        (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), "a.tif", RED),
        (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), "a.jpg", RED),
        (encoded(Image.new("F", (8, 8), 0.5), "TIFF"), "a.tif", (128, 128, 128)),
        (encoded(Image.new("F", (8, 8), 64.0), "TIFF"), "a.tif", (64, 64, 64)),
        (encoded(Image.new("F", (8, 8), float("nan")), "TIFF"), "a.tif", (0, 0, 0)),
        (encoded(Image.new("I", (8, 8), 257 * 50), "TIFF"), "a.tif", (50, 50, 50)),
        (encoded(Image.new("I;16", (8, 8), 257 * 50)), "a.png", (50, 50, 50)),
        (encoded(Image.new("I;16", (8, 8), 65535), "TIFF"), "a.tif", (255, 255, 255)),
        (encoded(Image.new("I;16B", (8, 8), 257 * 50), "TIFF"), "a.tif", (50, 50, 50)),
        (b"P5 2 2 65535\n" + struct.pack(">4H", *[257 * 50] * 4), "a.pgm", (50, 50, 50)),
        (b"P3 1 1 255\n0 255 0\n", "a.ppm", GREEN),
        (encoded(Image.new("RGB", (8, 8), BLUE), "BMP"), "a.bmp", BLUE),
    ],
)
def test_modes(tmp_path: Path, data: bytes, name: str, rgb: tuple[int, int, int]) -> None:
    album = one(tmp_path, data, name)
    assert album.bad == {}
    pixels = album.decode(0, 4, 3)
    tolerance = 14 if name == "a.jpg" else 1  # CMYK
    assert pixels.shape == (3, 4, 4) and pixels.dtype == np.uint8
    assert pixels.flags.writeable and pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - np.reshape(rgb, (3, 1, 1))).max() <= tolerance
    grey = album.decode(0, 4, 1)
    assert grey.shape == (1, 4, 4)
    assert abs(int(grey[0, 0, 0]) - round(np.dot(rgb, (0.299, 0.587, 0.114)))) <= tolerance + 1
    assert album.decode(0, 4, 4).shape == (4, 4, 4)


def test_alpha_is_kept_for_four_channels(tmp_path: Path) -> None:
    album = one(tmp_path, plain((255, 0, 0, 128), mode="RGBA"))
    assert album.alpha
    assert album.decode(0, 8, 4)[:, 0, 0].tolist() == [255, 0, 0, 128]
    assert read_image(tmp_path / "one" / "a.png", None, 4)[3].max() == 128


def test_16_bit_grey_keeps_its_whole_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    pixels = one(tmp_path, encoded(Image.fromarray(ramp))).decode(0, 8, 1)[0]
    assert np.abs(pixels.astype(float) - ramp / 257).max() <= 0.51


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (64, 64), "white")
    upright.paste(RED, (0, 0, 32, 32))
    upright.paste(BLUE, (32, 0, 64, 32))
    turn = decoding.TURNS.get(orientation)
    undo = {6: 8, 8: 6}.get(orientation, orientation)
    stored = upright if turn is None else upright.transpose(decoding.TURNS[undo])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    album = one(tmp_path, encoded(stored, kind, exif=exif, **options.get(kind, {})), "a." + kind.lower())
    for pixels in (album.decode(0, 16, 3), album.decode(0, 64, 3)):
        half = pixels.shape[1] // 4
        assert np.abs(pixels[:, half, half].astype(int) - RED).max() < 40
        assert np.abs(pixels[:, half, -half].astype(int) - BLUE).max() < 40


def test_exif_of_a_wide_image_at_its_own_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise((40, 20)), "JPEG", exif=exif))
    assert read_image(path, None, 3).shape == (3, 40, 20)
    assert read_image(path, 8, 1).shape == (1, 8, 8)
    assert read_image(path, None, None).shape == (3, 40, 20)


@pytest.mark.parametrize(
    ("image", "channels"),
    [
        (Image.new("L", (5, 3)), 1), (Image.new("1", (5, 3)), 1), (Image.new("I;16", (5, 3)), 1),
        (Image.new("LA", (5, 3)), 4), (Image.new("RGBA", (5, 3)), 4), (Image.new("RGB", (5, 3)), 3),
        (Image.new("P", (5, 3)), 3),
    ],
)  # fmt: skip
def test_a_image_has_its_own_channels(tmp_path: Path, image: Image.Image, channels: int) -> None:
    put(tmp_path, {"a.png": encoded(image)})
    assert read_image(tmp_path / "a.png", None, None).shape == (channels, 3, 5)
    assert read_image(tmp_path / "a.png", 4, None).shape == (channels, 4, 4)


def test_a_transparent_palette_keeps_its_alpha(tmp_path: Path) -> None:
    put(tmp_path, {"a.png": encoded(Image.new("RGB", (5, 3), RED).quantize(4), transparency=0)})
    assert read_image(tmp_path / "a.png", None, None)[3].max() == 0


def odd_jpeg() -> bytes:
    """Pillow warns about it, here as an error."""
    return encoded(noise(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01garbage")


def test_broken_exif_is_no_reason_to_lose_a_image(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="EXIF"):
        Image.open(io.BytesIO(odd_jpeg())).getexif()
    album = one(tmp_path, odd_jpeg(), "a.jpg")
    assert album.decode(0, 16, 3).shape == (3, 16, 16)
    assert load(album, 16, 3)[2] == {}
    assert read_image(tmp_path / "one" / "a.jpg", 16, 3).shape == (3, 16, 16)


@both
def test_threads_decode_the_same_and_leave_the_warning_filters(tmp_path: Path, zipped: bool) -> None:
    kinds = ["PNG", "JPEG", "WEBP", "TIFF"]
    files = {f"{i}.png": encoded(noise((64 + i, 64)), kinds[i % 4]) for i in range(40)}
    album = open_album(store(tmp_path, zipped, files | {"odd.jpg": odd_jpeg()}))
    filters = list(warnings.filters)
    expected = [album.decode(index, 16, 3) for index in range(41)]
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda index: album.decode(index % 41, 16, 3), range(410)))
    assert all((image == expected[index % 41]).all() for index, image in enumerate(images))
    assert warnings.filters == filters


def test_a_phone_jpeg_with_a_second_frame(tmp_path: Path) -> None:
    frames = [noise(), noise()]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert one(tmp_path, data, "a.jpg").decode(0, 16, 3).shape == (3, 16, 16)


@pytest.mark.parametrize("size", [(200, 50), (50, 200), (51, 33), (3, 1), (1, 1)])
def test_centre_crop(tmp_path: Path, size: tuple[int, int]) -> None:
    wide = Image.new("RGB", size, BLUE)
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    wide.paste(RED, (left, top, left + side, top + side))
    pixels = one(tmp_path, encoded(wide)).decode(0, 16, 3)
    assert pixels.shape == (3, 16, 16)
    # Like resizing the whole and then cropping: only the rim may know of what lies beyond it.
    assert np.abs(pixels[:, 7:9, 7:9].astype(int) - np.reshape(RED, (3, 1, 1))).max() <= 20
    if side > 16:
        assert np.abs(pixels[:, 3:-3, 3:-3].astype(int) - np.reshape(RED, (3, 1, 1))).max() <= 2


def test_shrinking_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::2] = 255
    image = Image.fromarray(stripes)
    for data, name in ((encoded(image), "a.png"), (encoded(image, "JPEG", quality=95), "a.jpg")):
        put(tmp_path / "s", {name: data})
    album = open_album(tmp_path / "s")
    for index in range(2):
        assert np.abs(album.decode(index, 16, 1).astype(int) - 127).max() <= 3


def test_truncated_and_damaged_images(tmp_path: Path) -> None:
    jpeg, png = encoded(noise(), "JPEG"), encoded(noise())
    hurt = png[:3000] + bytes(100) + png[3100:]
    files = {"a.jpg": jpeg[: len(jpeg) // 2], "b.png": png[:3000], "c.png": hurt}
    album = open_album(put(tmp_path / "a", files))
    for index, name in enumerate(files):
        with pytest.raises(BadImage) as caught:
            album.decode(index, 16, 3)
        assert caught.value.name == name and caught.value.reason in ("cut short", "damaged")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_random_damage_never_escapes(tmp_path: Path, kind: str) -> None:
    random = np.random.default_rng(1)
    data = encoded(noise((24, 24)), kind)
    files = {"0.png": plain()}
    for index in range(60):
        hurt = bytearray(data)
        for place in random.integers(0, min(len(hurt), 200 if index % 2 else len(hurt)), 6):
            hurt[place] = random.integers(256)
        files[f"{index + 1}.png"] = bytes(hurt[: random.integers(1, len(hurt))] if index % 5 == 0 else hurt)
    report = check(put(tmp_path / "a", files))
    assert report.images + len(report.bad) == 61


# ---- load, check, read_image ----


def test_load_keeps_order_and_leaves_bad_ones_out(tmp_path: Path) -> None:
    files = {f"{'ab'[i % 2]}/{i:02}.png": plain((i, 0, 0)) for i in range(20)}
    files["a/04x.jpg"] = encoded(noise(), "JPEG")[:1500]
    files["b/zz.png"] = encoded(noise())[:2000]
    steps: list[tuple[int, int]] = []
    album = open_album(put(tmp_path / "a", files))
    pixels, labels, bad = load(album, 8, 3, threads=4, progress=lambda *step: steps.append(step))
    assert pixels[:, 0, 0, 0].tolist() == [*range(0, 20, 2), *range(1, 20, 2)]
    assert labels is not None and labels.dtype == np.int64 and labels.tolist() == [0] * 10 + [1] * 10
    assert set(bad) == {"a/04x.jpg", "b/zz.png"}
    assert steps == [(i + 1, 22) for i in range(22)]


def test_load_without_labels_and_with_nothing_good(tmp_path: Path) -> None:
    pixels, labels, bad = load(one(tmp_path, plain()), 4, 1)
    assert pixels.shape == (1, 1, 4, 4) and labels is None and bad == {}
    album = open_album(put(tmp_path / "b", {"a.png": encoded(noise())[:2000]}))
    assert "a.png: " in fails(lambda: load(album, 8, 3))


def test_an_interrupted_load_stops_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    album = open_album(put(tmp_path / "a", {f"{i}.png": plain() for i in range(200)}))
    decoded = []

    def slow(*_: object) -> NDArray[np.uint8]:
        decoded.append(1)
        time.sleep(0.01)
        return np.zeros((3, 8, 8), np.uint8)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding, "pixels", slow)
    with pytest.raises(KeyboardInterrupt):
        load(album, 8, 3, threads=2, progress=interrupt)
    assert len(decoded) < 100


def test_check(tmp_path: Path) -> None:
    files = {"a/1.png": plain(), "a/2.png": plain(size=(20, 10)), "b/3.png": plain(), "read me.txt": b""}
    files["b/4.jpg"] = encoded(noise(), "JPEG")[:1500]
    files["b/5.png"] = b""
    report = check(put(tmp_path / "a", files))
    assert (report.images, report.per_class) == (3, {"a": 2, "b": 1})
    assert set(report.bad) == {"b/4.jpg", "b/5.png"}
    text = "\n".join(report.lines())
    for part in ("images: 3, colour", "2 classes", "a: 2", "smallest 8 x 8", "b/5.png: empty file"):
        assert part in text
    put(tmp_path / "a", {"loose.png": plain()})
    assert "1 images lie beside the sub-folders" in "\n".join(check(tmp_path / "a").lines())


def test_read_image_errors(tmp_path: Path) -> None:
    put(tmp_path, {"face.png": plain(), "empty.png": b"", "text.png": b"hello"})
    os.mkfifo(tmp_path / "pipe.png")

    def said(name: str) -> str:
        return fails(lambda: read_image(tmp_path / name, 8, 3))

    assert "face.png" in said("fase.png") and "empty file" in said("empty.png")
    assert "not an image" in said("text.png")
    assert "not a file" in said("pipe.png") and "not a file" in said(".")
    put(tmp_path, {"bomb.png": bomb_png(9_000, 9_000)})
    for size, channels in ((8, 3), (None, None)):
        assert "too large (9000 x 9000)" in fails(lambda: read_image(tmp_path / "bomb.png", size, channels))  # noqa: B023


# ---- what open_album says ----


def test_open_album_errors(tmp_path: Path) -> None:
    put(tmp_path / "flowers", {"a.png": plain()})
    put(tmp_path / "texts", {"a.txt": b"", "b.md": b""})
    put(tmp_path / "nothing", {})
    put(tmp_path / "bad", {"a.png": b"", "b.png": b"text"})
    put(tmp_path, {"one.png": plain(), "notes.txt": b"x", "fake.zip": b"PK not", "data.tar.gz": b"\x1f\x8b"})
    put(tmp_path, {"cut.zip": put_zip(tmp_path / "whole.zip", {"a.png": plain()}).read_bytes()[:-30]})
    put_zip(tmp_path / "void.zip", {})
    os.mkfifo(tmp_path / "pipe")

    def said(name: str) -> str:
        return fails(lambda: open_album(tmp_path / name))

    assert "does not exist" in said("flower") and "flowers" in said("flower")
    assert "does not exist" in said("far/away") and "does not exist" in said("f\udcff\x1b")
    assert "single file" in said("one.png") and "folder" in said("one.png")
    assert "neither a folder nor a zip" in said("notes.txt")
    assert "neither" in said("data.tar.gz") and "neither" in said("pipe")
    assert "not a usable zip" in said("fake.zip") and "not a usable zip" in said("cut.zip")
    assert "2 other files" in said("texts") and ".webp" in said("texts")
    assert "0 other files" in said("nothing") and "0 other files" in said("void.zip")
    assert "a.png: empty file" in said("bad") and "2 bad" in said("bad")
