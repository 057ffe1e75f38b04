"""Tests of installed packages: found without importing, kept apart, and named when they are at fault."""

import json
import sys
from pathlib import Path

import pytest
from conftest import TINY, Gantool, Install
from PIL import Image

from gantool import testing
from gantool.commands import plugins
from gantool.registry import Registry

MINE = '''"""MINE: a pretend GAN, [bold]with[/] brackets.

Paper: Me, 2030
Task: images of nothing
"""
from gantool.api import Recipe
from gantool.variants.gan import GAN

class Mine(GAN):
    recipe = Recipe(steps=3, batch_size=4)
'''
OPTIONS = """
from dataclasses import dataclass, field
from typing import Annotated
from typer import Option
from gantool.variants.gan import GAN

class Mine(GAN):
    @dataclass(kw_only=True)
    class Options(GAN.Options):
"""
BROKEN = {  # source, and what the error must say
    "raises": ("raise RuntimeError('the moon is full')", "RuntimeError: the moon is full"),
    "is of no known kind": ("class Odd(BaseException): ...\nraise Odd('a bug')", "Odd: a bug"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "missing module": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "missing name": ("from gantool.api import Frobnicator", "cannot import name 'Frobnicator'"),
    "no such class": ("Other = 1", "no attribute 'Mine'"),
    "wrong class": ("class Mine: ...", "plug_bad:Mine is not a subclass of gantool.api.Variant"),
    "no class": ("Mine = 'a string'", "plug_bad:Mine is not a subclass of gantool.api.Variant"),
    "syntax error": ("class Mine(:", "SyntaxError: invalid syntax"),
    "binary": (b"\x7fELF\xff", "SyntaxError"),
    "long words": (f"raise ValueError('{'no ' * 50}\\n' * 50)", "ValueError: no no"),
}
by_kind = pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=BROKEN)


