"""Tests of the monitor: what goes wrong is said, and a healthy run is left in peace."""

import inspect
import json
import math
import re
import shlex
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from torch import Tensor

from gantool.config.options import Recipe
from gantool.data.images import ImageData
from gantool.data.opening import open_data
from gantool.runs.run import RunFolder
from gantool.runtime.device import seed_all
from gantool.training import events, monitor
from gantool.training.monitor import SETTLED, Monitor, label_effect, settled_at
from gantool.training.signs import EARLY, ERROR, MEANINGS, WARNING, advice, command, meaning, signs
from gantool.training.trainer import Diverged, Trainer
from gantool.variants.cgan import CGAN
from gantool.variants.dcgan import DCGAN
from gantool.variants.gan import GAN, Game

HEALTHY = {"D gradient": 0.5, "G gradient": 0.4, "D right": 0.7, "diversity": 0.9, "distance": 15.0, "nearest": 1.1,
           "rarest class": 0.06, "label effect": 0.8, "label accuracy": 0.95, "memorised": 0.1}  # fmt: skip


def line(step: int, **changed: float) -> dict[str, Any]:
    return {"step": step, "probe": HEALTHY | {name.replace("_", " "): value for name, value in changed.items()}}


PAST = [line(step, distance=20.0 - step) for step in range(EARLY + 1)]  # at 15 in the end


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, None),
        ({"diversity": 0.49}, "narrow"),
        ({"diversity": 0.19, "nearest": 0.1, "label_effect": 0.0}, "collapse"),
        ({"D_right": 0.995}, "D wins"),
        ({"rarest_class": 0.009}, "missing class"),
        ({"label_effect": 0.04, "as_asked": 0.1}, "ignored label"),
        ({"label_accuracy": 0.29}, "wrong label"),
        ({"memorised": 0.51}, "D memorises"),
        ({"nearest": 0.79}, "copies"),
        ({"distance": 23.0}, "worse"),
        ({"distance": 22.0}, None),
        ({"G_gradient": 3e-4}, "G vanishes"),
        ({"G_gradient": 101.0}, "G explodes"),
        ({"D_gradient": 99.0}, None),
    ],
)
def test_each_sign_has_a_name_and_a_sentence(changed: dict[str, float], name: str | None) -> None:
    found = list(signs(line(9, **changed), PAST))
    assert [sign.name for sign in found] == ([name] if name else [])
    assert all(sign.words.endswith(".") and sign.grade in (ERROR, WARNING) for sign in found)


def test_half_the_variety_is_a_warning_and_a_fifth_an_error() -> None:
    assert [sign.grade for sign in signs(line(9, diversity=0.45), PAST)] == [WARNING]
    assert [sign.grade for sign in signs(line(9, diversity=0.15), PAST)] == [ERROR]


BAD = {"diversity": 0.01, "rarest_class": 0.0, "as_asked": 0.1, "label_effect": 0.0, "D_right": 1.0, "nearest": 0.0}


def test_the_first_probes_are_not_judged_by_their_samples() -> None:
    assert list(signs(line(9, **BAD), PAST[: EARLY - 1])) == []
    assert list(signs(line(9, **BAD), PAST, settled=10)) == []
    assert list(signs(line(10, **BAD), PAST, settled=10)) != []


def test_a_slow_average_is_judged_once_it_has_forgotten_the_start() -> None:
    usual, small = Recipe(batch_size=64, ema_images=10_000), Recipe(batch_size=4, ema_images=10_000)
    assert settled_at(usual) == 312  # two half-lives
    assert settled_at(replace(usual, ema_images=100_000)) == settled_at(small) == SETTLED == 500
    assert settled_at(replace(usual, ema_images=0)) == 0


def test_while_samples_get_better_only_what_is_known_as_memorised_is_told() -> None:
    bad = {**BAD, "G_gradient": 500.0, "diversity": 0.6, "memorised": 0.9}
    assert len(list(signs(line(9, **bad, distance=14.0), PAST))) == 6
    assert [sign.name for sign in signs(line(9, **bad, distance=13.0), PAST)] == ["D memorises", "copies"]


def test_networks_that_draw_nothing_are_judged_by_their_gradients() -> None:
    past = [{"step": step, "probe": {"G gradient": 1.0}} for step in range(EARLY)]
    found = list(signs({"step": 9, "probe": {"G gradient": 1e-4}}, past))
    assert [sign.name for sign in found] == ["G vanishes"]


