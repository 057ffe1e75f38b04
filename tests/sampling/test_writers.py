"""Tests of writing images as they come: what other programs read, what a failure leaves, how much memory it takes."""

import errno
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Gantool
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from gantool.errors import UserError
from gantool.progress import terminal
from gantool.progress.terminal import Working
from gantool.sampling.writers import LARGEST, Drawing, Drawn, write

Array = NDArray[Any]


def noise(count: int, channels: int = 1, size: int = 6) -> Array:
    return np.random.default_rng(1).integers(0, 256, (count, size, size, channels), np.uint8)


def drawn(images: Array, labels: Array | None = None, chunk: int = 3) -> Iterator[Drawn]:
    for at in range(0, len(images), chunk):
        some = slice(at, at + chunk)
        names = [f"{i:05d}" for i in range(len(images))][some]
        yield Drawn(images[some], None if labels is None else labels[some], names)


def failing(images: Array, error: BaseException) -> Iterator[Drawn]:
    """All but the last few, and then that."""
    yield from drawn(images[:-3])
    raise error


def read_idx(path: Path) -> Array:
    """By the format's description: two zeros, a type, the number of dimensions, each of these, then the values."""
    data = path.read_bytes()
    zero, kind, dimensions = struct.unpack(">HBB", data[:4])
    assert zero == 0
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data, {8: ">u1", 12: ">i4"}[kind], offset=4 + 4 * dimensions).reshape(shape)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_an_npz_is_what_numpy_would_have_saved(tmp_path: Path, count: int, channels: int) -> None:
    images, labels = noise(count, channels), np.arange(count)
    write(tmp_path / "a.npz", Drawing(count, None, drawn(images, labels)))
    theirs = io.BytesIO()
    np.savez(theirs, images=images[..., 0] if channels == 1 else images, labels=labels)
    with zipfile.ZipFile(tmp_path / "a.npz") as ours, zipfile.ZipFile(theirs) as expected:
        assert ours.testzip() is None
        assert {name: ours.read(name) for name in ours.namelist()} == {n: expected.read(n) for n in expected.namelist()}
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert (found["labels"] == labels).all()
    write(tmp_path / "b.npz", Drawing(count, None, drawn(images, labels, chunk=1)))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("most", [255, 256])
def test_an_idx_is_read_by_its_format_s_description(tmp_path: Path, channels: int, most: int) -> None:
    images, labels = noise(10, channels), np.linspace(0, most, 10).astype(np.int64)
    write(tmp_path / "a.idx", Drawing(10, None, drawn(images, labels)))
    assert (read_idx(tmp_path / "a.idx") == (images[..., 0] if channels == 1 else images)).all()
    found = read_idx(tmp_path / "a-labels.idx")
    assert found.tolist() == labels.tolist() and found.dtype.itemsize == (1 if most < 256 else 4)
    assert len(list(tmp_path.iterdir())) == 2


def test_labels_of_other_images_do_not_stay_beside_an_idx(tmp_path: Path) -> None:
    write(tmp_path / "a.idx", Drawing(4, None, drawn(noise(4), np.arange(4))))
    write(tmp_path / "a.idx", Drawing(5, None, drawn(noise(5))))
    assert [path.name for path in tmp_path.iterdir()] == ["a.idx"]


def test_a_folder_holds_each_image_to_the_bit(tmp_path: Path) -> None:
    images = noise(700, 3)
    write(tmp_path / "out", Drawing(700, None, drawn(images, chunk=200)))
    found = [np.asarray(Image.open(file)) for file in sorted((tmp_path / "out").iterdir())]
    assert (np.stack(found) == images).all()


@pytest.mark.parametrize("name", ["a.npz", "a.idx", "a.png", "a.gif"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), ValueError()])
def test_what_breaks_in_the_middle_leaves_the_old_file(tmp_path: Path, name: str, error: BaseException) -> None:
    write(tmp_path / name, Drawing(4, None, drawn(noise(4), np.arange(4))))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError if isinstance(error, OSError) else type(error)):
        write(tmp_path / name, Drawing(9, None, failing(noise(9), error)))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["new/a.npz", "new/a.png", "new/folder"])
