"""R3, R4, R5: killed at any use of the disk, or out of room at any, a run loads and goes on; saves last."""

import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import faults
import pytest
from faults import FULL, KILL, Event, two_at_a_time
from PIL import Image
from spawned import VARIANTS, Command, learned

from gantool.runs import sealed
from gantool.runs.run import KEPT, RunFolder

RUN = Path("runs/r")
# Saves three times in twelve steps, so that an old checkpoint goes; draws once.
SHORT = ("train", *VARIANTS["gan"], "--save-every", 4, "--sample-every", 12, "--name", "r", "--quiet", "--steps")
STRACE = shutil.which("strace")
NO_ROOM = "No space left on device"
Start = Callable[..., Command]


@pytest.fixture
def whole(start: Start, tmp_path: Path) -> Callable[..., tuple[dict[str, Any], list[Event]]]:
    """`whole(*ARGS)`: what an unbroken training learns, and every use it makes of the disk."""

    def whole(*args: object) -> tuple[dict[str, Any], list[Event]]:
        folder = made(tmp_path / "whole")
        command = start(*args, folder=folder, hook=(faults.strike, folder / "events"))
        assert command.wait() == 0, command.err
        return contents(folder / RUN), faults.events(folder / "events")

    return whole


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def contents(run: Path) -> dict[str, Any]:
    old = {*RunFolder(run).saved()[KEPT:]}  # a kill just before the last removal leaves one more
    names = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path not in old)
    return {**learned(run), "names": names, "film": (run / "progress.gif").read_bytes()}


def loads(run: Path) -> None:
    """Whatever bears the name of a good file is one."""
    for file in [*run.glob("checkpoints/step-*"), *run.glob("model*")]:
        sealed.load(file)
    for file in [*run.rglob("*.png"), *run.rglob("*.gif")]:
        with Image.open(file) as image:
            image.load()
    if RunFolder(run).saved():  # a model is as old as the newest checkpoint, or newer, but always there
        assert (run / "model.safetensors").exists()
    if (run / "config.yaml").exists():
        assert (run / "config.yaml").read_text().endswith("\n")
        assert RunFolder(run).status().variant


def goes_on(start: Start, folder: Path) -> Command:
    """The run resumed, or begun again where it had not begun."""
    begun = (folder / RUN / "config.yaml").exists()
    return start(*("resume", "r", "-q") if begun else (folder / "command").read_text().split("\n"), folder=folder)


def struck(start: Start, tmp_path: Path, args: tuple[Any, ...], how: str, numbers: Iterable[int]) -> Iterator[Any]:
    """The command once for each number, the disk failing there: (folder, number, command that ended)."""

    def jobs() -> Iterator[tuple[Any, ...]]:
        for number in numbers:
            folder = made(tmp_path / f"{how}-{number}")
            (folder / "command").write_text("\n".join(map(str, args)))
            hook = (faults.strike, folder / "events", how, number, how == FULL)
            yield folder, number, lambda folder=folder, hook=hook: start(*args, folder=folder, hook=hook)

    return two_at_a_time(jobs())


def all_go_on(start: Start, folders: list[Path], expected: dict[str, Any]) -> None:
    for folder, command in two_at_a_time((f, lambda f=f: goes_on(start, f)) for f in folders):
        done = command.wait()
        assert done == 0 or (done == 2 and "is done" in command.err), (folder, command.err)
        assert contents(folder / RUN) == expected, folder
        shutil.rmtree(folder)


def one_complaint(command: Command, says: str = NO_ROOM) -> None:
    assert command.wait() == 1, (command.out, command.err)
    lines = command.err.splitlines()
    assert lines[0].startswith("error: ") and says in lines[0], command.err
    assert len(lines) <= 6 and "bug in gantool" not in command.err


def kinds(events: list[Event]) -> dict[str, int]:
    return {what: sum(e.what == what for e in events) for what in ("write", "sync", "rename")}


# R3: killed.


