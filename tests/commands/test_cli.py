"""Tests of the command line as a whole: what imports torch, what a pipe gets, and what each command prints."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import OURS, TINY, Gantool, Result

from gantool import __version__

# Runs command lines one after another, and tells for each what it printed and what of torch was asked for.
WATCH = """
import contextlib, io, json, sys
heavy, asked = ("torch", "torchvision", "numpy", "PIL", "safetensors", "scipy"), []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in heavy:
            asked.append(name)
sys.meta_path.insert(0, Watch())
from gantool import cli
told = {}
for line in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(line.split())
    told[line] = [code, out.getvalue(), err.getvalue(), asked + [m for m in heavy if m in sys.modules]]
print(json.dumps(told))
"""
LIGHT = {  # command line: exit code
    "--help": 0, "-h": 0, "--version": 0, "list": 0, "list --json": 0, "plugins": 0, "plugins --json": 0, "runs": 0,
    "runs --json": 0, "data list": 0, "data list --json": 0, "train --help": 0, "sample --help": 0, "eval --help": 0,
    "train gan --help": 0, "train cgan --help": 0, "train dcgan -h": 0, "sample cgan --help": 0, "eval gan --help": 0,
    "resume --help": 0, "new --help": 0, "data check --help": 0, "": 0, "train": 2, "train gna": 2, "sample": 2,
    "train gan --stepz 3": 2, "train gan --steps 0": 2, "train gan --data digist": 2, "train gan --preset pytroch": 2,
    "train gan --config nowhere.yaml": 2, "train gan --steps 1 --epochs 1": 2, "train gan --resume": 2, "info gna": 2,
    "sample gan --digit 7": 2, "resume": 2, "resume nothing": 2, "new gan": 2, "bogus": 2, "explain --help": 0,
    "diff --help": 0, "eject --help": 0, "explain": 2, "explain gna": 2, "diff gan": 2, "diff gan gna": 2, "eject": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    environment = {key: value for key, value in os.environ.items() if key not in OURS}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH, json.dumps(list(LIGHT))], capture_output=True, text=True,
        env=environment | {"GANTOOL_PLUGINS": "", "COLUMNS": "100"}, cwd=tmp_path_factory.mktemp("light"), timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, list[Any]] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(("line", "code"), LIGHT.items(), ids=[line or "(nothing)" for line in LIGHT])
def test_help_listings_and_usage_errors_do_not_wait_for_torch(
    line: str, code: int, light: dict[str, list[Any]]
) -> None:
    got, out, err, heavy = light[line]
    assert got == code, err
    assert heavy == []
    if line == "":
        assert "Usage: gantool" in out + err
    elif code == 0:
        assert out and not err
    else:
        assert err.startswith("error: ") and not out and len(err.splitlines()) <= 6


# Help.


def test_help_names_every_command(light: dict[str, list[Any]]) -> None:
    commands = ("train", "resume", "sample", "eval", "accept", "list", "info", "runs", "plugins", "new", "data")
    assert all(f" {command} " in light["--help"][1] for command in commands)
    assert all(f" {name} " in light["train --help"][1] for name in ("gan", "cgan", "dcgan"))
    assert "GAN: two multilayer perceptrons in a minimax game." in light["train --help"][1]


def test_help_of_a_variant_shows_its_flags_with_ranges_and_defaults(light: dict[str, list[Any]]) -> None:
    shown = " ".join(light["train gan --help"][1].replace("│", " ").split())
    shared = "data size batch-size steps epochs minutes seed device precision name out config preset sample-every quiet"
    for flag in f"{shared} save-every dry-run lr d-steps g-layers".split():
        assert f"--{flag} " in shown
    assert "[default: digits]" in shown and "[4 to 1024;" in shown and "pytorch" in shown
    assert "--digit" in light["sample cgan --help"][1] and "--truncation" in light["sample cgan --help"][1]


def test_the_version_is_that_of_the_package(light: dict[str, list[Any]]) -> None:
    assert light["--version"][1] == f"gantool {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("gantool tra", {"train"}), ("gantool train dc", {"dcgan"}), ("gantool train gan --st", {"--steps"}),
        ("gantool sample cgan --dig", {"--digit"}), ("gantool data ch", {"check"}),
        ("gantool train gan --data di", {"digits"}), ("gantool train gan --preset pa", {"paper"}),
        ("gantool resume ninth", {"ninth-run"}), ("gantool sample gan --run ninth", {"ninth-run"}),
        ("gantool diagnose ninth", {"ninth-run"}), ("gantool runs rm ninth", {"ninth-run"}),
        ("gantool sample ninth", {"ninth-run"}), ("gantool eval ninth", {"ninth-run"}),
    ],
)  # fmt: skip
def test_tab_completes_commands_variants_and_flags_without_torch(
    typed: str, offered: set[str], process: Gantool, tmp_path: Path
) -> None:
    (tmp_path / "runs/ninth-run").mkdir(parents=True)
    (tmp_path / "runs/ninth-run/config.yaml").write_text("variant: gan\n")
    complete = "import atexit; atexit.register(lambda: print(*asked, file=sys.stderr)); sys.exit(cli.run(sys.argv[1:]))"
    watch = WATCH.partition("told = {}")[0] + complete
    done = process("-c", watch, COMP_WORDS=typed, COMP_CWORD=str(typed.count(" ")), _GANTOOL_COMPLETE="complete_bash")
    assert offered <= set(done.out.split()), done
    assert not done.err.strip()


def test_tab_completes_classes_of_the_model_that_would_draw(
    gantool: Gantool, images: Any, process: Gantool, tmp_path: Path
) -> None:
    folder = images({f"{name}/{i}.png": "red" for name in ("ash", "birch", "beech") for i in range(2)})
    small = ("--networks", "mlp", "--g-layers", 8, "--d-layers", 8, "--batch-size", 2, "--steps", 1)
    assert gantool("train", "cgan", "--data", folder, "--out", tmp_path / "runs/wood", *small).code == 0
    for typed, offered in [
        ("gantool sample cgan --label b", ["beech", "birch"]), ("gantool sample wood --digit a", ["ash"]),
        ("gantool sample cgan --run wood --label ash,be", ["ash,beech"]), ("gantool sample gan --label ", []),
    ]:  # fmt: skip
        asked = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_GANTOOL_COMPLETE": "complete_bash"}
        assert sorted(process("-m", "gantool", **asked).out.split()) == offered, typed


# Listings.


def test_list_shows_each_variant_under_its_task(light: dict[str, list[Any]]) -> None:
    groups = [group.splitlines() for group in light["list"][1].strip().split("\n\n")]
    shown = {head.removesuffix("package").strip(): [line.split()[0] for line in lines] for head, *lines in groups}
    assert shown == {"images from noise": ["dcgan", "gan"], "images of a class": ["cgan"]}
    assert all(line.endswith(" gantool") for _, *lines in groups for line in lines)
    rows = json.loads(light["list --json"][1])
    assert all(row["paper"].startswith(("Goodfellow", "Mirza", "Radford")) and row["task"] for row in rows)


def test_on_a_narrow_screen_a_task_stands_above_its_variants() -> None:
    from io import StringIO

    from rich.console import Console

    from gantool.commands.terminal import stacked

    screen = Console(file=StringIO(), width=24, color_system=None)
    stacked(screen, ("images from noise  ", "", "package"), [("gan  ", "GAN: two networks  ", "gantool")])
    shown = [line.rstrip() for line in screen.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert shown == ["images from noise", "gan", "  GAN: two networks", "  package gantool"]


def test_data_list_tells_size_and_classes(light: dict[str, list[Any]]) -> None:
    rows = {row["name"]: row for row in json.loads(light["data list --json"][1])}
    assert {"digits", "mnist", "fashion-mnist", "kmnist", "emnist", "cifar10", "svhn"} <= rows.keys()
    digits = rows["digits"]
    assert (digits["images"], digits["size"], digits["classes"]) == (5000, 28, list("0123456789"))
    assert "cifar10" in light["data list"][1]


def test_with_no_runs_yet_one_is_told_how_to_make_one(light: dict[str, list[Any]]) -> None:
    assert light["runs"][1] == "No runs in runs/ yet. Make one: gantool train gan\n"
    assert light["runs --json"][1] == "[]\n"


def test_info_shows_networks_options_and_presets(gantool: Gantool) -> None:
    brief = gantool("info", "gan").out
    assert "g_layers" not in brief and "gantool info gan --all" in brief and len(brief.splitlines()) < 24
    result = gantool("info", "gan", "--all")
    assert result.code == 0 and not result.err
    for words in ("paper: Goodfellow et al., 2014", "package: gantool", "generator", "discriminator", "g_layers",
                  "truncation", "pytorch", "as --lr", "translate:1 below 20,000 images, else none"):  # fmt: skip
        assert words in result.out


def test_runs_lists_what_was_trained_newest_first(gantool: Gantool) -> None:
    for name in ("first", "second"):
        assert gantool("train", "gan", "--steps", 2, *TINY, "--name", name).code == 0
    rows = json.loads(gantool("runs", "--json").out)
    assert [row["run"] for row in rows] == ["second", "first"]
    assert (rows[0]["variant"], rows[0]["data"], rows[0]["step"], rows[0]["steps"]) == ("gan", "digits", 2, 2)
    assert [row["state"] for row in rows] == ["done", "done"]
    header, *lines = gantool("runs").out.splitlines()
    assert header.split()[:3] == ["run", "variant", "data"] and lines[0].startswith("second")


def test_a_run_whose_config_is_spoilt_does_not_hide_the_others(gantool: Gantool) -> None:
    assert gantool("train", "gan", "--steps", 1, *TINY, "--name", "good").code == 0
    Path("runs/bad").mkdir()
    Path("runs/bad/config.yaml").write_text("[" * 50)
    result = gantool("runs", "--json")
    states = {row["run"]: row["state"] for row in json.loads(result.out)}
    assert result.code == 0 and states["good"] == "done" and "unreadable" in states["bad"]


def test_data_check_counts_classes_sizes_and_bad_files(
    gantool: Gantool, images: Callable[[dict[str, Any]], Path]
) -> None:
    folder = images({"cat/1.png": "red", "cat/2.png": "blue", "dog/1.png": "red", "dog/2.png": b"no", "x.txt": b"?"})
    result = gantool("data", "check", folder)
    assert result.code == 0 and not result.err
    for words in ("images: 3", "labels: 2 classes", "cat: 2", "dog: 1", "8 x 8", "bad: 1", "dog/2.png", "files: 1"):
        assert words in result.out


# A training, seen from outside.


def test_a_dry_run_tells_settings_networks_and_time_and_writes_nothing(gantool: Gantool) -> None:
    sizes = ("--batch-size", 4, "--z", 12, "--components", 0, "--g-layers", 8)
    result = gantool("train", "gan", "--dry-run", "--steps", 123, "--lr", "0.003", *sizes)
    assert result.code == 0 and not result.err
    size = (12 + 1) * 8 + 2 * 8 + (8 + 1) * 28 * 28  # a layer, its batch normalisation, and the pixels
    words = ("data: digits", "steps: 123", "lr: 0.003", "g_layers: 8", f"generator: {size:,} parameters",
             "discriminator: ", "5,000 images 28x28x1", "about 0:0", "123 steps", "nothing was trained")  # fmt: skip
    assert [word for word in words if word not in result.out] == []
    assert not list(Path().iterdir())


def test_a_training_in_a_pipe_prints_plain_lines_and_what_to_do_next(gantool: Gantool) -> None:
    result = gantool("train", "gan", "--steps", 2, *TINY[:-1])
    assert result.code == 0 and not result.err and "\x1b" not in result.out and "\r" not in result.out
    first, *_, last = result.out.splitlines()
    assert first == "gan on digits" and last == "  next: gantool sample gan --run runs/gan-001"
    assert any(line.startswith("step 2/2 (100%)") for line in result.out.splitlines())


def test_quiet_prints_nothing(gantool: Gantool) -> None:
    for line in (["train", "gan", "--steps", 2, *TINY], ["sample", "gan", "-n", 2, "-q"]):
        assert gantool(*line) == Result(0, "", "")


# Pipes and terminals.


def terminal(*args: str, **environment: str) -> str:
    """What appears on a terminal."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    env |= {"TERM": "xterm-256color", "LINES": "50", **environment}
    command = [sys.executable, "-m", "gantool", *args]
    child = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=env)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # how a terminal says that the other side is gone
        pass
    os.close(ours)
    child.wait(60)
    return shown.decode()


