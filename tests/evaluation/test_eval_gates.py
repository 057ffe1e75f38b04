"""Tests of the thresholds: real images pass them, negative controls fail, and none can be loosened unnoticed."""

from collections.abc import Callable

import pytest
import torch
from conftest import Gantool, Install
from torch import Tensor

from gantool.data.catalog import DIGITS
from gantool.data.images import DataSpec, ImageData, as_bytes
from gantool.data.named import digits
from gantool.errors import UserError
from gantool.evaluation import controls, gates
from gantool.evaluation.controls import Control, Set, blurred_means, of_share, one_a_class, one_image, shifted_labels
from gantool.evaluation.evaluation import ceiling
from gantool.evaluation.gates import Budget, threshold
from gantool.evaluation.held import Real, halves
from gantool.evaluation.scores import Ground, ground, scores, see
from gantool.metrics import cas
from gantool.metrics.judge import Judge, digits_judge
from gantool.registry import Registry
from gantool.runtime import device

N = 1_000
Scored = Callable[[Set, tuple[str, ...]], dict[str, float]]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return digits_judge()


@pytest.fixture(scope="module")
def real() -> Real:
    return halves(ImageData(*digits(), DIGITS))


@pytest.fixture(scope="module")
def control(real: Real) -> Set:
    return real.others.pixels[:N], real.others.labels[:N]


@pytest.fixture(scope="module")
def on(judge: Judge, real: Real, control: Set) -> Ground:
    """Half of the digits, as if trained on; `control` are of the other half."""
    reference = see(judge, real.reference.pixels[:N], real.reference.labels[:N])
    return ground(judge, reference, real.reference.pixels, see(judge, *control).features)


@pytest.fixture(scope="module")
def scored(judge: Judge, on: Ground) -> Scored:
    return lambda images, wanted: scores(see(judge, *images), on, wanted)


@pytest.fixture(scope="module")
def best(judge: Judge, on: Ground, control: Set) -> dict[str, float]:
    return ceiling(see(judge, *control), on, gates.USUAL)


def thresholds_of(name: str) -> list[gates.Thresholds]:
    return gates.thresholds_of(Registry().offer(name))


def untrained(name: str, n: int = N) -> Set:
    cls = Registry().load(name)
    device.seed_all(0)
    variant = cls(cls.Options(), DataSpec((1, 28, 28), DIGITS)).eval()
    with torch.inference_mode():
        got = variant.sample(n, cls.SampleOptions())
    return as_bytes(got[0] if isinstance(got, tuple) else got), torch.arange(n) % 10


def frozen(name: str) -> Control:
    return lambda pixels, labels: untrained(name, len(labels))


def copies(pixels: Tensor, labels: Tensor) -> Set:
    """Training images with a little noise, which is what one looks like that was learned memorised."""
    noise = torch.randint(-9, 10, pixels.shape, generator=torch.Generator().manual_seed(0))
    same = halves(ImageData(*digits(), DIGITS)).reference.pixels[: len(pixels)]
    return (same + noise).clamp(0, 255).to(torch.uint8), labels