def test_what_is_wrong_from_the_start_makes_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no such domain"):
        write(tmp_path / name, Drawing(3, None, failing(noise(3), UserError("no such domain"))))
    assert list(tmp_path.iterdir()) == []


def test_images_that_do_not_get_their_name_leave_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match=r"a\.idx cannot be written: No space left"):
        write(tmp_path / "a.idx", Drawing(4, None, drawn(noise(4), np.arange(4))))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_folder_that_breaks_off_holds_whole_images_only(tmp_path: Path, error: BaseException) -> None:
    images = noise(900)
    with pytest.raises((UserError, KeyboardInterrupt)):
        write(tmp_path / "out", Drawing(900, None, failing(images, error)))
    assert hidden(tmp_path) == []
    for file in (tmp_path / "out").iterdir():
        assert (np.asarray(Image.open(file)) == images[int(file.stem), :, :, 0]).all()


def test_a_image_that_cannot_be_written_stops_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out" / "00002.png").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "out", Drawing(5000, None, drawn(noise(5000, size=2), chunk=50)))
    assert hidden(tmp_path) == []
    assert len(os.listdir(tmp_path / "out")) < 5000


PEAKS = """
import sys, tracemalloc
from pathlib import Path
import numpy as np
from gantool.sampling.writers import Drawing, Drawn, write

def endless(count):
    for at in range(0, count, 50):
        images = np.random.default_rng(at).integers(256, size=(50, 64, 64, 1), dtype=np.uint8)
        yield Drawn(images, np.zeros(50, np.int64), [f"{i}" for i in range(at, at + 50)])

for count in (1600, 6400):
    tracemalloc.start()
    write(Path(sys.argv[1]), Drawing(count, None, endless(count)))
    print(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
"""


@pytest.mark.parametrize("name", ["a.npz", "a.idx", "out"])
def test_memory_does_not_grow_with_the_number_of_images(name: str, process: Gantool) -> None:
    """In a process of its own: what other tests have left to threads and to the collector would count, too."""
    done = process("-c", PEAKS, name)
    assert done.code == 0, done.err
    few, many = map(int, done.out.split())
    assert many - few < 4800 * 64 * 64 / 4


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_grid_too_large_for_memory_is_refused_at_once(tmp_path: Path, name: str) -> None:
    came = []

    def counted() -> Iterator[Drawn]:
        for part in drawn(noise(100)):
            came.append(part)
            yield part

    with pytest.raises(UserError, match="images of 6x6 are too many") as caught:
        write(tmp_path / name, Drawing(LARGEST // 36 + 1, None, counted()))
    assert "FILE.npz" in caught.value.hint and len(came) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.npz", "a.idx"])
def test_a_count_that_is_not_kept_writes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="4 images came, not 5"):
        write(tmp_path / name, Drawing(5, None, drawn(noise(4))))
    assert list(tmp_path.iterdir()) == []


def paced(monkeypatch: pytest.MonkeyPatch, seconds: list[float], **console: Any) -> str:
    """What is said when a chunk of three comes at each of these times."""
    now = iter([0.0, *seconds])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(now))
    file = io.StringIO()
    with Working(Console(file=file, width=80, **console), "images", 3 * len(seconds), "images") as told:
        for i in range(len(seconds)):  # Rich's own clock is another: time.monotonic is asked by Working alone
            told(3 * (i + 1))
    return file.getvalue()


def test_a_pipe_hears_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paced(monkeypatch, [0.5, 0.9]) == ""
    said = paced(monkeypatch, [0.5, 4, 6, 7, 8, 12, 13])
    assert said == "9 of 21 images\n18 of 21 images\n"


def test_a_terminal_shows_a_bar_when_it_takes_long_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert paced(monkeypatch, [0.5, 0.9], force_terminal=True) == ""
    said = paced(monkeypatch, [0.5, 2, 3], force_terminal=True)
    assert "9/9" in said and "\x1b[2K" in said and said.count("\x1b[?25h") == said.count("\x1b[?25l") == 1
    assert paced(monkeypatch, [0.5, 2, 30], force_terminal=True, quiet=True) == ""
