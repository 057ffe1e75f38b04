"""S5: whatever is wrong with a package, it is wrong with its own name; all else works, and nothing waits for ever."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spawned import VARIANTS, Command

from gantool.commands import plugins

Install = Callable[..., Path]  # the fixture `install` of tests/conftest.py
GOOD = '''"""A good one."""
from gantool.variants.gan import GAN

class Mine(GAN): ...
'''
LATE = '''"""Breaks late."""
from gantool.variants.gan import GAN

class Mine(GAN):
    def __init__(self, options, data):
        raise RuntimeError("no networks today")
'''
HANG = "import time\nwhile True: time.sleep(0.01)\n"
BAD = {  # source, and what the error says
    "raises": ("raise RuntimeError('the moon is full')", "RuntimeError: the moon is full"),
    "exits": ("raise SystemExit('bye')", "SystemExit: bye"),
    "asks-to-exit": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "odd-kind": ("class Odd(BaseException): ...\nraise Odd('neither fish nor fowl')", "Odd: neither fish nor fowl"),
    "missing": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "too-new": ("from gantool.api import FromTheFuture\n" + GOOD, "was made for gantool>=99; this is"),
    "wrong-class": ("class Mine: ...", "plug_wrong_class:Mine is not a subclass of gantool.api.Variant"),
    "no-class": ("", "has no attribute 'Mine'"),
    "syntax": ("class Mine(:", "SyntaxError"),
    "binary": (b"\x7fELF\xff", "SyntaxError"),
    "deep": ("def f(): f()\nf()", "RecursionError"),
    "deep-source": ("(" * 10_000, "SyntaxError|MemoryError"),
    "long-winded": ("raise ValueError('no ' * 100_000 + '\\n' * 50)", "ValueError: no no"),
}
HARSH = {"leaves": ("import os; os._exit(7)", 7), "crashes": ("import os; os.kill(os.getpid(), 11)", -11)}


@pytest.fixture
def world(install: Install, tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Every kind of bad package and a good one, installed. Each leaves a file when imported."""
    sources: dict[str, str | bytes] = {kind: source for kind, (source, _) in BAD.items()}
    sources |= {kind: source for kind, (source, _) in HARSH.items()}
    sources |= {"hangs": HANG, "interrupts": "raise KeyboardInterrupt", "late": LATE, "mine": GOOD}
    for kind, source in sources.items():
        mark = f"open({str(tmp_path / f'imported-{kind}')!r}, 'w').close()\n"
        loud = source if isinstance(source, bytes) else f"{mark}print('hello from {kind}')\n{source}"
        install(f"plug-{kind}", loud, "gantool>=99" if kind == "too-new" else "gantool>=0.1", **{kind: "Mine"})
    (tmp_path / "site" / "plug_raises-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plug-raises\n"
    )
    install("plug-clash", "raise RuntimeError('imported')", **{"syntax": "Mine", "deep": "Mine"})
    garbled = install("plug-garbled", "", nothing="Mine").parent / "plug_garbled-1.2.dist-info" / "entry_points.txt"
    garbled.write_text("no equals sign")
    return lambda: {"GANTOOL_PLUGINS": os.environ["GANTOOL_PLUGINS"]}


def beside(site: str) -> None:
    """A hook: the pretend packages are installed here too."""
    sys.path.insert(0, site)


@pytest.fixture
def command(start: Any, world: Callable[[], dict[str, str]], tmp_path: Path) -> Callable[..., Command]:
    """A command in a process where torch is there already."""
    return lambda *args: start(*args, hook=(beside, str(tmp_path / "site")), **world())