@pytest.mark.parametrize(
    ("sign", "flag"),
    [
        ("worse", "--steps 700"),
        ("D wins", "--d-lr 0.001"),
        ("collapse", "--r1 0.2"),
        ("copies", "--r1 0.2"),
        ("G explodes", "--lr 0.001"),
        ("ignored label", "--lr 0.001"),
    ],
)
def test_what_to_try_is_a_flag_of_the_variant(sign: str, flag: str) -> None:
    what, found = advice(sign, CGAN.Options(lr=2e-3, r1=0.1), 700)
    assert found == flag and what


@pytest.mark.parametrize(
    ("options", "flag"), [({"lr": 0.5}, "--lr 0.003"), ({"d_lr": 0.5}, "--d-lr 0.003"), ({"lr": 0.004}, "--lr 0.002")]
)
def test_what_was_made_much_larger_than_usual_goes_back_to_that(options: dict[str, float], flag: str) -> None:
    assert advice("G explodes", CGAN.Options(**options), 700)[1] == flag


def test_every_number_of_a_probe_has_a_meaning() -> None:
    named = re.findall(r'(?:found\[|\{|, )"([A-Za-z ]+)"(?:\]|:) ', inspect.getsource(monitor))
    probed = set(named) - {"step", "probe", "sign", "grade", "words", "try"}  # of a line of the log
    assert len(probed) > 6 and probed <= MEANINGS.keys()
    assert meaning("G gradient") and not meaning("theirs")


def test_what_to_try_can_be_typed_as_it_is(gantool: Any, tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    assert gantool("train", "gan", *TINY, "--steps", 2, "--out", folder).code == 0
    run = RunFolder(folder)
    typed = shlex.split(command(run.variant, run.config, "--d-lr 0.001"))
    assert typed[0] == "gantool"
    done = gantool(*typed[1:], "--name", "again", "-q")
    assert done.code == 0, done.err
    before, after = run.read_config(), RunFolder(Path("runs/again")).read_config()
    assert {key for key in after if before.get(key) != after[key]} == {"d_lr"}


def test_diagnose_tells_each_sign_its_grade_and_what_to_try(gantool: Any) -> None:
    assert gantool("train", "gan", *TINY, "--steps", 2, "--name", "run").code == 0
    run = RunFolder(Path("runs/run"))
    early = gantool("diagnose", "run")
    assert early.code == 0 and "Too early to judge: 0 probes." in early.out
    for _ in range(EARLY + 1):
        run.append(line(1))
    assert "No sign of trouble in 6 probes." in gantool("diagnose", "run").out
    run.metrics.unlink()
    run.append(line(1, distance=90.0) | {"probe": {"diversity": 0.5}})
    run.append({"step": 2, "sign": "narrow", "grade": WARNING, "words": "Too narrow. Try:", "try": "--lr 1"})
    run.append(line(2))
    told = gantool("diagnose", "run").out.splitlines()
    assert told[1:3] == ["step 2: warning: Too narrow. Try:", f"  gantool train gan --config {run.config} --lr 1"]
    assert ["diversity", "0.5", "0.9"] in [row.split()[:3] for row in told]
    assert ["nearest", "1.1"] in [row.split()[:2] for row in told]  # not measured at first


# What is measured.


def test_the_label_effect_is_the_share_of_the_variance_that_classes_were_given() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 100_000)
    means, noise = rng.normal(size=(10, 8)), rng.normal(size=(len(y), 8))
    between = ((means - means.mean(0)) ** 2).sum() / 9
    for strength in (0.0, 0.2, 1.0, 5.0):
        expected = strength**2 * between / (strength**2 * between + 8)
        found = label_effect(torch.tensor(strength * means[y] + noise), torch.tensor(y))
        assert found == pytest.approx(expected, abs=0.02)


def test_few_samples_of_many_classes_say_as_much() -> None:
    """Unbiased: means of five vary by chance as much as a fifth of the noise does, which is taken off."""
    rng = torch.Generator().manual_seed(0)
    y = torch.arange(256) % 50
    found = [label_effect(torch.randn(256, 8, generator=rng), y) for _ in range(200)]
    assert abs(sum(found) / len(found)) < 0.01


class Painter(CGAN):
    """Draws real digits, whatever it learns; from `falls` on, one and the same. `deaf`: of any class."""

    falls, deaf = 10**9, False
    real: Tensor
    labels: Tensor

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        chosen = torch.randperm(len(self.real))[:n]
        if self.step >= self.falls:
            chosen[:] = chosen[0]
        return self.real[chosen], self.labels[chosen[torch.randperm(n)] if self.deaf else chosen]