COLOURS = ("\x1b[3", "\x1b[9", "\x1b[38", "\x1b[1;3")


def test_a_terminal_gets_colour_unless_it_or_the_person_says_no() -> None:
    assert "\x1b[1;31merror:" in terminal("train", "gna")
    assert not any(code in terminal("train", "gna", NO_COLOR="1") for code in COLOURS)
    assert "\x1b" not in terminal("list", TERM="dumb")


@pytest.mark.parametrize("line", [["list"], ["train", "--help"], ["train", "gna"]], ids=" ".join)
def test_a_pipe_gets_whole_lines_and_no_escape_codes(line: list[str], process: Gantool) -> None:
    result = process("-m", "gantool", *line, COLUMNS="40", TERM="xterm-256color")
    shown = result.out + result.err
    assert "\x1b" not in shown and "\r" not in shown and shown.endswith("\n")
    if line == ["list"]:
        assert any("GAN: two multilayer perceptrons in a minimax game.  gantool" in text for text in shown.splitlines())


def test_in_forty_columns_no_flag_is_cut_short(process: Gantool) -> None:
    narrow, wide = (process("-m", "gantool", "train", "gan", "--help", COLUMNS=c).out for c in ("40", "200"))
    flags = set(re.findall("--[a-z][a-z0-9-]+", wide))
    assert len(flags) > 25
    assert flags <= set(re.findall("--[a-z][a-z0-9-]+", narrow))
    assert max(map(len, narrow.splitlines())) <= 50  # Click makes no help narrower


@pytest.mark.parametrize("line", [["list"], ["list", "--json"], ["train", "gan", "--help"]], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_error(line: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "gantool", *line]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    finally:
        os.close(writer)
    assert done.returncode in (0, 1) and done.stderr == b""


def test_the_installed_command_and_the_module_are_the_same(process: Gantool) -> None:
    script = Path(sys.executable).with_name("gantool")
    assert process("-m", "gantool", "--version").out == f"gantool {__version__}\n"
    if script.exists():
        assert process("-c", f"import os; os.execv({str(script)!r}, ['gantool', '--version'])").code == 0
