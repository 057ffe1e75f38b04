"""Tests of sampling: what is drawn, what it is written as, and that a model file is all it takes."""

import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gantool import cli
from gantool.api import DataSpec, InputOptions, NoiseOptions, UserError, Variant
from gantool.nn.latents import walk
from gantool.registry import Registry
from gantool.runs import sealed
from gantool.runs.model import open_model
from gantool.sampling.sampler import CHUNK, draw, listed, read, translated
from gantool.sampling.writers import Drawing, write
from gantool.variants.cgan import CGAN

NETS = ("--z", 4, "--g-layers", "4", "--d-layers", "4", "--size", 8, "--batch-size", 4, "--steps", 2, "-q")
Gantool = Callable[..., Any]
Array = NDArray[Any]


def same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool((a == b).all())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model files and nothing else: gan.safetensors on grey digits, cgan.safetensors on colours since deleted."""
    folder = tmp_path_factory.mktemp("models")
    for name, colour in (("cat", "red"), ("dog", "green"), ("frog", "blue")):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (8, 8), colour).save(folder / "data" / name / f"{i}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANTOOL_PLUGINS", "")
        patch.chdir(folder)
        cli.registry.cache_clear()
        for words in (("gan", "--components", "0"), ("cgan", "--networks", "mlp", "--data", "data")):
            assert cli.run(["train", *words, *map(str, NETS), "--out", f"run-{words[0]}"]) == 0
            shutil.copy(f"run-{words[0]}/model.safetensors", f"{words[0]}.safetensors")
            shutil.rmtree(f"run-{words[0]}")
    shutil.rmtree(folder / "data")
    return folder


@pytest.fixture
def sample(gantool: Gantool, models: Path) -> Gantool:
    """`sample("cgan", "-n", 5, out="a.npz")`, which must succeed; what was written."""

    def sample(variant: str, *args: object, out: str = "a.npz") -> Any:
        done = gantool("sample", variant, "--run", models / f"{variant}.safetensors", *args, "-o", out, "--force")
        assert done.code == 0, done.err
        if out.endswith(".npz"):
            with np.load(out, allow_pickle=False) as found:
                return dict(found)
        return Path(out)

    return sample


@pytest.mark.parametrize("kind", ["png", "npz", "gif", "idx"])
@pytest.mark.parametrize("variant", ["gan", "cgan"])
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(sample: Gantool, variant: str, kind: str) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        sample(variant, "-n", 6, "--seed", seed, out=f"{name}.{kind}")
    a, b, c = (Path(f"{name}.{kind}").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_an_npz_holds_images_and_labels(sample: Gantool) -> None:
    grey, colour = sample("gan", "-n", 5), sample("cgan", "-n", 7)
    assert {name: (array.shape, array.dtype) for name, array in grey.items()} == {"images": ((5, 8, 8), np.uint8)}
    assert colour["images"].shape == (7, 8, 8, 3)
    assert colour["images"].dtype == np.uint8
    assert colour["labels"].dtype == np.int64
    assert colour["labels"].tolist() == [0, 1, 2, 0, 1, 2, 0]  # seven of three classes: in turn


@pytest.mark.parametrize("label", ["frog", "2"])
@pytest.mark.parametrize("flag", ["--label", "--digit"])
def test_one_class_is_drawn_by_name_or_number(sample: Gantool, flag: str, label: str) -> None:
    assert sample("cgan", flag, label, "-n", 4)["labels"].tolist() == [2] * 4


def test_an_unknown_class_is_refused_before_anything_is_written(gantool: Gantool, models: Path) -> None:
    done = gantool("sample", "cgan", "--run", models / "cgan.safetensors", "--label", "frgo", "-o", "a.png")
    assert done.code == 2
    assert "Did you mean frog?" in done.err
    assert "cat, dog, frog" in done.err
    assert not Path("a.png").exists()


def test_a_image_is_the_images_side_by_side(sample: Gantool) -> None:
    images = sample("cgan", "-n", 6)["images"]
    for grid, columns, rows in (("3x2", 3, 2), ("2X3", 2, 3), ("6x1", 6, 1)):
        sheet = np.asarray(Image.open(sample("cgan", "--grid", grid, "--scale", 1, out="a.png")))[-(rows * 10 - 2) :]
        assert sheet.shape == (rows * 10 - 2, columns * 10 - 2, 3)
        tiles = [sheet[y * 10 : y * 10 + 8, x * 10 : x * 10 + 8] for y in range(rows) for x in range(columns)]
        assert same_bits(np.stack(tiles), images)
    square = np.asarray(Image.open(sample("gan", "--scale", 1, out="b.PNG")))
    assert square.shape == (78, 78)  # 64 grey ones


def test_a_folder_gets_a_file_for_each_named_by_number_and_class(sample: Gantool) -> None:
    images = sample("cgan", "-n", 4)["images"]
    folder = sample("cgan", "-n", 4, out="drawn")
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["00000-cat.png", "00001-dog.png", "00002-frog.png", "00003-cat.png"]
    assert same_bits(np.stack([np.asarray(Image.open(file)) for file in files]), images)
    assert sorted(file.name for file in sample("gan", "-n", 2, out="plain").iterdir()) == ["00000.png", "00001.png"]


def test_images_from_a_folder_are_in_memory_a_chunk_at_a_time(sample: Gantool) -> None:
    assert len(list(sample("gan", "-n", CHUNK + 3, out="many").iterdir())) == CHUNK + 3


def test_a_film_shows_a_walk_and_a_strip_lays_it_in_a_row(sample: Gantool) -> None:
    images = sample("gan", "--interpolate", "-n", 9)["images"]
    strip = np.asarray(Image.open(sample("gan", "--interpolate", "-n", 9, "--scale", 1, out="a.png")))
    assert strip.shape == (8, 9 * 10 - 2)
    assert same_bits(strip[:, -8:], images[-1])
    with Image.open(sample("gan", "--interpolate", "-n", 9, "--scale", 1, out="a.gif")) as film:
        assert same_bits(np.asarray(film.convert("L")), images[0])


def opened(models: Path, name: str) -> Variant:
    return open_model(Registry(), models / f"{name}.safetensors", "cpu").variant


def test_a_walk_starts_and_ends_at_the_two_images_of_its_noises(models: Path) -> None:
    variant = opened(models, "gan")
    torch.manual_seed(1)
    ends = variant.noise(2)
    torch.manual_seed(1)
    (drawn,) = draw(variant, CHUNK + 50, NoiseOptions(interpolate=True, truncation=9))  # one path, however long
    expected = ((variant.generator(ends) + 1) * 127.5).round().numpy()
    for got, want in zip(drawn.images[[0, -1], :, :, 0], expected[:, 0], strict=True):
        assert np.abs(got.astype(float) - want).max() <= 1
    between = variant.generator(walk(ends[:1], ends[1:], CHUNK + 50))[:, 0]
    assert np.abs(drawn.images[..., 0] - ((between + 1) * 127.5).numpy()).max() <= 1


def test_truncation_bounds_the_noise(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant, seen = opened(models, "gan"), []
    variant.generator.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    furthest = []
    for options in (NoiseOptions(truncation=0.5), NoiseOptions(), NoiseOptions(truncation=9)):
        seen.clear()
        list(draw(variant, CHUNK + 50, options))
        furthest.append(max(z.abs().max().item() for z in seen))
    assert furthest[0] <= 0.5 and 1.5 < furthest[1] <= 2 < furthest[2]


@pytest.mark.parametrize("classes", [1, 10, 47, 300])
def test_classes_take_turns_across_chunks(classes: int) -> None:
    options = CGAN.Options(networks="mlp", z=2, g_layers="2", d_layers="2")
    variant = CGAN(options, DataSpec((1, 4, 4), tuple(map(str, range(classes + 1))))).eval()
    with torch.inference_mode():
        parts = list(draw(variant, CHUNK + 700, CGAN.SampleOptions()))
    labels = np.concatenate([part.labels for part in parts])  # type: ignore[misc]
    assert same_bits(labels, np.arange(CHUNK + 700) % (classes + 1))
    assert max(len(part.images) for part in parts) <= CHUNK + classes
    names = [name for part in parts for name in part.names]
    assert names == [f"{i:05d}-{i % (classes + 1)}" for i in range(CHUNK + 700)]


def test_a_model_file_is_enough_anywhere(gantool: Gantool, models: Path) -> None:
    shutil.copy(models / "cgan.safetensors", "mine.safetensors")
    done = gantool("sample", "cgan", "--run", "mine.safetensors", "--label", "frog")
    assert done.code == 0
    assert "64 images in cgan.png" in done.err
    assert done.out == ""
    assert not Path("runs").exists()
    assert "1 image in cgan-2.png" in gantool("sample", "cgan", "--run", "mine.safetensors", "-n", 1).err


def test_a_hostile_class_name_stays_in_the_folder(gantool: Gantool, models: Path) -> None:
    facts, state = sealed.load(models / "cgan.safetensors")
    facts["spec"]["classes"] = ["../../out", "C:\\a b", "é"]
    sealed.save(Path("theirs.safetensors"), facts, state)
    assert gantool("sample", "cgan", "--run", "theirs.safetensors", "-n", 3, "-o", "drawn").code == 0
    names = ["00000-.._.._out.png", "00001-C__a_b.png", "00002-é.png"]
    assert sorted(file.name for file in Path("drawn").iterdir()) == names


def test_the_newest_run_of_the_variant_is_meant(gantool: Gantool) -> None:
    for seed in (1, 2):
        assert gantool("train", "gan", *NETS, "--seed", seed).code == 0
    assert gantool("sample", "gan", "-n", 2, "-o", "a.npz").code == 0
    for name, same in (("gan-002", True), ("gan-001", False)):
        assert gantool("sample", "gan", "-n", 2, "-o", "b.npz", "--force", "--run", name).code == 0
        assert (Path("a.npz").read_bytes() == Path("b.npz").read_bytes()) == same


def test_what_is_drawn_is_averaged_unless_no_average_was_kept(gantool: Gantool) -> None:
    for name, average in (("yes", 40), ("no", 0)):
        done = gantool("train", "gan", *NETS, "--lr", 0.1, "--steps", 8, "--ema-images", average, "--name", name)
        assert done.code == 0
        state = sealed.load(Path("runs", name, "checkpoints", "step-000008.safetensors"))[1]
        model = sealed.load(Path("runs", name, "model.safetensors"))[1]["networks"]["generator"]
        live, kept = (
            {key.partition(".")[2]: value for key, value in part.items() if key.startswith("generator.")}
            for part in (state["networks"], state["ema"])
        )
        assert sealed.same(model, kept if average else live)
        assert not sealed.same(kept, live)


@pytest.mark.parametrize("out", ["missing/deep/a.npz", "missing/a.png", "missing/folder"])
def test_folders_on_the_way_are_made(sample: Gantool, out: str) -> None:
    sample("gan", "-n", 2, out=out)
    assert Path(out).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
@pytest.mark.parametrize("out", ["file/a.png", "file/a.npz", "file/folder", "a.txt"])
def test_where_nothing_can_be_written_is_one_error(gantool: Gantool, models: Path, out: str) -> None:
    Path("file").touch()
    done = gantool("sample", "gan", "--run", models / "gan.safetensors", "-n", 2, "-o", out)
    assert done.code in (1, 2)
    assert out in done.err
    assert len(done.err.splitlines()) <= 2


def test_what_is_written_may_be_read_by_whom_the_umask_says(sample: Gantool) -> None:
    assert stat.S_IMODE(sample("gan", "-n", 2, out="a.png").stat().st_mode) & 0o400


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"variant": "their-gan", "package": "gantool-theirs"}, "pip install gantool-theirs"),
        ({"kind": "checkpoint"}, "is a checkpoint, not a model"),
        ({"spec": {"channels": 1, "size": 16, "classes": []}}, "does not fit this gan"),
    ],
)
def test_a_model_file_that_cannot_be_used_says_why(
    gantool: Gantool, models: Path, change: dict[str, Any], says: str
) -> None:
    facts, state = sealed.load(models / "gan.safetensors")
    sealed.save(Path("theirs.safetensors"), facts | change, state)
    done = gantool("sample", "gan", "--run", "theirs.safetensors")
    assert done.code in (1, 2)
    assert says in done.err
    assert len(done.err.splitlines()) <= 6
    assert not Path("gan.png").exists()


# Images made of images.


@dataclass(kw_only=True)
class Given(InputOptions):
    """Nothing beyond --input."""


class Negative(CGAN):
    SampleOptions = Given  # type: ignore[assignment, misc]

    def translate(self, x: Tensor, options: Any) -> Tensor:
        return -x


def test_translated_images_keep_their_names_and_none_is_lost(images: Callable[..., Path], tmp_path: Path) -> None:
    folder = images({"a.png": (0, 50, 100), "b.png": (1, 2, 3), "b.bmp": (255, 255, 255), ".hidden.png": "red"})
    variant = Negative(CGAN.Options(networks="mlp", g_layers="2", d_layers="2"), DataSpec((3, 8, 8), ("x", "y")))
    inputs = listed(folder)
    write(
        tmp_path / "out",
        Drawing(len(inputs), None, translated(variant, read(inputs, variant, (o := Given(input=folder)).natural), o)),
    )
    found = {file.name: np.asarray(Image.open(file))[0, 0].tolist() for file in (tmp_path / "out").iterdir()}
    assert found == {"a.png": [255, 205, 155], "b.png.png": [254, 253, 252], "b.bmp.png": [0, 0, 0]}
    (only,) = translated(
        variant, read(listed(folder / "a.png"), variant, (o := Given(input=folder / "a.png")).natural), o
    )
    assert only.names == ["a"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="No images in"):
        listed(tmp_path / "empty")


@dataclass(kw_only=True)
class AsTheyAre(InputOptions):
    natural = True


class Wide(Negative):
    """Twice as wide, and as bytes where images are grey."""

    SampleOptions = AsTheyAre  # type: ignore[assignment, misc]

    def translate(self, x: Tensor, options: Any) -> Tensor:
        x = torch.cat([x, -x], 3)
        return ((x + 1) * 127.5).round().byte() if x.shape[1] == 1 else x


def widened(folder: Path, out: Path) -> dict[str, Any]:
    variant = Wide(CGAN.Options(networks="mlp", g_layers="2", d_layers="2"), DataSpec((3, 8, 8), ("x", "y")))
    inputs = listed(folder)
    write(
        out,
        Drawing(
            len(inputs), None, translated(variant, read(inputs, variant, (o := AsTheyAre(input=folder)).natural), o)
        ),
    )
    return {file.name: np.asarray(Image.open(file)) for file in out.iterdir()}


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("L", 40, [40]), ("1", 1, [255]), ("RGB", (10, 20, 30), [10, 20, 30]), ("RGBA", (9, 8, 7, 60), [9, 8, 7, 60]),
        ("LA", (40, 60), [40, 40, 40, 60]), ("I;16", 40 * 257, [40]), ("P", 3, None), ("CMYK", (255, 0, 0, 0), None),
    ],
)  # fmt: skip
def test_images_may_come_at_their_own_size_and_in_their_own_channels(
    tmp_path: Path, mode: str, colour: Any, seen: list[int] | None
) -> None:
    (tmp_path / "in").mkdir()
    Image.new(mode, (5, 12), colour).save(tmp_path / "in" / "a.tif")
    seen = seen or list(Image.new(mode, (1, 1), colour).convert("RGB").getpixel((0, 0)))  # type: ignore[arg-type]
    (made,) = widened(tmp_path / "in", tmp_path / "out").values()
    assert made.shape == (12, 10, *([len(seen)] if len(seen) > 1 else []))
    assert made[11, 4].tolist() == (seen if len(seen) > 1 else seen[0])
    assert made[0, 5].tolist() == ([255 - v for v in seen] if len(seen) > 1 else 255 - seen[0])


def test_images_of_many_sizes_go_to_a_folder_and_into_no_sheet(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, size, mode in (("a", (4, 6), "RGB"), ("b", (6, 4), "RGB"), ("c", (6, 4), "L")):
        Image.new(mode, size, 255).save(folder / f"{name}.png")
    assert {name: x.shape for name, x in widened(folder, tmp_path / "out").items()} == {
        "a.png": (6, 8, 3), "b.png": (4, 12, 3), "c.png": (4, 12)
    }  # fmt: skip
    for kind in ("png", "gif", "npz", "idx"):
        with pytest.raises(UserError, match="no images of 8x6 in colour and of 12x4 in colour") as error:
            widened(folder, tmp_path / f"a.{kind}")
        assert (error.value.code, error.value.hint) == (2, "Give a folder: --out DIR")
        assert not (tmp_path / f"a.{kind}").exists()
    (folder / "a.png").unlink()
    for kind in ("png", "idx"):
        with pytest.raises(UserError, match="12x4 in colour and of 12x4 in grey"):
            widened(folder, tmp_path / f"a.{kind}")


def test_one_image_of_any_size_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantool.sampling.writers.LARGEST", 10)  # no sheet is made of it
    Image.new("RGBA", (9, 3), (1, 2, 3, 4)).save(tmp_path / "a.png")
    variant = Wide(CGAN.Options(networks="mlp", g_layers="2", d_layers="2"), DataSpec((3, 8, 8), ("x", "y")))
    given = AsTheyAre(input=tmp_path / "a.png")
    write(
        tmp_path / "out.png", Drawing(1, None, translated(variant, read([given.input], variant, given.natural), given))
    )
    made = np.asarray(Image.open(tmp_path / "out.png"))
    assert made.shape == (3, 18, 4) and made[0, 0].tolist() == [1, 2, 3, 4]


PLUGIN = """
from dataclasses import dataclass
from gantool.api import InputOptions
from gantool.variants.gan import GAN

