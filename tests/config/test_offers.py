"""Tests of what packages add beside variants and data: commands, metrics, writers and observers."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, Gantool, Install

import gantool as library
from gantool.commands import plugins

# One file with all of it. Each thing leaves a word of itself where a person would see it.
SOURCE = '''"""Sundry: some of everything."""
from dataclasses import dataclass
from typing import Annotated, Any
from pluggy import HookimplMarker
from typer import Argument, Option

hookimpl = HookimplMarker("gantool")

@dataclass(kw_only=True)
class HowToGreet:
    whom: Annotated[str, Argument(help="Who is there.", autocompletion=lambda incomplete: ["Ann", "Bo"])] = "you"
    times: Annotated[int, Option(min=1, max=3, help="How often.")] = 1

def greet(how: HowToGreet) -> None:
    """Say hello [bold]to[/] somebody."""
    print("\\n".join([f"hello {how.whom}"] * how.times))

def bare() -> None:
    """Say nothing of note."""
    print("bare")

def dark(drawn: Any, real: Any) -> float:
    """How much darker than real images."""
    return float(real.float().mean() - drawn.float().mean())

def count(images: Any, out: Any) -> str:
    """How many there are."""
    return f"{sum(len(part.images) for part in images.parts)} of {images.n} in {images.columns}\\n"

@hookimpl
def gantool_commands() -> Any:
    return {"greet": greet, "bare": bare}

@hookimpl
def gantool_metrics() -> Any:
    return {"dark": dark}

@hookimpl
def gantool_writers() -> Any:
    return {"cnt": count}

@hookimpl
def gantool_train_start(trainer: Any) -> None:
    (trainer.folder / "heard.txt").write_text(trainer.run_name)
'''
BY_NAME = (
    "[gantool.commands]\ngreet = MODULE:greet\nbare = MODULE:bare\n[gantool.metrics]\ndark = MODULE:dark\n"
    "[gantool.writers]\ncnt = MODULE:count\n"
)
BY_HOOKS = "[gantool]\nsundry = MODULE\n"
Add = Callable[..., Path]


@pytest.fixture
def add(install: Install) -> Add:
    """A pretend package with these entry points: add("plug-a", SOURCE, BY_NAME)."""

    def add(package: str, source: str, entries: str) -> Path:
        folder = install(package, source)
        written = folder.parent / f"{folder.name}-1.2.dist-info" / "entry_points.txt"
        written.write_text(entries.replace("MODULE", folder.name))
        return folder

    return add


def remove(folder: Path) -> None:
    """As pip would."""
    shutil.rmtree(folder)
    shutil.rmtree(folder.parent / f"{folder.name}-1.2.dist-info")


@pytest.fixture
def untried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plugins --check` in this process, of what is no variant."""

    def checked(kind: str, name: str) -> str:
        if kind == "variant":
            return "ok"
        plugins.try_out(kind, name, str(tmp_path / "verdict"))
        return (tmp_path / "verdict").read_text()

    monkeypatch.setattr(plugins, "checked", checked)


@pytest.fixture
def run(trained: Path, gantool: Gantool) -> str:
    """A finished run in runs/, in the folder that commands are given in."""
    shutil.copytree(trained, "runs/one")
    return "one"


# What works.


@pytest.mark.parametrize("entries", [BY_NAME, BY_HOOKS], ids=["by name", "by hooks"])
def test_each_kind_works_and_nothing_remains(entries: str, add: Add, gantool: Gantool, run: str) -> None:
    folder = add("plug-sundry", SOURCE, entries)
    assert gantool("greet", "Ann", "--times", "2").out == "hello Ann\nhello Ann\n"
    assert gantool("bare").out == "bare\n"
    assert gantool("greet", "--times", "9").code == 2
    assert "dark" in json.loads(gantool("eval", "gan", "--metrics", "dark", "-n", "130", "--json").out)["scores"]
    assert gantool("sample", "gan", "-n", "3", "--out", "three.cnt", "-q").code == 0
    assert Path("three.cnt").read_text() == "3 of 3 in None\n"
    remove(folder)
    for line in (["greet", "Ann"], ["eval", "gan", "--metrics", "dark"], ["sample", "gan", "--out", "x.cnt"]):
        assert gantool(*line).code == 2
    left = gantool("plugins", "--json").out + gantool("--help").out + gantool("sample", "gan", "--out", "x.cnt").err
    assert not any(word in left for word in ("greet", "bare", "dark", "FILE.cnt", "sundry"))


