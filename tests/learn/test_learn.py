"""Chapters: they find what theory says, and what breaks the theory fails their checks."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Gantool
from PIL import Image

from gantool import learn
from gantool.data.points import ring8, two_gaussians
from gantool.errors import USAGE
from gantool.learn import (
    collapse,
    condition,
    dirac,
    equilibrium,
    exact,
    figure_1,
    memorise,
    not_a_proof,
    optimal_d,
    running,
    saturating,
    value,
    wasserstein,
    when_to_stop,
)
from gantool.learn.chapter import Check, Found, at_least, at_most, near
from gantool.learn.games import Critic
from gantool.registry import Registry
from gantool.viz.plots import Mark, Page, Plot

QUICK = ("saturating", "dirac")  # the others of a few seconds are for CI
LONG = ("optimal-d", "value", "not-a-proof", "wasserstein", "equilibrium")  # exact, or with wide margin


def failed(checks: list[Check]) -> list[str]:
    return [check.what for check in checks if not check.passed]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)])
def test_chapters_find_what_theory_says(name: str) -> None:
    found, _ = running.run(name)
    assert failed(found.checks) == [] and found.checks
    assert 30 <= len(found.film) <= 120
    assert all(page.caption and "step" in page.caption for page in found.film), "a film says which step it shows"


# Each check can fail: on made-up games, which break the theory in one way each.


def one_by_one(right: list[Check], wrong: list[tuple[list[Check], list[str]]]) -> None:
    """What is right passes; each wrong one fails what it should; and all checks have failed once."""
    assert failed(right) == []
    seen = set()
    for checks, names in wrong:
        assert failed(checks) and all(any(what.startswith(name) for what in failed(checks)) for name in names), names
        seen |= set(failed(checks))
    assert seen == {check.what for check in right}


def test_a_d_that_is_not_the_best_fails_its_chapter() -> None:
    x = optimal_d.X
    p, q = exact.normal(x), exact.normal(x, optimal_d.MEAN)
    best, logit = p / (p + q), p.log() - q.log()
    bump = 0.4 * torch.exp(-((x - 0.5) ** 2) / 1e-3)  # at one place, and too narrow to be seen in V
    one_by_one(
        optimal_d.checks(best, logit, p, q),
        [
            (optimal_d.checks(best, logit + bump, p, q), ["largest |D - D*|"]),
            (optimal_d.checks(best, torch.zeros_like(logit), p, q), ["V(D, G)"]),
        ],
    )


def test_a_value_that_is_no_divergence_fails_its_chapter() -> None:
    right = {m: exact.best_value(value.P, exact.normal(value.X, m), value.X) for m in value.MEANS}
    one_by_one(value.checks(right), [(value.checks({m: v - 0.02 for m, v in right.items()}), ["V at mu 4"])])


def test_a_d_that_sees_something_and_a_g_that_is_right_fail_their_chapter() -> None:
    x, p = not_a_proof.X, not_a_proof.P
    q, blind = exact.normal(x), torch.zeros_like(x)
    sees = p.clamp_min(1e-300).log() - q.clamp_min(1e-300).log()
    one_by_one(
        not_a_proof.checks(q, blind, sees),
        [
            (not_a_proof.checks(q, sees, sees), ["straight D, largest", "straight D, V"]),
            (not_a_proof.checks(q, blind, blind), ["D with two layers"]),
            (not_a_proof.checks(p, blind, blind), ["KL", "W1", "and 2 JS"]),
        ],
    )


def test_gradients_and_speeds_that_are_others_fail_their_chapter() -> None:
    logit = torch.linspace(-9, 2, 50, dtype=torch.float64)
    one_by_one(
        saturating.checks(logit, logit.exp(), 8.0, 0.1),
        [
            (saturating.checks(logit, logit.exp() * 1.001, 8.0, 0.1), ["gradients' ratio"]),
            (saturating.checks(logit, logit.exp(), 8.0, 1.0), ["KL"]),
        ],
    )


def spiral(gamma: float, frequency: float, time: float = dirac.TIME) -> dirac.Path:
    t = np.arange(round(time / dirac.RATE) + 1) * dirac.RATE
    far = np.exp(-gamma / 2 * t)
    return [*zip((far * np.cos(frequency * t)).tolist(), (far * np.sin(frequency * t)).tolist(), strict=True)]


def test_paths_of_another_game_fail_the_chapter_of_dirac() -> None:
    circle, winding, straight = spiral(0, 0.5), spiral(0.3, 0.48), spiral(1, 0)
    right = [circle, winding, straight]

    def checks(i: int, path: dirac.Path) -> list[Check]:
        return dirac.checks(dict(zip(dirac.GAMMAS, [*right[:i], path, *right[i + 1 :]], strict=True)))

    one_by_one(
        checks(0, circle),
        [
            (checks(0, spiral(0.02, 0.5)), ["no penalty: least radius"]),
            (checks(0, spiral(-0.02, 0.5)), ["no penalty: largest radius"]),
            (checks(0, spiral(0, 0)), ["no penalty: times round"]),
            (checks(1, spiral(0.4, 0.48)), ["gamma 0.3: time"]),
            (checks(1, spiral(0.3, 0)), ["gamma 0.3: changes"]),
            (checks(2, spiral(1, 0.5)), ["gamma 1: changes"]),
            (checks(2, spiral(0.2, 0)), ["gamma 1: comes"]),
        ],
    )


def test_slopes_of_another_penalty_fail_their_chapter() -> None:
    keys = [(m, weight) for m in wasserstein.MEANS for weight in (*wasserstein.LAMBDAS, 0.0)]
    right = {key: wasserstein.theory(*key) for key in keys}
    one_by_one(
        wasserstein.checks(right), [(wasserstein.checks({k: 1.05 * v for k, v in right.items()}), ["difference"])]
    )


def test_a_g_that_is_not_the_data_and_a_d_that_still_tells_fail_their_chapter() -> None:
    zero, tells = torch.zeros(1_000, dtype=torch.float64), torch.full((1_000,), 0.5, dtype=torch.float64)
    wild = 2 * (-1.0) ** torch.arange(1_000, dtype=torch.float64)  # right on average
    one_by_one(
        equilibrium.checks(0.01, zero, zero),
        [
            (equilibrium.checks(0.06, zero, zero), ["KL"]),
            (equilibrium.checks(0.01, tells, -tells), ["D(x), its mean", "V(D, G)"]),
            (equilibrium.checks(0.01, wild, zero), ["|D(x) - 1/2|"]),
        ],
    )


def test_a_map_that_is_not_the_quantile_function_fails_its_chapter() -> None:
    right = figure_1.quantiles(figure_1.Z.clamp(-0.99, 0.99))
    one_by_one(figure_1.checks(-right), [(figure_1.checks(right + 0.06), ["|G(z) - quantile|"])])


def test_modes_that_are_met_or_missed_fail_their_chapter() -> None:
    one_by_one(
        collapse.checks([1, 8, 2, 3, 8], {collapse.PAIRS: 8, collapse.CRITIC: 8}),
        [
            (collapse.checks([1, 6, 6, 6, 8], {collapse.PAIRS: 8, collapse.CRITIC: 8}), ["modes of 8, plain"]),
            (collapse.checks([0], {collapse.PAIRS: 7, collapse.CRITIC: 8}), ["modes of 8, pairs"]),
            (collapse.checks([0, 1, 1, 1, 1], {collapse.PAIRS: 8, collapse.CRITIC: 6}), ["modes of 8, WGAN"]),
        ],
    )  # fmt: skip


def test_modes_are_counted_by_enough_samples_nearby() -> None:
    data = ring8()
    assert data.modes is not None
    assert collapse.met(data.x, data) == 8 and collapse.near_one(data.x, data) == 1
    assert collapse.met(data.modes[:3].repeat(50, 1), data) == 3
    few = torch.cat([data.modes[:1].repeat(200, 1), data.modes[1:2]])
    assert collapse.met(few, data) == 1, "one in 201 is not enough"
    assert collapse.met(data.modes * 0.8, data) == 0
    turn = torch.linspace(0, 2 * torch.pi, 10_001)[:-1]
    everywhere = 0.8 * torch.stack([turn.cos(), turn.sin()], 1)
    assert collapse.near_one(everywhere, data) == pytest.approx(0.32, abs=0.01)


def test_classes_that_are_drawn_elsewhere_or_otherwise_fail_their_chapter() -> None:
    data = two_gaussians()
    x, y = data.x.double().flatten(), data.labels
    sigma = data.deviation
    centred = x - data.modes[y].flatten()  # type: ignore[index]
    wrong = [(x + 0.06 * sigma, "mean"), (x + 0.1 * centred, "variance")]
    one_by_one(
        condition.checks(data, x, y), [(condition.checks(data, made, y), [f"class 0: {w}"]) for made, w in wrong]
    )


def test_a_g_that_does_not_memorise_or_memorises_always_fails_its_chapter() -> None:
    few, many = memorise.FEW, memorise.MANY
    one_by_one(
        memorise.checks({few: 0.3, many: 1.0}),
        [(memorise.checks({few: 1.0, many: 1.0}), ["nearest"]), (memorise.checks({few: 0.3, many: 0.3}), ["nearest"])],
    )


def test_copies_are_near_and_new_points_are_as_near_as_others() -> None:
    rng = torch.Generator().manual_seed(0)
    known, held, new = (torch.randn(n, 2, generator=rng) for n in (50, 5_000, 5_000))
    assert memorise.ratio(known.repeat(20, 1), held, known) == 0
    assert memorise.ratio(new, held, known) == pytest.approx(1, abs=0.05)


def test_losses_that_tell_too_much_or_too_little_fail_their_chapter() -> None:
    one_by_one(
        when_to_stop.checks([0.2, -0.9, 0.1], 0.9),
        [
            (when_to_stop.checks([0.2, -0.9, 0.8], 0.9), ["|rho|"]),
            (when_to_stop.checks([0.2, -0.9, 0.1], 0.6), ["rho, critic"]),
        ],
    )
    up = [(i, float(i) ** 3, float(i)) for i in range(9)]
    assert when_to_stop.correlation(up) == pytest.approx(1)
    assert when_to_stop.correlation([(i, -a, b) for i, a, b in up]) == pytest.approx(-1)


def test_the_distance_of_clouds_is_how_far_one_is_moved() -> None:
    """Seen from all sides, a shift by 1 is 2 / pi on average."""
    x = torch.randn(4_000, 2, generator=torch.Generator().manual_seed(0))
    assert when_to_stop.distance(x, x[torch.randperm(4_000)]) == pytest.approx(0, abs=1e-6)
    assert when_to_stop.distance(x, x + torch.tensor([1.0, 0.0])) == pytest.approx(2 / math.pi, abs=0.01)


# And games that are played wrongly fail, too.


def test_a_penalty_of_half_the_weight_is_noticed_in_dirac(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = Registry().load("gan")
    whole = gan.r1_penalty
    monkeypatch.setattr(gan, "r1_penalty", lambda *args: {name: term / 2 for name, term in whole(*args).items()})
    found = failed(dirac.run(0).checks)
    assert "gamma 0.3: time to 1% of the radius" in found and "gamma 1: changes of theta's sign" in found


def test_a_saturating_loss_that_does_not_saturate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = Registry().load("gan")
    monkeypatch.setattr(gan, "g_loss", lambda self, batch: -self.discriminator(batch[-1]).mean())
    assert len(failed(saturating.run(0).checks)) == 2


def test_a_clip_that_does_not_clip_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasserstein, "LAMBDAS", (1.0,))
    monkeypatch.setattr(Critic, "turns", super(Critic, Critic).turns)
    assert failed(wasserstein.run(0).checks) == [
        "difference at mu 2, weights clipped at 0.1", "difference at mu 4, weights clipped at 0.1",
    ]  # fmt: skip


# Closed forms.


def test_divergences_are_those_of_the_books() -> None:
    x = exact.grid(-20, 20)
    p, q = exact.normal(x, 0, 1), exact.normal(x, 1, 2)
    assert exact.kl(p, q, x) == pytest.approx(exact.kl_normal(0, 1, 1, 2), abs=1e-8)
    assert exact.kl(p, q, x) == pytest.approx(math.log(2) + 2 / 8 - 0.5)
    plane = [torch.tensor(v, dtype=torch.float64) for v in ([0.0], [[1.0]], [1.0], [[4.0]])]
    assert exact.kl_normals(*plane) == pytest.approx(exact.kl_normal(0, 1, 1, 2))
    assert exact.w1(exact.normal(x), exact.normal(x, 1.5), x) == pytest.approx(1.5, abs=1e-6)
    assert exact.js(p, p, x) == pytest.approx(0) and exact.js(exact.normal(x, -9), exact.normal(x, 9), x) == (
        pytest.approx(math.log(2))
    )
    assert exact.value(torch.zeros_like(x), p, q, x) == pytest.approx(-math.log(4))
    assert exact.best_value(exact.normal(x), exact.normal(x, 1), x) == pytest.approx(-1.16345, abs=1e-5)
    assert exact.value(p.log() - q.log(), p, q, x) == pytest.approx(exact.best_value(p, q, x))
    quantiles = exact.normal_quantiles(10_001)
    assert float(quantiles[5_000]) == pytest.approx(0) and float(quantiles.std()) == pytest.approx(1, abs=1e-3)


def test_a_check_passes_between_its_two_numbers_alone() -> None:
    assert near("a", 1.04, 1.0, share=0.05).passed and not near("a", 1.06, 1.0, share=0.05).passed
    assert near("a", 0.02, 0.0, within=0.03).passed and not near("a", math.nan, 0.0, within=0.03).passed
    assert at_most("a", 1, 1).passed and not at_most("a", 1.1, 1).passed
    assert at_least("a", 1, 1).passed and not at_least("a", math.nan, 1).passed


# At the prompt.


def made_up(passed: bool) -> Found:
    plot = Plot("A line", (0, 1), (0, 1), {"it": Mark(np.array([(0, 0), (1, 1)]))})
    return Found(
        [at_most("a number", 1 if passed else 3, 2)], {"another": 5}, [Page((plot,), f"step {i}") for i in "12"]
    )


@pytest.fixture
def chapters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `dirac` and `value` find."""
    passing: dict[str, Any] = {"dirac": lambda seed: True, "value": lambda seed: True}
    monkeypatch.setattr(learn, "NAMES", tuple(passing))
    monkeypatch.setattr(
        learn, "opened", lambda name: SimpleNamespace(run=lambda seed: made_up(passing[learn.about(name).name](seed)))
    )
    return passing


