"""Tests of `gantool new`: a package that installs, trains and passes its own test, or a refusal."""

import importlib
import tomllib
from pathlib import Path

import pytest
from conftest import Gantool, Install
from packaging.specifiers import SpecifierSet

from gantool import __version__


def test_the_new_package_is_complete_and_asks_for_this_gantool(gantool: Gantool) -> None:
    result = gantool("new", "my-gan")
    assert result.code == 0 and not result.err
    assert "pip install -e gantool-my-gan" in result.out and "gantool train my-gan" in result.out
    files = {str(p.relative_to("gantool-my-gan")) for p in Path("gantool-my-gan").rglob("*") if p.is_file()}
    assert files == {"README.md", "pyproject.toml", "gantool_my_gan.py", "tests/test_gantool_my_gan.py"}
    assert not any("$" in Path("gantool-my-gan", name).read_text().replace("$ ", "") for name in files)
    project = tomllib.loads(Path("gantool-my-gan/pyproject.toml").read_text())["project"]
    assert project["entry-points"]["gantool.variants"] == {"my-gan": "gantool_my_gan:MyGan"}
    (needs,) = project["dependencies"]
    bounds = SpecifierSet(needs.removeprefix("gantool"))
    assert __version__ in bounds and "1.0" not in bounds


def test_the_new_package_passes_its_own_test(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gantool("new", "own-test").code == 0
    monkeypatch.syspath_prepend("gantool-own-test/tests")
    monkeypatch.syspath_prepend("gantool-own-test")
    importlib.import_module("test_gantool_own_test").test_contract()


def test_the_new_variant_trains_and_samples_once_installed(gantool: Gantool, install: Install) -> None:
    assert gantool("new", "plug-one").code == 0
    source = Path("gantool-plug-one/gantool_plug_one.py").read_text()
    install("plug-one", source, plug_one="PlugOne")
    listed = gantool("list").out
    assert "PlugOne: one line saying what it does" in listed
    tiny = ("--steps", 2, "--batch-size", 4, "--hidden", 4, "--quiet")
    assert gantool("train", "plug-one", *tiny).code == 0
    assert gantool("sample", "plug-one", "-n", 2, "--out", "two.png", "--quiet").code == 0
    assert Path("two.png").is_file()


@pytest.mark.parametrize("name", ["gan2", "gan-2", "a", "gantool-thing", "recipe", "variant", "torch"])
def test_names_that_are_fit_for_a_package_make_one_that_compiles(gantool: Gantool, name: str) -> None:
    assert gantool("new", name).code == 0
    (folder,) = Path().iterdir()
    assert folder.name == f"gantool-{name.removeprefix('gantool-')}"
    for file in folder.rglob("*.py"):
        compile(file.read_bytes(), file, "exec")


@pytest.mark.parametrize(
    "name", ["My-Gan", "my gan", "2gan", "my--gan", "my-", "../gan", "my_gan", "", "none", "true", "gantool-", "é"]
)
def test_a_name_that_cannot_be_typed_or_imported_is_refused(gantool: Gantool, name: str) -> None:
    result = gantool("new", name)
    assert result.code == 2 and "not a variant's name" in result.err and "my-gan" in result.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", ["gan", "dcgan", "gantool-gan"])
def test_a_name_that_is_taken_is_refused_naming_the_owner(gantool: Gantool, name: str) -> None:
    result = gantool("new", name)
    assert result.code == 2 and "taken, by the package gantool" in result.err
    assert not list(Path().iterdir())


def test_a_folder_that_holds_something_is_left_alone(gantool: Gantool) -> None:
    Path("gantool-mine").mkdir()
    Path("gantool-mine/thesis.txt").write_text("years of work")
    result = gantool("new", "mine")
    assert result.code == 2 and "gantool-mine is already there" in result.err and "--out" in result.err
    assert [p.name for p in Path("gantool-mine").iterdir()] == ["thesis.txt"]
    assert gantool("new", "mine", "--out", "elsewhere/deep").code == 0
    assert Path("elsewhere/deep/pyproject.toml").is_file()


def test_a_file_in_the_way_is_named(gantool: Gantool) -> None:
    Path("gantool-mine").write_text("a file")
    assert gantool("new", "mine").code == 2
    result = gantool("new", "mine", "--out", "gantool-mine/inside")
    assert result.code == 1 and "gantool-mine" in result.err and "bug" not in result.err
