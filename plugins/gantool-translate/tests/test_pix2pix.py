"""pix2pix keeps gantool's contract and the paper's equations; pairs stay pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, Data, DataSpec, Recipe, UserError, as_floats
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gantool_translate.made import edges
from gantool_translate.networks import UNet
from gantool_translate.paired import Paired
from gantool_translate.pix2pix import Pix2Pix

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"width": 2, "depth": 2, "d_width": 2}
FLAGS = [
    "--size", "16", "--width", "2", "--depth", "2", "--d-width", "2", "--batch-size", "4", "--device", "cpu", "--quiet",
]  # fmt: skip


@pytest.fixture
def variant() -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(Pix2Pix.Options(**SMALL), DataSpec((3, 16, 16))).eval()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pairs by name: B is the colour that A is the grey of. Of the names, one comes before another by its extension."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.png", "a-b.png", "c/d.png", "e.png", "f.png")):
        for kind, mode, colour in (("A", "L", 20 * i), ("B", "RGB", (20 * i, 200, 0))):
            path = tmp_path / "pairs" / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new(mode, (16, 16), colour).save(path)
    return tmp_path / "pairs"


def test_contract() -> None:
    check_variant(Pix2Pix, options=SMALL, size=16)


def test_contract_with_noise_on_pairs_of_one_s_own(folder: Path) -> None:
    options = SMALL | {"noise": 0.5, "depth": 3, "direction": "b2a"}
    check_variant(Pix2Pix, options=options, data=str(folder), size=16, flip=True)


# The losses.


def test_losses_are_the_paper_s(variant: Pix2Pix) -> None:
    x, y = torch.rand(2, 3, 3, 16, 16)
    fake = variant.g(x)
    on_y, on_fake = (variant.d(torch.cat([x, p], 1)).sigmoid() for p in (y, fake))
    d, g = variant.d_loss((x, y, fake.detach())), variant.g_loss((x, y, fake))
    assert isinstance(d, dict) and isinstance(g, dict)
    torch.testing.assert_close(d["real"], binary_cross_entropy(on_y, torch.ones_like(on_y)) / 2)
    torch.testing.assert_close(d["fake"], binary_cross_entropy(on_fake, torch.zeros_like(on_fake)) / 2)
    torch.testing.assert_close(g["fool"], binary_cross_entropy(on_fake, torch.ones_like(on_fake)))
    torch.testing.assert_close(g["l1"], 100 * (fake - y).abs().mean())


def test_without_an_adversary_d_has_no_say(variant: Pix2Pix) -> None:
    variant.options.adversarial = 0.0
    x, y = torch.rand(2, 3, 3, 16, 16)
    turns = list(variant.turns(iter([(x, y)])))
    assert [turn.player for turn in turns] == ["G"]
    loss = turns[0].loss(turns[0].batch)
    assert isinstance(loss, dict) and loss.keys() == {"l1"}


def test_swapped_pairs_are_wrong_pairs(variant: Pix2Pix) -> None:
    x, y = torch.rand(2, 3, 3, 16, 16)
    right = next(variant.turns(iter([(x, y)])))
    assert torch.equal(right.batch[0], x) and torch.equal(right.batch[1], y)
    variant.options.swapped = True
    wrong = next(variant.turns(iter([(x, y)])))
    assert torch.equal(wrong.batch[0], x) and torch.equal(wrong.batch[1], y[[2, 0, 1]])


def test_the_other_direction(variant: Pix2Pix) -> None:
    variant.options.direction = "b2a"
    a, b = torch.rand(2, 3, 3, 16, 16)
    turn = next(variant.turns(iter([(a, b)])))
    assert torch.equal(turn.batch[0], b) and torch.equal(turn.batch[1], a)


# The generator.


def test_unet_is_as_large_as_the_paper_s() -> None:
    """Of 256 pixels: weights and biases of the 16 convolutions, and batch norm's two numbers a channel."""
    down, up = (64, 128, 256, 512, 512, 512, 512, 512), (512, 512, 512, 512, 256, 128, 64, 3)
    inputs = (3, *down[:-1], 512, *(2 * w for w in (512, 512, 512, 512, 256, 128, 64)))
    count = sum(16 * a * b + b for a, b in zip(inputs, down + up, strict=True))
    count += sum(2 * w for w in down[1:-1] + up[:-1])
    assert sum(p.numel() for p in UNet(3, 64, 8, 0.5).parameters()) == count