@pytest.mark.promise("R3")
def test_a_kill_at_any_use_of_the_disk_leaves_a_run_that_loads_and_goes_on(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path
) -> None:
    expected, events = whole(*SHORT, 12)
    assert all(kinds(events).values()) and any(e.what == "remove" for e in events)
    # Opening alone changes nothing that the event before or the write after does not.
    numbers = [n for n, event in enumerate(events, 1) if event.what != "open"][:: times(2, 1)]
    folders = []
    for folder, number, command in struck(start, tmp_path, (*SHORT, 12), KILL, numbers):
        assert command.wait() == -signal.SIGKILL, (number, command.err)
        loads(folder / RUN)
        folders.append(folder)
    all_go_on(start, folders, expected)
    tried("kills at a write, fsync, rename, removal or new folder of a training", len(numbers))


@pytest.mark.promise("R3")
def test_a_kill_at_any_use_of_the_disk_while_resuming_loses_nothing(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path
) -> None:
    expected, _ = whole(*SHORT, 12)
    half = made(tmp_path / "half")
    for _ in struck(start, half, (*SHORT, 12), KILL, [number_of(tmp_path / "whole/events", "step-000008.safetensors")]):
        pass
    (stopped,) = half.iterdir()
    first = start(
        "resume", "r", "-q", folder=copied(stopped, tmp_path / "first"), hook=(faults.strike, half / "events")
    )
    assert first.wait() == 0, first.err
    events = faults.events(half / "events")
    wanted = [n for n, event in enumerate(events, 1) if event.what != "open"]
    numbers = wanted[: times(8, len(wanted))]  # the first are the resuming, the others a training's

    def jobs() -> Iterator[tuple[Any, ...]]:
        for number in numbers:
            folder = copied(stopped, tmp_path / f"again-{number}")
            hook = (faults.strike, folder / "events", KILL, number)
            yield folder, lambda folder=folder, hook=hook: start("resume", "r", "-q", folder=folder, hook=hook)

    folders = []
    for folder, command in two_at_a_time(jobs()):
        assert command.wait() == -signal.SIGKILL, command.err
        loads(folder / RUN)
        folders.append(folder)
    all_go_on(start, folders, expected)
    tried("kills at one of a resumed training", len(numbers))


def number_of(log: Path, name: str) -> int:
    """Of the event that gives a file its name."""
    return next(n for n, e in enumerate(faults.events(log), 1) if (e.what, e.name) == ("rename", name))


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def traced(start: Start, folder: Path, args: tuple[Any, ...], *flags: str) -> tuple[Command, str]:
    """The command under strace; its exit code, and strace's lines."""
    command = start(*args, folder=folder, hook=(faults.traced,))
    log = folder / ".strace"
    with subprocess.Popen(
        [str(STRACE), "-f", "-y", "-o", str(log), "-p", str(command.process.pid), *flags], stderr=subprocess.PIPE
    ) as tracer:
        code = command.wait()
        assert tracer.stderr is not None
        said = tracer.stderr.read().decode()
    if code == 99 or "Operation not permitted" in said:
        pytest.skip(f"strace may not trace here: {said.strip()[:200]}")
    return command, log.read_text()


CALLS = {"write": "write", "fsync": "fsync", "rename": "/^rename"}  # renameat where there is no rename


