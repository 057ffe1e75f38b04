"""The data sets made by code are what they say, and their scores tell right translations from wrong ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from gantool.api import Data, Recipe, as_floats, open_data
from gantool.testing import check_data
from torch import Tensor

import gantool_translate
from gantool_translate.made import HUES, INK, PAPER, TINTS, Tints, Worlds, edges, tints, two_worlds
from gantool_translate.paired import Paired
from gantool_translate.scores import along, drawn_with, mean_ink, nearest_tint, over_all

torch.set_num_threads(1)
CPU = torch.device("cpu")
MADE = {"edges": edges, "two-worlds": two_worlds, "tints": tints}


def floats(x: Tensor) -> Tensor:
    (found,) = as_floats((x,), CPU)
    return found  # type: ignore[no-any-return]


def real_digits() -> Tensor:
    return open_data(Recipe(data="digits", size=32)).pixels


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    found = two_worlds(Recipe(), train=False)
    assert isinstance(found, Worlds)
    return found


@pytest.fixture(scope="module")
def tinted() -> Tints:
    found = tints(Recipe(), train=False)
    assert isinstance(found, Tints)
    return found


def thresholds(variant: str) -> list[tuple[str, bool, float]]:
    """Those of a card that are bounds alone."""
    path = Path(gantool_translate.__file__).parent / "cards" / f"{variant}.yaml"
    (entry,) = yaml.safe_load(path.read_text())
    words = [threshold.split() for threshold in entry["thresholds"]]
    return [(score, sign == ">=", float(bound)) for score, sign, bound, *more in words if not more]


def failed(variant: str, found: dict[str, float]) -> set[str]:
    return {
        score
        for score, least, bound in thresholds(variant)
        if score in found and not (found[score] >= bound if least else found[score] <= bound)
    }


@pytest.mark.parametrize("name", MADE)
def test_a_data_set_keeps_the_contract(name: str) -> None:
    check_data(name, size=16)


@pytest.mark.parametrize("name", MADE)
def test_nothing_but_size_and_flip_decides_what_it_is(name: str) -> None:
    one = MADE[name](Recipe(size=16))
    assert one.fingerprint() == MADE[name](Recipe(size=16, seed=7, batch_size=3)).fingerprint()
    assert one.fingerprint() != MADE[name](Recipe(size=16), train=False).fingerprint()
    assert one.spec.size == 16 and one.spec.channels == 3


def test_what_is_held_out_is_never_trained_on() -> None:
    for made in (edges, tints):
        seen: list[set[bytes]] = []
        for train in (True, False):
            data = made(Recipe(), train)
            light = data.b.pixels if isinstance(data, Paired) else data.pixels  # type: ignore[attr-defined]
            seen.append({p.numpy().tobytes() for p in light})
        assert len(seen[0]) > 3990 and len(seen[1]) > 990 and not seen[0] & seen[1]


def test_outlines_lie_around_the_digit_and_its_colour_is_its_class() -> None:
    data = edges(Recipe())
    assert isinstance(data, Paired)
    a, b, y = data.a.pixels, data.b.pixels, data.b.labels
    assert len(a) == 4_000 and set(a.unique().tolist()) == {0, 255}
    x = real_digits()[torch.arange(5_000) % 5 != 4]
    solid = x > 127
    assert not (solid & (a[:, :1] > 0)).any()
    wide = np.pad(solid.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    grown = np.any([wide[:, :, i : i + 32, j : j + 32] for i in range(3) for j in range(3)], axis=0)
    assert np.array_equal(grown & ~solid.numpy(), a[:, :1].numpy() > 0)
    assert bool((nearest_tint(floats(b[:300]), HUES) == y[:300]).all())
    light = b.amax(1, keepdim=True).float() / x.clamp_min(1)
    at = light[x > 250]
    assert bool((((at - 1).abs() < 0.03) | ((at - 0.6).abs() < 0.03)).all())  # two strokes of the crayon
    assert 0.45 < float((at > 0.8).float().mean()) < 0.55


def test_the_hatching_cannot_be_known() -> None:
    """Its beginning is as often one as another, so that there is something for D to ask for."""
    data = edges(Recipe())
    assert isinstance(data, Paired)
    x = real_digits()[torch.arange(5_000) % 5 != 4]
    full = data.b.pixels.amax(1, keepdim=True) > 0.8 * x
    row = torch.arange(32)
    phase = ((row.view(-1, 1) + row) % 4).expand(4_000, 1, 32, 32)
    for i in range(4):
        assert 0.45 < float(full[(phase == i) & (x > 200)].float().mean()) < 0.55


def test_the_worlds_share_no_digit(worlds: Worlds) -> None:
    train = two_worlds(Recipe())
    assert isinstance(train, Worlds)
    for data, count in ((train, 2_000), (worlds, 500)):
        assert len(data.a) == len(data.b) == count
        a = {p.numpy().tobytes() for p in data.a.pixels}
        assert not a & {p.numpy().tobytes() for p in data.b_in_a}  # what B is made of
        assert torch.bincount(data.a.labels).tolist() == [count // 10] * 10
    assert not {p.numpy().tobytes() for p in worlds.a.pixels} & {p.numpy().tobytes() for p in train.a.pixels}


def test_b_is_a_inverted_tinted_and_dilated(worlds: Worlds) -> None:
    x = worlds.a.pixels[:20, 0].numpy().astype(float) / 255
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    thick = np.max([wide[:, i : i + 32, j : j + 32] for i in range(3) for j in range(3)], axis=0)
    for channel in range(3):
        exact = PAPER[channel].item() + thick * (INK - PAPER)[channel].item()
        assert np.abs(worlds.a_in_b[:20, channel].numpy() / 255 - exact).max() < 0.004


def test_a_batch_is_unpaired_by_lot(worlds: Worlds) -> None:
    index = torch.arange(20)
    a, b = worlds.batch(index, torch.Generator().manual_seed(1))
    assert torch.equal(a, worlds.a.pixels[:20]) and not torch.equal(b, worlds.b.pixels[:20])


# The scores, on what is right and on what is wrong in a known way.


def test_right_translations_pass_every_gate(worlds: Worlds, tinted: Tints) -> None:
    found = worlds.scores(floats(worlds.a_in_b), floats(worlds.b_in_a))
    assert found["domain"] == 1 and found["psnr"] == 100
    assert failed("cyclegan", found) == set()
    for tint in range(3):
        exact = exactly(tinted, tint)
        for was in range(3):
            found = tinted.scores(exact, tint, tinted.labels == was)
            assert failed("stargan", found) == set() and found["domain"] == 1


def exactly(data: Tints, tint: int) -> Tensor:
    colour = torch.tensor(list(TINTS.values())[tint]).view(1, 3, 1, 1)
    return data.ink * colour * 2 - 1


NULLS: dict[str, Any] = {
    "identity": (lambda w: (floats(w.a.pixels), floats(w.b.pixels)), {"domain", "psnr"}),
    "another digit": (lambda w: (floats(w.a_in_b.roll(50, 0)), floats(w.b_in_a.roll(50, 0))), {"kept", "psnr"}),
    "ink for paper": (lambda w: (floats(255 - w.a.pixels), floats(255 - w.b.pixels)), {"domain", "psnr"}),
    "one way only": (lambda w: (floats(w.a_in_b), floats(w.b.pixels)), {"domain", "psnr"}),
    "not thick": (lambda w: (floats(not_thick(w)), floats(w.b_in_a)), {"psnr"}),
}


def not_thick(w: Worlds) -> Tensor:
    x = w.a.pixels[:, :1].float() / 255
    shown = PAPER.view(1, 3, 1, 1) + x * (INK - PAPER).view(1, 3, 1, 1)
    return (shown * 255).round().byte()


@pytest.mark.parametrize("null", NULLS)
def test_wrong_translations_fail(worlds: Worlds, null: str) -> None:
    make, thresholds = NULLS[null]
    assert failed("cyclegan", worlds.scores(*make(worlds))) >= thresholds


def test_the_identity_fails_stargan(tinted: Tints) -> None:
    """And so does a label that is ignored: one tint for all."""
    same, red = floats(tinted.pixels), exactly(tinted, 0)
    assert failed("stargan", tinted.scores(same, 1, tinted.labels == 0)) >= {"domain", "psnr"}
    assert failed("stargan", tinted.scores(red, 1, tinted.labels == 0)) >= {"domain", "psnr"}
    assert failed("stargan", tinted.scores(exactly(tinted, 1).roll(90, 0), 1, tinted.labels == 0)) >= {"kept", "psnr"}


def test_psnr_is_that_of_the_mean_squared_error() -> None:
    x = torch.zeros(2, 1, 4, 4)
    y = x.clone()
    y[0] = 0.2  # .1 of 1, in half of the pixels
    assert over_all(x, y) == pytest.approx(10 * np.log10(1 / 0.005))


def test_ink_is_read_off_the_line_between_two_colours() -> None:
    m = torch.rand(5, 1, 6, 6)
    x = (PAPER.view(1, 3, 1, 1) + m * (INK - PAPER).view(1, 3, 1, 1)) * 2 - 1
    found, off = along(x, PAPER, INK)
    torch.testing.assert_close(found, m, atol=1e-5, rtol=0)
    assert float(off.max()) < 1e-6
    line = INK - PAPER
    across = torch.linalg.cross(line, torch.tensor([1.0, 0, 0]))
    moved = x + 2 * 0.2 * (across / across.norm()).view(1, 3, 1, 1)
    found, off = along(moved, PAPER, INK)
    torch.testing.assert_close(found, m, atol=1e-5, rtol=0)
    torch.testing.assert_close(off, torch.full((5,), 0.2 / 3**0.5))
    assert not drawn_with(moved, PAPER, INK).any()


def test_nothing_has_no_tint() -> None:
    colours = torch.tensor(list(TINTS.values()))
    assert nearest_tint(torch.full((2, 3, 8, 8), -1.0), colours).tolist() == [-1, -1]
    grey = torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1) * 2 - 1
    torch.testing.assert_close(mean_ink(grey), torch.ones(2, 3))
    assert nearest_tint(grey, colours).tolist() == [-1, -1]


def test_held_out_pairs_are_there_for_all(worlds: Worlds) -> None:
    data: Data = edges(Recipe(), train=False)
    assert isinstance(data, Paired) and len(data) == 1_000
    assert torch.bincount(data.b.labels).tolist() == [100] * 10