@pytest.fixture
def untried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plugins --check` in this process, and without training: trust/test_plugins.py does both."""

    def checked(kind: str, name: str) -> str:
        plugins.try_out(kind, name, str(tmp_path / "verdict"))
        return (tmp_path / "verdict").read_text()

    monkeypatch.setattr(testing, "check_variant", lambda variant: None)
    monkeypatch.setattr(plugins, "checked", checked)


# One that works.


def test_an_installed_package_is_listed_with_what_its_docstring_says(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, mine="Mine")
    rows = {row["name"]: row for row in json.loads(gantool("list", "--json").out)}
    assert rows["mine"] == {
        "name": "mine", "summary": "MINE: a pretend GAN, [bold]with[/] brackets.", "task": "images of nothing",
        "paper": "Me, 2030", "package": "plug-mine", "version": "1.2", "clash": False,
    }  # fmt: skip
    assert "MINE: a pretend GAN, [bold]with[/] brackets." in gantool("list").out


def test_brackets_in_a_summary_are_not_taken_for_colours_on_a_terminal(
    gantool: Gantool, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("plug-mine", MINE, mine="Mine")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "[bold]with[/] brackets" in gantool("list").out


def test_listing_and_help_import_no_package(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, mine="Mine")
    for line in (["list"], ["plugins"], ["train", "--help"], ["train", "nine"]):
        assert gantool(*line).code in (0, 2)
    assert "plug_mine" not in sys.modules


def test_an_installed_variant_trains_and_samples_like_a_built_in_one(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, mine="Mine")
    assert "--g-layers" in gantool("train", "mine", "--help").out
    assert gantool("train", "mine", *TINY, "--name", "m").code == 0
    assert "steps: 3" in Path("runs/m/config.yaml").read_text()
    assert "plug-mine 1.2" in Path("runs/m/config.yaml").read_text()
    assert gantool("sample", "mine", "-n", 1, "--quiet").code == 0
    info = gantool("info", "mine").out
    assert "paper: Me, 2030" in info and "package: plug-mine 1.2" in info and "generator" in info


def test_one_package_may_offer_several_variants(gantool: Gantool, install: Install) -> None:
    install("plug-two", MINE + "class Yours(Mine): ...\n", mine="Mine", yours="Yours")
    assert [gantool("train", name, "--dry-run", *TINY).code for name in ("mine", "yours")] == [0, 0]


def test_a_variant_may_lay_its_samples_out_as_a_table(gantool: Gantool, install: Install) -> None:
    install("plug-table", MINE + "class Table(Mine):\n    def sheet(self, options): return 5, 3\n", table="Table")
    assert gantool("train", "table", *TINY, "--name", "t").code == 0
    assert gantool("sample", "table", "--out", "t.png", "--scale", "1", "-q").code == 0
    with Image.open("t.png") as image:
        assert image.size == (5 * 30 - 2, 3 * 30 - 2)
    refused = gantool("sample", "table", "--grid", "4x4", "-q")
    assert refused.code == 2 and "rows of 5" in refused.err and "--grid 5x3" in refused.err


def test_plugins_names_package_version_and_the_gantool_it_asks_for(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, requires="gantool>=0.1,<0.2", mine="Mine")
    rows = {row["name"]: row for row in json.loads(gantool("plugins", "--json").out)}
    assert (rows["mine"]["package"], rows["mine"]["version"]) == ("plug-mine", "1.2")
    assert rows["mine"]["needs"] == "gantool>=0.1,<0.2"
    assert {"gan", "cgan", "dcgan"} < rows.keys()


# Broken ones.


@by_kind
def test_a_broken_package_breaks_its_own_name_and_no_other(
    source: str | bytes, cause: str, gantool: Gantool, install: Install
) -> None:
    install("plug-bad", source, requires="gantool>=0.1", bad="Mine")
    install("plug-mine", MINE, mine="Mine")
    for line in (["train", "bad"], ["train", "bad", "--help"], ["sample", "bad"], ["info", "bad"]):
        result = gantool(*line)
        assert result.code == 1 and not result.out
        assert len(result.err.splitlines()) <= 6 and "Traceback" not in result.err
        assert cause in result.err and "plug-bad 1.2" in result.err and "gantool>=0.1" in result.err
    assert {"bad", "mine", "gan"} <= {row["name"] for row in json.loads(gantool("list", "--json").out)}
    assert [gantool("train", *rest, "--help").code for rest in ([], ["mine"], ["gan"])] == [0, 0, 0]


@by_kind
def test_plugins_check_survives_a_broken_package_and_names_it(
    source: str | bytes, cause: str, gantool: Gantool, install: Install, untried: None
) -> None:
    install("plug-bad", source, bad="Mine")
    install("plug-mine", MINE, mine="Mine")
    assert gantool("plugins").code == 0
    result = gantool("plugins", "--check", "--json")
    assert result.code == 1 and "Not usable: bad." in result.err
    states = {row["name"]: row["state"] for row in json.loads(result.out)}
    assert cause in states.pop("bad")
    assert set(states.values()) == {"ok"}


def test_the_traceback_of_a_broken_package_is_there_for_its_author(
    gantool: Gantool, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("plug-bad", "raise RuntimeError('the moon is full')", bad="Mine")
    monkeypatch.setenv("GANTOOL_DEBUG", "1")
    with pytest.raises(RuntimeError, match="the moon is full"):
        gantool("train", "bad")


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ('kinds: Annotated[list[int], Option(help="h")] = field(default_factory=list)', "kinds is a list"),
        ('kinds: Annotated[tuple[int, int], Option(help="h")] = (1, 2)', "kinds is tuple; a setting is"),
        ("bare: int = 1", "bare needs Annotated"),
    ],
)
def test_options_that_cannot_be_flags_are_refused_in_a_line(
    option: str, why: str, gantool: Gantool, install: Install
) -> None:
    install("plug-bad", f"{OPTIONS}        {option}\n", bad="Mine")
    result = gantool("train", "bad")
    assert (
        result.code == 1
        and why in result.err
        and "bug in gantool" not in result.err
        and len(result.err.splitlines()) <= 6
    )
    assert gantool("train", "gan", "--help").code == 0


@pytest.mark.parametrize(
    ("metadata", "version"),
    [("Metadata-Version: 2.1\nName: plug-odd\n", ""), ("Metadata-Version: 2.1\n", ""), ("", ""), (None, "")],
)
def test_a_package_without_name_or_version_hides_nothing(
    metadata: str | None, version: str, gantool: Gantool, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install("plug-odd", MINE, odd="Mine")
    file = folder.parent / "plug_odd-1.2.dist-info" / "METADATA"
    file.write_text(metadata) if metadata is not None else file.unlink()
    monkeypatch.delenv("GANTOOL_PLUGINS")
    rows = {row["name"]: row for row in json.loads(gantool("plugins", "--json").out)}
    assert rows["odd"]["version"] == version and rows["odd"]["needs"] == "any gantool" and "gan" in rows
    for line in (["list"], ["plugins"], ["info", "odd"], ["train", "gan", "--help"]):
        assert gantool(*line).code == 0


@pytest.mark.parametrize(
    "value", ["", ":", "plug_odd", "plug_odd:", ":Mine", "plug odd:Mine", "..up:Mine", "a:b:c", "/"]
)
def test_an_entry_point_that_leads_nowhere_breaks_only_its_name(value: str, gantool: Gantool, install: Install) -> None:
    folder = install("plug-odd", MINE, odd="Mine")
    entries = folder.parent / "plug_odd-1.2.dist-info" / "entry_points.txt"
    entries.write_text(f"[gantool.variants]\nodd = {value}\n")
    for line in (["list"], ["plugins"], ["info", "gan"], ["train", "--help"]):
        assert gantool(*line).code == 0
    for line in (["train", "odd"], ["info", "odd"]):
        result = gantool(*line)
        assert result.code == 1 and "'odd' from plug-odd 1.2 cannot be used: " in result.err


@pytest.mark.parametrize("text", [b"[gantool.variants]\nno equals sign\n", b"\xff\xfe", b"odd = before:any_group"])
def test_entry_points_that_cannot_be_read_hide_no_other_package(
    text: bytes, gantool: Gantool, install: Install
) -> None:
    folder = install("plug-odd", MINE, odd="Mine")
    install("plug-mine", MINE, mine="Mine")
    (folder.parent / "plug_odd-1.2.dist-info" / "entry_points.txt").write_bytes(text)
    names = {row["name"] for row in json.loads(gantool("list", "--json").out)}
    assert {"gan", "mine"} <= names and "odd" not in names
    assert gantool("train", "gan", "--dry-run", *TINY).code == 0


def test_only_gantool_itself_is_the_gantool_that_is_needed(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, requires="gantool-extras>=7\nRequires-Dist: gantool (<0.2)", mine="Mine")
    rows = {row["name"]: row for row in json.loads(gantool("plugins", "--json").out)}
    assert rows["mine"]["needs"] == "gantool (<0.2)"


def test_a_variant_that_cannot_be_built_still_shows_its_options(gantool: Gantool, install: Install) -> None:
    burst = "    def __init__(self, options, data):\n        raise RuntimeError('no networks today')\n"
    install("plug-odd", MINE + burst, odd="Mine")
    result = gantool("info", "odd", "--all")
    assert result.code == 0 and "networks: not shown (RuntimeError: no networks today)" in result.out
    assert "g_layers" in result.out


def test_what_a_module_prints_is_not_part_of_the_answer(gantool: Gantool, install: Install) -> None:
    install("plug-loud", MINE + "print('hello from the module')\n", loud="Mine")
    for line in (["train", "loud", "--help"], ["info", "loud"]):
        result = gantool(*line)
        assert result.code == 0 and "hello" not in result.out


# Clashes.


def test_two_packages_of_one_name_are_both_named_and_neither_is_used(
    gantool: Gantool, install: Install, untried: None
) -> None:
    install("plug-a", MINE, twin="Mine", mine="Mine")
    install("plug-b", MINE, twin="Mine", yours="Mine")
    result = gantool("train", "twin")
    assert result.code == 2 and "'twin' is offered by plug-a and plug-b." in result.err
    assert "pip uninstall plug-" in result.err
    assert [gantool("train", name, "--help").code for name in ("mine", "yours", "gan")] == [0, 0, 0]
    clashing = [row["package"] for row in json.loads(gantool("list", "--json").out) if row["clash"]]
    assert clashing == ["plug-a", "plug-b"]
    checked = gantool("plugins", "--check")
    assert checked.code == 1 and "Not usable: twin" in checked.err


def test_a_package_that_takes_a_built_in_name_is_the_one_to_uninstall(gantool: Gantool, install: Install) -> None:
    install("plug-aaa", MINE, gan="Mine")
    result = gantool("train", "gan")
    assert result.code == 2 and "'gan' is offered by" in result.err
    assert "pip uninstall plug-aaa" in result.err
    assert gantool("train", "dcgan", "--help").code == 0


def test_without_plugins_a_clashing_package_is_not_even_imported(gantool: Gantool, install: Install) -> None:
    install("plug-aaa", "raise RuntimeError('imported')", gan="Mine")
    assert gantool("--no-plugins", "train", "gan", "--dry-run", *TINY).code == 0
    assert "plug_aaa" not in sys.modules


# GANTOOL_PLUGINS and --no-plugins.


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, {"one", "two"}), ("", set()), ("plug-one", {"one"}), (" plug-two , plug-one ", {"one", "two"}),
        ("plug-ghost", set()),
    ],
)  # fmt: skip
def test_gantool_plugins_says_which_packages_count(
    allowed: str | None, names: set[str], install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("plug-one", MINE, one="Mine")
    install("plug-two", MINE, two="Mine")
    if allowed is None:
        monkeypatch.delenv("GANTOOL_PLUGINS")
    else:
        monkeypatch.setenv("GANTOOL_PLUGINS", allowed)
    found = set(Registry().names())
    assert found & {"one", "two"} == names
    assert {"gan", "cgan", "dcgan"} <= found


def test_no_plugins_leaves_only_the_built_in_ones(gantool: Gantool, install: Install) -> None:
    install("plug-mine", MINE, mine="Mine")
    names = {row["name"] for row in json.loads(gantool("--no-plugins", "list", "--json").out)}
    assert names == {"gan", "cgan", "dcgan"}
    result = gantool("--no-plugins", "train", "mine")
    assert result.code == 2 and "No variant named 'mine'" in result.err


TWO = '''"""Two variants in one module."""
from gantool.variants.gan import GAN

class One(GAN):
    """ONE: the first of two.

    Paper: Someone, 2020
    Task: images from noise
    Differs from the paper: the loss is
        another one.
    """

class Other(GAN):
    """Says nothing of papers, so the module speaks for it."""
'''


def test_two_variants_of_one_module_each_speak_for_themselves(install: Install) -> None:
    install("plug-two", TWO, one="One", other="Other")
    one, other = (Registry().offer(name) for name in ("one", "other"))
    assert one.summary == "ONE: the first of two." and one.field("Paper") == "Someone, 2020"
    assert one.field("Differs from the paper") == "the loss is another one."
    assert other.summary == "Two variants in one module." and other.field("Paper") == ""
    assert Registry().offer("gan").summary == "GAN: two multilayer perceptrons in a minimax game."
