"""Models that packages carry: there from the start, whole or refused, and second to runs of one's own."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Gantool, Install, Result

import gantool as package
from gantool import UserError
from gantool.config.packages import VARIANTS
from gantool.metrics.judge import digits_judge, judge_classes
from gantool.registry import Registry
from gantool.runs import header, model, packaged, sealed
from gantool.testing import check_packaged

ROOT = Path(__file__).parents[2]
CARRIED = sorted(ROOT.glob("gantool/variants/models/*.safetensors"))
THEIRS = sorted(ROOT.glob("plugins/*/*/models/*.safetensors"))
MOST = 3 * 10**6  # bytes of gantool's own, all together
EACH = 2 * 2**20
ONE_STEP = ("--steps", 1, "--width", 2, "--d-width", 2, "--batch-size", 2, "--quiet")  # of cgan


# What the packages of this repository carry.


@pytest.mark.parametrize("path", [*CARRIED, *THEIRS], ids=lambda path: path.stem)
def test_a_packaged_model_is_the_file_that_its_card_is_of(path: Path) -> None:
    card, facts = packaged.card_of(path), header.facts(path)
    assert card["sha256"] == packaged.digest(path)
    assert (card["variant"], card["step"], card["data"]) == tuple(facts[k] for k in ("variant", "step", "data"))
    assert card["run"] == f"packaged/{path.stem}" and facts["variant"] == path.stem
    assert card["scores"] and card["scores"].keys() & card["floor"].keys()
    assert not [limit for limit in card.get("thresholds", ()) if limit["passed"] is False]
    assert card["command"].startswith(f"gantool train {path.stem} --steps {facts['step']} --seed {facts['seed']} ")
    settings = facts["settings"]
    assert (settings["threads"], settings["precision"], settings["data_dir"]) == ("1", "fp32", None)
    assert "/" not in json.dumps(card).replace(card["run"], "")  # no path of the machine that made it


def test_they_are_small_and_each_package_says_that_its_wheel_has_them() -> None:
    assert "cgan" in [path.stem for path in CARRIED]
    assert sum(path.stat().st_size for path in CARRIED) <= MOST
    for path in [*CARRIED, *THEIRS]:
        assert path.stat().st_size <= EACH, path
        home = ROOT if path in CARRIED else path.parents[2]
        tool = tomllib.loads((home / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
        top = home / next(iter(tool))
        for file in (path, packaged.card_path(path)):
            assert any(fnmatch(str(file.relative_to(top)), each) for each in tool[top.name]), file
    beside = [path for home in {path.parent for path in [*CARRIED, *THEIRS]} for path in home.iterdir()]
    assert {path.suffix for path in beside} == {".safetensors", ".json"}, "nothing else lies there"


def test_sixteen_sevens_right_after_install_are_sevens_and_python_draws_the_same(gantool: Gantool) -> None:
    done = gantool("sample", "cgan", "--digit", 7, "-n", 16, "--out", "sevens.npz")
    assert done.code == 0 and not done.out
    assert len(done.err.splitlines()) == 2
    assert "gantool 0" in done.err and "steps on digits" in done.err and "gantool train cgan\n" in done.err
    assert done.err.endswith("16 images in sevens.npz, drawn by packaged/cgan\n")
    images = package.load("cgan").sample(16, digit=7)
    assert judge_classes(digits_judge(), images.floats()).tolist() == [7] * 16
    images.save("again.npz")
    assert Path("again.npz").read_bytes() == Path("sevens.npz").read_bytes()
    for line in (["cgan", "--run", "packaged"], ["packaged/cgan"], ["--run", "packaged/cgan"]):
        forced = gantool("sample", *line, "--digit", 7, "-n", 16, "--out", "again.npz", "--force")
        assert forced.err == "16 images in again.npz, drawn by packaged/cgan\n", "nobody needs telling who asked for it"
        assert Path("again.npz").read_bytes() == Path("sevens.npz").read_bytes()


def test_drawing_waits_for_no_compiler(process: Gantool) -> None:
    draw = (
        "import sys; from gantool import cli; print(cli.run(['sample', 'cgan', '-q']), 'torch._dynamo' in sys.modules)"
    )
    assert process("-c", draw).out == "0 False\n"


def test_a_run_of_ones_own_wins_and_the_packaged_model_can_be_had(gantool: Gantool) -> None:
    assert gantool("train", "cgan", *ONE_STEP).code == 0
    assert gantool("sample", "cgan", "-n", 2).err == "2 images in cgan.png, drawn by runs/cgan-001\n"
    assert package.load("cgan").path == Path("runs/cgan-001/model.safetensors")
    assert gantool("sample", "cgan", "-n", 2, "--run", "packaged", "-q", "--out", "a.png").code == 0
    assert repr(package.load("packaged/cgan")) == "<model of cgan, packaged/cgan, step 5000>"
    shutil.rmtree("runs/cgan-001/checkpoints")
    Path("runs/cgan-001/model.safetensors").unlink()
    assert "runs/cgan-001 has no model yet" in gantool("sample", "cgan").err, "a run that has just begun is still one"


def test_eval_info_walks_and_exports_know_it_as_they_know_runs(gantool: Gantool) -> None:
    told = gantool("eval", "cgan", "-n", 200, "--json", "--metrics", "label_accuracy")
    report = json.loads(told.out)
    assert report["run"] == "packaged/cgan" and report["scores"]["label_accuracy"] > 0.95
    assert report["sha256"] == packaged.card_of(packaged.path_of(Registry().offer("cgan")))["sha256"]
    assert "Train your own: gantool train cgan" in told.err
    assert gantool("sample", "cgan", "--interpolate", "-n", 8, "--out", "walk.gif").code == 0
    assert "packaged/cgan" not in gantool("export", "cgan", "--out", "page.html", "-q").err
    assert Path("page.html").stat().st_size > 100_000
    for line in (["info", "packaged/cgan"], ["info", "cgan"]):
        shown = gantool(*line).out
        assert "5,000 steps on digits" in shown and "label_accuracy" in shown, line
    assert "lr: 0.003" in gantool("info", "packaged/cgan", "--all").out
    facts = json.loads(gantool("info", "packaged/cgan", "--json").out)["facts"]
    assert facts["weights"] == "float16" and facts["spec"]["shape"] == [1, 28, 28]
    assert sorted(path.name for path in Path().iterdir()) == ["page.html", "walk.gif"]


def test_models_lists_what_packages_carry_and_what_was_trained_here(gantool: Gantool) -> None:
    assert gantool("train", "gan", "--steps", 2, *TINY, "--name", "mine").code == 0
    assert gantool("eval", "gan", "-n", 100, "--metrics", "classes_drawn").code == 0
    rows = json.loads(gantool("models", "--json").out)
    assert [row["name"] for row in rows] == [*(f"packaged/{path.stem}" for path in CARRIED), "runs/mine"]
    assert rows == [each._asdict() for each in package.models()]
    ours, mine = next(row for row in rows if row["variant"] == "cgan"), rows[-1]
    assert (ours["data"], ours["step"], ours["package"][:8]) == ("digits", 5000, "gantool ")
    assert ours["scores"]["label_accuracy"] > 0.98 and ours["bytes"] < EACH
    assert (mine["variant"], mine["data"], mine["step"], mine["package"]) == ("gan", "digits", 2, "")
    assert list(mine["scores"]) == ["classes_drawn"]
    header_, *lines = gantool("models").out.splitlines()
    assert header_.split()[:4] == ["model", "variant", "data", "steps"]
    assert lines[-1].startswith("runs/mine") and "classes_drawn" in lines[-1]
    assert gantool("resume", "mine", "--steps", 3, "--quiet").code == 0
    assert package.models()[-1].scores == {}, "what was measured of an earlier step is not said of this one"
    for row in rows:
        assert package.load(row["name"]).name == row["variant"]


def test_the_page_in_the_docs_is_of_the_packaged_cgan() -> None:
    card = packaged.card_of(ROOT / "gantool" / "variants" / "models" / "cgan.safetensors")
    page = (ROOT / "docs" / "play.html").read_text(encoding="utf-8")
    name, value = next(iter(card["scores"].items()))
    assert f'["Measured","{name} {value:.4g}, ' in page, "gantool export packaged/cgan --out docs/play.html --force"
    assert f'["Trained","{card["step"]:,} steps on {card["data"]}, seed 0"]' in page


# A stranger's package.

SOURCE = '"""M: mine."""\nfrom gantool.variants.gan import GAN\nclass Mine(GAN): ...\n'


@pytest.fixture
def mine(gantool: Gantool, install: Install) -> Path:
    """The model that a package carries, by a file that was put there."""
    folder = install("plug-mine", SOURCE, mine="Mine") / "models"
    assert gantool("train", "mine", "--steps", 1, *TINY, "--name", "m").code == 0
    folder.mkdir()
    shutil.move("runs/m/model.safetensors", folder / "mine.safetensors")
    shutil.rmtree("runs")
    return folder / "mine.safetensors"


def refused(gantool: Gantool) -> Result:
    """By each command that would open it."""
    for line in (["eval", "mine"], ["export", "mine"], ["sample", "mine", "--run", "packaged"]):
        assert gantool(*line).code == 1
    done = gantool("sample", "mine")
    assert done.code == 1 and not Path("mine.png").exists()
    return done


def test_a_strangers_package_carries_a_model_by_putting_a_file_there(gantool: Gantool, mine: Path) -> None:
    done = gantool("sample", "mine", "-n", 4)
    assert done.code == 0 and "this is the model of plug-mine 1.2, 1 step on digits" in done.err
    assert "packaged/mine" in gantool("models").out
    with pytest.raises(AssertionError, match="has no card"):
        check_packaged("mine")
    assert gantool("eval", "mine", "-n", 100, "--out", packaged.card_path(mine)).code == 0
    check_packaged("mine")
    assert "score" in gantool("models").out and json.loads(gantool("models", "--json").out)[-1]["scores"]


def test_a_damaged_one_is_refused_with_what_helps(gantool: Gantool, mine: Path) -> None:
    good = mine.read_bytes()
    for spoilt in (good[:-100], good[:-9] + bytes([good[-9] ^ 1]) + good[-8:], b"", b"no model"):
        mine.write_bytes(spoilt)
        done = refused(gantool)
        assert "damaged" in done.err and "gantool train mine" in done.err and len(done.err.splitlines()) <= 4
        assert "Install plug-mine 1.2 again" in done.err
        assert gantool("models").code == gantool("info", "mine").code == 0


def test_what_a_file_says_of_itself_is_shown_whatever_it_says(gantool: Gantool, mine: Path) -> None:
    facts, state = sealed.load(mine)
    for spoilt in (
        {"spec": 5},
        {"spec": {"shape": "x"}},
        {"settings": []},
        {"step": "\x1b[2J"},
        {"data": ["a"]},
        {"seed": {}},
    ):
        sealed.save(mine, facts | spoilt, state)
        for line in (["info", "packaged/mine"], ["info", "packaged/mine", "--all"], ["info", "mine"], ["models"]):
            done = gantool(*line)
            assert done.code == 0 and "\x1b" not in done.out, (spoilt, line)
        if "seed" not in spoilt:
            refused(gantool)
    mine.write_bytes(b"rubbish")
    assert "was not written by gantool" in gantool("info", "packaged/mine").err


def test_another_whole_file_than_the_measured_one_is_refused(gantool: Gantool, mine: Path) -> None:
    assert gantool("eval", "mine", "-n", 100, "--out", packaged.card_path(mine), "--json").code == 0
    assert gantool("sample", "mine", "-n", 2, "-q").code == 0
    Path("mine.png").unlink()
    model.halve(mine, mine)
    assert "its sha256 is not the one on its card" in refused(gantool).err


def test_a_model_of_a_later_version_of_its_package_says_so(gantool: Gantool, mine: Path) -> None:
    facts, state = sealed.load(mine)
    for variant in ("mine", "theirs"):  # one that this version has not at all
        sealed.save(mine, facts | {"version": "1.10", "variant": variant}, state)
        done = refused(gantool)
        assert "plug-mine 1.10; installed is 1.2, which is too old" in done.err
        assert "pip install -U plug-mine" in done.err
    sealed.save(mine, facts | {"version": "1.1"}, state)
    assert gantool("sample", "mine", "-n", 1, "-q").code == 0


def test_a_package_that_is_left_out_carries_nothing(gantool: Gantool, mine: Path) -> None:
    assert "packaged/mine" not in gantool("--no-plugins", "models").out
    assert gantool("--no-plugins", "sample", "packaged/mine").code == 2


# Weights of 16 bits.


def parts(tree: Any) -> Iterator[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from parts(value)


def test_a_halved_model_is_half_as_large_and_draws_the_same_within_a_grey_level(gantool: Gantool) -> None:
    assert gantool("train", "cgan", "--steps", 20, "--batch-size", 8, "--quiet").code == 0
    whole, half = Path("runs/cgan-001/model.safetensors"), Path("half.safetensors")
    model.halve(whole, half)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    assert {x.dtype for x in parts(sealed.load(half)[1])} <= {torch.float16, torch.int64}
    small, large = package.load(half), package.load(whole)
    assert {p.dtype for p in small.variant.parameters()} == {torch.float32}
    apart = (small.sample(50).tensor.int() - large.sample(50).tensor.int()).abs()
    assert apart.max() <= 1, "of 255"
    again = Path("again.safetensors")
    model.halve(half, again)
    assert again.read_bytes() == half.read_bytes()


def test_weights_that_16_bits_cannot_hold_are_refused(gantool: Gantool) -> None:
    assert gantool("train", "cgan", *ONE_STEP).code == 0
    path = Path("runs/cgan-001/model.safetensors")
    facts, state = sealed.load(path)
    next(parts(state)).view(-1)[0] = 1e6
    sealed.save(path, facts, state)
    with pytest.raises(UserError, match="too large for float16"):
        model.halve(path, Path("half.safetensors"))
    assert not Path("half.safetensors").exists()


def test_every_variant_with_a_model_here_is_offered_by_its_package() -> None:
    for path in THEIRS:
        project = tomllib.loads((path.parents[2] / "pyproject.toml").read_text())["project"]
        assert path.stem in project["entry-points"][VARIANTS], path
