"""SRGAN keeps gantool's contract and the paper's equations; two stages are one run; any image is enlarged."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec, Recipe, UserError, as_floats, open_data
from gantool.cli import run
from gantool.testing import check_data, check_variant, with_preset
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn

from gantool_superres import enlarging, perceptual
from gantool_superres.data import Pairs
from gantool_superres.networks import SRResNet, discriminator, reach
from gantool_superres.srgan import SRGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"width": 2, "blocks": 1, "d_width": 2}
FLAGS = [
    "--size", "16", "--width", "2", "--blocks", "1", "--d-width", "2", "--batch-size", "4", "--ema-images", "20",
    "--device", "cpu", "--quiet",
]  # fmt: skip
DIGITS = tuple("0123456789")
SPEC = DataSpec((1, 16, 16), DIGITS)


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the machine's own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("GANTOOL_VGG19", raising=False)
    monkeypatch.chdir(tmp_path)


def made(data: DataSpec = SPEC, **options: Any) -> SRGAN:
    torch.manual_seed(0)
    variant = SRGAN(SRGAN.Options(**SMALL | options), data).eval()
    for network in (variant.srresnet, variant.generator):
        nn.init.normal_(network.tail.weight, std=0.1)
    return variant


def train(*words: str) -> None:
    assert run(["train", "srgan", *words, *FLAGS]) == 0


def test_contract() -> None:
    check_variant(SRGAN, options=SMALL | {"pretrain": 1}, size=16)


def test_contract_in_colour_with_batch_norm() -> None:
    options = SMALL | {"pretrain": 1, "norm": True, "skip": False, "drop": 1, "pixels": 0.0}
    check_variant(SRGAN, options=options, size=20, channels=3)


def test_contract_seen_by_the_judge() -> None:
    check_variant(SRGAN, options=SMALL | {"pretrain": 1, "perceptual": "digits"}, size=16)


def test_the_data_keep_the_contract() -> None:
    check_data("small-large")
    check_data("small-large", size=16, channels=3)


# Data.


def test_pairs_are_digits_and_themselves_a_quarter_as_large() -> None:
    data = SRGAN.dataset(SRGAN.recipe)
    assert data.spec == DataSpec((1, 32, 32), DIGITS) and len(data) == 4_000
    large, small = data.batch(torch.arange(20), torch.Generator())
    assert large.shape == (20, 1, 32, 32) and small.shape == (20, 1, 8, 8) and large.dtype == small.dtype == torch.uint8
    digits = open_data(Recipe(data="digits")).pixels
    assert torch.equal(large[:, :, 2:30, 2:30], digits[[i for i in range(25) if i % 5 < 4]])
    for x, y in zip(large, small, strict=True):
        by_pillow = Image.fromarray(x[0].float().numpy()).resize((8, 8), Image.Resampling.BICUBIC)
        assert np.abs(np.asarray(by_pillow).clip(0, 255) - y[0].numpy()).max() <= 0.51


def test_a_thousand_digits_of_all_classes_are_held_out() -> None:
    trained, held = (SRGAN.dataset(SRGAN.recipe, train=train) for train in (True, False))
    assert isinstance(trained, Pairs) and isinstance(held, Pairs)
    assert len(held) == 1_000 and held.images.labels.bincount().min() > 60
    seen = {x.numpy().tobytes() for x in trained.images.pixels}
    assert sum(x.numpy().tobytes() in seen for x in held.images.pixels) == 0
    assert trained.fingerprint() != held.fingerprint()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Each has one colour of its own, but for a frame that an image scaled down would show."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, size in enumerate(((40, 60), (64, 50), (45, 45))):
        Image.new("RGB", size, (80 * i, 255 - 80 * i, 9)).save(folder / f"{i}.png")
    return folder


def test_of_photographs_squares_are_cut_at_their_own_size(photos: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 90, 3), np.uint8)
    Image.fromarray(pixels).save(photos / "0.png")
    data = SRGAN.dataset(Recipe(data=str(photos), size=32))
    assert isinstance(data, Pairs) and data.spec == DataSpec((3, 32, 32)) and len(data) == 3
    (large, *_), _ = data.batch(torch.tensor([0]), torch.Generator().manual_seed(3))
    assert large.permute(1, 2, 0).numpy().tobytes() in {
        pixels[y : y + 32, x : x + 32].tobytes() for y in range(39) for x in range(59)
    }


def test_any_named_images_will_do() -> None:
    data = SRGAN.dataset(Recipe(data="digits", size=28))
    assert isinstance(data, Pairs) and len(data) == 5_000 and data.spec.size == 28


@pytest.mark.parametrize("size", ["30", "12"])
def test_sizes_without_a_quarter_are_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "srgan", "--size", size]) == USAGE
    assert f"--size {'28' if size == '30' else '16'}" in capsys.readouterr().err


def test_alpha_is_not_learned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "srgan", "--channels", "4"]) == USAGE
    assert "--channels 3" in capsys.readouterr().err


# Networks.


def test_before_it_learns_g_enlarges_as_pillow_does() -> None:
    x = torch.rand(2, 3, 9, 7)
    for large, small in zip(SRResNet(3, 4, 2, 9, norm=False, skip=True)(x), x, strict=True):
        for a, b in zip(large, small, strict=True):
            wanted = Image.fromarray(b.numpy()).resize((28, 36), Image.Resampling.BICUBIC)
            np.testing.assert_allclose(a.detach().numpy(), np.asarray(wanted), atol=1e-5)


@pytest.mark.parametrize("ends", [3, 5, 7, 9])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_reach_is_as_far_as_a_pixel_can_matter(blocks: int, ends: int) -> None:
    torch.manual_seed(0)
    network = SRResNet(1, 2, blocks, ends, norm=False, skip=False)
    x = torch.rand(1, 1, 61, 1, requires_grad=True)
    far = 0
    for at in range(4):  # the four pixels that come of the one in the middle
        (slope,) = torch.autograd.grad(network(x)[0, 0, 4 * 30 + at, 0], x)
        rows = slope[0, 0, :, 0].nonzero().flatten() - 30
        far = max(far, int(rows.abs().max()))
    assert reach(blocks, ends) - 1 <= far <= reach(blocks, ends)


@pytest.mark.parametrize("size", [16, 20, 32, 36, 96])
def test_d_takes_every_size(size: int) -> None:
    assert discriminator(3, size, 2, norm=True)(torch.rand(4, 3, size, size)).shape == (4,)


def test_d_is_figure_4_s() -> None:
    d = discriminator(3, 96, 64, norm=True)
    shape = [(m.out_channels, m.stride[0]) for m in d if isinstance(m, nn.Conv2d)]
    assert shape == [(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)]
    assert [(m.in_features, m.out_features) for m in d if isinstance(m, nn.Linear)] == [(512 * 36, 1024), (1024, 1)]


# The two stages.


def turn_names(variant: SRGAN, step: int) -> list[str]:
    variant.step = step
    batch = torch.rand(4, 1, 16, 16), torch.rand(4, 1, 4, 4)
    return [turn.player for turn in variant.turns(iter([batch]))]


def test_first_squared_error_then_the_game() -> None:
    variant = made(pretrain=2)
    assert [turn_names(variant, step) for step in range(4)] == [["SRResNet"]] * 2 + [["D", "G"]] * 2


def test_g_begins_where_srresnet_ends_and_srresnet_stays() -> None:
    variant = made(pretrain=1, norm=True)
    x = torch.rand(2, 1, 4, 4)
    assert not torch.equal(variant.generator(x), variant.srresnet(x))
    turn_names(variant, 0)
    before = variant.srresnet(x)
    assert torch.equal(variant.generator(x), before)
    with torch.no_grad():
        variant.generator.tail.weight.add_(1)
    turn_names(variant, 1)
    assert torch.equal(variant.srresnet(x), before) and not torch.equal(variant.generator(x), before)


def test_who_draws() -> None:
    variant = made(pretrain=1)
    x = torch.rand(2, 1, 4, 4)
    first, second = (network(x).clamp(-1, 1) for network in (variant.srresnet, variant.generator))
    assert torch.equal(variant.draw(x), first)
    variant.step = 1
    variant.look()
    assert torch.equal(variant.draw(x), second) and torch.equal(variant.draw(x, first=True), first)


def test_losses_are_the_paper_s() -> None:
    variant = made(content=3.0, pixels=0.5, adversarial=0.1, perceptual="random")
    variant.look()
    large, fake = torch.rand(2, 4, 1, 16, 16)
    d = torch.sigmoid(variant.discriminator(fake))
    loss = variant.g_loss((large, fake))
    assert isinstance(loss, dict) and loss.keys() == {"fool", "content by random features", "pixels"}
    torch.testing.assert_close(loss["fool"], -0.1 * d.log().mean())
    torch.testing.assert_close(loss["pixels"], 0.5 * (large - fake).square().mean())
    assert variant.see is not None
    seen = [(a - b).square().mean() for a, b in zip(variant.see(large), variant.see(fake), strict=True)]
    torch.testing.assert_close(loss["content by random features"], sum(seen) / len(seen) * 3)
    judged = variant.d_loss((large, fake))
    assert isinstance(judged, dict)
    torch.testing.assert_close(judged["real"], -torch.sigmoid(variant.discriminator(large)).log().mean())
    torch.testing.assert_close(judged["fake"], -(1 - d).log().mean())
    small = torch.rand(4, 1, 4, 4)
    torch.testing.assert_close(variant.mse((large, small)), (variant.srresnet(small) - large).square().mean())


def test_step_sizes_follow_each_stage_s_own_steps() -> None:
    variant, factors = made(pretrain=10, drop=5, decay=0.5), []
    for variant.step in (0, 2, 10, 12, 14, 15, 16):
        factors.append(variant.schedule())
    assert factors == pytest.approx([1, 1 / 2, 1, 1 / 2, 1 / 3, 0.1 / 3.5, 0.1 / 4])
    plain = made()
    plain.step = 10**6
    assert plain.schedule() == 1


@pytest.mark.parametrize("boundary", ["15", "15 and a half", "27", "60"])
def test_a_resumed_run_is_the_same_run(boundary: str) -> None:
    """Stopped at 15 of 40 steps: at the boundary of the stages, just before and well before it, or with none at all."""
    pretrain = {"15": "15", "15 and a half": "16", "27": "27", "60": "60"}[boundary]
    train("--steps", "40", "--pretrain", pretrain, "--norm", "--out", "whole")
    train("--steps", "15", "--pretrain", pretrain, "--norm", "--out", "parts")
    assert run(["resume", "parts", "--steps", "40", "--device", "cpu", "--quiet"]) == 0
    for name in ("model.safetensors", "checkpoints/step-000040.safetensors"):
        assert Path("whole", name).read_bytes() == Path("parts", name).read_bytes()


# The perceptual network content.


def test_random_features_are_the_same_anywhere_and_move_no_random_number() -> None:
    x = torch.rand(2, 1, 16, 16)
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    perceptual.random_features.cache_clear()
    first = perceptual.random_features(torch.device("cpu"))(x)
    assert torch.equal(torch.rand(1), wanted)
    perceptual.random_features.cache_clear()
    again = perceptual.random_features(torch.device("cpu"))(x)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)) and len(first) == 3
    other = perceptual.random_features(torch.device("cpu"), 1)(x)
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("kind", ["random", "digits"])
def test_content_has_a_slope(kind: str) -> None:
    see = perceptual.features(kind, torch.device("cpu"))
    x = torch.rand(2, 1, 32, 32, requires_grad=True)
    assert perceptual.distance(see, x, x.detach()) == 0
    (slope,) = torch.autograd.grad(perceptual.distance(see, x, -x.detach()), x)
    assert slope.abs().sum() > 0


def vgg(folder: Path, rename: str = "") -> Path:
    """A file as torchvision's, with weights that mean nothing."""
    import hashlib

    torch.manual_seed(0)
    network = perceptual.convolutions(perceptual.VGG)
    state = {f"features.{key}": value for key, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "new.pth"
    torch.save(state | {"classifier.0.bias": torch.zeros(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / (rename or f"vgg19-{digest}.pth"))


def test_vgg19_is_torchvision_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = models.vgg19(weights=None).features[:36]
    monkeypatch.setenv("GANTOOL_VGG19", str(file := vgg(tmp_path)))
    perceptual.vgg19.cache_clear()
    theirs.load_state_dict(perceptual.read(file), assign=True)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = theirs(((x + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)) / 12.75
    (seen,) = perceptual.features("vgg19", torch.device("cpu"))(x)
    torch.testing.assert_close(seen, wanted)
    (grey,) = perceptual.features("vgg19", torch.device("cpu"))(x[:, :1])
    assert grey.shape == wanted.shape and not seen.requires_grad
    perceptual.vgg19.cache_clear()


def test_auto_takes_vgg19_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour, digits = DataSpec((3, 32, 32)), DataSpec((1, 32, 32), DIGITS)
    assert [perceptual.chosen("auto", data) for data in (colour, digits)] == ["random", "digits"]
    vgg(tmp_path / "torch" / "hub" / "checkpoints", rename=perceptual.WEIGHTS)
    assert [perceptual.chosen(asked, colour) for asked in ("auto", "vgg19", "random")] == ["vgg19", "vgg19", "random"]
    assert perceptual.chosen("digits", digits) == "digits"
    monkeypatch.setenv("GANTOOL_VGG19", "none-00000000.pth")
    with pytest.raises(UserError, match="is no file"):
        perceptual.chosen("auto", colour)


@pytest.mark.parametrize("name", ["vgg19-00000000.pth", "vgg19.pth", "vgg19-dcbb9e9d.pt"])
def test_weights_that_are_not_what_their_name_says_are_not_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="its name says otherwise"):
        perceptual.read(vgg(tmp_path, rename=name))


@pytest.mark.parametrize(
    ("kind", "channels", "words"), [("vgg19", "1", "VGG19 are not there"), ("digits", "3", "judge")]
)
def test_who_cannot_look_is_said_at_once(
    kind: str, channels: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "srgan", "--perceptual", kind, "--channels", channels, "--steps", "1"]) == USAGE
    assert words in capsys.readouterr().err
    assert not Path("runs").exists()


def test_the_log_says_who_compares(tmp_path: Path) -> None:
    for asked, said in (("random", "random features"), ("auto", "the judge of digits")):
        train("--steps", "3", "--pretrain", "1", "--log-every", "1", "--perceptual", asked, "--out", asked)
        assert f'"G/content by {said}"' in Path(asked, "metrics.jsonl").read_text()


def test_a_run_goes_on_with_whom_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train("--steps", "2", "--pretrain", "1", "--out", "run")
    vgg(tmp_path / "torch" / "hub" / "checkpoints", rename=perceptual.WEIGHTS)  # which auto would take now
    assert run(["resume", "run", "--steps", "4", "--device", "cpu", "--quiet"]) == 0
    assert "VGG19" not in Path("run", "metrics.jsonl").read_text()
    began = made(pretrain=0)
    began.perceptual_kind.fill_(1)
    (tmp_path / "torch" / "hub" / "checkpoints" / perceptual.WEIGHTS).unlink()
    with pytest.raises(UserError, match="VGG19 are not there"):
        began.look()


# Drawing.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", [1, 3, 4])
def test_grey_stays_grey_and_alpha_is_kept(channels: int, mode: int) -> None:
    variant, x = made(DataSpec((channels, 16, 16))), torch.rand(1, mode, 9, 6) * 2 - 1
    y = variant.translate(x, SRGAN.SampleOptions(input=Path()))
    assert y.shape == (1, mode, 36, 24) and y.abs().max() <= 1
    if mode == 4:
        alpha = Image.fromarray(x[0, 3].numpy()).resize((24, 36), Image.Resampling.BICUBIC)
        np.testing.assert_allclose(y[0, 3].detach().numpy(), np.asarray(alpha).clip(-1, 1), atol=1e-5)
        assert torch.equal(y[:, :3], variant.translate(x[:, :3], SRGAN.SampleOptions(input=Path())))


def test_a_network_of_greys_changes_the_brightness_of_colours_alone() -> None:
    variant, x = made(), torch.rand(1, 3, 9, 6) - 0.5
    y = enlarging.enlarged(variant.srresnet, 1, x)
    added = y - enlarging.bicubic(x)
    torch.testing.assert_close(added, added[:, :1].expand_as(added))
    torch.testing.assert_close(enlarging.luma(y), variant.srresnet(enlarging.luma(x)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("h", "w"), [(40, 33), (16, 50), (17, 16), (100, 3)])
def test_tiles_leave_no_seam(channels: int, h: int, w: int) -> None:
    variant, x = made(DataSpec((channels, 16, 16)), norm=True), torch.rand(1, 4, h, w) * 2 - 1
    whole = variant.translate(x, SRGAN.SampleOptions(input=Path(), tile=128))
    tiles = variant.translate(x, SRGAN.SampleOptions(input=Path(), tile=16))
    assert tiles.dtype == torch.uint8 and tiles.shape == whole.shape
    assert ((whole + 1) * 127.5).round().int().sub(tiles.int()).abs().max() <= 1


def test_with_less_overlap_there_would_be_seams() -> None:
    variant, x = made(), torch.rand(1, 1, 64, 64) * 2 - 1
    enlarge = partial(enlarging.enlarged, variant.srresnet, 1)
    whole = enlarging.as_bytes(enlarge(x)).int()
    assert enlarging.tiled(enlarge, x, 16, 2).int().sub(whole).abs().max() > 1


def test_memory_depends_on_the_tile_and_not_on_the_image() -> None:
    largest = 0

    def enlarge(x: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, x.shape[2] * x.shape[3])
        return enlarging.nearest(x)

    x = torch.rand(1, 1, 200, 300) * 2 - 1
    assert torch.equal(enlarging.tiled(enlarge, x, 32, 5), enlarging.as_bytes(enlarging.nearest(x)))
    assert largest == 42 * 42


def test_what_would_fill_the_memory_is_refused() -> None:
    x = torch.zeros(()).expand(1, 1, 6_000, 5_000)
    with pytest.raises(UserError, match="5000 x 6000 pixels") as error:
        made().translate(x, SRGAN.SampleOptions(input=Path()))
    assert error.value.code == USAGE


def test_the_model_file_alone_enlarges_any_image(tmp_path: Path) -> None:
    train("--steps", "3", "--pretrain", "1", "--out", "run")
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert {name.split(".")[1] for name in file.keys()} == {"srresnet", "generator", "perceptual_kind"}  # noqa: SIM118  # it is no dict
    Path("in").mkdir()
    rng = np.random.default_rng(0)
    for name, shape in {"grey": (5, 9), "colour": (30, 20, 3), "alpha": (6, 7, 4)}.items():
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(f"in/{name}.png")
    photo = Image.fromarray(rng.integers(0, 256, (8, 6, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save("in/turned.jpg", exif=exif)
    sample = ["sample", "srgan", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "--input", "in", "--out", "out", "--tile", "16"]) == 0
    shapes = {file.name: np.asarray(Image.open(file)).shape for file in Path("out").iterdir()}
    assert shapes == {
        "grey.png": (20, 36), "colour.png": (120, 80, 3), "alpha.png": (24, 28, 4), "turned.png": (24, 32, 3)
    }  # fmt: skip
    assert run([*sample, "--input", "in/colour.png", "--out", "one.png"]) == 0
    assert np.abs(np.asarray(Image.open("one.png"), int) - np.asarray(Image.open("out/colour.png"), int)).max() <= 1
    assert run([*sample, "--input", "in/colour.png", "--faithful", "--out", "first.png"]) == 0
    assert Path("first.png").read_bytes() != Path("one.png").read_bytes()
    assert run([*sample, "--input", "in", "--out", "sheet.png"]) == USAGE and not Path("sheet.png").exists()


def test_preview_shows_input_bicubic_output_and_truth() -> None:
    variant, (large, small) = made(), (torch.rand(20, 1, 16, 16), torch.rand(20, 1, 4, 4))
    with torch.no_grad():
        (shown, across, _), odd = variant.preview((large, small)), variant.preview((large[:5], small[:5])).images
    assert shown.shape == (8, 8, 1, 16, 16) and torch.equal(shown[:2], odd)
    assert across == 2 * ["input", "bicubic", "output", "truth"]
    shown = shown.view(16, 4, 1, 16, 16)
    assert torch.equal(shown[:, 0, :, ::4, ::4], small[:16]) and torch.equal(shown[:, 0, :, 3::4, 3::4], small[:16])
    torch.testing.assert_close(shown[:, 1], enlarging.bicubic(small[:16]).clamp(-1, 1))
    assert torch.equal(shown[:, 3], large[:16])


# measure.


class Truth(nn.Module):
    """Enlarges as if it knew: says what it is told to."""

    def __init__(self, answers: Tensor) -> None:
        super().__init__()
        self.answers, self.at = answers, 0

    def forward(self, small: Tensor) -> Tensor:
        self.at += len(small)
        return self.answers[self.at - len(small) : self.at]


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_against_numpy(channels: int) -> None:
    torch.manual_seed(0)
    data = SRGAN.dataset(Recipe(data="small-large", size=16, channels=channels), train=False)  # type: ignore[arg-type]
    variant = made(DataSpec((channels, 16, 16), DIGITS))
    large, small = as_floats(data.batch(torch.arange(1_000), torch.Generator()), torch.device("cpu"))
    blurred = torch.nn.functional.avg_pool2d(large, 3, 1, 1)
    variant.srresnet, variant.generator = Truth(large + 0.1), Truth(blurred)  # type: ignore[assignment]
    variant.perceptual_kind.fill_(1)
    found = variant.measure(data)
    plain = enlarging.bicubic(small)
    x, y, z = ((np.clip(a.numpy().astype(float), -1, 1) * 127.5 + 127.5).round() for a in (blurred, large, plain))
    first = np.minimum(y + 13, 255)  # .1 is 12.75

    def decibels(a: Any) -> Any:
        return (20 * np.log10(255) - 10 * np.log10(((a - y) ** 2).mean((1, 2, 3)))).mean()

    assert found["psnr"] == pytest.approx(decibels(x), abs=1e-3)
    assert found["over_bicubic"] == pytest.approx(decibels(x) - decibels(z), abs=1e-3)
    assert found["first_over_bicubic"] == pytest.approx(decibels(first) - decibels(z), abs=0.2)

    def steep(a: Any) -> Any:
        down, right = np.diff(a, axis=2)[..., :-1], np.diff(a, axis=3)[:, :, :-1]
        return (down**2 + right**2).mean()

    assert found["sharpness"] == pytest.approx(steep(x) / steep(y), rel=1e-4) and found["sharpness"] < 0.9
    assert found["distance"] > 0
    assert found["distance_share"] == pytest.approx(found["distance"] / found["first_distance"])


def test_the_truth_has_no_distance_and_is_as_sharp_as_itself() -> None:
    data = SRGAN.dataset(Recipe(data="small-large"), train=False)
    variant = made(DataSpec((1, 32, 32), DIGITS))
    large, _ = as_floats(data.batch(torch.arange(1_000), torch.Generator()), torch.device("cpu"))
    twice = torch.cat([part for part in large.split(100) for _ in "12"])  # drawn and first are asked in turn
    variant.srresnet = Truth(twice)  # type: ignore[assignment]
    found = variant.measure(data)
    assert found["sharpness"] == pytest.approx(1) and found["distance"] == 0 and found["psnr"] == 100


def test_an_untrained_network_is_bicubic() -> None:
    torch.manual_seed(0)
    variant = SRGAN(SRGAN.Options(**SMALL), DataSpec((1, 32, 32), DIGITS)).eval()
    found = variant.measure(SRGAN.dataset(Recipe(data="small-large"), train=False))
    assert found["over_bicubic"] == found["first_over_bicubic"] == 0 and found["sharpness"] < 0.85
    assert found["distance_share"] == 1


def test_preset(capsys: pytest.CaptureFixture[str]) -> None:
    train("--preset", "paper", "--perceptual", "random", "--steps", "2", "--pretrain", "1", "--out", "a")
    config = Path("a/config.yaml").read_text()
    assert "lr: 0.0001" in config and "norm: true" in config and "drop: 100000" in config and "pixels: 0" in config
    assert run(["train", "srgan", "--preset", "paper", "--steps", "1"]) == USAGE
    assert "GANTOOL_VGG19" in capsys.readouterr().err


def test_preset_paper_is_the_paper_s_in_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3.2: 16 blocks of 64 channels; Adam at 1e-4, then a tenth; VGG19 and 1e-3 of D."""
    monkeypatch.setattr(perceptual, "vgg_file", lambda: Path("somewhere"))
    variant, recipe = with_preset("srgan", "paper", (3, 96, 96))
    wide = [m for m in variant.srresnet.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels == 64]
    assert len(wide) == 1 + 2 * 16 + 1
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (1e-4, (0.9, 0.999))
    o = variant.options
    factors = []
    for step in (o.pretrain, o.pretrain + 100_000):
        variant.step = step
        factors.append(variant.schedule())
    assert factors == [1.0, pytest.approx(0.1)]
    assert (recipe.batch_size, recipe.steps, o.pretrain, o.drop) == (16, 1_200_000, 1_000_000, 100_000)
    assert (o.perceptual, o.content, o.adversarial, o.pixels) == ("vgg19", 1, 1e-3, 0)
