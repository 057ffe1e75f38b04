"""What a person types in the first hour, written as it was typed, and what gantool answers."""

import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import Gantool, Result
from PIL import Image

from gantool.api import DataSpec, UserError, open_folder
from gantool.data.named import digits
from gantool.errors import SYNONYMS
from gantool.registry import shelf
from gantool.runs.run import RunFolder

Typed = Callable[[str], Result]
ROOT = Path(__file__).parents[2]
CGAN = "train cgan --networks mlp --z 2 --g-layers 2 --d-layers 2 --batch-size 4 -q"


@pytest.fixture
def typed(gantool: Gantool) -> Typed:
    return lambda line: gantool(*shlex.split(line))


@pytest.mark.parametrize("word", ["first", "runs/first", "runs/first/model.safetensors"])
def test_one_word_is_enough_for_a_run(word: str, typed: Typed, trained: Path) -> None:
    shutil.copytree(trained, "runs/first")
    done = typed(f"sample {word} -n 4")
    assert done.code == 0 and "4 images in gan.png, drawn by runs/first" in done.err
    assert typed(f"sample --run {word} -n 4 --out again.png").code == 0
    assert Path("gan.png").read_bytes() == Path("again.png").read_bytes()
    measured = typed(f"eval {word} -n 130 --metrics confident")
    assert measured.code == 0 and "confident" in measured.out


def test_a_run_that_was_stopped_is_said_to_be(typed: Typed) -> None:
    assert typed(f"{CGAN} --steps 3 --name half").code == 0
    config = Path("runs/half/config.yaml")
    config.write_text(config.read_text().replace("steps: 3\n", "steps: 9\n"))
    assert "drawn by runs/half, stopped at step 3 of 9" in typed("sample half -n 4").err


def test_a_word_that_is_no_variant_and_no_run_is_one_error(typed: Typed) -> None:
    wrong = typed("sample c600")
    assert wrong.code == 2 and "No variant named 'c600'" in wrong.err and len(wrong.err.splitlines()) <= 6


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--ema", "--ema-images"), ("--learning-rate", "--lr"), ("--mirror", "--flip"), ("--latent-dim", "--z"),
        ("--amp", "--precision"), ("--dataset", "--data"), ("--n_epochs", "--epochs"),
    ],
)  # fmt: skip
def test_what_the_field_calls_a_flag_is_understood(flag: str, meant: str, typed: Typed) -> None:
    wrong = typed(f"train gan {flag} 3")
    assert wrong.code == 2 and f"Did you mean {meant}?" in wrong.err


def test_synonyms_of_sampling_flags(typed: Typed) -> None:
    assert "Did you mean --label?" in typed("sample cgan --class 3").err
    assert "Did you mean --run?" in typed("sample cgan --weights x.pt").err
    assert not SYNONYMS.keys() & set(SYNONYMS.values()), "a flag of gantool's is no synonym"


