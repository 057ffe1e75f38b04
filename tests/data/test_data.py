"""Tests of gantool.data: digits, downloads prepared by hand, folders, sizes and channels."""

import json
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gantool.config.options import Recipe
from gantool.data import catalog, named
from gantool.data import images as data_module
from gantool.data.images import DataSpec, ImageData, as_bytes, as_floats, shaped
from gantool.data.opening import open_data, open_folder
from gantool.errors import UserError
from gantool.runs.model import spec_of

Array = NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def smooth(channels: int, size: int) -> Array:
    """An image whose neighbours are alike, as in photographs."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(6 * x + i) * np.cos(5 * y - i) for i in range(channels)]
    return ((np.stack(waves) + 1) * 127.5).astype(np.uint8)


# Named data sets.


def test_digits_are_five_thousand_five_hundred_of_each() -> None:
    data = open_data(Recipe())
    assert len(data) == catalog.CATALOG["digits"].images == 5_000
    assert data.spec == DataSpec((1, 28, 28), tuple("0123456789"))
    assert torch.bincount(data.labels).tolist() == [500] * 10
    assert data.pixels.dtype == torch.uint8
    assert data.pixels.shape == (5_000, 1, 28, 28)
    corners = data.pixels[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.float().mean() < 1, "tiles cut in the wrong place"
    assert 25 < data.pixels.float().mean() < 45  # MNIST's is 33.3


def test_digits_bear_their_own_labels() -> None:
    """The nearest class mean is right about 80 % of the time on MNIST, and 10 % on labels of another order."""
    data = open_data(Recipe())
    x = data.pixels.flatten(1).float()
    means = torch.stack([x[data.labels == i].mean(0) for i in range(10)])
    assert (torch.cdist(x, means).argmin(1) == data.labels).float().mean() > 0.75


def idx(array: NDArray[Any]) -> bytes:
    """The format of MNIST's files."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[str], tuple[Array, Array]]:
    """A --data-dir that holds a tiny data set in torchvision's layout; what it holds."""

    def prepared(name: str) -> tuple[Array, Array]:
        pixels, labels = noise(12, 28, 28), np.arange(12) % 10
        if name == "cifar10":
            pixels, folder = noise(10, 3, 32, 32), tmp_path / "cifar-10-batches-bin"
            folder.mkdir()
            labels = labels[:10]
            rows = np.concatenate([labels[:, None].astype(np.uint8), pixels.reshape(10, -1)], 1)
            for i in range(5):
                (folder / f"data_batch_{i + 1}.bin").write_bytes(rows[2 * i : 2 * i + 2].tobytes())
            (folder / "test_batch.bin").write_bytes(rows[::-1].tobytes())
            return pixels, labels
        kind = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST"}[name]
        raw = tmp_path / kind / "raw"
        raw.mkdir(parents=True)
        split, test = ("emnist-balanced-", "test") if name == "emnist" else ("", "t10k")
        for part, order in (("train", 1), (test, -1)):
            (raw / f"{split}{part}-images-idx3-ubyte").write_bytes(idx(pixels[::order]))
            (raw / f"{split}{part}-labels-idx1-ubyte").write_bytes(idx(labels[::order]))
        # EMNIST's own files are written column by column.
        return (pixels.swapaxes(1, 2) if name == "emnist" else pixels)[:, None], labels

    return prepared


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist", "emnist", "cifar10"])
def test_a_prepared_folder_is_read_without_a_network(
    prepared: Callable[[str], tuple[Array, Array]], tmp_path: Path, name: str
) -> None:
    pixels, labels = prepared(name)
    data = open_data(Recipe(data=name, data_dir=tmp_path))
    assert np.array_equal(data.pixels.numpy(), pixels)
    assert data.labels.tolist() == labels.tolist()
    assert data.spec == DataSpec(tuple(pixels.shape[1:]), catalog.CATALOG[name].classes)
    held_out, held_labels = named.load(name, tmp_path, train=False)
    assert torch.equal(open_data(Recipe(data=name, data_dir=tmp_path), train=False).pixels, held_out)
    assert np.array_equal(held_out.numpy(), pixels[::-1])
    assert held_labels.tolist() == labels[::-1].tolist()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist", "emnist"])
@pytest.mark.parametrize("train", [True, False])
def test_torchvision_reads_the_same_from_the_same_folder(
    prepared: Callable[[str], tuple[Array, Array]], tmp_path: Path, name: str, train: bool
) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    prepared(name)
    kind = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST"}[name]
    theirs = getattr(datasets, kind)(tmp_path, train=train, **({"split": "balanced"} if name == "emnist" else {}))
    pixels, labels = named.load(name, tmp_path, train)
    # torchvision leaves EMNIST's images lying on their side.
    assert torch.equal(pixels[:, 0], theirs.data.mT if name == "emnist" else theirs.data)
    assert labels.tolist() == theirs.targets.tolist()


