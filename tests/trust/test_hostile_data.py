"""S3: images, folders and archives made to do harm: nothing leaves its folder, and time and memory stay bounded."""

import io
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest
from attempts import Outcome, outcomes
from PIL import Image

ESCAPE = "\x1b[2J\x1b]0;owned\x07\nall is well"
SECRET = "this lies outside"


def encoded(kind: str, size: tuple[int, int] = (8, 8), mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 200).save(buffer, kind, **options)
    return buffer.getvalue()


GOOD = encoded("PNG")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0, pixels: bytes = b"") -> bytes:
    """A PNG whose header may promise anything."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def deflated(count: int) -> bytes:
    """That many zeros, a multiple of a MiB: one block packed, and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (count >> 20) + b"\x03\0"


def zeros(count: int) -> bytes:
    return b"\x78\xda" + deflated(count) + struct.pack(">I", (count % 65521) << 16 | 1)


def tiff(*tags: tuple[int, int, int, int], next_at: int = 0, count: int | None = None) -> bytes:
    """One directory of (tag, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        b"II*\0" + struct.pack("<IH", 8, len(tags) if count is None else count) + entries + struct.pack("<I", next_at)
    )


PLAIN = (
    (256, 4, 1, 8),
    (257, 4, 1, 8),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 0),
    (279, 4, 1, 64),
)


def pages(count: int) -> bytes:
    """A TIFF of very many pages."""
    size = 2 + 12 * len(PLAIN) + 4
    body = b"".join(
        struct.pack("<H", len(PLAIN))
        + b"".join(struct.pack("<HHII", *t) for t in PLAIN)
        + struct.pack("<I", 8 + size * n)
        for n in range(1, count + 1)
    )
    return b"II*\0" + struct.pack("<I", 8) + body


def film(count: int) -> bytes:
    """A GIF of that many frames."""
    first = encoded("GIF", (1, 1), "L")
    start = first.index(b",\0\0\0\0")
    return first[:start] + first[start:-1] * count + b";"


def exif(depth: int) -> bytes:
    """A JPEG whose EXIF directories point at themselves."""
    good = encoded("JPEG")
    data = b"Exif\0\0" + tiff((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x0112, 3, 2**32 - 1, 8), next_at=8)
    return good[:2] + (b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data) * depth + good[2:]


def bmp(width: int, height: int, bits: int, packing: int, data: bytes = b"") -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 70, 0, 54, 40, width, height, 1, bits, packing, 0, 1, 1, 0, 0) + data


def wide(data: bytes) -> bytes:
    """A JPEG that says it is 65,535 pixels a side."""
    return data.replace(b"\xff\xc0\0\x11\x08\0\x08\0\x08", b"\xff\xc0\0\x11\x08\xff\xff\xff\xff")


WEBP = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0VP8 \0\0\0\0"
FILES: dict[str, tuple[str, bytes | Callable[[], bytes]]] = {
    "a PNG of 60,000 pixels a side": ("a.png", png(60_000, 60_000)),
    "a PNG of 2^31 pixels a side": ("a.png", png(2**31 - 1, 2**31 - 1)),
    "a PNG of no width": ("a.png", png(0, 5)),
    "a PNG one pixel high": ("a.png", png(2**30, 1)),
    "a PNG that unpacks to 1 GB": ("a.png", lambda: GOOD[:33] + chunk(b"IDAT", zeros(2**30)) + chunk(b"IEND", b"")),
    "a PNG of 64 million pixels": ("a.png", lambda: png(8_000, 8_000, chunk(b"IDAT", zeros(61 * 2**20)))),
    "a PNG of 64 million deep pixels": (
        "a.png", lambda: png(8_000, 8_000, chunk(b"IDAT", zeros(123 * 2**20)), depth=16),
    ),
    "a PNG of 64 million deep coloured pixels": (
        "a.png", lambda: png(8_000, 8_000, chunk(b"IDAT", zeros(489 * 2**20)), depth=16, colour=6),
    ),
    "a PNG with a text of 1 GB": ("a.png", lambda: png(8, 8, chunk(b"zTXt", b"a\0\0" + zeros(2**30)))),
    "a PNG with a profile of 1 GB": ("a.png", lambda: png(8, 8, chunk(b"iCCP", b"a\0\0" + zeros(2**30)))),
    "a PNG of a million chunks": ("a.png", lambda: png(8, 8, *[chunk(b"tEXt", b"a\0b")] * 1_000_000)),
    "a PNG that says it is a film": ("a.png", png(8, 8, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))),
    "a PNG cut short": ("a.png", GOOD[:-20]),
    "an SVG": ("a.png", b'<svg xmlns="http://www.w3.org/2000/svg"><script href="file:///etc/passwd"/></svg>'),
    "a Python script": ("a.png", b"#!/usr/bin/env python3\nopen('owned', 'w')\n"),
    "a shell script": ("a.jpg", b"#!/bin/sh\ntouch owned\n"),
    "an EPS": ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(owned) (w) file\n"),
    "a zip": ("a.png", b"PK\x03\x04" + bytes(100)),
    "a pickle": ("a.png", b"cos\nsystem\n(S'touch owned'\ntR."),
    "nothing": ("a.png", b""),
    "a JPEG cut short": ("a.jpg", lambda: encoded("JPEG", (64, 64))[:400]),
    "a JPEG of 65,000 pixels a side": ("a.jpg", lambda: wide(encoded("JPEG"))),
    "a JPEG of many markers": ("a.jpg", lambda: b"\xff\xd8" + b"\xff\xe2\0\x03x" * 1_000_000 + encoded("JPEG")[2:]),
    "a JPEG whose EXIF points at itself": ("a.jpg", lambda: exif(50)),
    "a GIF of 100,000 frames": ("a.gif", lambda: film(100_000)),
    "a GIF of 65,000 pixels a side": ("a.gif", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;"),
    "a GIF that never ends": ("a.gif", lambda: encoded("GIF", (9, 9))[:-2] + b"\xff" * 10**6),
    "a TIFF of 2^16 tags": ("a.tif", tiff(*PLAIN, count=65_535)),
    "a TIFF with a tag of 2^32 numbers": ("a.tif", tiff(*PLAIN, (270, 12, 2**32 - 1, 8))),
    "a TIFF with strips of 4 GB": ("a.tif", tiff(*PLAIN[:5], (273, 4, 1, 8), (279, 4, 1, 2**32 - 1))),
    "a TIFF of 2^31 pixels a side": ("a.tif", tiff((256, 4, 1, 2**31), (257, 4, 1, 2**31), *PLAIN[2:])),
    "a TIFF of 2^16 samples": ("a.tif", tiff(*PLAIN, (277, 3, 1, 65_535))),
    "a TIFF that is its own next page": ("a.tif", tiff(*PLAIN, next_at=8)),
    "a TIFF of a million pages": ("a.tif", lambda: pages(1_000_000)),
    "a BMP of 2^31 pixels a side": ("a.bmp", bmp(2**31 - 1, 2**31 - 1, 24, 0)),
    "a BMP of -8 by -8": ("a.bmp", bmp(-8, -8, 24, 0)),
    "a BMP of runs": ("a.bmp", bmp(7_000, 7_000, 8, 1, b"\1\0" * 10**7)),
    "a PPM of 10^9 pixels a side": ("a.ppm", b"P6 999999999 999999999 255\n"),
    "a PPM of a million digits": ("a.ppm", b"P6 " + b"9" * 10**6),
    "a PPM of letters": ("a.ppm", b"P3 7000 7000 255\n" + b"1 " * 10**7),
    "a PPM that is a comment": ("a.ppm", b"P6 #" + b"x" * 10**8),
    "a WebP cut short": ("a.webp", lambda: encoded("WEBP", (64, 64))[:60]),
    "a WebP of 16,000 pixels a side": ("a.webp", WEBP),
    "an icon": ("a.png", lambda: encoded("ICO", (16, 16))),
}  # fmt: skip


LONG = (
    "a PNG of 64 million deep pixels",
    "a PNG of 64 million deep coloured pixels",
    "a PPM of letters",
)  # seconds each


def sockets(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # its path may be too long for a socket's
        server.bind("a.png")
        os.chdir(here)


def deep(folder: Path) -> None:
    for _ in range(200):
        (folder := folder / "d").mkdir()
    (folder / "a.png").write_bytes(GOOD)


def unreadable(folder: Path) -> None:
    (folder / "a.png").write_bytes(GOOD)
    (folder / "a.png").chmod(0)
    (folder / "no").mkdir()
    (folder / "no").chmod(0)


FOLDERS: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda f: os.mkfifo(f / "a.png"),
    "a socket": sockets,
    "a link to a device": lambda f: (f / "a.png").symlink_to("/dev/zero"),
    "a link to a file outside": lambda f: (f / "a.png").symlink_to(f.parents[1] / "outside.png"),
    "a link by a relative path": lambda f: (f / "a.png").symlink_to("../../outside.png"),
    "a link to a folder outside": lambda f: (f / "a").symlink_to(f.parents[1]),
    "a link to itself": lambda f: (f / "a.png").symlink_to("a.png"),
    "a link to nothing": lambda f: (f / "a.png").symlink_to("nothing.png"),
    "a folder linked into itself": lambda f: (f / "a").symlink_to("."),
    "a folder named as an image": lambda f: (f / "a.png").mkdir(),
    "a name with escapes": lambda f: (f / f"{ESCAPE}.png").write_bytes(GOOD),
    "a class with escapes": lambda f: ((f / ESCAPE).mkdir(), (f / ESCAPE / "a.png").write_bytes(b"x")),
    "a name that is no text": lambda f: Path(os.fsdecode(os.fsencode(f) + b"/\xff\xfe.png")).write_bytes(b"x"),
    "a name turned around": lambda f: (f / "\u202egnp.exe\u202c.png").write_bytes(b"x"),
    "a name of 250 letters": lambda f: (f / ("x" * 250 + ".png")).write_bytes(b"x"),
    "folders 200 deep": deep,
    "5,000 empty files": lambda f: [(f / f"{n}.png").touch() for n in range(5_000)],
    "a file and a folder that may not be read": unreadable,
    "a file of 1 TB that is nothing": lambda f: os.truncate(os.open(f / "a.png", os.O_CREAT | os.O_RDWR), 2**40),
}


def member(name: str, data: bytes = GOOD, **changes: int) -> Callable[[Path], None]:
    """A zip with this member; changes are to its entry in the directory."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(info := zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
            for key, value in changes.items():
                setattr(info, key, value)

    return write