def test_a_variant_of_a_package_that_is_not_there_says_which_package_has_it(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANTOOL_PLUGINS", raising=False)
    monkeypatch.setattr("gantool.config.packages.allowed", lambda package: package == "gantool")
    wrong = typed("train wgan-gp")
    assert wrong.code == 2 and "wgan-gp comes with gantool-wgan-gp." in wrong.err
    assert "pip install ./plugins/gantool-wgan-gp" in wrong.err


def test_the_table_of_packages_is_what_they_declare() -> None:
    declared = {}
    for file in ROOT.glob("plugins/*/pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        for name in project.get("entry-points", {}).get("gantool.variants", {}):
            declared[name] = project["name"]
    assert declared == shelf()


def test_bare_gantool_greets(typed: Typed) -> None:
    done = typed("")
    said = done.out + done.err
    assert done.code == 0 and "Draw at once: gantool sample cgan." in said
    assert said.index(" train ") < said.index(" resume ") < said.index(" new ")


def test_labels_may_be_several_and_in_capitals_or_not(typed: Typed) -> None:
    spec = DataSpec((1, 8, 8), ("Sneaker", "bag", "Top, long", "3"))
    assert spec.class_indices("sneaker,BAG") == [0, 1] and spec.class_indices("Top, long") == [2]
    assert spec.class_indices("3") == [3] and spec.class_index("1") == 1
    with pytest.raises(UserError, match=r"No class 'Sneeker'\. Did you mean Sneaker"):
        spec.class_index("Sneeker")
    assert typed(f"{CGAN} --steps 1").code == 0
    assert typed("sample cgan --digit 3,5 -n 4 --out two.npz -q").code == 0
    with np.load("two.npz") as file:
        assert file["labels"].tolist() == [3, 5, 3, 5]


def test_diagnose_does_not_reassure_without_evidence(typed: Typed) -> None:
    assert typed(f"{CGAN} --steps 2").code == 0
    assert "Too early to judge" in typed("diagnose").out


def test_papers_names_of_scores_are_explained(typed: Typed) -> None:
    assert typed(f"{CGAN} --steps 1").code == 0
    wrong = typed("eval cgan --metrics fid")
    assert wrong.code == 2 and "FD" in wrong.err and "--inception" in wrong.err and len(wrong.err.splitlines()) <= 6


def test_a_data_set_can_be_had_as_files(typed: Typed) -> None:
    done = typed("data export digits files -n 25")
    assert done.code == 0 and "25 in files/0" in done.out
    assert typed("data export digits more").out.count("500 in more/") == 10
    first = open_folder(Path("more"), 28, 1)
    assert torch.equal(first.pixels, digits()[0]) and first.spec.classes == tuple("0123456789")
    assert typed("data export ring8 points -n 3").out == "3 in points/points.csv\n"
    assert len(Path("points/points.csv").read_text().splitlines()) == 3
    assert typed("data export digits files").code == 2, "nothing is mixed with what is there"
    for line, says in (
        ("data export digist new", "Did you mean digits"), ("data export", "data export what?"),
        ("data export digits", "gantool data export digits digits-as-files"), ("data export digits new -n 0", "--n"),
    ):  # fmt: skip
        wrong = typed(line)
        assert wrong.code == 2 and says in wrong.err and not Path("new").exists(), wrong.err


def test_what_comes_next_works_as_it_stands(typed: Typed) -> None:
    line = "train gan --g-layers 2 --d-layers 2 --z 2 --batch-size 4 --steps 1"
    said = typed(line).out.splitlines()[-1]
    assert said == "  next: gantool sample gan --run runs/gan-001"
    assert typed(said.partition("gantool ")[2]).code == 0


@pytest.mark.parametrize("line", ["train gan", "sample cgan", "sample gan", "eval dcgan", "accept cgan", "resume"])
def test_help_ends_with_an_example_whose_flags_are_known(line: str, typed: Typed) -> None:
    said = " ".join(typed(f"{line} --help").out.split())
    example = said.rpartition("For example: ")[2]
    assert example.startswith(f"gantool {line}"), said[-200:]
    assert typed(f"{example.removeprefix('gantool ')} --help").code == 0


# What is drawn is large enough to be seen, laid out by class, and takes nothing away.


@pytest.fixture
def three(typed: Typed) -> str:
    assert typed(f"{CGAN} --steps 1 --size 8 --name three").code == 0
    return "sample three"


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_images_are_enlarged_until_they_can_be_seen(typed: Typed, three: str) -> None:
    assert typed(f"{three} --digit 7 -n 16 -o auto.png").code == 0
    assert max(size("auto.png")) >= 640
    assert typed(f"{three} --digit 7 -n 16 --scale 1 -o native.png").code == 0
    assert size("native.png") == (38, 38)
    assert typed(f"{three} --digit 7 -n 3 --interpolate -o walk.gif").code == 0
    assert max(size("walk.gif")) >= 640
    assert typed(f"{three} -n 3 -o folder").code == 0
    assert {size(str(file)) for file in Path("folder").iterdir()} == {(8, 8)}
    wrong = typed(f"{three} --scale big")
    assert wrong.code == 2 and "'big' should be auto, or a whole number from 1 to 64." in wrong.err
    assert max(size("runs/three/samples/step-000001.png")) >= 640


def test_each_class_has_a_column_with_its_name_above(typed: Typed, three: str) -> None:
    assert "70 images in cgan.png" in typed(three).err  # as many of each of ten
    assert typed(f"{three} --scale 1 -n 70 -o native.png").code == 0
    assert size("native.png") == (10 * 10 - 2, 7 * 10 - 2 + 18)
    assert typed(f"{three} --digit 3,5 -n 8 --scale 1 -o two.png").code == 0  # two classes, four of each: rows
    assert size("two.png")[1] == 2 * 10 - 2 and size("two.png")[0] > 4 * 10 - 2


def test_what_does_not_fit_a_grid_is_refused(typed: Typed, three: str) -> None:
    wrong = typed(f"{three} --grid 3x3 -n 20")
    assert wrong.code == 2 and "20 images do not fit a grid of 3x3." in wrong.err and "--grid 3x7, or -n 9" in wrong.err


def test_nothing_is_written_over_unless_that_was_said(typed: Typed, three: str) -> None:
    Path("photo.png").write_text("mine")
    Path("photos").mkdir()
    Path("photos/one.png").write_text("mine")
    for out, says in (("photo.png", "photo.png is already there."), ("photos", "photos has files in it.")):
        wrong = typed(f"{three} -n 2 -o {out}")
        assert wrong.code == 2 and says in wrong.err and "--force" in wrong.err
    assert Path("photo.png").read_text() == Path("photos/one.png").read_text() == "mine"
    assert typed(f"{three} -n 2 -o photo.png --force").code == 0 and size("photo.png")[0] >= 640
    assert typed(f"{three} -n 2 -o photos --force").code == 0 and Path("photos/one.png").read_text() == "mine"
    assert "in cgan.png" in typed(three).err and "in cgan-2.png" in typed(three).err


def test_a_png_goes_down_a_pipe(typed: Typed, three: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "gantool", *f"{three} -n 4 -o -".split()], capture_output=True, check=False
    )
    assert made.returncode == 0 and made.stdout.startswith(b"\x89PNG")
    assert typed(f"{three} -n 4 -o same.png").code == 0
    assert made.stdout == Path("same.png").read_bytes()


def test_a_film_says_its_step(typed: Typed, three: str) -> None:
    width, height = size("runs/three/samples/step-000001.png")
    assert size("runs/three/progress.gif") == (width, height + 18)


# Runs are listed, found, renamed and removed.


def test_runs_are_listed_with_what_one_wants_to_know(typed: Typed, three: str) -> None:
    header, row = typed("runs").out.splitlines()
    assert header.split() == ["run", "variant", "data", "step", "steps", "state", "score", "trained", "begun", "MB"]
    assert row.startswith("three  cgan     digits  1     1      done") and row.split()[-2] == "ago"
    (known,) = json.loads(typed("runs --json").out)
    assert known["run"] == "three" and known["bytes"] > 1000 and known["age"] >= 0 and known["seconds"] >= 0
    asked = [typed(words).out.split() for words in ("runs list", "runs runs", "runs")]  # a second may pass between
    assert asked[0][:-4] == asked[1][:-4] == asked[2][:-4] and "done" in asked[0]
    assert typed("runs path three").out == typed("runs path").out == "runs/three\n"


def test_a_run_gets_another_name(typed: Typed, three: str) -> None:
    assert typed("runs rename three sevens").out == "runs/sevens\n" and not Path("runs/three").exists()
    assert "drawn by runs/sevens" in typed("sample sevens -n 4").err
    shutil.copytree("runs/sevens", "runs/other")
    for line, says in (
        ("runs rename sevens other", "runs/other is already there."),
        ("runs rename sevens ../out", "'../out' is not a name for a run."),
        ("runs rename", "runs rename what?"), ("runs rm", "runs rm what?"),
        ("runs rename nothing x", "No run at nothing."),
    ):  # fmt: skip
        wrong = typed(line)
        assert wrong.code == 2 and says in wrong.err and Path("runs/sevens/config.yaml").is_file()


def test_a_run_is_removed_when_that_was_meant(typed: Typed, three: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree("runs/three", "runs/four")
    wrong = typed("runs rm three")
    assert wrong.code == 2 and "add --yes" in wrong.err and Path("runs/three").is_dir()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or "n")
    assert typed("runs rm three").out == "Nothing was removed.\n" and Path("runs/three").is_dir()
    assert asked[0].startswith("Remove runs/three (") and asked[0].endswith("MB)? [y/N] ")
    assert typed("runs rm three four --yes").out == "removed runs/three\nremoved runs/four\n"
    assert list(Path("runs").iterdir()) == [] and "No runs" in typed("runs").out


def test_a_run_that_is_being_trained_stays(typed: Typed, three: str) -> None:
    with RunFolder(Path("runs/three")).taken():
        for line in ("runs rm three --yes", "runs rename three four"):
            wrong = typed(line)
            assert wrong.code == 2 and "runs/three is being trained." in wrong.err
    assert Path("runs/three/model.safetensors").is_file()


def test_a_removal_that_was_killed_leaves_no_run_behind(typed: Typed, three: str) -> None:
    shutil.copytree("runs/three", "runs/.removed-old")
    assert len(typed("runs").out.splitlines()) == 2
    assert typed("runs rm three --yes").code == 0 and list(Path("runs").iterdir()) == []


# What is lost or odd about a folder is said.


def test_what_cropping_loses_and_a_batch_that_is_too_large_are_said(typed: Typed) -> None:
    Path("wide").mkdir()
    for i in range(3):
        Image.new("L", (40, 20), 80 * i).save(f"wide/{i}.png")
    assert "cut to squares, they lose 50%" in typed("data check wide").out
    said = typed("train gan --data wide --size 8 --batch-size 4 --z 2 --g-layers 2 --d-layers 2 --steps 1").err
    assert "cut to their middle squares, which leaves out 50% of what they show." in said
    assert "a batch of 4 holds the 3 examples there are more than once." in said


# A program reads what a person sees.


def test_trainings_and_drawings_are_told_as_lines_of_json(typed: Typed) -> None:
    told = [
        json.loads(line) for line in typed(f"{CGAN} --steps 4 --log-every 2 --json".replace(" -q", "")).out.splitlines()
    ]
    assert {line["event"] for line in told} >= {"said", "start", "step", "end"}
    steps = [line for line in told if line["event"] == "step"]
    assert [line["step"] for line in steps] == [2, 4] and steps[0]["steps"] == 4 and "D/real" in steps[0]
    assert told[-1]["ending"] == "done" and told[-1]["run"] == "runs/cgan-001"
    done = typed(told[-1]["next"].removeprefix("gantool ") + " -n 4 --out four.png --json")
    assert json.loads(done.out) == {
        "event": "end",
        "out": "four.png",
        "n": 4,
        "model": "runs/cgan-001/model.safetensors",
    }
    more = [json.loads(line) for line in typed("resume cgan-001 --steps 6 --json").out.splitlines()]
    assert more[-1]["event"] == "end" and more[-1]["step"] == 6


def test_a_setting_that_does_nothing_with_these_networks_is_said_and_help_says_when_it_matters(typed: Typed) -> None:
    done = typed("train cgan --g-layers 8 --width 2 --d-width 2 --steps 1 --batch-size 4 --size 8")
    assert done.code == 0
    assert "note: --g-layers does nothing here: it matters with --networks mlp." in done.err
    assert "--width" not in done.err
    assert "nothing here" not in typed(f"{CGAN} --steps 1").err
    told = " ".join(typed("train cgan --help").out.split())
    assert "with --networks mlp" in told and "with --networks conv" in told


@pytest.mark.parametrize("command", ["list", "runs", "train cgan", "sample", "eval", "data list", "new", "resume"])
def test_help_shows_no_value_beside_a_switch(command: str, typed: Typed) -> None:
    assert "<bool>" not in typed(f"{command} --help").out