def between(pixels: Tensor, labels: Tensor) -> Set:
    """Half one image and half another, as on the way from class to class."""
    return ((pixels.int() + pixels.roll(1, 0)) // 2).to(torch.uint8), labels


def without_nines(pixels: Tensor, labels: Tensor) -> Set:
    spare = pixels[labels == 8][:50]
    x = pixels.clone()
    x[labels == 9] = spare.repeat(9, 1, 1, 1)[: int((labels == 9).sum())]
    return x, labels


MUST_FAIL = [
    ("gan", frozen("gan")), ("gan", one_image), ("gan", blurred_means), ("dcgan", frozen("dcgan")),
    ("dcgan", one_image), ("dcgan", blurred_means), ("cgan", shifted_labels), ("cgan", one_a_class),
    ("cgan", controls.shuffled_labels), ("cgan", frozen("cgan")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "null"), MUST_FAIL)
def test_each_negative_control_fails_the_thresholds(
    name: str, null: Control, scored: Scored, best: dict[str, float], control: Set
) -> None:
    found = scored(null(*control), gates.USUAL)
    for limits in thresholds_of(name):
        assert False in [g.passes(found, best) for g in limits.thresholds], f"{limits.data}, {limits.seconds} s"


@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan"])
def test_real_images_pass_every_gate(name: str, scored: Scored, best: dict[str, float], control: Set) -> None:
    found = scored(control, gates.USUAL)
    for limits in thresholds_of(name):
        assert all(g.passes(found, best) for g in limits.thresholds if g.score != "CAS"), found


# The mildest fault that each threshold must still catch. If one of these passes, the threshold was loosened.
MILD: dict[tuple[str, str], Control] = {
    ("label_accuracy", ">= 0.98"): of_share(shifted_labels, 0.03),
    ("label_accuracy", ">= 0.99"): of_share(shifted_labels, 0.02),
    ("label_accuracy", ">= 0.993"): of_share(shifted_labels, 0.01),
    ("label_accuracy", ">= 0.8"): of_share(shifted_labels, 0.22),
    ("label_accuracy", ">= 0.97 x real"): of_share(shifted_labels, 0.04),
    ("worst_class_accuracy", ">= 0.9 x real"): of_share(shifted_labels, 0.15),
    ("worst_class_accuracy", ">= 0.5"): of_share(shifted_labels, 0.55),
    ("worst_class_accuracy", ">= 0.96"): of_share(shifted_labels, 0.05),
    ("worst_class_accuracy", ">= 0.98"): of_share(shifted_labels, 0.03),
    ("variety", ">= 0.6"): of_share(one_a_class, 0.65),
    ("classes_drawn", ">= 10"): without_nines,
    ("class_balance_kl", "<= 0.1"): of_share(one_image, 0.2),
    ("class_balance_kl", "<= 0.2"): of_share(one_image, 0.32),
    ("class_balance_kl", "<= 0.3"): of_share(one_image, 0.4),
    ("confident", ">= 0.85"): of_share(blurred_means, 0.7),
    ("confident", ">= 0.92"): of_share(blurred_means, 0.4),
    ("confident", ">= 0.69 x real"): of_share(between, 0.9),
    ("confident", ">= 0.75 x real"): of_share(between, 0.8),
    ("coverage", ">= 0.15 x real"): of_share(one_image, 0.98),
    ("coverage", ">= 0.5 x real"): of_share(one_image, 0.9),
    ("coverage", ">= 0.7 x real"): of_share(one_image, 0.8),
    ("FD", "<= 0.52"): of_share(blurred_means, 0.15),
    ("FD", "<= 1.9"): of_share(blurred_means, 0.3),
    ("FD", "<= 3 x real"): of_share(one_a_class, 0.5),
    ("FD", "<= 6 x real"): of_share(one_a_class, 0.7),
    ("nearest_ratio", ">= 0.8"): copies,
}
GATES = [(name, g) for name in ("gan", "dcgan", "cgan") for limits in thresholds_of(name) for g in limits.thresholds]


@pytest.mark.parametrize(("score", "bound"), MILD)
def test_a_mild_fault_fails_its_gate(
    score: str, bound: str, scored: Scored, best: dict[str, float], control: Set
) -> None:
    images = MILD[score, bound](*control)
    limit = threshold(f"{score} {bound}")
    assert limit.passes(scored(images, (score,)), best) is False


def test_every_threshold_has_a_fault_that_would_notice() -> None:
    assert {(g.score, str(g)) for _, g in GATES} - {("CAS", ">= 0.95")} == MILD.keys()


@pytest.mark.long
def test_a_classifier_learns_from_real_images_and_not_from_nulls(
    monkeypatch: pytest.MonkeyPatch, real: Real, control: Set
) -> None:
    monkeypatch.setattr(cas, "IMAGES", 2_000)
    state = torch.get_rng_state()
    tested = real.reference.pixels[:300], real.reference.labels[:300]
    found = [cas.score(*null(*control), *tested, 10) for null in (lambda x, y: (x, y), shifted_labels, one_a_class)]
    assert torch.equal(torch.get_rng_state(), state)
    assert found[0] > 0.8 and found[1] < 0.05 and found[2] < 0.7
    monkeypatch.setattr(cas, "IMAGES", 100)
    few = control[0][:100], control[1][:100]
    assert cas.score(*few, *tested, 10) == cas.score(*few, *tested, 10)


def test_negative_control_are_what_they_say(control: Set) -> None:
    x, y = control
    assert len(one_image(x, y)[0].unique(dim=0)) == 1
    alike, _ = one_a_class(x, y)
    assert all(len(alike[y == i].unique(dim=0)) == 1 for i in range(10))
    assert all(bool((x[y == i] == alike[y == i][0]).flatten(1).all(1).any()) for i in range(10))
    assert bool((shifted_labels(x, y)[1] == (y + 1) % 10).all())
    shuffled = controls.shuffled_labels(x, y)[1]
    assert torch.equal(shuffled.sort().values, y.sort().values) and float((shuffled == y).double().mean()) < 0.2
    blurred, _ = blurred_means(x, y)
    assert float(blurred.float().mean()) == pytest.approx(float(x.float().mean()), rel=0.05)
    assert float(blurred.float().var(0).mean()) < 0.5 * float(x.float().var(0).mean())
    spoiled, _ = of_share(one_image, 0.25)(x, y)
    assert int((spoiled != x).flatten(1).any(1).sum()) == pytest.approx(250, abs=2)


@pytest.mark.parametrize(
    ("value", "real", "passes"), [(0.5, 1.0, True), (0.49, 1.0, False), (0.49, 0.9, True), (float("nan"), 1.0, False)]
)
def test_a_threshold_may_be_a_share_of_what_real_images_get(value: float, real: float, passes: bool) -> None:
    assert threshold("coverage >= 0.5 x real").passes({"coverage": value}, {"coverage": real}) is passes
    assert threshold("coverage >= 0.5").passes({"coverage": value}, {}) is (value >= 0.5)
    assert threshold("FD <= .5").passes({"FD": value}, {}) is (value <= 0.5)
    assert threshold("coverage >= 0.5 x real").passes({"coverage": value}, {}) is None
    assert threshold("coverage >= 0.5").passes({}, {}) is None


@pytest.mark.parametrize("text", ["coverage > 0.5", "FD <= x", "FD <= 3 x fake", "", "FD <= 1 or 2", "a b <= 1"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="should be like"):
        threshold(text)


YAML = """
- {data: pics, seconds: 60, thresholds: [FD <= 9]}
- {data: pics, seconds: 10, thresholds: [FD <= 99]}
- {data: pics, steps: 500, thresholds: [FD <= 20]}
- {data: pics, steps: 100, thresholds: [FD <= 30]}
- {data: points, steps: 500, thresholds: [FD <= 2]}
- {data: points, steps: 100, thresholds: [FD <= 3]}
"""


def test_the_thresholds_are_those_of_the_data_and_of_the_training(install: Install) -> None:
    folder = install("plug-thresholds", "from gantool.variants.gan import GAN\n", gated="GAN")
    (folder / "cards").mkdir()
    (folder / "cards/gated.yaml").write_text(YAML)
    offer = Registry().offer("gated")

    def bound(data: str, budget: Budget | None = None) -> float | None:
        found = gates.thresholds_for(offer, data, budget)
        return found.thresholds[0].bound if found else None

    for seconds, expected in ((5, 99), (59.9, 99), (60, 9), (1e4, 9)):
        assert bound("some/where/pics", Budget(seconds)) == expected
    for steps, most in ((99, None), (100, 30), (499, 30), (500, 20), (10**6, 20)):
        assert bound("pics", Budget(steps=steps)) == most
    assert (bound("pics"), bound("points"), bound("points", Budget(60)), bound("others")) == (99, 2, 2, None)
    for wrong in (
        "- 1",
        "a: [",
        "- {data: x, seconds: y, thresholds: []}",
        "- {data: x, seconds: 1, thresholds: [FD < 1]}",
    ):
        (folder / "cards/gated.yaml").write_text(wrong)
        with pytest.raises(UserError, match="holds no thresholds"):
            gates.thresholds_of(offer)


def test_eval_says_which_thresholds_are_passed(gantool: Gantool) -> None:
    nets = ("--networks", "mlp", "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 1, "-q")
    assert gantool("train", "cgan", *nets).code == 0
    done = gantool("eval", "cgan", "-n", 130)
    assert "FAIL >= 0.98" in done.out and "fails label_accuracy, worst_class_accuracy, variety" in done.out
    chosen = gantool("eval", "cgan", "-n", 130, "--metrics", "variety")
    assert "fails variety" in chosen.out and "label_accuracy" not in chosen.out
    assert "thresholds" not in gantool("eval", "cgan", "-n", 130, "--metrics", "FD", "--data", "digits").out
