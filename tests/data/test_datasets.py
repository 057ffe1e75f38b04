"""Tests of packages' data sets: listed without importing, opened by name, kept apart, and asked what is held out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, Gantool, Install

from gantool.api import Data, Recipe, is_named
from gantool.commands import plugins
from gantool.data import named
from gantool.data.images import ImageData
from gantool.data.opening import open_data
from gantool.errors import UserError
from gantool.testing import check_data

SQUARES = '''"""A package of pretend data."""
import torch
from gantool.api import Data, DataSpec, ImageData

class ColourPairs(Data):
    def __init__(self, seed):
        self.spec = DataSpec((3, 8, 8))
        self.x = torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))

    def __len__(self):
        return len(self.x)

    def batch(self, index, rng):
        return self.x[index], 255 - self.x[index]

    def fingerprint(self):
        return str(int(self.x.sum()))

def squares(recipe, train=True):
    """White [bold]squares[/], by the dozen.

    More of them.
    """
    pixels = torch.full((24 if train else 6, 1, 8, 8), 255, dtype=torch.uint8)
    return ImageData(pixels, torch.arange(len(pixels)) % 2, ("left", "right"))

def pairs(recipe, train=True):
    """Pairs of colours."""
    return ColourPairs(0 if train else 1)

def nothing(recipe, train=True): ...

def raising(recipe, train=True):
    raise RuntimeError("the moon is full")

def asking(recipe):
    return squares(recipe)

def torn(recipe, train=True):
    """Another each time."""
    return ColourPairs(int(torch.randint(10**9, ())))

word = "squares"
'''
Offering = Callable[..., Path]


@pytest.fixture
def offering(install: Install) -> Offering:
    """offering("plug-data", squares="squares"): a package with data sets."""

    def offering(package: str = "plug-data", source: str = SQUARES, **sets: str) -> Path:
        folder = install(package, source)
        lines = [f"{name} = {folder.name}:{function}" for name, function in sets.items()]
        entries = folder.parent / f"{folder.name}-1.2.dist-info" / "entry_points.txt"
        entries.write_text("\n".join(["[gantool.datasets]", *lines, ""]))
        return folder

    return offering


def said(error: pytest.ExceptionInfo[UserError]) -> str:
    return f"{error.value.message} {error.value.hint}"


def test_they_are_listed_with_the_functions_first_line_and_nothing_is_imported(
    gantool: Gantool, offering: Offering
) -> None:
    offering(squares="squares", bare="nothing", gone="no_such_function")
    rows = {row["name"]: row for row in json.loads(gantool("data", "list", "--json").out)}
    assert rows["squares"] == {
        "name": "squares", "about": "White [bold]squares[/], by the dozen.", "package": "plug-data"
    }  # fmt: skip
    assert (rows["bare"]["about"], rows["gone"]["about"], rows["mnist"]["package"]) == ("", "", "gantool")
    shown = gantool("data", "list").out
    assert "White [bold]squares[/], by the dozen." in shown and "plug-data" in shown
    for line in (["train", "gan", "--help"], ["list"], ["plugins"], ["train", "gan", "--data", "square"]):
        assert gantool(*line).code in (0, 2)
    assert "plug_data" not in sys.modules


def test_listing_and_help_import_no_torch(process: Gantool, offering: Offering) -> None:
    offering(squares="squares")
    for line in (["data", "list"], ["train", "gan", "--help"], ["plugins"]):
        code = (
            f"import sys; from gantool.cli import run; run({line}); print({{'torch', 'plug_data'}} & set(sys.modules))"
        )
        done = process("-c", code)
        assert done.out.splitlines()[-1] == "set()"
        assert done.code == 0, done.err


def test_a_name_is_trained_on_at_the_recipes_size_and_channels(gantool: Gantool, offering: Offering) -> None:
    offering(squares="squares")
    data = open_data(Recipe(data="squares", size=6, channels=3, flip=True))
    assert data.pixels.shape == (24, 3, 6, 6) and data.flip and data.spec.classes == ("left", "right")
    assert gantool("train", "gan", "--data", "squares", "--steps", 2, *TINY).code == 0
    assert "data: squares" in Path("runs/gan-001/config.yaml").read_text()
    assert gantool("resume", "gan-001", "--steps", 3, "-q").code == 0
    assert gantool("sample", "gan", "-n", 2, "-q").code == 0


def test_a_name_nearly_right_is_suggested(gantool: Gantool, offering: Offering) -> None:
    offering(squares="squares")
    done = gantool("train", "gan", "--data", "squarse", *TINY)
    assert done.code == 2 and "Did you mean squares?" in done.err and "digits, mnist" in done.err
    assert is_named("squares") and is_named("mnist") and not is_named(".")


def test_what_is_held_out_is_asked_for_and_otherwise_the_same_comes_back(
    offering: Offering, images: Callable[..., Path]
) -> None:
    offering(squares="squares")
    folder = str(images({"a.png": "red", "b.png": "blue"}))
    for name, held_out in (("squares", True), ("digits", True), (folder, False)):
        trained_on, held = (open_data(Recipe(data=name), train) for train in (True, False))
        assert (trained_on.fingerprint() != held.fingerprint()) is held_out
    assert len(open_data(Recipe(data="squares"), train=False)) == 6


def test_digits_held_out_are_others_than_those_to_train_on() -> None:
    (x, y), (held, classes) = named.digits(), named.digits(train=False)
    assert held.shape == (1_000, 1, 28, 28) and classes.bincount().tolist() == [100] * 10
    assert not {row.numpy().tobytes() for row in x} & {row.numpy().tobytes() for row in held}
    assert y.bincount().tolist() == [500] * 10


def test_data_of_another_kind_are_refused_in_a_sentence(gantool: Gantool, offering: Offering) -> None:
    folder = offering(pairs="pairs", squares="squares")
    done = gantool("train", "gan", "--data", "pairs", *TINY)
    assert done.code == 2 and "pairs holds colour pairs, not images or points." in done.err
    assert len(done.err.splitlines()) <= 6 and not Path("runs").exists()
    cls = __import__(folder.name).ColourPairs
    assert len(open_data(Recipe(data="pairs"), of=cls)) == 12
    with pytest.raises(UserError, match="squares holds images, not colour pairs"):
        open_data(Recipe(data="squares"), of=cls)


def test_data_that_come_in_one_size_say_so(offering: Offering) -> None:
    offering(pairs="pairs")
    assert isinstance(open_data(Recipe(data="pairs", size=8, channels=3), of=Data), Data)  # type: ignore[type-abstract]
    for wrong in ({"size": 16}, {"channels": 1}):
        with pytest.raises(UserError) as error:
            open_data(Recipe(data="pairs", **wrong), of=Data)  # type: ignore[type-abstract, arg-type]
        assert f"pairs has {next(iter(wrong))}" in said(error) and error.value.code == 2


BROKEN = {
    "raises at import": ("raise RuntimeError('the moon is full')", "squares", "RuntimeError: the moon is full"),
    "no such name": (SQUARES, "absent", "no attribute 'absent'"),
    "no function": (SQUARES, "word", "TypeError: 'str' object is not callable"),
    "no data": (SQUARES, "nothing", "plug_bad:nothing gives no gantool.api.Data"),
    "raises": (SQUARES, "raising", "RuntimeError: the moon is full"),
    "syntax error": ("def squares(:", "squares", "SyntaxError"),
}


@pytest.mark.parametrize(("source", "function", "cause"), BROKEN.values(), ids=BROKEN)
def test_a_broken_one_breaks_its_name_alone(
    source: str, function: str, cause: str, gantool: Gantool, offering: Offering
) -> None:
    offering("plug-bad", source, bad=function)
    offering("plug-data", squares="squares")
    done = gantool("train", "gan", "--data", "bad", *TINY)
    assert done.code == 1 and "'bad' from plug-bad 1.2 cannot be used: " in done.err and cause in done.err
    assert len(done.err.splitlines()) <= 6 and "Traceback" not in done.err
    assert gantool("data", "list").code == 0
    for name in ("squares", "digits"):
        assert gantool("train", "gan", "--data", name, "--steps", 1, *TINY).code == 0


def test_one_that_knows_nothing_of_held_out_data_still_trains(offering: Offering) -> None:
    offering(old="asking")
    assert len(open_data(Recipe(data="old"))) == 24
    with pytest.raises(UserError, match="unexpected keyword argument 'train'"):
        open_data(Recipe(data="old"), train=False)


def test_two_of_one_name_are_refused_naming_both(gantool: Gantool, offering: Offering) -> None:
    offering("plug-a", twin="squares", digits="squares")
    offering("plug-b", twin="squares", mine="squares")
    twin = gantool("train", "gan", "--data", "twin", *TINY)
    assert twin.code == 2 and "'twin' is offered by plug-a and plug-b." in twin.err
    taken = gantool("train", "gan", "--data", "digits", *TINY)
    assert taken.code == 2 and "'digits' is offered by gantool and plug-a." in taken.err
    assert "pip uninstall plug-a" in taken.err
    assert gantool("train", "gan", "--data", "mine", "--steps", 1, *TINY).code == 0
    assert gantool("--no-plugins", "train", "gan", "--data", "digits", "--dry-run", *TINY).code == 0


def test_packages_left_out_offer_no_data(gantool: Gantool, offering: Offering, monkeypatch: pytest.MonkeyPatch) -> None:
    offering("plug-data", squares="squares")
    offering("plug-more", more="squares")
    assert gantool("--no-plugins", "train", "gan", "--data", "squares", *TINY).code == 2
    monkeypatch.setenv("GANTOOL_PLUGINS", "plug-more")
    assert {row["name"] for row in json.loads(gantool("data", "list", "--json").out)} & {"squares", "more"} == {"more"}


def test_plugins_lists_them_and_check_tries_them(
    gantool: Gantool, offering: Offering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def checked(kind: str, name: str) -> str:
        if kind != "data":
            return "ok"
        plugins.try_out(kind, name, str(tmp_path / "verdict"))
        return (tmp_path / "verdict").read_text()

    monkeypatch.setattr(plugins, "checked", checked)
    offering(squares="squares", pairs="pairs", torn="torn", old="asking", digits="squares")
    done = gantool("plugins", "--check", "--json")
    rows = {row["name"]: row for row in json.loads(done.out) if row["kind"] == "data"}
    assert (rows["squares"]["package"], rows["squares"]["state"], rows["pairs"]["state"]) == ("plug-data", "ok", "ok")
    assert "another each time" in rows["torn"]["state"] and "'train'" in rows["old"]["state"]
    assert rows["digits"]["state"] == "clash" and done.code == 1


def test_the_contract_of_data_is_checked_for_authors(offering: Offering, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = offering(squares="squares", pairs="pairs")
    check_data("squares", size=6)
    check_data("pairs")
    cls: Any = __import__(folder.name).ColourPairs
    monkeypatch.setattr(cls, "batch", lambda self, index, rng: (torch.rand(len(index), 3),))
    with pytest.raises(AssertionError, match="draws at random from elsewhere than rng"):
        check_data("pairs")
    monkeypatch.setattr(cls, "batch", lambda self, index, rng: (self.x,))
    with pytest.raises(AssertionError, match="not one row an example"):
        check_data("pairs")


def test_a_variant_whose_usual_data_are_a_packages_shows_its_networks(gantool: Gantool, install: Install) -> None:
    source = SQUARES + (
        "from gantool.api import Recipe\nfrom gantool.variants.gan import GAN\n"
        "class Own(GAN):\n    recipe = Recipe(data='squares', steps=1)\n"
    )
    folder = install("plug-own", source, own="Own")
    with (folder.parent / "plug_own-1.2.dist-info" / "entry_points.txt").open("a") as entries:
        entries.write("[gantool.datasets]\nsquares = plug_own:squares\n")
    assert "networks, for 8x8x1 images" in gantool("info", "own").out
    assert gantool("train", "own", *TINY).code == 0
    missing = gantool("train", "own", "--data", "squarse", *TINY)
    assert missing.code == 2 and "Did you mean squares?" in missing.err
    assert isinstance(open_data(Recipe(data="squares")), ImageData)