def test_what_has_a_name_is_in_help_and_nothing_is_imported_for_it(
    add: Add, gantool: Gantool, process: Gantool
) -> None:
    add("plug-sundry", SOURCE, BY_NAME + BY_HOOKS)
    said = gantool("--help").out
    assert "Commands of packages" in said and "Say hello [bold]to[/] somebody." in said
    for line in (["list"], ["plugins"], ["train", "--help"], ["runs"], ["sample", "gan", "--help"]):
        assert gantool(*line).code == 0
    assert "plug_sundry" not in sys.modules
    watch = (
        "import sys; from gantool import cli; cli.run(sys.argv[1:])\n"
        "print([name for name in ('torch', 'plug_sundry') if name in sys.modules])"
    )
    done = process("-c", watch, "--help")
    assert done.code == 0 and done.out.rstrip().endswith("[]") and "greet" in done.out
    done = process("-c", watch, "greet", "Ann")
    assert done.code == 0 and done.out == "hello Ann\n['plug_sundry']\n"


def test_tab_completes_a_packages_command_and_its_flags(add: Add, process: Gantool) -> None:
    add("plug-sundry", SOURCE, BY_NAME)

    def completed(typed: str) -> list[str]:
        words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_GANTOOL_COMPLETE": "complete_bash"}
        return process("-m", "gantool", **words).out.split()

    assert completed("gantool gre") == ["greet"]
    assert completed("gantool greet --ti") == ["--times"]
    assert completed("gantool greet ") == ["Ann", "Bo"]
    assert completed("gantool nothing --ti") == []


def test_help_of_a_command_tells_words_flags_and_ranges(add: Add, gantool: Gantool) -> None:
    add("plug-sundry", SOURCE, BY_NAME)
    said = gantool("greet", "--help").out
    assert "Say hello [bold]to[/] somebody." in said and "Who is there." in said and "[1 to 3; default: 1]" in said
    for line, why in ((["--tims", "2"], "No such option: --tims. Did you mean --times?"),
                      (["a", "b"], "'b' is one word too many."), (["--times"], "--times needs a value")):  # fmt: skip
        done = gantool("greet", *line)
        assert done.code == 2 and why in done.err


def test_observers_hear_of_the_run_they_are_in(add: Add, gantool: Gantool) -> None:
    add("plug-sundry", SOURCE, BY_HOOKS)
    assert gantool("train", "gan", "--steps", "1", *TINY, "--name", "heard").code == 0
    assert Path("runs/heard/heard.txt").read_text() == "heard"


def test_the_library_has_the_same_metrics_and_writers(add: Add, gantool: Gantool, run: str) -> None:
    add("plug-sundry", SOURCE, BY_HOOKS)
    report = library.evaluate("one", metrics="dark", n=130)
    assert list(report.scores) == ["dark"] and report.ceiling["dark"] == pytest.approx(0, abs=10)
    images = library.Images([np.zeros((4, 4, 1), np.uint8)] * 5, columns=2)
    assert images.save("five.cnt").read_text() == "5 of 5 in 2\n"
    against = library.evaluate(library.load("one").sample(300), against="digits", metrics="dark,FD", n=130)
    assert {"dark", "FD"} <= against.scores.keys() & against.floor.keys()


def test_a_threshold_may_name_a_packages_metric(add: Add, gantool: Gantool, install: Install) -> None:
    add("plug-sundry", SOURCE, BY_NAME)
    source = '"""Mine."""\nfrom gantool.variants.gan import GAN\n\nclass Mine(GAN): ...\n'
    cards = install("plug-mine", source, mine="Mine") / "cards"
    cards.mkdir()
    (cards / "mine.yaml").write_text(
        "- data: digits\n  steps: 2\n  thresholds:\n    - dark <= 300\n    - dark <= .001 x real\n"
    )
    assert gantool("train", "mine", "--steps", "2", *TINY).code == 0
    report = json.loads(gantool("eval", "mine", "-n", "130", "--json").out)
    assert [threshold["score"] for threshold in report["thresholds"]] == ["dark", "dark"] and report["thresholds"][0][
        "passed"
    ]
    assert {"dark"} <= report["scores"].keys() & report["floor"].keys() & report["ceiling"].keys()