def twins(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for data in (GOOD, b"x", GOOD):
            archive.writestr("a.png", data)


def bomb(path: Path, count: int = 1) -> None:
    """Members that unpack to 1 GB each and say so little, all of them the same bytes of the file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0.png", deflated(2**30))
        info = archive.filelist[0]
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, 10_000
        for number in range(1, count):
            archive.filelist.append(other := copy(info))
            other.filename = f"{number}.png"


def nested(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.png", GOOD)
    member("inner.zip", inner.getvalue())(path)


def link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("a.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def crowd(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.png", b"")


def broken(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        member("a.png")(path)
        path.write_bytes(change(path.read_bytes()))

    return write


ZIPS: dict[str, Callable[[Path], object]] = {
    "a path upwards": member("../../outside.png"),
    "a path upwards inside": member("a/../../../outside.png"),
    "a path upwards with back-slashes": member("..\\..\\outside.png"),
    "an absolute path": member("/outside.png"),
    "a path with a drive": member("C:\\outside.png"),
    "a network path": member("\\\\server\\outside.png"),
    "a path of nothing": member("./.png"),
    "a name with escapes": member(f"{ESCAPE}.png", b"x"),
    "a name with a NUL": broken(lambda data: data.replace(b"a.png", b"\0.png")),
    "a name of 60,000 letters": member("x" * 60_000 + ".png", b"x"),
    "a link": link,
    "an encrypted member": member("a.png", flag_bits=1),
    "an unknown compression": member("a.png", compress_type=99),
    "a size that is a lie": member("a.png", file_size=10),
    "a size of 2^40": member("a.png", file_size=2**40),
    "a member at 2^31": member("a.png", header_offset=2**31 - 1),
    "two members of one name": twins,
    "a member that unpacks to 1 GB": bomb,
    "2,000 members that unpack to 2 TB": lambda path: bomb(path, 2_000),
    "a zip in a zip": nested,
    "20,000 empty members": crowd,
    "no zip": lambda path: path.write_bytes(b"PK\x03\x04 nothing"),
    "an empty file": lambda path: path.write_bytes(b""),
    "a zip cut short": broken(lambda data: data[:-30]),
    "a directory of 2^32 bytes": broken(lambda data: data[:-10] + b"\xff" * 8 + data[-2:]),
    "a checksum that is wrong": broken(lambda data: data.replace(struct.pack("<I", zlib.crc32(GOOD)), b"evil")),
    "random bytes in its directory": broken(lambda data: data[:120] + os.urandom(30) + data[150:]),
}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies anywhere around, without opening any of it."""
    found = {}
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            info = os.lstat(path := os.path.join(here, name))
            found[path] = info.st_size, 0 if name in folders else info.st_mtime_ns
    return found


def faults(names: list[str], found: list[Outcome], *codes: int) -> str:
    said = [f"{name}: {fault}" for name, o in zip(names, found, strict=True) if (fault := o.wrong(*codes))]
    said += [f"{name}: read what is outside" for name, o in zip(names, found, strict=True) if SECRET in o.out + o.err]
    return "\n".join(said)


def checked(start: Callable, around: Path, paths: list[Path], *more: object) -> list[Outcome]:  # type: ignore[type-arg]
    Image.new("RGB", (8, 8)).save(around / "outside.png")
    (around / "secret").write_text(SECRET)
    before = snapshot(around)
    found = outcomes(start, around / "in", [("data", "check", path, *more) for path in paths])
    assert snapshot(around) == before
    return found


@pytest.mark.promise("S3")
@pytest.mark.parametrize("zipped", [False, True], ids=["folders", "zips"])
def test_a_hostile_image_is_set_aside_and_the_good_one_beside_it_is_used(
    zipped: bool,
    start: Callable,  # type: ignore[type-arg]
    times: Callable,  # type: ignore[type-arg]
    tried: Callable,  # type: ignore[type-arg]
    tmp_path: Path,
) -> None:
    paths, every = [], times(3, 1) if zipped else 1
    chosen = {name: FILES[name] for name in list(FILES)[::every] if name not in LONG or times(0, 1)}
    for number, (name, data) in enumerate(chosen.values()):
        paths.append(path := tmp_path / "in" / f"{number}{'.zip' * zipped}")
        made = data() if callable(data) else data
        if zipped:
            path.parent.mkdir(exist_ok=True)
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(name, made)
                archive.writestr("good.png", GOOD)
        else:
            path.mkdir(parents=True)
            (path / name).write_bytes(made)
            (path / "good.png").write_bytes(GOOD)
    found = checked(start, tmp_path, paths)
    assert not (wrong := faults(list(chosen), found, 0)), wrong
    assert all("images: " in o.out for o in found)
    tried("hostile images", len(found))


@pytest.mark.promise("S3")
def test_hostile_folders(start: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    paths = [tmp_path / "in" / str(number) for number in range(len(FOLDERS))]
    for path, fill in zip(paths, FOLDERS.values(), strict=True):
        path.mkdir(parents=True)
        fill(path)
    found = checked(start, tmp_path, paths)
    for path in paths:
        for inside in (path / "no", path / "a.png"):
            if inside.exists() and not inside.is_symlink():
                inside.chmod(0o755)
    assert not (wrong := faults(list(FOLDERS), found, 0, 2)), wrong
    tried("hostile folders", len(found))


@pytest.mark.promise("S3")
def test_hostile_zips(start: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    paths = [tmp_path / "in" / f"{number}.zip" for number in range(len(ZIPS))]
    paths[0].parent.mkdir()
    for path, write in zip(paths, ZIPS.values(), strict=True):
        write(path)
    found = checked(start, tmp_path, paths)
    assert not (wrong := faults(list(ZIPS), found, 0, 2)), wrong
    tried("hostile zips", len(found))


@pytest.mark.promise("S3")
def test_training_and_drawing_read_them_no_further(start: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    """All of the images in one folder, trained on: in memory, and streamed."""
    folder = tmp_path / "in" / "all"
    folder.mkdir(parents=True)
    for number, (name, data) in enumerate(FILES.values()):
        if not callable(data):
            (folder / f"{number}-{name}").write_bytes(data)
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(GOOD)
    train = ("train", "gan", "--data", folder, "--size", 8, "--g-layers", 4, "--d-layers", 4, "--steps", 3, "-b", 2)
    before = snapshot(folder)
    memory = outcomes(start, tmp_path / "in", [(*train, "--name", "memory")])
    streamed = start(*train, "--name", "streamed", folder=tmp_path / "in", GANTOOL_IN_MEMORY="1")
    assert streamed.wait() == 0
    assert not faults(["in memory"], memory, 0)
    assert "left out" in memory[0].err
    assert "left out" in streamed.err
    assert snapshot(folder) == before
    tried("trainings on hostile images", 2)
