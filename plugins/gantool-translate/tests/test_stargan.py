"""StarGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import USAGE, DataSpec, Recipe, UserError, as_floats
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from gantool_translate.made import TINTS, Tints, tints
from gantool_translate.stargan import StarGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"width": 2, "blocks": 1, "d_layers": 2}
FLAGS = [
    "--size", "8", "--width", "2", "--blocks", "1", "--d-layers", "2", "--batch-size", "4", "--device", "cpu",
    "--quiet",
]  # fmt: skip


@pytest.fixture
def variant() -> StarGAN:
    torch.manual_seed(0)
    return StarGAN(StarGAN.Options(**SMALL), DataSpec((3, 8, 8), tuple(TINTS))).eval()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A domain for each class folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("black", "blond", "brown", "grey"):
        (tmp_path / "hair" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (12, 12), (20 * i, 90, 10)).save(tmp_path / "hair" / name / f"{i}.png")
    return tmp_path / "hair"


def test_contract() -> None:
    check_variant(StarGAN, options=SMALL, size=8)


def test_contract_on_folders(folder: Path) -> None:
    options = SMALL | {"halvings": 2, "blocks": 0, "d_steps": 1, "anneal": True}
    check_variant(StarGAN, options=options, data=str(folder), size=12, flip=True)


def test_images_without_domains_are_refused() -> None:
    with pytest.raises(UserError, match="needs domains") as error:
        StarGAN(StarGAN.Options(), DataSpec((3, 32, 32)))
    assert error.value.code == USAGE


def test_sizes_it_cannot_draw_are_refused() -> None:
    for size, options in ((30, SMALL), (4, SMALL), (8, SMALL | {"d_layers": 4})):
        with pytest.raises(UserError, match="size") as error:
            StarGAN(StarGAN.Options(**options), DataSpec((3, size, size), tuple(TINTS)))
        assert "--size" in error.value.hint


# The losses.


def test_losses_are_the_paper_s(variant: StarGAN) -> None:
    x, y, c = torch.rand(5, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([2, 2, 1, 0, 0])
    fake, o = variant.draw(x, c), variant.options
    o.classification, o.cycle, o.penalty = 0.5, 7.0, 3.0

    def source(p: Tensor) -> Tensor:
        return variant.source(variant.body(p))  # type: ignore[no-any-return]

    def log_p(p: Tensor, of: Tensor) -> Tensor:
        return variant.classifier(variant.body(p)).view(5, 3).log_softmax(1)[range(5), of].mean()

    torch.manual_seed(3)
    d = variant.d_loss((x, y, fake.detach()))
    g = variant.g_loss((x, y, c, fake))
    assert isinstance(d, dict) and isinstance(g, dict)
    torch.testing.assert_close(d["critic"], source(fake).mean() - source(x).mean())
    torch.testing.assert_close(d["class"], -0.5 * log_p(x, y))
    torch.testing.assert_close(g["fool"], -source(fake).mean())
    torch.testing.assert_close(g["class"], -0.5 * log_p(fake, c))
    torch.testing.assert_close(g["cycle"], 7 * (variant.draw(fake, y) - x).abs().mean())
    torch.manual_seed(3)
    e = torch.rand(5, 1, 1, 1)
    slopes = []
    for i in range(5):  # one by one
        between = (e[i] * x[i] + (1 - e[i]) * fake[i]).detach().unsqueeze(0).requires_grad_()
        source(between).sum().backward()  # type: ignore[no-untyped-call]
        assert between.grad is not None
        slopes.append(between.grad.norm())
    torch.testing.assert_close(d["penalty"], 3 * (torch.stack(slopes) - 1).square().mean())


def test_d_has_its_turns_on_new_images(variant: StarGAN) -> None:
    variant.options.d_steps = 3
    batches = [(torch.full((4, 3, 8, 8), i / 10), torch.arange(4) % 3) for i in range(9)]
    turns = list(variant.turns(iter(batches)))
    assert [t.player for t in turns] == ["D", "D", "D", "G"]
    assert [round(t.batch[0][0, 0, 0, 0].item(), 1) for t in turns] == [0.0, 0.1, 0.2, 0.2]
    x, _, c, fake = turns[-1].batch
    torch.testing.assert_close(fake, variant.draw(x, c))
    assert fake.requires_grad and not turns[0].batch[-1].requires_grad


def test_targets_are_even(variant: StarGAN) -> None:
    batch = torch.zeros(600, 3, 8, 8), torch.zeros(600, dtype=torch.int64)
    *_, turn = variant.turns(iter([batch] * 2))
    assert torch.bincount(turn.batch[2], minlength=3).min() > 150


def test_the_label_is_not_normed_away() -> None:
    """Instance norm takes constant maps away, so none may come before they have met the image."""
    torch.manual_seed(0)
    variant = StarGAN(StarGAN.Options(**SMALL | {"blocks": 0}), DataSpec((3, 8, 8), tuple(TINTS))).eval()
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        drawn = [variant.draw_all(x, c) for c in range(3)]
    assert float((drawn[0] - drawn[1]).abs().mean()) > 1e-4 and float((drawn[1] - drawn[2]).abs().mean()) > 1e-4


def test_annealing_is_asked_for(variant: StarGAN) -> None:
    for anneal, expected in ((False, [1, 1, 1]), (True, [1, 0.5, 0])):
        variant.options.anneal, factors = anneal, []
        for variant.progress in (0.5, 0.75, 1.0):
            factors.append(variant.schedule())
        assert factors == expected


# measure, and images.


def drawn_as(variant: StarGAN, monkeypatch: pytest.MonkeyPatch, how: Any) -> dict[str, float]:
    """What is measured of a G that answers `how(data, x, c)`; it is shown the images in their order."""
    data = tints(Recipe(), train=False)
    assert isinstance(data, Tints)
    at = [0]

    def draw_all(x: Tensor, c: int) -> Tensor:
        rows = slice(at[0], at[0] + len(x))
        at[0] = (at[0] + len(x)) % len(data)
        return how(data, rows, c)  # type: ignore[no-any-return]

    monkeypatch.setattr(variant, "draw_all", draw_all)
    return variant.measure(data)


def test_exact_recolouring_is_perfect(variant: StarGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = torch.tensor(list(TINTS.values())).view(3, 1, 3, 1, 1)
    found = drawn_as(variant, monkeypatch, lambda data, rows, c: data.ink[rows] * colours[c] * 2 - 1)
    assert found["domain"] == 1 and found["psnr"] > 50 and found["own_l1"] < 0.005 and found["kept"] > 0.96


def test_the_worst_of_nine_pairs_counts(variant: StarGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact but for images that are green and should be blue."""
    colours = torch.tensor(list(TINTS.values())).view(3, 1, 3, 1, 1)

    def how(data: Tints, rows: slice, c: int) -> Tensor:
        x = data.ink[rows] * colours[c] * 2 - 1
        same = as_floats((data.pixels[rows],), torch.device("cpu"))[0]
        return torch.where(((data.labels[rows] == 1) & (c == 2)).view(-1, 1, 1, 1), same, x)

    found = drawn_as(variant, monkeypatch, how)
    assert found["domain"] == 0 and found["psnr"] < 20 and found["own_l1"] < 0.005


