"""What the command line adds to each command's settings: where the answer goes, and how much is said."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from gantool.config.options import Device
from gantool.evaluation.settings import HowToAccept, HowToMeasure
from gantool.sampling.settings import HowToSample
from gantool.training.settings import HowToResume, HowToTrain

Quiet = Annotated[bool, Option("--quiet", "-q", help="Print only errors.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
WhichRun = Annotated[
    Path | None, Option(help="A run, or a .safetensors model file.", show_default="the variant's newest run")
]


@dataclass(kw_only=True)
class TrainCommand(HowToTrain):
    resume: Annotated[bool, Option("--resume", help="Go on with --name or --out, or the newest run.")] = False
    dry_run: Annotated[bool, Option("--dry-run", help="Show settings, networks and time; train nothing.")] = False
    quiet: Quiet = False


@dataclass(kw_only=True)
class ResumeCommand(HowToResume):
    steps: Annotated[int | None, Option(min=1, help="Train on to this many steps in all.")] = None
    quiet: Quiet = False


@dataclass(kw_only=True)
class SampleCommand(HowToSample):
    out: Annotated[
        Path | None, Option("--out", "-o", help="FILE.png a grid, FILE.gif, FILE.npz, FILE.idx, or a folder of PNGs.")
    ] = None
    run: WhichRun = None
    device: Device = "auto"
    quiet: Quiet = False


@dataclass(kw_only=True)
class EvalCommand(HowToMeasure):
    run: WhichRun = None
    out: Annotated[Path | None, Option("--out", "-o", metavar="FILE.json", help="Write JSON to a file as well.")] = None
    json: Json = False


@dataclass(kw_only=True)
class MeasureCommand(EvalCommand):
    """`eval` without a variant's name."""

    run: Annotated[Path | None, Option(help="A run, or a .safetensors model file, of any variant.")] = None
    images: Annotated[
        Path | None, Option(exists=True, help="Pictures to measure: a folder, a zip, or an .npz with images.")
    ] = None
    against: Annotated[str | None, Option(help="Real pictures to compare --images with: as --data.")] = None


@dataclass(kw_only=True)
class AcceptCommand(HowToAccept):
    json: Json = False
