"""CycleGAN keeps gantool's contract; its data are what the paper says."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import USAGE, DataSpec, Recipe, UserError
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from PIL import Image

from gantool_translate.cyclegan import CycleGAN
from gantool_translate.made import two_worlds

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"width": 2, "blocks": 1, "d_layers": 1, "pool": 6}
FLAGS = [
    "--data", "data", "--size", "16", "--width", "2", "--blocks", "1", "--d-layers", "1", "--pool", "6",
    "--batch-size", "4", "--device", "cpu", "--quiet",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A is grey and B is coloured; the images of B are numbered by their red."""
    monkeypatch.chdir(tmp_path)
    for name, count, mode in (("A", 9, "L"), ("B", 7, "RGB")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(count):
            colour = 20 * i if mode == "L" else (20 * i, 200, 0)
            Image.new(mode, (16, 16), colour).save(tmp_path / "data" / name / f"{name}{i}.png")
    return tmp_path / "data"


@pytest.fixture
def variant() -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(CycleGAN.Options(**SMALL), DataSpec((3, 16, 16)))


def recipe(data: Path) -> Recipe:
    return Recipe(data=str(data), size=16)


def test_contract(data: Path) -> None:
    check_variant(CycleGAN, data=str(data), size=16, options=SMALL)


def test_contract_on_the_two_worlds() -> None:
    check_variant(CycleGAN, size=16, options=SMALL | {"halvings": 2})


def test_contract_without_extras(data: Path) -> None:
    options = SMALL | {"pool": 0, "identity": 5.0, "blocks": 0}
    check_variant(CycleGAN, data=str(data), size=20, channels=1, flip=True, options=options)


# Data.


def test_data_is_unpaired_and_shares_channels(data: Path) -> None:
    found = CycleGAN.dataset(recipe(data))
    assert (len(found), found.spec) == (9, DataSpec((3, 16, 16)))
    index = torch.arange(9)
    a, b = found.batch(index, torch.Generator().manual_seed(3))
    assert a.shape == b.shape == (9, 3, 16, 16) and a.dtype == torch.uint8
    assert a[:, :, 0, 0].tolist() == [[20 * i] * 3 for i in range(9)]  # A in order
    again = found.batch(index, torch.Generator().manual_seed(3))
    other = found.batch(index, torch.Generator().manual_seed(4))
    assert torch.equal(again[1], b) and not torch.equal(other[1], b)  # B by chance, the same for the same seed


def test_folders_by_the_paper_s_names(data: Path) -> None:
    was = CycleGAN.dataset(recipe(data)).fingerprint()
    for name in "AB":
        (data / name).rename(data / f"train{name}")
    assert CycleGAN.dataset(recipe(data)).fingerprint() == was
    (data / "trainB" / "B0.png").unlink()
    assert CycleGAN.dataset(recipe(data)).fingerprint() != was


def test_what_is_held_out_is_in_folders_of_its_own(data: Path) -> None:
    trained_on = CycleGAN.dataset(recipe(data))
    assert CycleGAN.dataset(recipe(data), train=False).fingerprint() == trained_on.fingerprint()  # nothing is held out
    for name in "AB":
        (data / f"test{name}").mkdir()
        Image.new("RGB", (16, 16), "red").save(data / f"test{name}" / "new.png")
    held = CycleGAN.dataset(recipe(data), train=False)
    assert len(held) == 1 and held.fingerprint() != trained_on.fingerprint()
    assert CycleGAN.dataset(recipe(data)).fingerprint() == trained_on.fingerprint()


@pytest.mark.parametrize("missing", ["A", "B"])
def test_a_missing_folder_is_named(data: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    (data / missing).rename(data / "elsewhere")
    with pytest.raises(UserError) as error:
        CycleGAN.dataset(recipe(data))
    assert error.value.code == USAGE and f"{missing}/" in error.value.message and "--data" in error.value.hint
    assert run(["train", "cyclegan", "--steps", "1", *FLAGS]) == USAGE
    assert f"no folder {missing}/" in capsys.readouterr().err


def test_data_that_is_no_two_sets_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "cyclegan", *FLAGS, "--data", "digits"]) == USAGE
    assert "digits holds images, not unpaired" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_sizes_it_cannot_draw_are_refused() -> None:
    for size, options in ((30, SMALL | {"halvings": 2}), (12, SMALL | {"d_layers": 2})):
        with pytest.raises(UserError, match="size"):
            CycleGAN(CycleGAN.Options(**options), DataSpec((1, size, size)))


