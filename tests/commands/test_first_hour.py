"""What a person types in the first hour, written as it was typed, and what gantool answers."""

import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Gantool, Result

from gantool.api import DataSpec, UserError, open_folder
from gantool.data.named import digits
from gantool.errors import SYNONYMS
from gantool.registry import PACKAGED

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
    assert declared == PACKAGED


def test_bare_gantool_greets(typed: Typed) -> None:
    done = typed("")
    said = done.out + done.err
    assert done.code == 0 and "Start with: gantool train gan" in said
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