def test_svhn_is_read_from_its_matlab_file(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io")
    pixels, labels = noise(6, 3, 32, 32), np.array([[10], [1], [2], [9], [10], [3]])
    io.savemat(tmp_path / "train_32x32.mat", {"X": pixels.transpose(2, 3, 1, 0), "y": labels})
    data = open_data(Recipe(data="svhn", data_dir=tmp_path))
    assert np.array_equal(data.pixels.numpy(), pixels)
    assert data.labels.tolist() == [0, 1, 2, 9, 0, 3]  # its files call the zero ten
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 but no more")
    with pytest.raises(UserError, match=r"svhn in .* is damaged: train_32x32.mat"):
        open_data(Recipe(data="svhn", data_dir=tmp_path))


def test_svhn_without_scipy_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.delitem(sys.modules, "scipy.io", raising=False)
    with pytest.raises(UserError, match="svhn needs scipy") as caught:
        open_data(Recipe(data="svhn", data_dir=tmp_path))
    assert caught.value.hint == "pip install scipy"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Every connection fails at once; the time limits that were set for them."""
    limits: list[float | None] = []

    def fail(address: object, timeout: float | None = None, *rest: object) -> None:
        limits.append(timeout)
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    return limits


@pytest.mark.parametrize("name", [name for name in catalog.CATALOG if name != "digits"])
def test_without_a_network_one_error_names_what_would_do(
    offline: list[float | None], gantool: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    done = gantool("train", "gan", "--data", name, "--data-dir", tmp_path / "sets", "-q")
    error = done.err[done.err.index("error:") :].strip().splitlines()
    assert done.code == 1
    assert len(error) == 2
    assert f"{name} is not in {tmp_path / 'sets'} and could not be downloaded" in error[0]
    assert "--data digits" in error[1]
    assert "--data-dir" in error[1]
    assert offline
    assert all(limit and limit <= 60 for limit in offline), "a silent server must not be waited for"
    assert not Path("runs").exists()


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
HEAD = bytes((0, 0, 8))
DAMAGED = {  # a file of MNIST's, what it holds instead, and what the error must say
    "empty": (IMAGES, b"", "does not begin as an idx file of 3 dimensions"),
    "only a magic number": (IMAGES, HEAD + b"\3", "does not begin as an idx file of 3"),
    "an archive": (IMAGES, b"PK\3\4 not the real thing" * 40, "does not begin as an idx file of 3"),
    "labels for images": (IMAGES, idx(np.arange(12)), "does not begin as an idx file of 3"),
    "floats": (IMAGES, bytes((0, 0, 13, 3)) + idx(noise(12, 28, 28))[4:], "does not begin as an idx file of 3"),
    "cut short": (IMAGES, idx(noise(12, 28, 28))[:-1], "says that it has 9,408 bytes, and has 9,407"),
    "one byte more": (IMAGES, idx(noise(12, 28, 28)) + b"\0", "says that it has 9,408 bytes, and has 9,409"),
    "dimensions of a petabyte": (IMAGES, HEAD + b"\3" + b"\xff" * 12, "bytes, and has 0"),
    "another size": (IMAGES, idx(noise(12, 14, 56)), "images of another size than 28x28"),
    "fewer images": (IMAGES, idx(noise(11, 28, 28)), "has 11 images, train-labels-idx1-ubyte 12 labels"),
    "no images": (IMAGES, idx(noise(0, 28, 28)), "has 0 images"),
    "no such class": (LABELS, idx(np.arange(12)), "has a label 11, and mnist 10 classes"),
}


@pytest.mark.parametrize(("file", "content", "says"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_and_not_trained_on(
    prepared: Callable[[str], tuple[Array, Array]], tmp_path: Path, file: str, content: bytes, says: str
) -> None:
    prepared("mnist")
    (tmp_path / "MNIST" / "raw" / file).write_bytes(content)
    with pytest.raises(UserError, match=r"mnist in .* is damaged: ") as caught:
        open_data(Recipe(data="mnist", data_dir=tmp_path))
    assert says in caught.value.message and file in caught.value.message
    assert caught.value.hint == "Remove that file, and it will be downloaded."


def test_a_cifar_batch_cut_short_is_damaged(prepared: Callable[[str], tuple[Array, Array]], tmp_path: Path) -> None:
    prepared("cifar10")
    batch = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_3.bin is cut short"):
        open_data(Recipe(data="cifar10", data_dir=tmp_path))


def test_what_is_there_is_read_from_a_folder_that_cannot_be_written(
    prepared: Callable[[str], tuple[Array, Array]], offline: list[float | None], tmp_path: Path
) -> None:
    prepared("mnist")
    before = sorted(tmp_path.rglob("*"))
    assert len(open_data(Recipe(data="mnist", data_dir=tmp_path))) == 12
    assert sorted(tmp_path.rglob("*")) == before and not offline, "reading makes and asks for nothing"


def test_a_data_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/sets and could not be downloaded"):
        open_data(Recipe(data="mnist", data_dir=tmp_path / "file" / "sets"))


def test_downloads_go_to_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(named.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert named.default_folder() == tmp_path / "gantool"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert named.default_folder() == Path.home() / ".cache" / "gantool"


# Folders.


def test_class_folders_become_labels(images: Callable[..., Path]) -> None:
    data = open_folder(images({"cat/1.png": "red", "cat/2.png": "red", "dog/1.png": "blue"}))
    assert data.spec == DataSpec((3, 8, 8), ("cat", "dog"))
    assert data.labels.tolist() == [0, 0, 1]
    assert data.pixels[:, :, 0, 0].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 255]]
    assert data.notes == ()


def test_a_folder_without_classes_has_none(images: Callable[..., Path]) -> None:
    data = open_folder(images({"1.png": "red", "2.png": "blue"}))
    assert data.spec == DataSpec((3, 8, 8), ())
    assert data.labels.tolist() == [0, 0]


def test_images_of_a_folder_know_their_files(images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder given on, whatever holds them all; bad ones left out."""
    bad = b"\x89PNG\r\n\x1a\n" + bytes(60)
    folder = images({"all/cat/2.png": "red", "all/cat/1.png": "blue", "all/dog/1.png": "red", "all/dog/0.png": bad})
    data = open_folder(folder)
    assert data.names == ("all/cat/1.png", "all/cat/2.png", "all/dog/1.png")
    assert [data.pixels[i, :, 0, 0].tolist()[0] for i in range(3)] == [0, 255, 255]
    assert all((folder / name).is_file() for name in data.names)
    monkeypatch.setattr("gantool.data.images.IN_MEMORY", 10)
    assert open_folder(folder).names == data.names


def test_grey_images_train_grey_unless_told_otherwise(images: Callable[..., Path]) -> None:
    folder = images({})
    Image.new("L", (8, 8), 100).save(folder / "a.png")
    assert open_folder(folder).pixels.shape == (1, 1, 8, 8)
    assert open_folder(folder, channels=3).pixels.unique().tolist() == [100]


def test_a_home_folder_is_understood_in_a_settings_file(
    images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(images({"1.png": "red"}).parent))
    assert len(open_data(Recipe(data="~/images"))) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_bad_files_and_loose_images_are_told(
    images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(data_module, "IN_MEMORY", 0 if stream else 2**30)
    bad = {"cat/bad.png": b"no image", "cat/empty.png": b"", "note.txt": b"hello"}
    data = open_folder(images({"cat/1.png": "red", "dog/1.png": "red", "loose.png": "blue", **bad}))
    assert (len(data), data.spec.classes, data.streamed) == (3, (), stream)
    assert any("left out 2 of the files" in note and "gantool data check" in note for note in data.notes)
    assert any("1 images lie beside the class folders, so there are no classes" in note for note in data.notes)
    assert len(data.notes) == 2


def test_images_found_broken_when_decoded_are_told_once(images: Callable[..., Path]) -> None:
    folder = images({"a/1.png": "red", "b/1.png": "blue", "b/bad.png": b"no image", "c.txt": b""})
    Image.fromarray(noise(64, 64, 3)).save(folder / "a/cut.png")
    (folder / "a/cut.png").write_bytes((folder / "a/cut.png").read_bytes()[:4000])
    data = open_folder(folder, size=8)
    assert data.labels.tolist() == [0, 1]
    assert [note for note in data.notes if "left out 2 of the files" in note] == list(data.notes)


def test_a_streamed_folder_of_nothing_but_broken_images_is_one_error(
    images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "IN_MEMORY", 0)
    folder = images({})
    Image.fromarray(noise(64, 64, 3)).save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:4000])
    with pytest.raises(UserError, match=r"No image in .* can be decoded"):
        open_folder(folder, size=8)