def test_pool_is_in_the_state(variant: CycleGAN) -> None:
    assert variant.state_dict()["pool_a.images"].shape == (6, 3, 16, 16)


# The losses and the schedule.


def test_losses_are_the_paper_s(variant: CycleGAN) -> None:
    a, b = torch.rand(2, 2, 3, 16, 16)
    g, f, d_a, d_b = variant.g, variant.f, variant.d_a, variant.d_b
    loss = variant.g_loss((a, b, g(a), f(b)))
    assert isinstance(loss, dict) and loss.keys() == {"fool", "cycle"}
    fool = (d_b(g(a)) - 1).square().mean() + (d_a(f(b)) - 1).square().mean()
    cycle = 10 * ((f(g(a)) - a).abs().mean() + (g(f(b)) - b).abs().mean())
    torch.testing.assert_close(loss["fool"], fool)
    torch.testing.assert_close(loss["cycle"], cycle)
    judged = variant.d_loss((a, b, g(a), f(b)))
    assert isinstance(judged, dict)
    torch.testing.assert_close(judged["b"], ((d_b(b) - 1).square().mean() + d_b(g(a)).square().mean()) / 2)


def test_each_part_has_its_weight(variant: CycleGAN) -> None:
    a, b = torch.rand(2, 2, 3, 16, 16)
    was = variant.g_loss((a, b, variant.g(a), variant.f(b)))
    variant.options.cycle, variant.options.adversarial, variant.options.identity = 5.0, 0.25, 2.0
    now = variant.g_loss((a, b, variant.g(a), variant.f(b)))
    assert isinstance(was, dict) and isinstance(now, dict)
    torch.testing.assert_close(now["fool"], was["fool"] / 4)
    torch.testing.assert_close(now["cycle"], was["cycle"] / 2)
    same = (variant.g(b) - b).abs().mean() + (variant.f(a) - a).abs().mean()
    torch.testing.assert_close(now["identity"], 2 * same)


def test_annealing_is_asked_for(variant: CycleGAN) -> None:
    factors = []
    for variant.progress in (0.0, 0.5, 0.75, 1.0):
        factors.append(variant.schedule())
    assert factors == [1, 1, 1, 1]
    variant.options.anneal = True
    factors = []
    for variant.progress in (0.0, 0.5, 0.75, 1.0):
        factors.append(variant.schedule())
    assert factors == [1, 1, 0.5, 0]


def test_a_patch_is_as_wide_as_the_paper_s() -> None:
    """The score in the middle sees 70 pixels when D halves three times."""
    d = CycleGAN(CycleGAN.Options(**SMALL | {"d_layers": 3}), DataSpec((1, 128, 128))).d_a
    assert isinstance(d, torch.nn.Sequential)
    local = torch.nn.Sequential(*(m for m in d if not isinstance(m, torch.nn.InstanceNorm2d)))
    x = torch.rand(1, 1, 128, 128, requires_grad=True)
    (slope,) = torch.autograd.grad(local(x)[0, 0, 7, 7], x)
    assert int((slope[0, 0].abs().sum(0) > 0).sum()) == 70


# measure, and images.


def test_the_identity_undoes_itself_and_fails_all_else() -> None:
    held = two_worlds(Recipe(), train=False)
    torch.manual_seed(0)
    variant = CycleGAN(CycleGAN.Options(**SMALL), held.spec).eval()
    variant.g = variant.f = torch.nn.Identity()
    found = variant.measure(held)
    assert found["cycle_l1"] == 0 and found["domain"] == 0 and found["psnr"] < 10