@pytest.fixture(scope="module", autouse=True)
def real() -> None:
    data = open_data(Recipe())
    Painter.real, Painter.labels = data.pixels.float() / 127.5 - 1, data.labels


@pytest.fixture
def told() -> list[str]:
    return []


def game(kind: type[Game], few: int = 5_000, **options: Any) -> tuple[Game, ImageData]:
    """A small one, of `few` digits."""
    seed_all(0)
    data = open_data(Recipe())
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))[:few]
    data = ImageData(data.pixels[chosen], data.labels[chosen], data.spec.classes)
    if issubclass(kind, CGAN):
        options["networks"] = "mlp"
    return kind(kind.Options(**{"z": 4, "g_layers": "8", "d_layers": "8"} | options), data.spec), data


def train(
    folder: Path, told: list[str], variant: Game, images: ImageData, steps: int = 24, every: int = 2, **recipe: Any
) -> RunFolder:
    """Train with a probe at every other step, and no averages, which would have to settle first."""
    folder.mkdir()
    made = Recipe(**{"batch_size": 4, "steps": steps, "ema_images": 0} | recipe)
    trainer = Trainer(variant, made, images, torch.device("cpu"))
    run = RunFolder(folder)
    trainer.run(events.heard_by([Monitor(run, every, told.append)]))
    return run


def names(run: RunFolder) -> list[str]:
    return [entry["sign"] for entry in run.lines() if "sign" in entry]


def test_real_digits_raise_nothing(tmp_path: Path, told: list[str]) -> None:
    run = train(tmp_path / "run", told, *game(Painter))
    assert told == []
    probes = [entry["probe"] for entry in run.lines()]
    assert len(probes) == 12
    assert all(0.9 < probe["diversity"] < 1.1 and probe["label accuracy"] > 0.97 for probe in probes)
    assert all(probe["label effect"] > 0.8 for probe in probes)


def test_a_collapse_is_told_within_three_probes_once_and_with_what_to_try(tmp_path: Path, told: list[str]) -> None:
    variant, data = game(Painter)
    variant.falls = 15
    run = train(tmp_path / "run", told, variant, data)
    (kept,) = (entry for entry in run.lines() if entry.get("sign") == "collapse")
    assert kept["step"] == 18  # 16 is the first to see it
    assert kept["grade"] == ERROR and kept["try"] == "--r1 0.2"
    typed = command(run.variant, run.config, kept["try"])
    assert told[:2] == [f"step 18: error: {kept['words']}", f"  {typed}"]


class Falling(GAN):
    """A real game whose noise is gone from a step on, so that G can but draw one image."""

    falls = 10**9

    def noise(self, n: int) -> Tensor:
        return super().noise(n) * (self.step < self.falls)


def test_a_game_that_collapses_is_told_within_three_probes(tmp_path: Path, told: list[str]) -> None:
    variant, data = game(Falling, g_layers="32", d_layers="32")
    variant.falls = 200
    run = train(tmp_path / "run", told, variant, data, steps=260, every=20, batch_size=16, log_every=20)
    probes = {entry["step"]: entry["probe"]["diversity"] for entry in run.lines() if "probe" in entry}
    assert [probes[step] for step in (220, 240, 260)] == [0, 0, 0]  # whatever it had learned, without noise it is one
    assert any(entry.get("sign") == "collapse" and entry["step"] <= 240 for entry in run.lines())


def convolutional(folder: Path, told: list[str], kind: type[Game], **options: Any) -> RunFolder:
    """Small networks of the default's kind, which learn to draw at once."""
    seed_all(0)
    data = open_data(Recipe(size=16))
    variant = kind(kind.Options(z=8, width=4, **options), data.spec)
    return train(folder, told, variant, data, steps=350, every=35, batch_size=16)


@pytest.mark.parametrize(("kind", "options"), [(CGAN, {"d_width": 4}), (DCGAN, {"d_width": 8, "growth": 2})])
def test_a_healthy_game_raises_no_error(
    tmp_path: Path, told: list[str], kind: type[Game], options: dict[str, Any]
) -> None:
    run = convolutional(tmp_path / "run", told, kind, **options)
    assert [entry["sign"] for entry in run.lines() if entry.get("grade") == ERROR] == []
    probes = [entry["probe"] for entry in run.lines() if "probe" in entry]
    assert len(probes) == 10 and probes[-1]["distance"] < probes[0]["distance"] / 4