def test_each_map_meets_its_mirror() -> None:
    """With the way through the middle cut, what went in still reaches what comes out."""
    torch.manual_seed(0)
    g = UNet(1, 2, 3, 0.0).eval()
    for weight in g.up[0].parameters():
        torch.nn.init.zeros_(weight)
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(g(x).sum(), x)
    assert slope.abs().sum() > 0


def test_noise_is_at_work_when_drawing_too() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 16)
    for noise, alike in ((0.5, False), (0.0, True)):
        variant = Pix2Pix(Pix2Pix.Options(**SMALL, noise=noise), DataSpec((3, 16, 16))).eval()
        torch.nn.init.normal_(variant.g.up[0][1].weight)
        torch.nn.init.normal_(variant.g.up[1][1].weight)
        with torch.no_grad():
            assert torch.equal(variant.translate(x, None), variant.translate(x, None)) is alike


def test_sizes_it_cannot_draw_are_refused() -> None:
    for size, depth in ((20, 3), (8, 4), (4, 2)):
        with pytest.raises(UserError, match="size") as error:
            Pix2Pix(Pix2Pix.Options(width=2, depth=depth), DataSpec((3, size, size)))
        assert error.value.code == USAGE and "--size" in error.value.hint


# Data.


def test_pairs_are_by_name(folder: Path) -> None:
    data = Pix2Pix.dataset(Recipe(data=str(folder), size=16))
    assert (len(data), data.spec) == (5, DataSpec((3, 16, 16)))
    a, b = data.batch(torch.arange(5), torch.Generator())
    assert torch.equal(a[:, 0], b[:, 0]) and len(a[:, 0].unique(dim=0)) == 5


def test_a_pair_is_mirrored_together(folder: Path) -> None:
    half = np.zeros((16, 16, 3), np.uint8)
    half[:, :8] = 255
    for path in folder.rglob("*.png"):
        Image.fromarray(half).save(path)
    data = Pix2Pix.dataset(Recipe(data=str(folder), size=16, flip=True))
    a, b = data.batch(torch.arange(5).repeat(10), torch.Generator().manual_seed(0))
    assert torch.equal(a, b) and len(a.unique(dim=0)) == 2


def test_what_is_held_out_is_in_folders_of_its_own(folder: Path) -> None:
    recipe = Recipe(data=str(folder), size=16)
    assert Pix2Pix.dataset(recipe, train=False).fingerprint() == Pix2Pix.dataset(recipe).fingerprint()
    for name in "AB":
        (folder / f"test{name}").mkdir()
        Image.new("RGB", (16, 16), "red").save(folder / f"test{name}" / "new.png")
    assert len(Pix2Pix.dataset(recipe, train=False)) == 1


def test_a_image_without_partner_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "B" / "e.png").rename(folder / "B" / "g.png")
    assert run(["train", "pix2pix", "--data", "pairs", "--steps", "1", *FLAGS]) == USAGE
    said = capsys.readouterr().err
    assert "no partner, the first e." in said and len(said.splitlines()) <= 6


def test_a_bad_image_shifts_no_pair(folder: Path) -> None:
    (folder / "B" / "a.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"no partner, the first a\..*left out 1.*a\.png") as error:
        Pix2Pix.dataset(Recipe(data=str(folder), size=16))
    assert error.value.code == USAGE


def test_two_of_one_name_are_refused(folder: Path) -> None:
    for name in "AB":
        Image.new("RGB", (16, 16)).save(folder / name / "a.bmp")
    with pytest.raises(UserError, match="one name"):
        Pix2Pix.dataset(Recipe(data=str(folder), size=16))


def beside(folder: Path, count: int, size: tuple[int, int] = (32, 16)) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        both = Image.new("RGB", size, (20 * i, 0, 0))
        both.paste((20 * i, 200, 0), (16, 0, 32, 16))
        both.save(folder / f"{i}.png")


def test_one_file_may_hold_both_side_by_side(tmp_path: Path) -> None:
    beside(tmp_path / "facades" / "train", 5)
    recipe = Recipe(data=str(tmp_path / "facades"), size=8)
    data = Pix2Pix.dataset(recipe)
    assert (len(data), data.spec) == (5, DataSpec((3, 8, 8)))
    a, b = data.batch(torch.arange(5), torch.Generator())
    assert a[:, :, 3, 3].tolist() == [[20 * i, 0, 0] for i in range(5)]
    assert b[:, :, 3, 3].tolist() == [[20 * i, 200, 0] for i in range(5)]
    assert Pix2Pix.dataset(recipe, train=False).fingerprint() == data.fingerprint()
    beside(tmp_path / "facades" / "test", 2)
    assert len(Pix2Pix.dataset(recipe, train=False)) == 2
    assert len(Pix2Pix.dataset(Recipe(data=str(tmp_path / "facades" / "test"), size=8))) == 2


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    beside(tmp_path / "mine", 2)
    beside(tmp_path / "others", 1)
    (tmp_path / "mine" / "z.png").symlink_to(tmp_path / "others" / "0.png")
    assert len(Pix2Pix.dataset(Recipe(data=str(tmp_path / "mine"), size=8))) == 2


def test_what_holds_no_pair_is_named(tmp_path: Path) -> None:
    beside(tmp_path / "square", 1, (16, 16))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"none")
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("square", "1 of 1 images in .* are no two squares side by side, the first 0.png, 16 x 16"),
        ("broken", "a.png"),
        ("empty", "no pairs"),
    ):
        with pytest.raises(UserError, match=words) as error:
            Pix2Pix.dataset(Recipe(data=str(tmp_path / name), size=8))
        assert error.value.code == USAGE and "A/ and B/" in error.value.hint