def test_chapters_are_listed(gantool: Gantool) -> None:
    out = gantool("learn").out
    for name in learn.NAMES:
        about = learn.about(name)
        assert f"{name} " in out and about.title in out and len(about.text) > 100
    assert "gantool learn optimal-d" in out
    assert '"name": "dirac"' in gantool("learn", "--json").out


def test_they_are_listed_without_torch(process: Gantool) -> None:
    script = "import sys; from gantool import cli; assert cli.run(['learn']) == 0; print('torch' in sys.modules)"
    assert process("-c", script).out.endswith("False\n")


def test_a_chapter_shows_its_numbers_and_writes_its_film(gantool: Gantool, chapters: dict[str, Any]) -> None:
    done = gantool("learn", "dirac")
    assert done.code == 0 and "a number  1      at most 2  ok" in done.out and "another" in done.out
    assert "1 of 1 checks passed, seed 0" in done.out
    with Image.open("dirac.gif") as film:
        assert film.size == (640, 360) and film.n_frames == 2
    assert gantool("learn", "dirac").out.endswith("dirac-2.gif\n"), "nothing is written over"
    assert gantool("learn", "dirac", "--out", "films/mine.gif", "--json").code == 0 and Path("films/mine.gif").exists()


def test_a_check_that_fails_is_an_exit_code(gantool: Gantool, chapters: dict[str, Any]) -> None:
    chapters["dirac"] = lambda seed: seed != 1
    assert gantool("learn", "dirac").code == 0
    done = gantool("learn", "dirac", "--seed", 1)
    assert done.code == 1 and "failed" in done.out and "0 of 1 checks passed, seed 1" in done.out
    every = gantool("learn", "--all")
    assert every.code == 1 and "dirac    a number  1, 3, 1  at most 2  failed" in every.out
    assert "value    a number  1, 1, 1  at most 2  ok" in every.out
    assert {path.name for path in Path("learn").iterdir()} == {"dirac.gif", "value.gif"}
    assert gantool("learn", "--all", "--seeds", 1).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drac",), "No chapter named 'drac'. Did you mean dirac?"),
        (("dirac", "--all"), "One chapter, or all?"),
        (("dirac", "--seeds", 2), "--seeds goes with --all."),
        (("--seed", 2), "--seed and --out go with a chapter."),
        (("dirac", "--out", "film.mp4"), "ends in .gif"),
    ],
)
def test_what_is_mistyped_is_said(words: tuple[object, ...], said: str, gantool: Gantool) -> None:
    done = gantool("learn", *words)
    assert done.code == USAGE and said in done.err


def test_there_is_no_training_loop_but_the_trainers() -> None:
    for path in Path(learn.__file__).parent.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not [word for word in ("backward(", ".step(", "zero_grad", "torch.optim") if word in source], path.name


def test_the_pages_are_as_the_chapters_are_and_their_kept_numbers_passed(process: Gantool) -> None:
    root = Path(__file__).parents[2]
    result = process(root / "tools" / "make_learn.py", "--check")
    assert result.code == 0, result.err
    kept = json.loads((root / "docs" / "learn" / "found.json").read_text(encoding="utf-8"))
    assert {(found["chapter"], found["seed"]) for found in kept} == {
        (name, s) for name in learn.NAMES for s in range(3)
    }
    assert all(check["passed"] for found in kept for check in found["checks"])
    assert all((root / "docs" / "learn" / f"{name}{end}").exists() for name in learn.NAMES for end in (".png", ".gif"))
