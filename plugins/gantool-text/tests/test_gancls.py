"""GAN-CLS keeps gantool's contract and the paper's equations; its model file knows its words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gantool.api import USAGE, DataSpec, Recipe, UserError, open_data
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from gantool_text import measures
from gantool_text.captions import Captions, numbers
from gantool_text.gancls import GANCLS
from gantool_text.lettering import LINES, captioned, wrapped
from gantool_text.scenes import Meant

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 4, "width": 2, "features": 6, "condition": 5}
FLAGS = ["--z", "4", "--width", "2", "--features", "6", "--condition", "5", "--batch-size", "4", "--grid", "2x2",
         "--device", "cpu", "--quiet"]  # fmt: skip
WORDS = ("a", "blue", "large", "purple", "three")


def made(**options: Any) -> GANCLS:
    torch.manual_seed(0)
    return GANCLS(GANCLS.Options(**SMALL | options), DataSpec((3, 8, 8), words=WORDS)).eval()


@pytest.fixture
def variant() -> GANCLS:
    return made()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Nine images with captions, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    with Path("data/captions.jsonl").open("w") as file:
        for i in range(9):
            Image.new("RGB", (8, 8), (25 * i, 200, 0)).save(f"data/{i}.png")
            caption = [f"a {'dark' if i < 5 else 'bright'} green", f"image number n{i}"]
            file.write(json.dumps({"file": f"{i}.png", "caption": caption}) + "\n")
    return "data"


def test_contract(data: str) -> None:
    check_variant(GANCLS, options=SMALL, data=data)


def test_contract_with_interpolated_captions_and_nothing_beyond_the_paper(data: str) -> None:
    options = SMALL | {"between": 1.0, "match": 0.0, "r1": 0.0, "projection": False, "d_steps": 2}
    check_variant(GANCLS, options=options, data=data, channels=1, size=12, flip=True)


def test_contract_on_its_own_data_shuffled() -> None:
    check_variant(GANCLS, options=SMALL | {"shuffled": True})


# The paper.


def batch(n: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(n, 3, 8, 8) * 2 - 1, torch.randint(1, 6, (n, 4)), torch.randint(1, 6, (n, 3 + 1))


def test_losses_are_algorithm_1() -> None:
    """As logarithms of probabilities."""
    variant = made(match=0.0)
    x, t, other = batch()
    fake = variant.draw(torch.randn(6, 4), t)
    s_r, s_w, s_f = (variant.d_logits(*pair).double().sigmoid() for pair in ((x, t), (x, other), (fake, t)))
    variant.step = 1  # a step without a penalty
    d, g = variant.d_loss((x, t, other, fake.detach())), variant.g_loss((x, t, other, fake))
    assert isinstance(d, dict) and isinstance(g, dict) and d.keys() == {"real", "wrong", "fake"}
    l_d = s_r.log().mean() + ((1 - s_w).log().mean() + (1 - s_f).log().mean()) / 2
    torch.testing.assert_close(sum(d.values()).double(), -l_d)  # type: ignore[union-attr]
    assert g.keys() == {"fool"}
    torch.testing.assert_close(g["fool"].double(), -s_f.log().mean())


def test_both_turns_tell_the_batch_s_captions_apart() -> None:
    """-log P(t | x), of a softmax over the batch; what is real is matched in D's turn, what is drawn in G's."""
    variant, x, t, other = made(match=0.5), *batch()
    fake = variant.draw(torch.randn(6, 4), t)
    phi, D = variant.encoder(t).double(), variant.discriminator
    for seen, loss in (
        (x, variant.d_loss((x, t, other, fake.detach()))), (fake, variant.g_loss((x, t, other, fake)))
    ):  # fmt: skip
        odds = (D.seen(D.maps(seen)).double() @ phi.T).exp()
        own = (odds.diag() / odds.sum(1)).log().mean()
        torch.testing.assert_close(loss["match"].double(), -0.5 * own)  # type: ignore[index, call-overload]


def test_g_also_fools_d_half_way_between_captions() -> None:
    variant = made(between=0.5)
    x, t, other = batch()
    fake = variant.draw(torch.randn(6, 4), t)
    torch.manual_seed(3)
    loss = variant.g_loss((x, t, other, fake))
    torch.manual_seed(3)
    z = torch.randn(6, 4)
    middle = 0.5 * variant.encoder(t) + 0.5 * variant.encoder(other)
    maps = variant.discriminator.maps(variant.generator(z, middle))
    s = variant.discriminator(maps, middle).double().sigmoid()
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["between"].double(), -0.5 * s.log().mean())


def test_shuffled_gives_images_other_captions() -> None:
    variant, honest = made(shuffled=True), made()
    x, t, other = batch()
    fake = honest.draw(torch.randn(6, 4), t).detach()
    variant.step = honest.step = 1
    d, same = variant.d_loss((x, t, other, fake)), honest.d_loss((x, other, other.roll(1, 0), fake))
    assert isinstance(d, dict) and isinstance(same, dict)
    torch.testing.assert_close(d["real"], same["real"])
    torch.testing.assert_close(d["wrong"], same["wrong"])
    torch.testing.assert_close(d["fake"], honest.d_loss((x, t, other, fake))["fake"])  # type: ignore[index]


def test_the_encoder_is_taught_by_d_alone(variant: GANCLS) -> None:
    x, t, other = batch()
    weights = list(variant.encoder.parameters())
    g = variant.g_loss((x, t, other, variant.draw(torch.randn(6, 4), t)))["fool"]  # type: ignore[index]
    assert all(grad is None for grad in torch.autograd.grad(g, weights, allow_unused=True, retain_graph=True))
    d = sum(variant.d_loss((x, t, other, torch.rand(6, 3, 8, 8))).values())  # type: ignore[union-attr]
    assert all(grad.abs().sum() > 0 for grad in torch.autograd.grad(d, weights))


def test_the_caption_decides_words_and_order_and_padding_do_not(variant: GANCLS) -> None:
    z = torch.randn(1, 4)

    def x(text: str, length: int | None = None) -> Tensor:
        return variant.draw(z, numbers([text], WORDS, length))

    with torch.no_grad():
        torch.testing.assert_close(x("a blue three"), x("a blue three", 20))
        assert not torch.equal(x("a blue three"), x("a purple three"))
        assert not torch.equal(x("a blue three"), x("three blue a"))
        phi, t = variant.encoder(numbers(["a blue"], WORDS)), numbers(["a"], WORDS)
        torch.testing.assert_close(variant.encoder(torch.zeros(1, 3, dtype=torch.int64)), torch.zeros(1, 6))
        states = [variant.encoder.states(variant.encoder.embedding(s))[0][0] for s in (numbers(["a blue"], WORDS), t)]
    torch.testing.assert_close(phi[0], states[0].mean(0))
    torch.testing.assert_close(states[0][0], states[1][0])  # what comes later does not change what was read


# Flags of sample.


def test_texts_are_drawn_in_turn(variant: GANCLS, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    monkeypatch.setattr(variant, "draw", lambda z, t: asked.append(t) or z)
    options = variant.SampleOptions(text=["a blue three", "Large purple!"])
    z = variant.sample(5, options)
    assert [row[row > 0].tolist() for row in asked[0]] == [[1, 2, 5], [3, 4], [1, 2, 5], [3, 4], [1, 2, 5]]
    assert len(z.unique(dim=0)) == 5 and variant.sheet(options) == (2, 8)
    assert variant.sheet(variant.SampleOptions(text=["blue"])) is None
    assert variant.sheet(variant.SampleOptions()) is None
    variant.sample(5, variant.SampleOptions(text=["blue", "three"], interpolate=True))
    assert asked[1].unique(dim=0).shape[0] == 1


def test_without_a_text_captions_of_the_first_batch_are_drawn(variant: GANCLS, monkeypatch: pytest.MonkeyPatch) -> None:
    x, t, other = batch(3)
    variant.step = 0
    variant.fake((x, t, other))
    variant.step = 1
    variant.fake((x, other, t))
    asked: list[Tensor] = []
    monkeypatch.setattr(variant, "draw", lambda z, t: asked.append(t) or z)
    variant.sample(7, variant.SampleOptions())
    assert torch.equal(asked[0][:, :4], t[torch.arange(7) % 3]) and not asked[0][:, 4:].any()


def test_captions_stand_under_enlarged_images() -> None:
    x = torch.rand(2, 3, 50, 50) * 2 - 1
    seen = captioned(x, ["a", "a large blue three at the centre"])
    assert seen.shape[:2] == (2, 3) and seen.shape[3] == 150 and seen.shape[2] > 150 + 12 * LINES
    assert torch.equal(seen[:, :, 1:150:3, 1:150:3], x)
    below = seen[:, :, 150:]
    assert below.min() == -1 and below.max() > 0.5 and torch.equal(below[:, 0], below[:, 1])
    ink = ((below + 1) / 2).sum((1, 2, 3))
    assert ink[1] > 5 * ink[0] > 0
    assert captioned(x[:, :1], ["a", "b"]).shape[1] == 1
    assert (captioned(torch.rand(1, 4, 8, 8), ["a"])[:, 3, 128:] == 1).all()


def test_lines_are_broken_between_words() -> None:
    assert wrapped("one two three four", 9, len) == ["one two", "three", "four"]
    assert wrapped("abcdefghijkl m", 9, len) == ["abcdefghijkl", "m"]
    assert wrapped("", 9, len) == [""]


# measure.


def test_area_is_the_share_of_pairs_in_order() -> None:
    torch.manual_seed(0)
    right, wrong = torch.randint(0, 9, (40,)).float(), torch.randint(0, 7, (30,)).float()
    pairs = [(a > b) + (a == b) / 2 for a in right.tolist() for b in wrong.tolist()]
    assert measures.area(right, wrong) == pytest.approx(sum(pairs) / len(pairs))
    assert measures.area(torch.ones(3), torch.zeros(3)) == 1 and measures.area(torch.zeros(3), torch.ones(3)) == 0


def test_spread_is_the_variance_within_a_meaning() -> None:
    torch.manual_seed(0)
    features, meant = torch.randn(60, 5), torch.randint(2, (60, 4))
    groups = [features[(meant == m).all(1)].double() for m in meant.unique(dim=0)]
    within = sum(float((g - g.mean(0)).square().sum()) for g in groups)
    assert measures.spread(features, meant) == pytest.approx(within / (60 - len(groups)))


def test_one_digit_for_each_meaning_has_no_handwriting(held: Meant, monkeypatch: pytest.MonkeyPatch) -> None:
    variant, x = knowing(held), held.images.pixels.float() / 127.5 - 1
    first = torch.arange(len(held)) // 4 * 4
    shown = iter(torch.split(first, measures.CHUNK))
    monkeypatch.setattr(variant, "draw", lambda z, t: x[next(shown)])
    found = variant.measure(held)
    assert (held.meanings[first] == held.meanings).all()
    assert found["handwriting"] < 0.01 and found["all_seen"] >= 0.9


@pytest.fixture(scope="module")
def held() -> Meant:
    return open_data(Recipe(data="captions"), False, of=Meant)


def knowing(held: Meant) -> GANCLS:
    torch.manual_seed(0)
    return GANCLS(GANCLS.Options(**SMALL), held.spec).eval()


def test_who_draws_real_images_of_its_captions_has_all_right(held: Meant, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = knowing(held)
    x, m = held.images.pixels.float() / 127.5 - 1, held.meanings
    shown = iter(torch.split(torch.arange(len(held)), measures.CHUNK))
    monkeypatch.setattr(variant, "draw", lambda z, t: x[next(shown)])
    found = variant.measure(held)
    assert min(found["size"], found["colour"], found["place"]) >= 0.99 and found["digit"] >= 0.97
    assert min(found["all_seen"], found["all_unseen"]) >= 0.95 and found["handwriting"] == pytest.approx(1)
    # And who draws that of another place: for each digit they follow each other, four images of each.
    order = torch.arange(len(held)).view(-1, 5, 4).roll(1, 1).flatten()
    assert (m[order, :3] == m[:, :3]).all() and (m[order, 3] != m[:, 3]).all()
    shown = iter(torch.split(order, measures.CHUNK))
    found = variant.measure(held)
    assert found["place"] == 0 and found["all_seen"] == found["all_unseen"] == 0 and found["colour"] >= 0.99


def test_a_d_that_reads_captions_has_an_area_near_one(held: Meant, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = knowing(held)
    by_text = {text: row for row, text in enumerate(held.texts)}
    assert len(by_text) == len(held.texts)
    meaning = {tuple(n[n > 0].tolist()): i // 54 for i, n in enumerate(held.numbers)}

    def d_logits(x: Tensor, t: Tensor) -> Tensor:
        """Bright where the caption is of the image's colour."""
        colours = torch.tensor([(meaning[tuple(n[n > 0].tolist())] // 50) % 5 for n in t])
        return (measures.read(x)[0][:, 1] == colours).float()

    monkeypatch.setattr(variant, "d_logits", d_logits)
    # Right ones are always of the colour, a fifth of wrong ones as well: 1 - .2 / 2.
    assert variant.measure(held)["matching_auc"] == pytest.approx(0.9, abs=0.02)


def test_captions_without_known_meanings_are_matched_only(data: str) -> None:
    held = GANCLS.dataset(Recipe(data=data), train=False)
    assert isinstance(held, Captions)
    torch.manual_seed(0)
    variant = GANCLS(GANCLS.Options(**SMALL), held.spec).eval()
    assert variant.measure(held).keys() == {"matching_auc"}


# The command line.


def test_the_model_file_alone_draws_what_a_text_says(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "gan-cls", "--data", data, "--steps", "3", "--out", "run", *FLAGS]) == 0
    with Image.open("run/samples/step-000003.png") as sheet:
        assert sheet.width == 2 * (2 * 128 + 2)
    Path("run/model.safetensors").rename("alone.safetensors")
    Path("data").rename("gone")
    with safe_open("alone.safetensors", "pt") as file:
        assert {name.split(".")[1] for name in file.keys() if name.startswith("networks")} == set(GANCLS.ema)  # noqa: SIM118  # it is no dict
    sample = ["sample", "gan-cls", "--run", "alone.safetensors", "--device", "cpu", "--quiet"]
    for name, *flags in (
        ("a", "--text", "A bright green"), ("b", "--text", "a dark green"), ("c", "--text", "A bright green."), ("d",)
    ):  # fmt: skip
        assert run([*sample, *flags, "-n", "6", "--out", f"{name}.npz"]) == 0
    x = {}
    for name in "abcd":
        with np.load(f"{name}.npz", allow_pickle=False) as arrays:
            x[name] = arrays["images"]
    assert x["a"].shape == (6, 8, 8, 3) and (x["a"] == x["c"]).all() and (x["a"] != x["b"]).any()
    assert run([*sample, "--text", "a dark green", "--captioned", "--grid", "3x1", "--out", "said.png"]) == 0
    with Image.open("said.png") as sheet:
        assert sheet.width == 2 * (3 * 128 + 4)
    capsys.readouterr()
    assert run([*sample, "--text", "a darc green", "--out", "none.png"]) == USAGE
    said = capsys.readouterr().err
    assert "'darc'" in said and "Did you mean dark?" in said and not Path("none.png").exists()


def test_preset_is_the_paper_s(data: str) -> None:
    assert run(["train", "gan-cls", "--preset", "paper", "--data", data, "--steps", "1", "--out", "a", *FLAGS]) == 0
    config = Path("a/config.yaml").read_text()
    wanted = ("lr: 0.0002", "beta1: 0.5", "between: 1", "match: 0", "projection: false", "r1: 0", "ema_images: 0")
    assert all(line in config for line in wanted)


def test_resumed_run_is_the_same_run(data: str) -> None:
    flags = ["--data", data, *FLAGS]
    assert run(["train", "gan-cls", "--steps", "6", "--out", "whole", *flags]) == 0
    assert run(["train", "gan-cls", "--steps", "3", "--out", "parts", *flags]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_data_that_it_cannot_train_on(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/captions.jsonl").unlink()
    for source, words in (
        (data, "has a caption"),
        ("digits", "digits holds images, not captions"),
        ("nil", "No data set"),
    ):
        assert run(["train", "gan-cls", "--data", source, "--steps", "1", *FLAGS]) == USAGE
        assert words in capsys.readouterr().err


def test_a_hostile_vocabulary_is_refused(variant: GANCLS) -> None:
    with pytest.raises(UserError, match="no caption with"):
        variant.sample(1, variant.SampleOptions(text=["a green three"]))


def test_preset_paper_is_the_paper_s_in_its_settings() -> None:
    """Section 5: captions of 1,024 numbers brought to 128, 100 of noise, Adam 2e-4, 600 passes in batches of 64."""
    variant, recipe = with_preset("gan-cls", "paper", (3, 64, 64))
    inner = [(m.in_features, m.out_features) for m in variant.generator.modules() if isinstance(m, torch.nn.Linear)]
    assert inner[0] == (1024, 128) and inner[1][0] == 100 + 128
    for player in variant.players().values():
        assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))
    o = variant.options
    variant.step = 10_000
    assert (recipe.batch_size, recipe.epochs, recipe.ema_images, variant.schedule()) == (64, 600, 0, 1.0)
    assert (o.between, o.projection, o.match, o.r1) == (1, False, 0, 0)