@pytest.mark.parametrize(
    ("sizes", "size"), [([(16, 16)] * 2, 16), ([(16, 16), (8, 8)], 32), ([(16, 12)] * 2, 32), ([(129, 129)] * 2, 32)]
)
def test_images_of_one_small_size_keep_it(tmp_path: Path, sizes: list[tuple[int, int]], size: int) -> None:
    for i, shape in enumerate(sizes):
        Image.new("L", shape).save(tmp_path / f"{i}.png")
    assert open_folder(tmp_path).spec.size == size


# Sizes and channels.


@pytest.mark.parametrize("to", [9, 14, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_antialiased_as_pillows_is(channels: int, to: int) -> None:
    images = np.stack([smooth(channels, 28), noise(channels, 28, 28)])
    got = shaped(torch.from_numpy(images), to, None).numpy()
    for mine, image in zip(got, images, strict=True):
        for channel, plane in zip(mine, image, strict=True):
            oracle = np.asarray(Image.fromarray(plane).resize((to, to), Image.Resampling.BILINEAR))
            assert np.abs(channel.astype(int) - oracle).max() <= 1


def test_colour_becomes_grey_as_in_pillow() -> None:
    images = noise(2, 3, 16, 16)
    grey = shaped(torch.from_numpy(images), None, 1).numpy()
    oracle = np.stack([np.asarray(Image.fromarray(p.transpose(1, 2, 0)).convert("L")) for p in images])
    assert np.abs(grey[:, 0].astype(int) - oracle).max() <= 1


def test_channels_are_repeated_and_alpha_is_opaque() -> None:
    images = torch.from_numpy(noise(2, 1, 4, 4))
    colour, alpha = shaped(images, None, 3), shaped(images, None, 4)
    assert all(torch.equal(colour[:, i : i + 1], images) for i in range(3))
    assert torch.equal(alpha[:, :3], colour)
    assert alpha[:, 3].unique().tolist() == [255]
    assert torch.equal(shaped(colour, None, None), colour)
    assert torch.equal(shaped(colour, 4, 4), alpha)


@pytest.mark.parametrize(("size", "channels"), [(5, None), (9, 3), (None, 4)])
def test_shaping_is_the_same_in_parts_as_at_once(
    size: int | None, channels: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no more become floats than so many numbers at once, which for large images would be all memory."""
    images, real, most = torch.from_numpy(noise(41, 1, 6, 6)), data_module.interpolate, [0]

    def watched(x: Tensor, *given: Any, **more: Any) -> Tensor:
        made = real(x, *given, **more)
        most[0] = max(most[0], x.numel(), made.numel())
        return made

    whole = shaped(images, size, channels)
    monkeypatch.setattr(data_module, "FLOATS", 500)
    monkeypatch.setattr(data_module, "interpolate", watched)
    assert torch.equal(whole, shaped(images, size, channels))
    assert most[0] <= 500


def test_bytes_survive_the_way_to_numbers_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    floats, labels = as_floats((every, torch.tensor([3])), torch.device("cpu"))
    assert np.allclose(floats.flatten().numpy(), np.arange(256) / 127.5 - 1, atol=1e-6)
    assert labels.tolist() == [3]
    assert torch.equal(as_bytes(floats), every)
    assert as_bytes(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_the_fingerprint_changes_with_any_pixel_label_or_name(
    images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = torch.from_numpy(noise(4, 1, 3, 3)), torch.arange(4)
    first = ImageData(pixels.clone(), labels).fingerprint()
    assert ImageData(pixels.clone(), labels.clone()).fingerprint() == first
    assert ImageData(pixels, labels.flip(0)).fingerprint() != first
    pixels[2, 0, 1, 1] ^= 1
    assert ImageData(pixels, labels).fingerprint() != first
    monkeypatch.setattr(data_module, "IN_MEMORY", 0)
    streamed = open_folder(images({"1.png": "red"})).fingerprint()
    assert open_folder(images({"2.png": "red"})).fingerprint() != streamed


@pytest.mark.parametrize(("word", "number"), [("cat", 0), ("dog", 1), ("1", 1), ("0", 0)])
def test_a_class_is_found_by_name_or_number(word: str, number: int) -> None:
    assert DataSpec((1, 8, 8), ("cat", "dog")).class_index(word) == number


@pytest.mark.parametrize(("word", "says"), [("dgo", "Did you mean dog?"), ("2", "No class '2'."), ("-1", "No class")])
def test_a_wrong_class_is_told_with_those_there_are(word: str, says: str) -> None:
    with pytest.raises(UserError, match="No class") as caught:
        DataSpec((1, 8, 8), ("cat", "dog")).class_index(word)
    assert says in caught.value.message
    assert caught.value.hint == "Classes: cat, dog."
    assert caught.value.code == 2


def test_what_networks_must_know_comes_back_from_a_file() -> None:
    spec = DataSpec((3, 8, 8), ("cat",), ("a", "red"))
    facts = json.loads(json.dumps({"spec": spec._asdict()}))
    assert spec_of(facts) == spec
    del facts["spec"]["words"]  # as files were before there were captions
    assert spec_of(facts) == DataSpec((3, 8, 8), ("cat",))
