"""What belongs to one training, and not to what is trained. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from gantool.config.options import Device


@dataclass(kw_only=True)
class HowToResume:
    """Where to compute: may be another machine's each time."""

    device: Device = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Option("--compile", help="Compile networks; auto: on a GPU, where it makes a long run shorter."),
    ] = "auto"


@dataclass(kw_only=True)
class HowToTrain(HowToResume):
    """And where to write."""

    name: Annotated[str | None, Option(help="Name of the run: runs/NAME.", show_default="VARIANT-001, -002...")] = None
    out: Annotated[Path | None, Option(file_okay=False, help="Folder of the run, instead of runs/NAME.")] = None