def test_two_sets_of_one_s_own_are_measured_by_the_way_back(data: Path) -> None:
    held = CycleGAN.dataset(recipe(data))
    torch.manual_seed(0)
    variant = CycleGAN(CycleGAN.Options(**SMALL), held.spec).eval()
    a, _ = held.batch(torch.arange(9), torch.Generator())
    x = a.float() / 127.5 - 1
    with torch.no_grad():
        back = (variant.f(variant.g(x)) - x).abs().mean().item()
    found = variant.measure(held)
    assert found.keys() == {"cycle_l1"} and found["cycle_l1"] >= back - 1e-6


def test_preview_shows_each_set_and_what_becomes_of_it(variant: CycleGAN) -> None:
    a, b = torch.rand(2, 7, 3, 16, 16)
    with torch.no_grad():
        shown = variant.preview((a, b)).images
        assert shown.shape == (2, 12, 3, 16, 16)
        expected = torch.stack([a[4], variant.g(a[4:5])[0], b[4], variant.f(b[4:5])[0]])
        torch.testing.assert_close(shown[1, 4:8], expected)
        assert variant.preview((a[:2], b[:2])).images.shape == (2, 4, 3, 16, 16)


# The command line.


def test_resumed_run_is_the_same_run(data: Path) -> None:
    assert run(["train", "cyclegan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "cyclegan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_images_keep_their_names(data: Path) -> None:
    assert run(["train", "cyclegan", "--steps", "1", "--out", "run", *FLAGS]) == 0
    Path("run/model.safetensors").rename("alone.safetensors")
    for direction in ("a2b", "b2a"):
        sample = ["sample", "cyclegan", "--run", "alone.safetensors", "--input", "data/B", "--direction", direction]
        assert run([*sample, "--out", direction, "--device", "cpu", "--quiet"]) == 0
        assert sorted(p.name for p in Path(direction).iterdir()) == sorted(p.name for p in (data / "B").iterdir())
    assert Path("a2b/B3.png").read_bytes() != Path("b2a/B3.png").read_bytes()


def test_preset(data: Path) -> None:
    assert run(["train", "cyclegan", "--preset", "paper", "--steps", "1", "--out", "run", *FLAGS]) == 0
    config = Path("run/config.yaml").read_text()
    assert "anneal: true" in config and "lr: 0.0002" in config and "ema_images: 0" in config


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Nine blocks, patches of 70 pixels, lambda 10, a pool of 50; 2e-4, the second half of 200 epochs annealed to 0."""
    variant, recipe = with_preset("cyclegan", "paper", (3, 256, 256))
    wide = [m for m in variant.g.modules() if isinstance(m, torch.nn.Conv2d) and m.in_channels == m.out_channels == 256]
    assert len(wide) == 2 * 9
    judge = [m.out_channels for m in variant.d_a.modules() if isinstance(m, torch.nn.Conv2d)]
    assert judge == [64, 128, 256, 512, 1]
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
    factors = []
    for variant.progress in (0.0, 0.5, 0.75, 1.0):
        factors.append(variant.schedule())
    assert factors == [1, 1, 0.5, 0]
    o = variant.options
    assert (recipe.batch_size, recipe.epochs, recipe.ema_images, o.cycle, o.pool) == (1, 200, 0, 10, 50)


def test_what_comes_next_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [flag for flag in FLAGS if flag not in ("--quiet", "--data", "data")]
    assert run(["train", "cyclegan", "--steps", "1", *flags]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    first, second = (part.strip().removeprefix("next: ") for part in last.split("&&"))
    assert first == "gantool data export two-worlds inputs -n 8"
    for line in (first, second):
        assert run(line.removeprefix("gantool ").split()) == 0
    assert 0 < len(list(Path("outputs").iterdir())) <= 8
