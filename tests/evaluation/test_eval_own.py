"""Tests of a variant's own measures: shown by `eval`, gated by `accept`, beside models trained so that they fail."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Gantool, Install
from spawned import until

from gantool.errors import UserError
from gantool.evaluation import gates
from gantool.registry import Registry
from gantool.runs.run import RunFolder

# Learns one number: how bright what it is shown should become. `pull` 0 teaches it nothing.
SOURCE = '''"""Brighten: images made as bright as they should be."""
from dataclasses import dataclass
from typing import Annotated
import torch
from gantool import api
from gantool.api import Data, DataSpec, InputOptions, Recipe, Turn, Variant, as_floats, open_data
from torch import nn
from typer import Option

class Pairs(Data):
    def __init__(self, seed, count):
        self.spec = DataSpec((1, 8, 8))
        self.x = torch.randint(100, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed)).byte()

    def __len__(self):
        return len(self.x)

    def batch(self, index, rng):
        return self.x[index], self.x[index] + 100

    def fingerprint(self):
        return str(int(self.x.sum()))

def dim(recipe, train=True):
    """Dim images and brighter ones."""
    return Pairs(0, 40) if train else Pairs(1, 10)

class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return (x + self.by).clamp(-1, 1)

class Brighten(Variant):
    recipe = Recipe(data="dim", batch_size=4, steps=4, ema_images=0)

    @dataclass(kw_only=True)
    class Options(api.Options):
        optimizer: str = "sgd"
        lr: float = 0.5  # then one step is enough
        pull: Annotated[float, Option(min=0, max=5, help="How much it learns.")] = 1.0
        bold: Annotated[bool, Option("--bold", help="Nothing.")] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions): ...

    @classmethod
    def dataset(cls, recipe, options=None, train=True):
        return open_data(recipe, train, of=Pairs)

    def __init__(self, options, data):
        super().__init__(options, data)
        self.generator = Shift()

    def players(self):
        return {"G": self.optimizer(self.generator)}

    def turns(self, batches):
        yield Turn("G", self.loss, next(batches))

    def loss(self, batch):
        return self.options.pull * (self.generator(batch[0]) - batch[1]).square().mean()

    def translate(self, x, options):
        return self.generator(x)

    def preview(self, batch):
        return self.translate(batch[0], None)

    def measure(self, held):
        index = torch.arange(len(held))
        x, y = as_floats(held.batch(index, torch.Generator()), self.device)
        return {"off": (self.translate(x, None) - y).abs().mean(), "seen": len(held)}

class Silent(Brighten):
    measure = Variant.measure

class Old(Brighten):
    @classmethod
    def dataset(cls, recipe, options=None):
        return open_data(recipe, of=Pairs)

class Taken(Brighten):
    def measure(self, held):
        return {"FD": 1.0}
'''
GATES = """
- data: dim
  seconds: 1
  negative_controls:
    no pull: {pull: 0}
  thresholds:
    - off <= 0.2
    - off <= 0.5 x no pull
