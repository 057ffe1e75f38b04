"""R7: rubbish in the place of checkpoints, configs, presets, images, zips and idx files never ends in a traceback."""

import gzip
import io
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from attempts import outcomes
from PIL import Image
from spawned import VARIANTS
from test_hostile_yaml import presets_of

Lines = list[tuple[object, ...]]
TRAIN = ("train", "gan", "-q", "--size", 8, "--g-layers", 4, "--d-layers", 4, "--steps", 1, "-b", 2)
WORDS = [b"lr", b": ", b"-1", b"1e999", b"[", b"{", b"&a", b"*a", b"!!python/object", b"\n", b"\0", b"\xff", b"%",
         b"#", b"9" * 50, b"'", b"steps", b"data", b"g_layers", b"true", b"null", b"~", b"nan", b"\x1b[2J",
         b"---\n"]  # fmt: skip


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """A good file with a few things done to it, or nothing but noise."""
    data = bytearray(seed)
    for _ in range(chance.choice([1, 1, 2, 5, 30])):
        spot, size = chance.randrange(len(data) + 1), chance.choice([1, 2, 4, 8, 60])
        match chance.randrange(9):
            case 0:
                data[spot : spot + size] = chance.randbytes(size)
            case 1:
                data[spot : spot + size] = b""
            case 2:
                data[spot:spot] = chance.choice(WORDS)
            case 3:
                data[spot : spot + size] = chance.choice([b"\xff", b"\0", b"\x7f", b"9"]) * size
            case 4:
                data[spot:spot] = data[spot : spot + 40 * size]
            case 5:
                del data[spot:]
            case 6 if spot < len(data):
                data[spot] ^= 1 << chance.randrange(8)
            case 7 if spot + 4 < len(data):
                data[spot : spot + 4] = struct.pack(
                    chance.choice("<>") + "I", chance.choice([0, 2**31, 2**32 - 1, 65_536])
                )
            case 8 if chance.random() < 0.1:
                return chance.randbytes(chance.choice([0, 1, 10, 1_000]))
    return bytes(data)


def made(folder: Path, seeds: dict[str, bytes], count: int, name: Callable[[int, str], str]) -> list[Path]:
    """That many mutants of the seeds in turn; `name` says where each goes."""
    chance, paths = random.Random(folder.name), []
    for number in range(count):
        seed = list(seeds)[number % len(seeds)]
        paths.append(path := folder / name(number, seed))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(seeds[seed], chance))
    return paths


def held(start: Callable, folder: Path, lines: Lines, *codes: int, hook: object = None) -> None:  # type: ignore[type-arg]
    faults = [fault for o in outcomes(start, folder, lines, hook) if (fault := o.wrong(*codes))]
    assert not faults, f"{len(faults)}: " + "\n".join(faults[:20])


def images() -> dict[str, bytes]:
    """One small image of each kind and mode, by its ending and number."""
    gradient = Image.linear_gradient("L").resize((9, 7))
    found = {}
    for ending, kind, modes in (
        ("png", "PNG", "1 L LA P RGB RGBA I;16"), ("jpg", "JPEG", "L RGB CMYK"), ("bmp", "BMP", "1 L P RGB"),
        ("gif", "GIF", "L P"), ("webp", "WEBP", "RGB RGBA"), ("tif", "TIFF", "1 L P RGB CMYK F I;16"),
        ("ppm", "PPM", "1 L RGB"),
    ):  # fmt: skip
        for mode in modes.split():
            gradient.convert(mode).save(buffer := io.BytesIO(), kind)
            found[f"{mode.replace(';', '')}.{ending}"] = buffer.getvalue()
    return found


@pytest.fixture
def run(start: Callable, tmp_path: Path) -> Path:  # type: ignore[type-arg]
    assert start("train", *VARIANTS["gan"], "--steps", 6, "--name", "seed").wait() == 0
    return tmp_path / "runs" / "seed"