@pytest.mark.promise("R3")
@pytest.mark.skipif(not STRACE, reason="strace is not installed")
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_by_strace_at_any_call_leaves_a_run_that_goes_on(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path, call: str
) -> None:
    expected, _ = whole(*SHORT, 12)
    folder = made(tmp_path / "counted")
    done, seen = traced(start, folder, (*SHORT, 12), "-e", f"trace={CALLS[call]}")
    assert done.wait() == 0
    count = len(re.findall(rf"^\d+ +{call}", seen, re.MULTILINE))
    assert count >= 9
    every = range(1, count + 1)
    numbers = every[:: max(1, -(-count // times(3, count)))]
    folders = []
    for number in numbers:
        folder = made(tmp_path / f"{call}-{number}")
        (folder / "command").write_text("\n".join(map(str, (*SHORT, 12))))
        inject = f"inject={CALLS[call]}:signal=KILL:when={number}"
        died, _ = traced(start, folder, (*SHORT, 12), "-e", f"trace={CALLS[call]}", "-e", inject)
        assert died.wait() == -signal.SIGKILL, (number, died.err)
        loads(folder / RUN)
        folders.append(folder)
    all_go_on(start, folders, expected)
    tried(f"kills by strace at a {call}", len(numbers))


# R4: no room.


@pytest.mark.promise("R4")
def test_a_disk_full_from_any_use_of_it_is_said_in_a_line_and_the_run_goes_on(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path
) -> None:
    args = tuple(word for word in SHORT if word != "--quiet")
    expected, _ = whole(*args, 8)
    counting = made(tmp_path / "counting")
    for _ in struck(start, counting, (*args, 8), FULL, [10**9]):  # with stdout, which is watched as well
        pass
    events = faults.events(next(counting.iterdir()) / "events")
    numbers = [n for n, e in enumerate(events, 1) if e.what == "write"]
    others = [n for n, e in enumerate(events, 1) if e.what not in ("write", "remove")]
    numbers += others[:: times(5, 1)]
    assert {Path(e.name).name for e in events if e.what == "write"} > {"metrics.jsonl", "null"}
    folders = []
    for folder, number, command in struck(start, tmp_path, (*args, 8), FULL, numbers):
        one_complaint(command)
        started = (folder / RUN / "config.yaml").exists()
        onward = "gantool resume runs/r" if started else "give the command again"
        assert onward in command.err or events[number - 1].name.endswith("null"), (number, command.err)
        assert not list(folder.rglob("*.tmp")), number
        loads(folder / RUN)
        folders.append(folder)
    all_go_on(start, folders, expected)
    tried("full disks at a use of it in a training", len(numbers))


@pytest.mark.promise("R4")
@pytest.mark.skipif(not STRACE, reason="strace is not installed")
def test_a_write_or_fsync_refused_by_the_system_loses_nothing(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path
) -> None:
    expected, events = whole(*SHORT, 8)
    for call, error in (("write", "ENOSPC"), ("fsync", "EIO")):
        count = kinds(events)["sync" if call == "fsync" else "write"]
        numbers = range(1, count + 1)[:: max(1, -(-count // times(2, count)))]
        folders = []
        for number in numbers:
            folder = made(tmp_path / f"{call}-{number}")
            (folder / "command").write_text("\n".join(map(str, (*SHORT, 8))))
            inject = f"inject={call}:error={error}:when={number}"
            failed, seen = traced(start, folder, (*SHORT, 8), "-e", f"trace={call}", "-e", inject)
            assert "(INJECTED)" in seen, number
            one_complaint(failed, os.strerror(getattr(errno, error)))
            loads(folder / RUN)
            folders.append(folder)
        all_go_on(start, folders, expected)
        tried(f"{error} by strace at a call of {call}", len(numbers))


@pytest.mark.promise("R4")
def test_a_limit_on_the_size_of_files_stops_a_run_that_can_go_on_without_it(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path
) -> None:
    expected, events = whole(*SHORT, 8)
    sizes = sorted({e.size - 1 for e in events if e.what == "rename"})
    sizes = sizes[:: max(1, -(-len(sizes) // times(4, len(sizes))))]

    def jobs() -> Iterator[tuple[Any, ...]]:
        for size in sizes:
            folder = made(tmp_path / f"limit-{size}")
            (folder / "command").write_text("\n".join(map(str, (*SHORT, 8))))
            yield folder, lambda f=folder, s=size: start(*SHORT, 8, folder=f, hook=(faults.largest_file, s))

    folders = []
    for folder, command in two_at_a_time(jobs()):
        one_complaint(command, "File too large: runs/r/")
        assert not list(folder.rglob("*.tmp"))
        loads(folder / RUN)
        folders.append(folder)
    all_go_on(start, folders, expected)
    tried("limits on the size of files", len(sizes))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = made(tmp_path / "disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip() if done else 'no mount'}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.promise("R4")
def test_a_real_disk_that_fills_up_stops_a_run_that_goes_on_once_there_is_room(  # type: ignore[no-untyped-def]
    start, whole, times, tried, tmp_path: Path, tiny_disk: Path
) -> None:
    expected, _ = whole(*SHORT, 12)
    lefts = [4, 12, 24, 40, 72, 96, 112][:: times(2, 1)]
    for left in lefts:
        ballast, run = tiny_disk / "ballast", tiny_disk / f"r{left}"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match=NO_ROOM):
            while True:
                file.write(bytes(4096))
        os.truncate(ballast, ballast.stat().st_size - left * 1024)
        args = (*SHORT[:-4], "--out", run, "-q", "--steps", 12)
        one_complaint(full := start(*args))
        ballast.unlink()
        assert not list(run.rglob("*.tmp"))
        loads(run)
        again = start(*(("resume", run, "-q") if (run / "config.yaml").exists() else args))
        assert again.wait() == 0, (full.err, again.err)
        assert contents(run) == expected
        shutil.rmtree(run)
    tried("disks of 2 MB that filled up", len(lefts))


@pytest.fixture
def done(start: Start, tmp_path: Path) -> Path:
    """A folder with a finished run."""
    assert start(*SHORT, 8).wait() == 0
    return tmp_path


OTHERS = {
    "png": ("sample", "gan", "-n", 3, "-q", "--force", "-o", "out.png"),
    "npz": ("sample", "gan", "-n", 3, "-q", "--force", "-o", "out.npz"),
    "idx": ("sample", "gan", "-n", 3, "-q", "--force", "-o", "out.idx"),
    "gif": ("sample", "gan", "-n", 3, "-q", "--force", "--interpolate", "-o", "out.gif"),
    "folder": ("sample", "gan", "-n", 3, "-q", "--force", "-o", "out"),
    "folder within folders": ("sample", "gan", "-n", 1, "-q", "--force", "-o", "new/deep/out"),
    "eval": ("eval", "gan", "-n", 200),
    "new": ("new", "some-gan"),
}  # fmt: skip


@pytest.mark.promise("R4")
@pytest.mark.parametrize("what", OTHERS)
def test_no_room_for_what_is_drawn_or_measured_or_begun_leaves_the_old_and_no_rubbish(  # type: ignore[no-untyped-def]
    start, times, tried, done: Path, what: str
) -> None:
    seed = ("--seed", 1) if what != "new" else ()
    if what != "new":
        assert (first := start(*OTHERS[what])).wait() == 0, first.err
    before = snapshot(done)
    counted = start(*OTHERS[what], *seed, hook=(faults.strike, done / ".events"))
    assert counted.wait() == 0, counted.err
    events, after = faults.events(done / ".events"), snapshot(done)
    assert after != before
    skipped = times(3, 1) if what in ("eval", "new") else 1  # the one is slow, the other writes many files
    struck = [(how, number) for how in (FULL, KILL) for number in range(1, len(events) + 1, skipped)]
    for how, number in struck:
        event = events[number - 1]
        restore(done, before)
        command = start(*OTHERS[what], *seed, hook=(faults.strike, done / ".events", how, number))
        if how == KILL:
            assert command.wait() == -signal.SIGKILL
        elif event.what == "remove":
            continue
        else:
            one_complaint(command)
            assert not list(done.rglob("*.tmp")), (number, event)
        now = snapshot(done)
        assert before.keys() - now.keys() == set()
        for name, data in now.items():
            assert data in (before.get(name), after.get(name)), (how, number, name)
        if how == FULL and times(number > len(events) - 2 * skipped, 1):
            again = start(*OTHERS[what], *seed)
            assert again.wait() == 0, again.err
            assert snapshot(done) == after, (number, event)
    tried("full disks and kills at a use of it by sample, eval and new", len(struck))


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.name.startswith(".") and path.name not in ("runs", "r")
    }


def restore(folder: Path, before: dict[str, bytes | None]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        name = str(path.relative_to(folder))
        if name not in before and path.is_dir() and not name.startswith("runs"):
            path.rmdir()
        elif name not in before and path.is_file() and path.name != ".lock":
            path.unlink()
    for name, data in before.items():
        if data is not None:
            (folder / name).write_bytes(data)


@pytest.mark.promise("R4")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_stdout_is_said_on_stderr_whatever_the_command(start, tried, done: Path) -> None:  # type: ignore[no-untyped-def]
    whole = learned(done / RUN)
    light = [("list",), ("list", "--json"), ("runs",), ("runs", "--json"), ("info", "gan"), ("plugins", "--json"),
             ("data", "list", "--json"), ("new", "a-gan"), ("train", "gan", "--help"), ("--version",)]  # fmt: skip
    heavy = [("eval", "gan", "-n", 200), ("eval", "gan", "-n", 200, "--json"),
             (*VARIANTS["gan"], "--save-every", 4, "--sample-every", 12, "--steps", 8, "--name", "q")]  # fmt: skip
    heavy[-1] = ("train", *heavy[-1])
    for args in [*light, *heavy]:
        one_complaint(start(*args, hook=(faults.full_stdout,)))
    again = start("train", *VARIANTS["gan"], "--save-every", 4, "--sample-every", 12, "--steps", 8, "--name", "q", "-q")
    assert again.wait() == 0, again.err
    assert learned(done / "runs/q") == whole
    tried("commands with a full stdout", len(light) + len(heavy))


@pytest.mark.promise("R4")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_stdout_or_stderr_does_not_change_the_exit_code(tried, done: Path) -> None:  # type: ignore[no-untyped-def]
    cases = {("runs", "--json"): 1, ("train", "gan", "--no-such-flag"): 2}
    for args, code in cases.items():
        with Path("/dev/full").open("wb") as out, Path("/dev/full").open("wb") as err:
            for stderr in (err, subprocess.PIPE):
                ended = subprocess.run(
                    [sys.executable, "-m", "gantool", *args], stdout=out, stderr=stderr, cwd=done,
                    env={**os.environ, "GANTOOL_PLUGINS": ""}, check=False,
                )  # fmt: skip
                assert ended.returncode == code, (args, ended.stderr)
                assert ended.stderr is None or b"Exception ignored" not in ended.stderr
    tried("processes with full stdout and stderr", 2 * len(cases))


# R5: in this order, with these permissions.


@pytest.mark.promise("R5")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_every_save_is_synced_named_and_synced_again_and_follows_the_umask(  # type: ignore[no-untyped-def]
    start, tried, tmp_path: Path, umask: int, mode: int
) -> None:
    train = start(*SHORT, 12, hook=(faults.masked, umask, tmp_path / ".events"))
    assert train.wait() == 0, train.err
    run = tmp_path / RUN
    for path in [run, *run.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (mode | (mode & 0o444) >> 2 if path.is_dir() else mode), path
    events = faults.events(tmp_path / ".events")
    past = faults.events(tmp_path / ".events", unseen=True)
    assert not [e for e in past if not os.path.isabs(e.name) or e.name.startswith(str(tmp_path))], past
    opened = {e.name for e in events if e.what == "open"}
    assert all(n in (".lock", "metrics.jsonl") or re.fullmatch(r"\..+\.\d+\.tmp", n) for n in opened), opened
    folders = {path.stat().st_ino for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir()}
    saves = saves_of(events, folders)
    assert saves == sum(e.what == "rename" for e in events) >= 11
    tried("saves in a trace", saves)
    tried("files and folders whose permissions were read", len([*run.rglob("*")]))


def saves_of(events: list[Event], folders: set[int]) -> int:
    """How many renames stand after an fsync of all that the file holds, and before one of the folder."""
    for number, event in enumerate(events):
        if event.what == "rename":
            before = [e for e in events[:number] if e.inode == event.inode and e.what in ("write", "sync")]
            assert (before[-1].what, before[-1].size) == ("sync", event.size), event
            assert event.size > 0
            assert (after := events[number + 1]).what == "sync" and after.inode in folders, (event, after)
        if event.what == "folder" and event.name in ("runs", "r", "samples", "checkpoints"):
            assert (after := events[number + 1]).what == "sync" and after.inode in folders, (event, after)
    return sum(e.what == "rename" for e in events)


@pytest.mark.promise("R5")
@pytest.mark.skipif(not STRACE, reason="strace is not installed")
def test_the_system_sees_a_save_in_that_order(start, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done, seen = traced(start, tmp_path, (*SHORT, 12), "-e", "trace=write,fsync,fdatasync,/^rename")
    assert done.wait() == 0
    calls = re.findall(r"^\d+ +(write|fsync|rename)\w*\((.*)", seen, re.MULTILINE)
    saves = 0
    for number, (call, rest) in enumerate(calls):
        if call == "rename":
            old, new = re.findall(r'"([^"]+)"', rest)
            about = [c for c, r in calls[:number] if f"/{old}>" in r]
            assert about[0] == "write" and about[-1] == "fsync", (old, about)
            after, folder = calls[number + 1]
            assert after == "fsync" and f"{tmp_path / new}".startswith(re.findall("<(.+?)>", folder)[0] + "/"), new
            saves += 1
    assert saves >= 11
    tried("saves seen by strace", saves)
