"""Runs as things one keeps: how much room they take, how long they took; another name; none at all."""

import shutil
from pathlib import Path

from gantool.config.options import core
from gantool.errors import USAGE, UserError
from gantool.runs.run import RunFolder
from gantool.runtime import files

GONE = ".removed-"  # before the name of a folder that is being removed


def room(run: RunFolder) -> int:
    """Bytes of all files in its folder."""
    return sum(file.lstat().st_size for file in run.folder.rglob("*") if file.is_file() and not file.is_symlink())


def seconds(run: RunFolder) -> float:
    """How long it has trained, by its log."""
    batch, found, before = core(run.read_config(), "batch_size"), 0.0, 0
    for line in run.lines():
        rate = line.get("images_per_s")
        if isinstance(rate, int | float) and rate > 0 and isinstance(batch, int):
            found, before = found + (line["step"] - before) * batch / rate, line["step"]
    return found


def idle(run: RunFolder) -> RunFolder:
    """The run, if no process is training it."""
    if run.busy():
        raise UserError(f"{run.folder} is being trained.", "Stop that first, or wait for it.", USAGE)
    return run


def rename(run: RunFolder, name: str) -> RunFolder:
    """In the folder that it is in."""
    if Path(name).name != name or name in ("", ".", "..") or name.startswith("."):
        raise UserError(f"{name!r} is not a name for a run.", "A name has no slashes, and begins with no dot.", USAGE)
    to = run.folder.with_name(name)
    if to.exists():
        raise UserError(f"{to} is already there.", "Give another name.", USAGE)
    idle(run).folder.rename(to)
    files.sync_folder(to.parent)
    return RunFolder(to)


def remove(run: RunFolder) -> None:
    """A run is there with all it has, or not at all: it goes out of sight before it goes."""
    gone = run.folder.with_name(f"{GONE}{run.name}")
    idle(run)
    if run.folder.is_symlink():
        run.folder.unlink()
        return
    for half in run.folder.parent.glob(f"{GONE}*"):  # what a kill has left
        shutil.rmtree(half, ignore_errors=True)
    run.folder.rename(gone)
    shutil.rmtree(gone)
