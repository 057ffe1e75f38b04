"""Tests of gantool.runtime.files: a file is the old one or the new one, and one process writes at a time."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gantool.runtime import files

# Replaces a file, but dies as from a power cut where `{death}` stands.
CRASH = """
import os, sys
from pathlib import Path
from gantool.runtime import files
{death} = lambda *given: os._exit(9)
files.write(Path(sys.argv[1]), b"new" * 100_000)
"""
HOLD = """
import sys
from pathlib import Path
from gantool.runtime import files
held = files.lock(Path(sys.argv[1]))
print("held" if held else "refused", flush=True)
sys.stdin.read()
"""


def temporary(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("content", [b"\0\r\n\xff", "grüße\n", b""])
def test_what_is_written_is_read_back(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old and longer than the new")
    files.write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert temporary(tmp_path) == []


@pytest.mark.parametrize("death", ["os.fsync", "Path.replace"])
def test_a_crash_while_writing_leaves_the_old_file_whole(tmp_path: Path, death: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    died = subprocess.run([sys.executable, "-c", CRASH.format(death=death), path], check=False)
    assert died.returncode == 9
    assert path.read_text() == "old"
    assert len(temporary(tmp_path)) == 1
    files.sweep(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_sweeping_takes_only_what_writers_leave(tmp_path: Path) -> None:
    for name in (".lock", "a.tmp", ".hidden", ".a.txt.17.tmp"):
        (tmp_path / name).touch()
    files.sweep(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".hidden", ".lock", "a.tmp"]


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        state = os.fstat(handle)
        calls.append("sync folder" if stat.S_ISDIR(state.st_mode) else f"sync {state.st_size} bytes")
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    files.write(tmp_path / "a.txt", b"12345")
    assert calls == ["sync 5 bytes", "rename", "sync folder"]


@pytest.mark.parametrize("where", ["write", "sync", "rename"])
def test_a_full_disk_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    opened = Path.open

    def full(*given: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> Any:
            self.file.write(b"half of i")
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        write = full

    if where == "write":
        monkeypatch.setattr(Path, "open", lambda self, mode: Full(opened(self, mode)))
    else:
        monkeypatch.setattr(*{"sync": (os, "fsync"), "rename": (Path, "replace")}[where], full)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(path, b"new")
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert temporary(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_get_the_permissions_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "a.txt", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_one_process_holds_the_lock_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert files.lock(path) is None
        second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        assert second.stdout == "refused\n"
        holder.send_signal(signal.SIGKILL)
    ours = files.lock(path)
    assert ours is not None
    assert files.lock(path) is None
    ours.close()
    again = files.lock(path)
    assert again is not None
    again.close()