def test_a_layout_that_is_none_is_named_before_a_broken_file(tmp_path: Path) -> None:
    beside(tmp_path / "all", 3, (16, 16))
    (tmp_path / "all" / "a.png").write_bytes(b"none")
    (tmp_path / "all" / "0.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"2 of 4 images in .* are no two squares side by side, the first 1.png"):
        Pix2Pix.dataset(Recipe(data=str(tmp_path / "all"), size=8))


def test_a_broken_file_among_pairs_is_left_out_and_said(tmp_path: Path) -> None:
    beside(tmp_path / "all", 3)
    (tmp_path / "all" / "1.png").write_bytes(b"none")
    data = Pix2Pix.dataset(Recipe(data=str(tmp_path / "all"), size=8))
    assert len(data) == 2 and data.notes[0].startswith("left out 1 of 3, the first: ")


def test_data_that_is_no_pairs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "pix2pix", "--data", "digits", "--steps", "1", "--out", str(tmp_path / "a"), *FLAGS]) == USAGE
    assert "digits holds images, not paired" in capsys.readouterr().err


# measure.


class Answers(torch.nn.Module):
    """Knows what goes with each outline."""

    def __init__(self, data: Paired, spoil: Any = lambda y: y) -> None:
        super().__init__()
        (self.x, y) = as_floats((data.a.pixels, data.b.pixels), torch.device("cpu"))
        self.y, self.at = spoil(y), 0

    def forward(self, x: Tensor) -> Tensor:
        assert torch.equal(x, self.x[self.at : self.at + len(x)])  # in their order
        self.at += len(x)
        return self.y[self.at - len(x) : self.at]  # type: ignore[no-any-return]


def found(variant: Pix2Pix, data: Data, spoil: Any = lambda y: y) -> dict[str, float]:
    assert isinstance(data, Paired)
    variant.g = Answers(data, spoil)  # type: ignore[assignment]
    return variant.measure(data)


def test_scores_tell_right_from_wrong() -> None:
    data = edges(Recipe(), train=False)
    variant = Pix2Pix(Pix2Pix.Options(**SMALL), DataSpec((3, 32, 32))).eval()
    right = found(variant, data)
    assert right == pytest.approx({"psnr": 100, "l1": 0, "digit_kept": 1, "distance": 0, "colour": 1}, abs=1e-6)
    other = found(variant, data, lambda y: y.roll(100, 0))  # each of the next class
    assert other["digit_kept"] < 0.05 and other["colour"] == 0 and other["psnr"] < 15
    assert other["distance"] == pytest.approx(0, abs=1e-6)  # which is why it never stands alone
    blurred = found(variant, data, lambda y: torch.nn.functional.avg_pool2d(y, 5, 1, 2))
    assert blurred["distance"] > 0.1 and blurred["psnr"] < 25


def test_pairs_of_one_s_own_are_measured_by_distance(folder: Path) -> None:
    data = Pix2Pix.dataset(Recipe(data=str(folder), size=16))
    variant = Pix2Pix(Pix2Pix.Options(**SMALL), DataSpec((3, 16, 16))).eval()
    assert found(variant, data).keys() == {"psnr", "l1"}


