"""Settings: each field is a flag, a YAML key and a line of the run's config.yaml. Imports no torch."""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from typer import BadParameter, Option

from gantool.errors import did_you_mean


def within(low: float, high: float) -> Callable[[float | None], float | None]:
    """A flag's callback: the number must lie between two, ends left out; the usual range has its ends in."""

    def check(value: float | None) -> float | None:
        if value is not None and not low < value < high:
            raise BadParameter(f"{value:g} should be more than {low:g} and less than {high:,.0f}.")
        return value

    return check


def grid_shape(text: str) -> tuple[int, int]:
    """'8x4' as columns and rows."""
    columns, by, rows = text.lower().partition("x")
    if not (by and columns.isdecimal() and rows.isdecimal() and 0 < int(columns) * int(rows) <= 1_000_000):
        raise BadParameter(f"{text!r} should be COLSxROWS, such as 8x4.")
    return int(columns), int(rows)


def checked_grid(text: str | None) -> str | None:
    """The callback of a grid's flag."""
    if text is not None:
        grid_shape(text)
    return text


def score_names(text: str | None) -> str | None:
    """The callback of --metrics."""
    from gantool.evaluation.gates import chosen

    chosen(text)
    return text


def seconds_of(text: str) -> float:
    """'90s' or '5m' in seconds."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(s|m|h)", text)
    if not found or not 1 <= (seconds := float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]) <= 1e6:
        raise BadParameter(f"{text!r} should be a time of a second or more, such as 90s, 5m or 1h.")
    return seconds


def checked_time(text: str | None) -> str | None:
    """The callback of --budget."""
    if text is not None:
        seconds_of(text)
    return text


def device_name(text: str) -> str:
    """A device as torch spells it; whether it is here is another question."""
    if not re.fullmatch(r"auto|(cpu|mps|cuda)(:\d+)?", text):
        meant = did_you_mean({"gpu": "cuda"}.get(text, text), ("auto", "cpu", "cuda", "mps"))
        raise BadParameter(f"No device named {text!r}.{meant} There are auto, cpu, cuda, cuda:1, mps.")
    return text


@dataclass(kw_only=True)
class Recipe:
    """How to train, whatever the variant. A variant's `recipe` holds its own defaults."""

    data: Annotated[str, Option(help="Data set (see `gantool data list`), or a folder or zip of pictures.")] = "digits"
    data_dir: Annotated[
        Path | None, Option(envvar="GANTOOL_DATA", help="Where named data sets are kept.", show_default="user cache")
    ] = None
    size: Annotated[
        int | None, Option(min=4, max=1024, help="Side of the square images.", show_default="the data's own, else 32")
    ] = None
    channels: Annotated[
        Literal[1, 3, 4] | None, Option(help="Grey, colour, or colour and alpha.", show_default="the data's own")
    ] = None
    flip: Annotated[bool, Option(help="Mirror every other picture, at random.")] = False
    batch_size: Annotated[int, Option("--batch-size", "-b", min=1, help="Images in a batch.")] = 64
    steps: Annotated[int | None, Option(min=1, max=10**8, help="Rounds of the players' turns.")] = None
    epochs: Annotated[
        float | None, Option(callback=within(0, 1e9), help="Passes over the data, a batch a step; instead of --steps.")
    ] = None
    minutes: Annotated[
        float | None,
        Option(callback=within(0, 1e6), help="Time to finish in; instead of --steps. Times a few, then fixes them."),
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Seed of everything random.")] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], Option(help="Arithmetic; auto is bf16 on GPUs that have it.")
    ] = "auto"
    average_images: Annotated[
        int, Option(min=0, help="Half-life, in images, of the averaged generator; 0 for none.")
    ] = 10_000
    log_every: Annotated[int, Option(min=1, help="Steps between lines of metrics.jsonl.")] = 25
    sample_every: Annotated[
        int | None, Option(min=1, help="Steps between picture grids.", show_default="a 20th of the run")
    ] = None
    grid: Annotated[str, Option(metavar="COLSxROWS", callback=checked_grid, help="Shape of the picture grids.")] = "8x8"
    save_every: Annotated[
        int | None, Option(min=1, help="Steps between checkpoints.", show_default="a 10th of the run, 1,000 at most")
    ] = None


LENGTHS = ("steps", "epochs", "minutes")  # three ways to say how long: the one said last wins


@dataclass(kw_only=True)
class Options:
    """What the players' optimisers are tuned by. A variant's own Options extend this, or Variant.Options."""

    lr: Annotated[float, Option(min=0, max=100, help="Step size of the optimisers.")] = 2e-4
    decay: Annotated[float, Option(min=0, max=1, help="The step size falls as 1 / (1 + decay x steps).")] = 0.0
    optimizer: Annotated[Literal["adam", "sgd", "rmsprop"], Option(help="SGD and RMSprop are without momentum.")] = (
        "adam"
    )
    beta1: Annotated[float, Option(min=0, max=1, help="Adam's first decay.")] = 0.5
    beta2: Annotated[float, Option(min=0, max=1, help="Adam's second decay, and RMSprop's.")] = 0.999


@dataclass(kw_only=True)
class SampleOptions:
    """Flags of `gantool sample VARIANT` beyond the shared ones."""


@dataclass(kw_only=True)
class NoiseOptions(SampleOptions):
    """For variants that draw from noise."""

    truncation: Annotated[
        float,
        Option(callback=within(0, 100), help="Redraw noise beyond this: lower is tamer, and 9 keeps all."),
    ] = 2.0
    interpolate: Annotated[
        bool, Option("--interpolate", help="Walk from one noise to another: a strip, or a film with --out FILE.gif.")
    ] = False