@pytest.mark.parametrize("hidden", ["--no-plugins", "GANTOOL_PLUGINS"])
def test_plugins_can_be_left_out(
    hidden: str, add: Add, gantool: Gantool, monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    add("plug-sundry", SOURCE, BY_NAME + BY_HOOKS)
    first = ["--no-plugins"] if hidden.startswith("-") else []
    if not first:
        monkeypatch.setenv("GANTOOL_PLUGINS", "plug-other")
    assert "greet" not in gantool(*first, "--help").out and "sundry" not in gantool(*first, "plugins", "--json").out
    for line in (["greet"], ["eval", "gan", "--metrics", "dark"], ["sample", "gan", "--out", "x.cnt", "-q"]):
        assert gantool(*first, *line).code == 2
    assert "plug_sundry" not in sys.modules


# What is broken.


@pytest.mark.parametrize("entries", [BY_NAME, BY_HOOKS], ids=["by name", "by hooks"])
def test_a_package_that_breaks_at_import_breaks_its_own_names_alone(
    entries: str, add: Add, gantool: Gantool, untried: None, run: str
) -> None:
    add("plug-bad", "raise RuntimeError('the moon is full')", entries)
    add("plug-good", SOURCE.replace("greet", "wave").replace("dark", "pale").replace("cnt", "num"), BY_HOOKS)
    train, sample = ["train", "gan", "--steps", "1", *TINY], ["sample", "gan", "--out", "x.num", "-q"]
    measure = ["eval", "gan", "--metrics", "pale", "-n", "130"]
    for line in (["--help"], ["list"], ["plugins"], ["wave"], train, sample, measure):
        assert gantool(*line).code == 0, line
    for line in (["greet", "Ann"], ["sample", "gan", "--out", "x.cnt", "-q"]):
        done = gantool(*line)
        assert done.code in (1, 2) and "from plug-bad 1.2 cannot be used: RuntimeError: the moon is full" in done.err
        assert len(done.err.splitlines()) <= 6 and "Traceback" not in done.err and not Path("x.cnt").exists()
    done = gantool("eval", "gan", "--metrics", "dark,FD", "-n", "130", "--json")
    assert "plug-bad 1.2" in done.err and "the moon is full" in done.err
    if entries == BY_NAME:  # that is how one knows that it is a metric at all
        assert done.code == 0 and list(json.loads(done.out)["scores"]) == ["FD"]
    checked = gantool("plugins", "--check", "--json")
    states = {row["package"]: row["state"] for row in json.loads(checked.out)}
    assert checked.code == 1 and "the moon is full" in states["plug-bad"] and states["plug-good"] == "ok"


def test_a_metric_that_fails_is_told_of_and_left_out(add: Add, gantool: Gantool, run: str) -> None:
    later = (
        "calls = []\ndef late(drawn, real):\n    calls.append(1)\n    return 1 if len(calls) == 1 else drawn.nothing\n"
    )
    worse = "def odd(drawn, real): return 'a word'\n"
    add("plug-bad", later + worse, "[gantool.metrics]\nlate = MODULE:late\nodd = MODULE:odd\n")
    done = gantool("eval", "gan", "--metrics", "late,odd,FD", "-n", "130", "--json")
    report = json.loads(done.out)
    assert done.code == 0 and all(list(report[end]) == ["FD"] for end in ("scores", "floor", "ceiling"))
    assert "the metric 'late' from plug-bad 1.2 failed and was left out: AttributeError" in done.err
    assert "the metric 'odd' from plug-bad 1.2 failed and was left out: ValueError" in done.err


def test_a_writer_that_breaks_off_leaves_the_old_file(add: Add, gantool: Gantool, run: str) -> None:
    half = (
        "def half(images, out):\n    def write(file):\n        file.write(b'half')\n        raise RuntimeError('no')\n"
    )
    add("plug-bad", half + "    return write\n", "[gantool.writers]\nhlf = MODULE:half\n")
    Path("x.hlf").write_text("old")
    done = gantool("sample", "gan", "--out", "x.hlf", "--force", "-q")
    assert done.code == 1 and "RuntimeError: no" in done.err and Path("x.hlf").read_text() == "old"
    assert [path.name for path in Path().glob(".*")] == []


FAULTS = {  # what is added to the file, and what --check says
    "misspelt": (
        "@hookimpl\ndef gantool_train_stop(trainer): ...",
        "no hook is called gantool_train_stop. Did you mean",
    ),
    "a variant": ("@hookimpl\ndef gantool_variants(): return {}", "no hook is called gantool_variants."),
    "arguments": ("@hookimpl\ndef gantool_train_end(model): ...", "{'model'} are declared in the hookimpl but can not"),
    "no mapping": ("@hookimpl\ndef gantool_metrics(): return [dark]", "has no attribute 'items'"),
    "no number": ("def dark(drawn, real): return float('nan')", "it gives nan, which is NaN or infinity"),
    "no function": ("dark = 3", "'int' object is not callable"),
    "spoils": ("def dark(drawn, real): return float(drawn.zero_().sum())", "it changes the images"),
    "no content": ("def count(images, out): return 3", "TypeError"),
    "no settings": ("def greet(name: str): ...", "a command is a function of one argument, its settings"),
    "bare field": ("@dataclass\nclass Bare:\n    x: int = 1\ndef greet(how: Bare): ...", "Bare.x needs Annotated"),
    "two arguments": ("def greet(how: HowToGreet, more: HowToGreet): ...", "a command is a function of one argument"),
}


@pytest.mark.parametrize(("fault", "says"), FAULTS.values(), ids=FAULTS)
def test_plugins_check_says_what_is_wrong(fault: str, says: str, add: Add, gantool: Gantool, untried: None) -> None:
    add("plug-bad", f"{SOURCE}\n{fault}\n", BY_HOOKS)
    done = gantool("plugins", "--check", "--json")
    (state,) = [row["state"] for row in json.loads(done.out) if row["package"] == "plug-bad"]
    assert done.code == 1 and says in state and "Not usable: sundry." in done.err


@pytest.mark.parametrize(("group", "name", "entry"), [
    ("commands", "a_b", "bare"), ("metrics", "a-b", "dark"), ("writers", ".cnt", "count"),
])  # fmt: skip
def test_names_that_could_not_be_asked_for_are_faults(
    group: str, name: str, entry: str, add: Add, gantool: Gantool, untried: None
) -> None:
    add("plug-bad", SOURCE, f"[gantool.{group}]\n{name} = MODULE:{entry}\n")
    assert f"Not usable: {name}." in gantool("plugins", "--check").err


# Clashes.


def test_two_packages_of_one_name_are_both_named(add: Add, gantool: Gantool, run: str) -> None:
    add("plug-a", SOURCE, BY_NAME)
    add("plug-b", SOURCE, BY_HOOKS + BY_NAME)
    for line, name in ((["greet"], "greet"), (["eval", "gan", "--metrics", "dark"], "dark"),
                       (["sample", "gan", "--out", "x.cnt", "-q"], "cnt")):  # fmt: skip
        done = gantool(*line)
        assert done.code == 2 and f"'{name}' is offered by plug-a and plug-b." in done.err
        assert "pip uninstall plug-" in done.err
    assert "plug_a" not in sys.modules and "plug_b" not in sys.modules
    listed = gantool("plugins")
    assert listed.code == 1 and "Not usable: bare, greet, dark, cnt." in listed.err
    assert len(listed.err.splitlines()) <= 6
    assert gantool("--help").code == gantool("eval", "gan", "--metrics", "FD", "-n", "130").code == 0


def test_a_name_of_gantools_own_stays_its_own(add: Add, gantool: Gantool, run: str) -> None:
    entries = "[gantool.commands]\nlist = MODULE:bare\nresume = MODULE:bare\n[gantool.metrics]\nFD = MODULE:dark\n"
    add("plug-bold", SOURCE, f"{entries}[gantool.writers]\npng = MODULE:count\n")
    assert "dcgan" in gantool("list").out and "bare" not in gantool("--help").out
    assert gantool("sample", "gan", "--out", "x.png", "-q").code == 0
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")
    assert "plug_bold" not in sys.modules
    told = gantool("plugins")
    assert told.code == 1 and "'list' is offered by gantool and plug-bold." in told.err


def test_two_modules_of_one_name_are_both_heard(add: Add, gantool: Gantool) -> None:
    for package in ("plug-a", "plug-b"):
        add(package, SOURCE.replace("heard.txt", f"{package}.txt"), BY_HOOKS)
    assert gantool("train", "gan", "--steps", "1", *TINY, "--name", "both").code == 0
    assert all(Path(f"runs/both/{package}.txt").exists() for package in ("plug-a", "plug-b"))
    rows: list[dict[str, Any]] = json.loads(gantool("plugins", "--json").out)
    assert [row["name"] for row in rows if row["kind"] == "module"] == ["sundry of plug-a", "sundry of plug-b"]