def test_preview_is_input_output_truth(variant: Pix2Pix) -> None:
    x, y = torch.rand(2, 9, 3, 16, 16)
    with torch.no_grad():
        shown = variant.preview((x, y)).images
        assert shown.shape == (2, 12, 3, 16, 16)
        torch.testing.assert_close(shown[1, 3:6], torch.stack([x[5], variant.g(x[5:6])[0], y[5]]))
        assert variant.preview((x[:2], y[:2])).images.shape == (2, 3, 3, 16, 16)


# The command line.


def test_the_model_file_alone_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "pix2pix", "--steps", "3", "--out", "run", *FLAGS]) == 0
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert {name.split(".")[1] for name in file.keys()} == {"g"}  # noqa: SIM118  # it is no dict
    Path("in").mkdir()
    Image.new("L", (50, 40), 255).save("in/one.png")
    Image.new("RGB", (16, 16), "red").save("in/two.jpg")
    sample = ["sample", "pix2pix", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    assert run([*sample, "--input", "in", "--out", "out"]) == 0
    assert sorted(p.name for p in Path("out").iterdir()) == ["one.png", "two.png"]
    assert run([*sample, "--input", "in/one.png", "--out", "one.png"]) == 0
    assert Path("one.png").read_bytes() == Path("out/one.png").read_bytes()
    with Image.open("one.png") as drawn:
        assert drawn.size == (16, 16) and drawn.mode == "RGB"


def test_preset(folder: Path) -> None:
    command = ["train", "pix2pix", "--preset", "paper", "--data", "pairs", "--d-layers", "1", "--steps", "1"]
    assert run([*command, "--out", "run", *FLAGS]) == 0
    config = Path("run/config.yaml").read_text()
    assert "noise: 0.5" in config and "lr: 0.0002" in config and "l1: 100" in config and "flip: true" in config


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--noise", "0.5", *FLAGS]
    assert run(["train", "pix2pix", "--steps", "6", "--out", "whole", *flags]) == 0
    assert run(["train", "pix2pix", "--steps", "3", "--out", "parts", *flags]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """A U-Net of eight halvings with dropout .5, patches of 70 pixels, lambda 100, one pair at a time, 200 epochs."""
    variant, recipe = with_preset("pix2pix", "paper", (3, 256, 256))
    down = [m.out_channels for m in variant.g.down.modules() if isinstance(m, torch.nn.Conv2d)]
    assert down == [64, 128, 256, 512, 512, 512, 512, 512]
    judge = [m.out_channels for m in variant.d.modules() if isinstance(m, torch.nn.Conv2d)]
    assert judge == [64, 128, 256, 512, 1]
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
    o = variant.options
    variant.step = 10_000
    assert (recipe.batch_size, recipe.epochs, recipe.ema_images, variant.schedule()) == (1, 200, 0, 1.0)
    assert (o.l1, o.noise, o.own_statistics) == (100, 0.5, True)


def test_an_image_may_be_drawn_with_its_own_statistics() -> None:
    """As a test batch of one: whatever is drawn beside it, and whatever was learned of others."""
    torch.manual_seed(0)
    learned, own = (UNet(3, 4, 3, 0.0, own) for own in (False, True))
    own.load_state_dict(learned.state_dict())
    x = torch.randn(4, 3, 16, 16)
    for network in (learned, own):
        network(x)  # in training both are the same, and keep statistics
    assert all(torch.equal(a, b) for a, b in zip(learned.buffers(), own.buffers(), strict=True))
    alone = own.train()(x[:1])
    before = [b.clone() for b in own.eval().buffers()]
    torch.testing.assert_close(own(x)[:1], alone)
    assert not torch.allclose(learned.eval()(x)[:1], alone)
    assert all(torch.equal(a, b) for a, b in zip(before, own.buffers(), strict=True)), "drawing teaches it nothing"


def test_what_comes_next_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [flag for flag in FLAGS if flag not in ("--quiet", "--data", "data")]
    assert run(["train", "pix2pix", "--steps", "1", *flags]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    first, second = (part.strip().removeprefix("next: ") for part in last.split("&&"))
    assert first == "gantool data export edges inputs -n 8"
    for line in (first, second):
        assert run(line.removeprefix("gantool ").split()) == 0
    assert 0 < len(list(Path("outputs").iterdir())) <= 8
