"""`gantool sample VARIANT`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from gantool.commands.shared import OURS, Quiet, WhichRun, at_work, known, of, schema
from gantool.commands.typer_flags import Given, built, settled
from gantool.config import presets
from gantool.config.options import Device
from gantool.runs.run import model_path
from gantool.sampling.settings import HowToSample


@dataclass(kw_only=True)
class SampleCommand(HowToSample):
    out: Annotated[
        Path | None, Option("--out", "-o", help="FILE.png a grid, FILE.gif, FILE.npz, FILE.idx, or a folder of PNGs.")
    ] = None
    run: WhichRun = None
    device: Device = "auto"
    quiet: Quiet = False


def command(name: str) -> Any:
    every = schema(name, {"Sampling": SampleCommand, name: known(name).SampleOptions})

    def run(given: Given) -> None:
        this, _ = settled(every, given, presets.see(name, "sample")).values()
        out = this.out or Path(f"{name}.png")
        from gantool import library
        from gantool.sampling.writers import check_kind

        ours = {s.key for s in every.of["Sampling"] if s.name in (*OURS, "device")}
        values = {key: value for key, value in given.values.items() if key not in ours}
        with at_work(this.quiet, answers=True):
            check_kind(out)
            model = of(name, library.load(model_path(name, this.run), device=this.device), "sample")
            n = model.write(out, settings=values)
        if not this.quiet:
            print(f"{n} image{'s' * (n != 1)} in {out}", file=sys.stderr)

    return built(name, f"Draw with {name}.", every, run)