class Beaten(Painter):
    """Draws real digits, whatever it learns, and has a D that is never wrong."""

    def d_loss(self, batch: Any) -> Any:
        loss = super().d_loss(batch)
        self.log(**{"D right": torch.ones(())})
        return loss


def test_a_discriminator_that_learns_twenty_times_as_fast_is_told(tmp_path: Path, told: list[str]) -> None:
    """A made-up game: whether a real one is lost, chance decides; what is said of a lost one must not."""
    for times, tried in ((20, "--d-lr 0.003"), (1, "--d-lr 0.0015")):
        variant, data = game(Beaten, d_lr=times * CGAN.Options().lr)
        run = train(tmp_path / f"{times}", told, variant, data, log_every=1, data="none held out")
        assert names(run) == ["D wins"]
        assert [entry["try"] for entry in run.lines() if "sign" in entry] == [tried]
        assert told[-1].endswith(tried)


def test_a_condition_that_is_ignored_is_told(tmp_path: Path, told: list[str]) -> None:
    variant, data = game(Painter)
    variant.deaf = True
    run = train(tmp_path / "run", told, variant, data)
    assert names(run) == ["ignored label"]
    assert all(abs(entry["probe"]["label effect"]) < 0.05 for entry in run.lines() if "probe" in entry)


@pytest.mark.parametrize("copied", [True, False])
def test_copies_of_a_small_data_set_are_told(tmp_path: Path, told: list[str], copied: bool) -> None:
    variant, data = game(Painter, few=300)
    pixels = data.pixels if copied else open_data(Recipe(data="digits")).pixels
    variant.real = pixels.float() / 127.5 - 1
    variant.labels = data.labels if copied else open_data(Recipe()).labels
    run = train(tmp_path / "run", told, variant, data, batch_size=300)
    assert names(run) == (["copies"] if copied else [])
    found = [entry["probe"].get("nearest") for entry in run.lines() if "probe" in entry]
    assert found[:5] == [None] * 5  # the first are not judged
    assert all(nearest == pytest.approx(0 if copied else 1, abs=0.1) for nearest in found[5:])


@pytest.mark.parametrize("passes", [9, 11])
def test_images_that_are_seldom_shown_cannot_be_known_as_memorised(tmp_path: Path, passes: int) -> None:
    run = train(tmp_path / "run", [], *game(Painter, few=100), batch_size=50, steps=2 * passes)
    assert any("nearest" in entry["probe"] for entry in run.lines() if "probe" in entry) == (passes > 10)