@pytest.fixture
def light(world: Any, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A command in a new Python, where torch is not: modules are first read with stand-ins."""
    begun: list[subprocess.Popen[str]] = []

    def light(*args: str, **environment: str) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = os.environ | {"PYTHONPATH": paths} | environment
        begun.append(
            subprocess.Popen([sys.executable, "-m", "gantool", *args], env=env, cwd=tmp_path, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )  # fmt: skip
        return begun[-1]

    yield light
    for process in begun:
        process.kill()
        process.communicate()


def imported(folder: Path) -> set[str]:
    return {file.name.removeprefix("imported-") for file in folder.glob("imported-*")}


@pytest.mark.promise("S5")
def test_all_else_works_beside_every_kind_of_bad_package(
    command: Callable[..., Command], light: Any, tmp_path: Path, tried: Any
) -> None:
    lines = [
        ["list"], ["list", "--json"], ["info", "gan"], ["train", "--help"],
        ["train", "gan", "--help"], ["--help"], ["train", *VARIANTS["gan"], "--steps", "6"], ["sample", "gan"],
        ["resume", "gan-001", "--steps", "7"], ["runs"],
    ]  # fmt: skip
    for line in lines:
        done = command(*line)
        assert done.wait() == 0, (line, done.err)
        tried("commands beside bad packages")
    assert imported(tmp_path) == set(), "nothing was imported that was not asked for"
    mine = command("train", "mine", *VARIANTS["gan"][1:], "--steps", "6", "-q")
    assert mine.wait() == 0 and mine.out == "" and imported(tmp_path) == {"mine"}, mine.err
    listed = command("plugins", "--json")
    assert listed.wait() == 1 and "Not usable: deep, syntax." in listed.err, "two packages each offer these"
    assert {*BAD, *HARSH, "hangs", "late", "mine", "gan"} <= {row["name"] for row in json.loads(listed.out)}
    assert imported(tmp_path) == {"mine"}


@pytest.mark.promise("S5")
def test_completion_works_beside_every_kind_of_bad_package(light: Any, tmp_path: Path, tried: Any) -> None:
    def completed(typed: str) -> set[str]:
        words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_GANTOOL_COMPLETE": "complete_bash"}
        out, err = light(**words).communicate(timeout=30)
        assert "error" not in err, err
        tried("completions beside bad packages")
        return set(out.split())

    assert {"gan", "mine", "hangs", *BAD} <= completed("gantool train ")
    assert "--steps" in completed("gantool train gan --st") and imported(tmp_path) == set()
    assert "--steps" in completed("gantool train mine --st") and imported(tmp_path) == {"mine"}
    for kind in ("raises", "odd-kind", "wrong-class", "syntax", "no-such-variant"):
        assert completed(f"gantool train {kind} --st") == set()


@pytest.mark.promise("S5")
def test_a_bad_package_is_named_with_its_fault(command: Callable[..., Command], tried: Any) -> None:
    for kind, (_, says) in BAD.items():
        clash = kind in ("syntax", "deep")
        for line in (["train", kind], ["train", kind, "--help"], ["sample", kind], ["info", kind]):
            done = command(*line)
            assert done.wait() == (2 if clash else 1), (line, done.out, done.err)
            assert "Traceback" not in done.err and not done.out
            lines = [line for line in done.err.splitlines() if line != f"hello from {kind}"]
            assert len(lines) == 2 and max(map(len, lines)) < 500
            assert f"plug-{kind}" in done.err and (clash or any(word in done.err for word in says.split("|")))
            tried("bad packages asked for")


@pytest.mark.promise("S5")
def test_read_with_stand_ins_a_bad_package_is_named_just_so(light: Any, tried: Any) -> None:
    for kind in ("raises", "odd-kind", "too-new", "wrong-class"):
        process = light("train", kind, "--help")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1 and not out and f"'{kind}' from plug-{kind}" in err, err
        assert ("gantool>=99" in err) == (kind == "too-new") and BAD[kind][1] in err and "Traceback" not in err
        tried("bad packages asked for")


@pytest.mark.promise("S5")
def test_one_that_breaks_when_built_says_so_and_writes_nothing(
    command: Callable[..., Command], tmp_path: Path, tried: Any
) -> None:
    done = command("train", "late", "-q")
    assert done.wait() == 1 and "RuntimeError: no networks today" in done.err and "plugin" in done.err
    assert len(done.err.splitlines()) <= 3 and not (tmp_path / "runs").exists()
    shown = command("info", "late")
    assert shown.wait() == 0 and "networks: not shown (RuntimeError: no networks today)" in shown.out
    tried("bad packages asked for", 2)


@pytest.mark.promise("S5")
@pytest.mark.parametrize("line", [["train", "hangs"], ["train", "hangs", "--help"], ["info", "hangs"]])
def test_ctrl_c_gets_out_of_an_endless_import(line: list[str], light: Any, tmp_path: Path, tried: Any) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = light(*line)
        end = time.monotonic() + 30
        while "hangs" not in imported(tmp_path) and time.monotonic() < end:
            time.sleep(0.01)
        (tmp_path / "imported-hangs").unlink()
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
        assert process.returncode == code and "Traceback" not in err
        tried("endless imports interrupted")


@pytest.mark.promise("S5")
def test_each_check_has_a_process_of_its_own_and_an_end(
    world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tried: Any
) -> None:
    for kind, (_, says) in BAD.items():
        if kind not in ("syntax", "deep"):
            assert any(word in plugins.checked("variant", kind) for word in says.split("|"))
    assert plugins.checked("variant", "leaves") == "its process ended with exit code 7"
    assert plugins.checked("variant", "crashes") == "its process was ended by signal 11"
    assert plugins.checked("variant", "interrupts").startswith("KeyboardInterrupt")
    monkeypatch.setattr(plugins, "PATIENCE", 2.0)
    assert plugins.checked("variant", "hangs") == "still busy after 2 seconds"
    tried("packages checked", len(BAD) + 2)


@pytest.mark.promise("S5")
def test_plugins_check_goes_through_them_all(
    command: Callable[..., Command], world: Any, request: pytest.FixtureRequest, start: Any, tmp_path: Path, tried: Any
) -> None:
    if not request.config.getoption("--long"):
        pytest.skip("half a minute: every good variant imports torch and trains")
    done = start("plugins", "--check", "--json", hook=(impatient, str(tmp_path / "site"), 60.0), **world())
    assert done.wait(400) == 1
    states = {row["name"]: row["state"] for row in json.loads(done.out)}
    assert {name for name, state in states.items() if state == "ok"} == {"gan", "cgan", "dcgan", "mine"}
    assert "no networks today" in states["late"] and states["hangs"].startswith("still busy")
    assert states["syntax"] == "clash" and len(states) == len(BAD) + len(HARSH) + 7
    assert "Not usable: " in done.err and len(done.err.splitlines()) <= 6
    tried("packages checked", len(states))


def impatient(site: str, seconds: float) -> None:
    """A hook: as beside, with less time for each check."""
    beside(site)
    plugins.PATIENCE = seconds


@pytest.mark.promise("S5")
def test_ctrl_c_ends_plugins_check_and_the_process_that_hangs(
    install: Install, start: Any, tmp_path: Path, tried: Any
) -> None:
    pid = tmp_path / "pid"
    install("plug-a", f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n{HANG}", aaa="Mine")
    checking = start(
        "plugins", "--check", hook=(beside, str(tmp_path / "site")), GANTOOL_PLUGINS=os.environ["GANTOOL_PLUGINS"]
    )
    end = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    checking.kill(signal.SIGINT)
    assert checking.wait(10) == 130 and "Traceback" not in checking.err, checking.err
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    tried("endless imports interrupted")