"""
QUICK = ("--steps", 2, "-q")


@pytest.fixture
def package(install: Install) -> Path:
    folder = install("plug-bright", SOURCE, brighten="Brighten", silent="Silent", old="Old", taken="Taken")
    with (folder.parent / "plug_bright-1.2.dist-info" / "entry_points.txt").open("a") as entries:
        entries.write("[gantool.datasets]\ndim = plug_bright:dim\n")
    (folder / "cards").mkdir()
    (folder / "cards/brighten.yaml").write_text(GATES)
    return folder


def test_eval_shows_them_between_an_untrained_network_and_thresholds(gantool: Gantool, package: Path) -> None:
    assert gantool("train", "brighten", *QUICK).code == 0
    done = gantool("eval", "brighten", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["scores"].keys() == report["floor"].keys() == {"off", "seen"} and "ceiling" not in report
    assert report["scores"]["off"] < 0.2 < report["floor"]["off"] == pytest.approx(100 / 127.5, abs=0.01)
    assert (report["scores"]["seen"], report["n"], report["data"], report["split"]) == (10, 10, "dim", "test")
    assert [threshold["passed"] for threshold in report["thresholds"]] == [True, None]
    assert json.loads(Path("runs/brighten-001/eval.json").read_text()) == report
    table = gantool("eval", "brighten").out
    assert "10 examples of dim, measured on runs/brighten-001/model.safetensors\n" in table
    assert "passes 1 of 2 thresholds; not measured: off <= 0.5 x no pull" in table and "FAIL" not in table
    assert "off " in gantool("runs").out


def test_metrics_may_name_them_and_a_mistake_is_told(gantool: Gantool, package: Path) -> None:
    assert gantool("train", "brighten", *QUICK).code == 0
    done = gantool("eval", "brighten", "--metrics", "off,FD")
    assert done.code == 0 and "cannot be measured here: FD" in done.err
    assert "pass <= 0.2" in done.out
    wrong = gantool("eval", "brighten", "--metrics", "of")
    assert wrong.code == 2 and "No score named 'of'. Did you mean off?" in wrong.err
    assert gantool("eval", "gan", "--metrics", "off").code == 2


def test_without_any_the_refusal_says_what_an_author_can_do(gantool: Gantool, package: Path) -> None:
    assert gantool("train", "silent", *QUICK).code == 0
    done = gantool("eval", "silent")
    assert done.code == 1 and "silent turns images into images, and has no measures of its own." in done.err
    assert "`measure`" in done.err


def test_a_variant_that_knows_of_no_held_out_data_is_measured_on_its_own_and_says_so(
    gantool: Gantool, package: Path
) -> None:
    assert gantool("train", "old", *QUICK).code == 0
    done = gantool("eval", "old")
    assert done.code == 0 and "off, seen: on what it was trained on; nothing is held out" in done.out
    assert "40 examples of dim" in done.out


def test_a_name_of_gantools_own_scores_is_refused(gantool: Gantool, package: Path) -> None:
    assert gantool("train", "taken", *QUICK).code == 0
    done = gantool("eval", "taken")
    assert done.code == 1 and "Taken.measure gives FD, a name of gantool's own scores." in done.err


def test_data_that_are_gone_are_asked_for(gantool: Gantool, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gantool("train", "brighten", *QUICK).code == 0
    entries = package.parent / "plug_bright-1.2.dist-info" / "entry_points.txt"
    entries.write_text(entries.read_text().partition("[gantool.datasets]")[0])
    done = gantool("eval", "brighten")
    assert done.code == 2 and "brighten measures itself on data that are not there." in done.err


OWN = '''"""Even: a GAN that also says how bright its images are."""
import torch
from gantool.api import ImageData
from gantool.data.named import digits
from gantool.variants.gan import GAN

def few(recipe, train=True):
    """Few digits."""
    pixels, labels = digits()
    return ImageData(pixels[::16], labels[::16], tuple("0123456789"))

class Even(GAN):
    def measure(self, held):
        assert not torch.is_grad_enabled()
        with torch.enable_grad():
            x = torch.ones(3, requires_grad=True)
            (slope,) = torch.autograd.grad(x.square().sum(), x)
        return {"slope": slope.sum(), "held": len(held), "drawn": torch.randn(())}
'''


def test_they_stand_beside_what_is_said_of_images(gantool: Gantool, install: Install) -> None:
    folder = install("plug-even", OWN, even="Even")
    entries = folder.parent / "plug_even-1.2.dist-info" / "entry_points.txt"
    entries.write_text(entries.read_text() + "[gantool.datasets]\nfew = plug_even:few\n")
    nets = ("--data", "few", "--z", 2, "--g-layers", "2", "--d-layers", "2", "--batch-size", 4, "--steps", 1, "-q")
    assert gantool("train", "even", *nets).code == 0
    both = json.loads(gantool("eval", "even", "-n", 130, "--metrics", "slope,FD", "--json").out)
    assert both["scores"].keys() == both["floor"].keys() == {"FD", "slope"} and both["scores"]["slope"] == 6
    plain = json.loads(gantool("eval", "even", "-n", 130, "--metrics", "FD", "--json").out)
    assert plain["scores"] == {"FD": both["scores"]["FD"]}  # measuring itself moved no random number
    assert Path("runs/even-001/eval.png").is_file()
    table = gantool("eval", "even", "-n", 130).out
    assert "slope, held, drawn: on what it was trained on; nothing is held out" in table and "coverage" in table
    assert [float(line.split()[1]) for line in table.splitlines() if line.startswith("held ")] == [313]


# Negative controls.


def accepted(gantool: Gantool, package: Path, text: str) -> tuple[int, dict[str, object], str]:
    (package / "cards/brighten.yaml").write_text(text)
    done = gantool("accept", "brighten", "--seeds", 1, "--cards", package / "cards", "--json")
    return done.code, json.loads(done.out) if done.out else {}, done.err


def test_a_model_that_must_fail_is_trained_and_fails(gantool: Gantool, package: Path) -> None:
    code, card, err = accepted(gantool, package, GATES)
    assert code == 0, (card, err)
    assert card["accepted"] is True and card["judge"] is None
    assert card["negative_controls"] == {
        "no pull": ["off <= 0.2", "off <= 0.5 x no pull"], "untrained": ["off <= 0.2", "off <= 0.5 x no pull"]
    }  # fmt: skip
    assert card["trained_controls"]["no pull"]["scores"]["off"] == pytest.approx(100 / 127.5, abs=0.01)  # type: ignore[index]
    assert "no pull: training brighten on dim for 1 s" in err
    off = card["scores"][0]["off"]  # type: ignore[index]
    assert f"seed 0: off {off:.4g}\n" in err and "no pull: off 0.78" in err
    shown = gantool("info", "brighten", "--all").out
    assert re.search(r"^no pull +off <= 0.2, off <= 0.5 x no pull$", shown, re.MULTILINE)
    page = (package / "cards/brighten.md").read_text()
    assert "| off <= 0.5 x no pull | " in page and "10 examples of dim; steps: " in page


def test_thresholds_may_be_for_a_preset(gantool: Gantool, package: Path) -> None:
    folder = package / "presets/brighten"
    folder.mkdir(parents=True)
    (folder / "weak.yaml").write_text("variant: brighten\npull: 0\nbatch_size: 3\nsteps: 1000000\n")
    code, card, err = accepted(gantool, package, "- {data: dim, steps: 4, preset: weak, thresholds: [off <= 0.2]}")
    assert code == 1, err  # nothing pulled
    assert card["preset"] == "weak" and card["steps"] == [4]
    config = Path("runs/brighten-001/config.yaml").read_text()
    assert "pull: 0.0" in config and "batch_size: 3" in config
    assert "brighten on dim, preset weak, 4 steps, seeds: 1: NOT accepted" in gantool("info", "brighten", "--all").out
    strong = "- {data: dim, steps: 20, preset: weak, negative_controls: {pulled: {pull: 1}}, thresholds: [off >= 0.2]}"
    code, card, err = accepted(gantool, package, strong)
    assert card["negative_controls"]["pulled"] == ["off >= 0.2"], (card, err)  # the preset, but for what is said  # type: ignore[index]


def test_thresholds_for_a_preset_that_is_none(gantool: Gantool, package: Path) -> None:
    code, _, err = accepted(gantool, package, "- {data: dim, seconds: 1, preset: strong, thresholds: [off <= 0.2]}")
    assert code == 1 and "preset 'strong', which it has not" in err and "author of plug-bright" in err
    assert not Path("runs").exists()


def test_one_that_passes_every_threshold_accepts_nothing(gantool: Gantool, package: Path) -> None:
    code, card, _ = accepted(gantool, package, GATES.replace("{pull: 0}", "{pull: 1}").replace(
        "    - off <= 0.5 x no pull\n", "    - off <= 9 x no pull\n"
    ))  # fmt: skip
    assert code == 1 and card["accepted"] is False and card["negative_controls"]["no pull"] == []  # type: ignore[index]


def test_a_missed_threshold_shows_how_near_it_is_and_what_was_tried(gantool: Gantool, package: Path) -> None:
    entry = "data: dim, steps: 1, thresholds: [off >= 0.9], negative_controls: {no pull: {pull: 0}}"
    code, card, err = accepted(gantool, package, f"- {{{entry}, remedies: ['two steps: off .7', 'a smaller pull']}}")
    assert code == 1 and card["remedies"] == ["two steps: off .7", "a smaller pull"], err
    off, page = card["scores"][0]["off"], (package / "cards/brighten.md").read_text()  # type: ignore[index]
    assert f"| off >= 0.9 | {off:.4g} | no pull 0.78" in page
    assert "Remedies tried:\n\n- two steps: off .7\n- a smaller pull\n" in page
    shown = gantool("info", "brighten", "--all").out
    assert "tried: two steps: off .7" in shown and re.search(rf"^off >= 0.9 +{off:.4g} +no pull 0", shown, re.MULTILINE)
    reached = f"- {{{entry.replace('off >= 0.9', 'off <= 0.2')}, remedies: [two steps]}}"
    assert accepted(gantool, package, reached)[0] == 0
    assert "two steps" not in (package / "cards/brighten.md").read_text()


@pytest.mark.parametrize("remedies", ["two steps", "[1]", "['']"])
def test_remedies_are_sentences(remedies: str, package: Path) -> None:
    (package / "cards/brighten.yaml").write_text(f"- {{data: dim, seconds: 1, thresholds: [], remedies: {remedies}}}")
    with pytest.raises(UserError, match="list of sentences"):
        gates.thresholds_of(Registry().offer("brighten"))


def test_a_threshold_on_what_nobody_measured_is_not_passed(gantool: Gantool, package: Path) -> None:
    gates_alone = "- {data: dim, seconds: 1, thresholds: [off <= 0.2, offf <= 0.2]}"
    (package / "cards/brighten.yaml").write_text(gates_alone)
    done = gantool("accept", "brighten", "--seeds", 1)
    assert done.code == 1 and "NOT accepted" in done.out
    (line,) = (line for line in done.out.splitlines() if line.strip().startswith("offf"))
    assert "not measured" in line


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("{pul: 0}", "no such option: pul. Did you mean pull?"),
        ("{pull: 6}", "should be 5 or less"),
        ("{pull: much}", "should be a number"),
        ("{pull: true}", "pull: True is not a value for it"),
        ("{steps: 3}", "no such option: steps"),
    ],
)
def test_options_that_must_fail_are_held_to_type_and_range_before_anything_is_trained(
    options: str, why: str, gantool: Gantool, package: Path
) -> None:
    code, _, err = accepted(gantool, package, GATES.replace("{pull: 0}", options))
    assert code == 1 and why in err and "'no pull'" in err and "author of plug-bright" in err
    assert len(err.splitlines()) <= 6 and not Path("runs").exists()


@pytest.mark.parametrize(
    "spoiled", ["[1]", "{real: {pull: 0}}", "{a: 1}", "{a: {pull: [1]}}", '{"a|b": {pull: 0}}', "{1: {pull: 0}}"]
)
def test_what_must_fail_has_a_name_in_words_and_options(spoiled: str, package: Path) -> None:
    (package / "cards/brighten.yaml").write_text(
        f"- {{data: dim, seconds: 1, thresholds: [], negative_controls: {spoiled}}}"
    )
    with pytest.raises(UserError, match="holds no thresholds"):
        gates.thresholds_of(Registry().offer("brighten"))


def test_a_bound_may_be_a_share_of_what_such_a_model_gets() -> None:
    limit = gates.threshold("FD <= 0.7 x L1 only", ["L1 only"])
    assert str(limit) == "<= 0.7 x L1 only"
    assert [limit.passes({"FD": value}, {}, {"L1 only": {"FD": 10}}) for value in (7, 7.1)] == [True, False]
    assert limit.passes({"FD": 1}, {"FD": 1}) is None and limit.passes({"FD": 1}, {}, {"L1 only": {}}) is None
    with pytest.raises(ValueError, match="should be like"):
        gates.threshold("FD <= 0.7 x L2 only", ["L1 only"])


def test_one_whose_training_breaks_down_has_failed(
    gantool: Gantool, package: Path, images: Callable[..., Path]
) -> None:
    source, nan = (package / "__init__.py").read_text(), "return (self.options.pull or float('nan')) * "
    (package / "__init__.py").write_text(source.replace("return self.options.pull * ", nan))
    code, card, err = accepted(gantool, package, GATES.replace("    - off <= 0.5 x no pull\n", ""))
    assert code == 0, (card, err)
    assert card["negative_controls"]["no pull"] == ["every threshold: its training met NaN or infinity"]  # type: ignore[index]


# Side by side.

STEPS = "- {data: dim, steps: 4, thresholds: [off <= 0.2], negative_controls: {no pull: {pull: 0}}}"


def test_trainings_side_by_side_come_to_the_same(gantool: Gantool, package: Path) -> None:
    (package / "cards/brighten.yaml").write_text(STEPS)
    found = []
    for jobs in (1, 2):
        done = gantool("accept", "brighten", "--seeds", 1, "--jobs", jobs, "--cards", f"cards-{jobs}", "--json")
        assert done.code == 0, done.err
        found.append({key: value for key, value in json.loads(done.out).items() if key != "minutes"})
        assert "seed 0: training brighten on dim for 4 steps" in done.err
    assert found[0] == found[1] and found[0]["negative_controls"]["no pull"] == ["off <= 0.2"]
    runs = sorted(Path("runs").iterdir())
    assert len(runs) == 4 and all("\nthreads: '1'\n" in (run / "config.yaml").read_text() for run in runs[2:])
    assert "  no pull\n" in (runs[3] / "config.yaml").read_text()  # what it was made for


def test_one_that_breaks_down_beside_others_has_failed(gantool: Gantool, package: Path) -> None:
    source, nan = (package / "__init__.py").read_text(), "return (self.options.pull or float('nan')) * "
    (package / "__init__.py").write_text(source.replace("return self.options.pull * ", nan))
    (package / "cards/brighten.yaml").write_text(STEPS)
    done = gantool("accept", "brighten", "--seeds", 1, "--jobs", 2, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["negative_controls"]["no pull"] == ["every threshold: its training met NaN or infinity"]


def test_seconds_are_not_shared_out(gantool: Gantool, package: Path) -> None:
    done = gantool("accept", "brighten", "--jobs", 2)
    assert done.code == 2 and "--jobs shares out the cores, and 1 s" in done.err and "--steps" in done.err
    assert not Path("runs").exists()


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_it_they_all_save_and_stop(package: Path, tmp_path: Path, number: signal.Signals) -> None:
    (package / "cards/brighten.yaml").write_text(STEPS.replace("steps: 4", "steps: 100000000"))
    command = [sys.executable, "-m", "gantool", "accept", "brighten", "--seeds", "2", "--jobs", "2"]
    paths = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    runs = [RunFolder(tmp_path / f"runs/brighten-00{i}") for i in (1, 2)]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: all(any(run.lines()) for run in runs))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number), err
    until(lambda: {run.status().state for run in runs} == {"stopped"})
    assert all(run.status().step for run in runs)