class Negative(GAN):
    @dataclass(kw_only=True)
    class SampleOptions(InputOptions): ...

    def translate(self, x, options):
        return -x

    def preview(self, batch):
        return -batch[0]
"""


def test_inputs_are_never_overwritten(
    gantool: Gantool, install: Callable[..., Path], images: Callable[..., Path]
) -> None:
    install("plug-negative", PLUGIN, negative="Negative")
    folder = images({"a.png": "black", "b.png": "white"})
    assert gantool("train", "negative", *NETS, "--data", folder).code == 0
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for given, out in ((folder, folder), (folder / "a.png", folder / "a.png")):
        done = gantool("sample", "negative", "--input", given, "-o", out)
        assert done.code == 2
        assert "holds the inputs, which would be overwritten" in done.err
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert gantool("sample", "negative", "--input", folder, "-o", "out").code == 0
    assert [np.asarray(Image.open(f"out/{name}.png"))[0, 0, 0] for name in "ab"] == [255, 0]


def test_bad_inputs_of_a_folder_are_left_out_by_name_and_a_changed_size_is_said(
    gantool: Gantool, install: Callable[..., Path], images: Callable[..., Path]
) -> None:
    install("plug-negative", PLUGIN, negative="Negative")
    folder = images({"a.png": "black", "b.png": "white", "c.png": "white"})
    assert gantool("train", "negative", *NETS, "--data", folder).code == 0
    (folder / "b.png").write_bytes(b"no image")
    Image.new("RGB", (30, 20)).save(folder / "c.png")
    done = gantool("sample", "negative", "--input", folder, "-o", "out")
    assert done.code == 0 and sorted(file.name for file in Path("out").iterdir()) == ["a.png", "c.png"]
    assert "left out 1 bad file: " in done.err and "b.png" in done.err
    assert "brought from 30x20 to 8x8, the model's size." in done.err
    one = gantool("sample", "negative", "--input", folder / "b.png", "-o", "one.png")
    assert one.code == 2 and "b.png cannot be used: not an image." in one.err
    for name in "ac":
        (folder / f"{name}.png").write_bytes(b"no image")
    none = gantool("sample", "negative", "--input", folder, "-o", "none")
    assert none.code == 2 and "None of 3 files can be used." in none.err and not Path("none").exists()