def idx(array: Any) -> bytes:
    """As MNIST's files are."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def noise_for_mnist(folder: Path, counts: dict[str, int]) -> Path:
    """Images of noise, which can be known memorised and not otherwise."""
    rng = np.random.default_rng(0)
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in counts.items():
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return folder


@pytest.mark.parametrize(("count", "known"), [(32, True), (4_000, False)])
def test_a_discriminator_that_knows_its_images_as_memorised_is_told(
    tmp_path: Path, told: list[str], count: int, known: bool
) -> None:
    recipe = Recipe(data="mnist", data_dir=noise_for_mnist(tmp_path, {"train": count, "t10k": 300}))
    seed_all(0)
    data = open_data(recipe)
    variant = GAN(GAN.Options(g_layers="8", d_layers="64", r1=0), data.spec)
    run = train(tmp_path / "run", told, variant, data, 140, 20, data="mnist", data_dir=recipe.data_dir, batch_size=16)
    assert ("D memorises" in names(run)) == known
    last = [entry["probe"] for entry in run.lines() if "probe" in entry][-1]
    seen, held = (torch.from_numpy(read(tmp_path, part)) for part in ("train", "t10k"))
    with torch.no_grad():
        variant.eval()
        right = float((variant.discriminator(held) > 0).float().mean())
        gap = float(variant.discriminator(seen).mean() - variant.discriminator(held).mean())
    assert (gap > 1) == known
    if known:  # D is right of what it trained on alone
        assert right < 0.9 and last["D right"] < 0.97


def read(folder: Path, part: str) -> Any:
    blob = (folder / "MNIST" / "raw" / f"{part}-images-idx3-ubyte").read_bytes()
    return np.frombuffer(blob, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 127.5 - 1


def test_a_test_split_that_is_not_there_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(data="mnist", data_dir=noise_for_mnist(tmp_path, {"train": 40}))
    monkeypatch.setattr(urllib.request.OpenerDirector, "open", lambda *_: pytest.fail("it asked the network"))
    data = open_data(recipe)
    variant = GAN(GAN.Options(g_layers="8", d_layers="8"), data.spec)
    run = train(tmp_path / "run", [], variant, data, 4, data="mnist", data_dir=recipe.data_dir)
    assert all("memorised" not in entry["probe"] for entry in run.lines())


def test_a_gradient_that_is_no_number_is_not_kept(tmp_path: Path) -> None:
    variant, data = game(GAN)
    trainer = Trainer(variant, Recipe(batch_size=4, steps=4), data, torch.device("cpu"))
    monitor = Monitor(RunFolder(tmp_path), 1, print)
    monitor.gantool_train_start(trainer)
    trainer.take_step()
    trainer.owned["G"][0].grad.fill_(math.inf)
    assert monitor.probe(trainer, early=True).keys() >= {"D gradient", "diversity"}
    assert "G gradient" not in monitor.probe(trainer, early=True)
    with torch.no_grad():
        trainer.owned["G"][0].fill_(math.nan)
    with pytest.raises(Diverged, match="generator"):
        monitor.probe(trainer, early=True)


def test_a_passing_sign_is_not_told(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    steady = Painter.sample

    def once(self: Painter, n: int, options: Any) -> tuple[Tensor, Tensor]:
        images, labels = steady(self, n, options)
        return (images[:1].expand_as(images), labels) if self.step == 15 else (images, labels)

    monkeypatch.setattr(Painter, "sample", once)
    run = train(tmp_path / "run", told, *game(Painter))
    assert told == []
    probes = {entry["step"]: entry["probe"]["diversity"] for entry in run.lines()}
    assert [step for step, diversity in probes.items() if diversity < 0.2] == [16]


def test_probes_leave_the_training_as_it_would_have_been(tmp_path: Path, told: list[str]) -> None:
    data = open_data(Recipe())
    states = []
    for probed in (False, True):
        seed_all(0)
        options = CGAN.Options(networks="mlp", z=2, g_layers="2", d_layers="2")
        trainer = Trainer(CGAN(options, data.spec), Recipe(batch_size=4, steps=4), data, torch.device("cpu"))
        folder = tmp_path / str(probed)
        folder.mkdir()
        monitor = Monitor(RunFolder(folder), 2, told.append)
        if probed:
            monitor.gantool_train_start(trainer)
        for _ in range(4):
            trainer.take_step()
            if probed:
                monitor.gantool_train_step(trainer)
        states.append(json.dumps({k: v.tolist() for k, v in trainer.variant.state_dict().items()}))
    assert states[0] == states[1]


# At full length, as a person would train: minutes each.


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "seed"), [("gan", 0), ("gan", 1), ("cgan", 0), ("cgan", 1), ("dcgan", 0)])
def test_a_default_training_raises_no_error(gantool: Any, variant: str, seed: int) -> None:
    assert gantool("train", variant, "--seed", seed, "--name", "run", "-q").code == 0
    lines = list(RunFolder(Path("runs/run")).lines())
    assert sum("probe" in entry for entry in lines) == 20
    assert [entry["words"] for entry in lines if entry.get("grade") == ERROR] == []


@pytest.mark.slow
def test_a_default_with_a_discriminator_twenty_times_as_fast_is_told(gantool: Any) -> None:
    assert gantool("train", "gan", "--d-lr", 0.02, "--steps", 1000, "--name", "run", "-q").code == 0
    told = [entry for entry in RunFolder(Path("runs/run")).lines() if "sign" in entry]
    assert {"D wins", "D explodes"} & {entry["sign"] for entry in told}  # its own seeds and penalty decide which
    assert all(entry["try"] == "--d-lr 0.005" for entry in told)


def test_a_d_that_only_compares_may_have_no_logits_and_is_probed_for_all_else() -> None:
    """`d_logits` may answer None: its scores have no 0 between real and generated."""
    x, y = torch.zeros(2, 1, 8, 8), torch.zeros(2)

    class Compares(GAN):
        def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
            return None  # type: ignore[return-value]

    for cls, probes in ((Compares, set()), (GAN, {"D right", "memorised"})):
        variant = cls(cls.Options(g_layers="4", d_layers="4"), ImageData(x.byte()).spec)
        assert monitor.d_probes(variant, (x, y), (x, y), x, None).keys() == probes