@dataclass(kw_only=True)
class LabelOptions(NoiseOptions):
    """For variants that are told what to draw; `Variant.asked` answers with the classes."""

    label: Annotated[
        str | None, Option("--label", "--digit", help="Class to draw, by name or number.", show_default="all in turn")
    ] = None


@dataclass(kw_only=True)
class InputOptions(SampleOptions):
    """For variants that turn pictures into pictures."""

    natural: ClassVar[bool] = False  # whether `translate` wants each at its own size and in its own channels

    input: Annotated[Path, Option(exists=True, help="A picture, or a folder of them; names are kept.")]


Compile = Annotated[
    Literal["auto", "on", "off"],
    Option("--compile", help="Compile networks; auto: on a GPU, where it makes a long run shorter."),
]


@dataclass(kw_only=True)
class TrainCommand:
    """What belongs to one `train`, and not to what is trained."""

    name: Annotated[str | None, Option(help="Name of the run: runs/NAME.", show_default="VARIANT-001, -002...")] = None
    out: Annotated[Path | None, Option(file_okay=False, help="Folder of the run, instead of runs/NAME.")] = None
    device: Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")] = "auto"
    compile: Compile = "auto"
    resume: Annotated[bool, Option("--resume", help="Go on with --name or --out, or the newest run.")] = False
    dry_run: Annotated[bool, Option("--dry-run", help="Show settings, networks and time; train nothing.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False


@dataclass(kw_only=True)
class SampleCommand:
    """What every `sample` has."""

    n: Annotated[int | None, Option("--n", "-n", min=1, help="How many.", show_default="64, or all inputs")] = None
    out: Annotated[
        Path | None, Option("--out", "-o", help="FILE.png a grid, FILE.gif, FILE.npz, FILE.idx, or a folder of PNGs.")
    ] = None
    grid: Annotated[
        str | None,
        Option(metavar="COLSxROWS", callback=checked_grid, help="Shape of the grid.", show_default="square"),
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Same seed, same pictures.")] = 0
    run: Annotated[
        Path | None, Option(help="A run, or a .safetensors model file.", show_default="the variant's newest run")
    ] = None
    device: Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")] = "auto"
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False


@dataclass(kw_only=True)
class EvalCommand:
    """What every `eval` has."""

    n: Annotated[int, Option("--n", "-n", min=10, help="Samples to measure, if there are as many real ones.")] = 10_000
    run: Annotated[
        Path | None, Option(help="A run, or a .safetensors model file.", show_default="the variant's newest run")
    ] = None
    data: Annotated[
        str | None, Option(help="Real pictures to measure against.", show_default="what it was trained on")
    ] = None
    data_dir: Annotated[Path | None, Option(envvar="GANTOOL_DATA", help="Where named data sets are kept.")] = None
    metrics: Annotated[
        str | None,
        Option(metavar="A,B", callback=score_names, help="Scores to measure, or all.", show_default="all but CAS"),
    ] = None
    inception: Annotated[
        bool, Option("--inception", help="Distances by the Inception of papers; needs torch-fidelity.")
    ] = False
    inception_weights: Annotated[
        Path | None, Option(exists=True, dir_okay=False, metavar="FILE", help="Its weights.", show_default="downloaded")
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Same seed, same samples.")] = 0
    device: Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")] = "auto"
    out: Annotated[Path | None, Option("--out", "-o", metavar="FILE.json", help="Write JSON to a file as well.")] = None
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False


@dataclass(kw_only=True)
class MeasureCommand(EvalCommand):
    """`eval` without a variant's name."""

    run: Annotated[Path | None, Option(help="A run, or a .safetensors model file, of any variant.")] = None
    images: Annotated[
        Path | None, Option(exists=True, help="Pictures to measure: a folder, a zip, or an .npz with images.")
    ] = None
    against: Annotated[str | None, Option(help="Real pictures to compare --images with: as --data.")] = None


@dataclass(kw_only=True)
class AcceptCommand:
    """What `accept` has."""

    budget: Annotated[
        str | None,
        Option(metavar="TIME", callback=checked_time, help="Time to train for.", show_default="as the gates say"),
    ] = None
    steps: Annotated[
        int | None, Option(min=1, help="Steps to train for instead: the same on any machine.", show_default=False)
    ] = None
    seeds: Annotated[int, Option(min=1, max=100, help="Trainings, whose median counts.")] = 3
    data: Annotated[str | None, Option(help="Data to train on.", show_default="the variant's")] = None
    data_dir: Annotated[Path | None, Option(envvar="GANTOOL_DATA", help="Where named data sets are kept.")] = None
    n: Annotated[int, Option("--n", "-n", min=10, help="Samples to measure, if there are as many real ones.")] = 10_000
    cards: Annotated[Path, Option(file_okay=False, help="Folder of the card: VARIANT.md and VARIANT.json.")] = Path(
        "cards"
    )
    device: Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")] = "auto"
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False


def first_defaults(*settings: type) -> dict[str, Any]:
    """Each setting as the class has it that brought it: what a run did that was made before there was such a setting.

    So a new setting begins as what changes nothing; a subclass may then have another default for runs to come.
    """
    found: dict[str, Any] = {}
    for cls in (c for s in settings for c in reversed(s.__mro__) if is_dataclass(c)):
        found = {f.name: f.default for f in fields(cls) if f.default not in (MISSING, None)} | found
    return found


def plain(settings: Any) -> Any:
    """A setting as YAML and JSON can hold it."""
    return str(settings) if isinstance(settings, Path) else settings