@pytest.mark.promise("R7")
def test_rubbish_as_settings(start: Callable, run: Path, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    seeds = {"config": (run / "config.yaml").read_bytes(), "short": b"lr: 2e-4\nbatch-size: 4\nflip: true\n"}
    paths = made(tmp_path / "settings", seeds, count := times(40, 400), lambda n, _: f"{n}.yaml")
    # What is still good stops at the data set's name, which is read after the settings.
    more = ("--data", "no-such")
    lines = [("train", "gan", *more, "--config", path) for path in paths[::2]]
    lines += [("train", "gan", *more, "--preset", path.stem) for path in paths[1::2]]
    held(start, tmp_path, lines, 2, hook=partial(presets_of, tmp_path / "settings"))
    tried("configs and presets", count)


@pytest.mark.promise("R7")
def test_rubbish_as_models(start: Callable, run: Path, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    seeds = {"model": (run / "model.safetensors").read_bytes()}
    paths = made(tmp_path / "models", seeds, count := times(40, 300), lambda n, _: f"{n}.safetensors")
    paths = [path for path in paths if path.read_bytes() != seeds["model"]]
    held(start, tmp_path, [(("sample", "eval")[n % 2], "gan", "--run", path) for n, path in enumerate(paths)], 1)
    tried("models", count)


@pytest.mark.promise("R7")
def test_rubbish_in_runs(start: Callable, run: Path, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    """Each of a run's files in turn; whatever became of it, it is listed, and resumed or refused."""
    (run / "eval.json").write_text('{"run": "r", "step": 6, "judge": "j", "n": 10, "scores": {"label_accuracy": 0.5}}')
    seeds = {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != ".lock"}
    del seeds["config.yaml"]  # which may come to ask for anything that a person may ask for
    chance, count = random.Random(3), times(30, 300)
    for number in range(count):
        shutil.copytree(run, there := tmp_path / "runs" / str(number))
        name = list(seeds)[number % len(seeds)]
        (there / name).write_bytes(mutated(seeds[name], chance))
    lines: Lines = [("resume", str(number), "-q", "--steps", 8) for number in range(count)]
    held(start, tmp_path, [*lines, ("runs",), ("runs", "--json"), ("sample", "gan", "-q")], 0, 1, 2)
    tried("files of runs", count)


@pytest.mark.promise("R7")
def test_rubbish_as_images(start: Callable, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    each = 10  # in a folder, so that a command reads several
    made(folder := tmp_path / "images", images(), count := times(280, 560), lambda n, seed: f"{n // each}/{n}{seed}")
    folders = sorted(folder.iterdir())
    lines: Lines = [("data", "check", path) for path in folders]
    lines += [(*TRAIN, "--data", path) for path in folders[::7]]
    held(start, tmp_path, lines, 0, 2)
    tried("images", count)


@pytest.mark.promise("R7")
def test_rubbish_as_zips(start: Callable, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    seeds = {}
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(buffer := io.BytesIO(), "w", kind) as archive:
            for name, data in list(images().items())[::4]:
                archive.writestr(f"{name[0]}/{name}", data)
        seeds[f"{kind}"] = buffer.getvalue()
    paths = made(tmp_path / "zips", seeds, count := times(60, 300), lambda n, _: f"{n}.zip")
    held(start, tmp_path, [("data", "check", path) for path in paths], 0, 2)
    tried("zips", count)


@pytest.mark.promise("R7")
def test_rubbish_as_named_data(start: Callable, times: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    """The files of MNIST and its like under --data-dir."""
    images, labels = "MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"
    good = {
        images: b"\0\0\x08\x03" + struct.pack(">III", 12, 28, 28) + bytes(12 * 784),
        labels: b"\0\0\x08\x01" + struct.pack(">I", 12) + bytes(range(10)) + b"\0\1",
        **{f"cifar-10-batches-bin/data_batch_{n}.bin": bytes(2 * 3073) for n in range(1, 6)},
    }
    chance, lines, count = random.Random(4), Lines(), times(20, 240)
    for number in range(count):
        spoilt = list(good)[number % 3]
        for name, data in good.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mutated(data, chance) if name == spoilt else data)
        if number % 10 == 0:
            (tmp_path / str(number) / f"{images}.gz").write_bytes(mutated(gzip.compress(good[images]), chance))
        data = "cifar10" if spoilt.startswith("cifar") else "mnist"
        lines.append((*TRAIN, "--data", data, "--data-dir", tmp_path / str(number)))
    held(start, tmp_path, lines, 0, 1, 2)
    tried("files of named data sets", count)