def test_one_s_own_domain_is_measured_of_any_data(folder: Path) -> None:
    data = StarGAN.dataset(Recipe(data=str(folder), size=8), None)
    variant = StarGAN(StarGAN.Options(**SMALL), data.spec).eval()
    found = variant.measure(data)
    x, y = as_floats(data.batch(torch.arange(len(data)), torch.Generator()), torch.device("cpu"))
    with torch.no_grad():
        own = (variant.draw(x, y) - x).abs()
    assert found == {"own_l1": pytest.approx(max(float(own[y == c].mean()) for c in range(4)))}


def test_preview_has_a_column_for_each_domain(variant: StarGAN) -> None:
    x = torch.rand(14, 3, 8, 8)
    with torch.no_grad():
        shown, across, _ = variant.preview((x, torch.zeros(14)))
        assert shown.shape == (6, 8, 3, 8, 8) and across == 2 * ["input", *variant.data.classes]
        shown = shown.view(12, 4, 3, 8, 8)
        torch.testing.assert_close(shown[5, 0], x[5])
        torch.testing.assert_close(shown[5, 2], variant.draw(x[5:6], torch.tensor([1]))[0])


# The command line.


def test_the_model_file_alone_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "stargan", "--steps", "3", "--out", "run", *FLAGS]) == 0
    Path("run/model.safetensors").rename("alone.safetensors")
    with safe_open("alone.safetensors", "pt") as file:
        assert {name.split(".")[1] for name in file.keys()} == {"g"}  # noqa: SIM118  # it is no dict
    Path("in").mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (9, 9), "white").save(f"in/{name}.png")
    sample = ["sample", "stargan", "--run", "alone.safetensors", "--device", "cpu", "--quiet", "--input", "in"]
    for to in ("red", "blue", "2"):
        assert run([*sample, "--to", to, "--out", to]) == 0
        assert sorted(p.name for p in Path(to).iterdir()) == ["one.png", "two.png"]
    assert Path("blue/one.png").read_bytes() == Path("2/one.png").read_bytes() != Path("red/one.png").read_bytes()
    capsys.readouterr()
    assert run([*sample, "--to", "gren", "--out", "none.png"]) == USAGE
    said = capsys.readouterr().err
    assert "green" in said and "red, green, blue" in said and not Path("none.png").exists()


def test_preset(folder: Path) -> None:
    assert run(["train", "stargan", "--preset", "paper", "--data", "hair", "--steps", "1", "--out", "run", *FLAGS]) == 0
    config = Path("run/config.yaml").read_text()
    assert "d_steps: 5" in config and "lr: 0.0001" in config and "cycle: 10" in config and "anneal: true" in config


def test_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "stargan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "stargan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Six blocks in G, six halvings in D, five turns of D to one of G, Adam 1e-4, the second half annealed."""
    variant, recipe = with_preset("stargan", "paper", (3, 128, 128), 5)
    wide = [m for m in variant.g.modules() if isinstance(m, torch.nn.Conv2d) and m.in_channels == m.out_channels == 256]
    assert len(wide) == 2 * 6
    body = [m.out_channels for m in variant.body.modules() if isinstance(m, torch.nn.Conv2d)]
    assert body == [64, 128, 256, 512, 1024, 2048]
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (1e-4, (0.5, 0.999))
    factors = []
    for variant.progress in (0.0, 0.5, 0.75):
        factors.append(variant.schedule())
    assert factors == [1, 1, 0.5]
    o = variant.options
    assert (recipe.batch_size, recipe.steps, o.d_steps, recipe.ema_images) == (16, 40_000, 5, 0)
    assert (o.classification, o.cycle, o.penalty) == (1, 10, 10)


def test_what_comes_next_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [flag for flag in FLAGS if flag not in ("--quiet", "--data", "data")]
    assert run(["train", "stargan", "--steps", "1", *flags]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    first, second = (part.strip().removeprefix("next: ") for part in last.split("&&"))
    assert first == "gantool data export tints inputs -n 8"
    for line in (first, second):
        assert run(line.removeprefix("gantool ").split()) == 0
    assert 0 < len(list(Path("outputs").iterdir())) <= 8
