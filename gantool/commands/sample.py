"""`gantool sample VARIANT`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from gantool.commands.groups import registry
from gantool.commands.shared import OURS, Events, Quiet, WhichRun, at_work, free, known, of, schema
from gantool.commands.typer_flags import Given, built, settled
from gantool.config import presets
from gantool.config.options import Device
from gantool.config.schema import Schema
from gantool.errors import USAGE, UserError, counted
from gantool.runs.finding import model_path
from gantool.runs.packaged import called
from gantool.runs.run import RunFolder
from gantool.sampling.settings import STDOUT, HowToSample


@dataclass(kw_only=True)
class SampleCommand(HowToSample):
    out: Annotated[
        Path | None,
        Option(
            "--out", "-o", help="FILE.png a grid, FILE.gif, FILE.npz, FILE.idx, or a folder of PNGs; - for stdout.",
            show_default="VARIANT.png",
        ),
    ] = None  # fmt: skip
    force: Annotated[bool, Option("--force", help="Write over what --out holds already.")] = False
    run: WhichRun = None
    device: Device = "auto"
    json: Events = False
    quiet: Quiet = False


def drawn_by(path: Path) -> str:
    """The run, and how far it was trained if that is not to its end; else the file or the package's model."""
    run = RunFolder(path.parent)
    if not run.config.is_file():
        return called(registry(), path)
    status = run.status()
    how_far = "" if status.state == "done" else f", {status.state} at step {status.step} of {status.steps}"
    return f"{run.folder}{how_far}"


def keep_safe(out: Path, force: bool) -> None:
    """Nothing is lost unless that was said; and a terminal is not sent what it cannot show."""
    if str(out) == STDOUT:
        if sys.stdout.isatty():
            raise UserError(
                "A terminal cannot show a PNG.", "Send it on: gantool sample VARIANT -o - > sheet.png", USAGE
            )
    elif not force and (any(out.iterdir()) if out.is_dir() else out.suffix and out.exists()):
        there = "has files in it" if out.is_dir() else "is already there"
        raise UserError(f"{out} {there}.", "Give another --out, or --force to write over it.", USAGE)


def typical(every: Schema) -> str:
    """Flags that show what this variant can."""
    keys = {setting.key for setting in every.all}
    if "input" in keys:
        return "--input photos --out outputs"
    return "--label 0 -n 16 --out sheet.png" if "label" in keys else "-n 16 --out sheet.png"


def command(name: str) -> Any:
    every = schema(name, {"Sampling": SampleCommand, name: known(name).SampleOptions})

    def run(given: Given) -> None:
        this, options = settled(every, given, presets.see(name, "sample")).values()
        out = this.out or free(f"{name}.png")
        from gantool import library
        from gantool.sampling.writers import check_kind

        ours = {s.key for s in every.of["Sampling"] if s.name in (*OURS, "device", "force")}
        values = {key: value for key, value in given.values.items() if key not in ours}
        with at_work(this.quiet, answers=True, events=this.json):
            check_kind(out)
            if (source := getattr(options, "input", None)) is None or source.resolve() != out.resolve():
                keep_safe(out, this.force)
            model = of(name, library.load(model_path(registry(), name, this.run), device=this.device), "sample")
            n = model.write(out, settings=values)
        if this.json:
            from gantool.progress.events import emit

            emit("end", out=str(out), n=n, model=called(registry(), model.path))
        elif not this.quiet:
            print(f"{counted(n, 'image')} in {out}, drawn by {drawn_by(model.path)}", file=sys.stderr)

    return built(name, f"Draw with {name}.", every, run, example=f"gantool sample {name} {typical(every)}")
