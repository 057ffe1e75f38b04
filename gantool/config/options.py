"""What a variant and its training can be told: each field is a flag, a YAML key, a keyword. Imports no torch."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from inspect import get_annotations
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from typer import Option

from gantool.errors import did_you_mean


def within(low: float, high: float) -> Callable[[float | None], float | None]:
    """A check: the number must lie between two, ends left out; the usual range has its ends in."""

    def check(value: float | None) -> float | None:
        if value is not None and not low < value < high:
            raise ValueError(f"{value:g} should be more than {low:g} and less than {high:,.0f}.")
        return value

    return check


def grid_shape(text: str) -> tuple[int, int]:
    """'8x4' as columns and rows."""
    columns, by, rows = text.lower().partition("x")
    if not (by and columns.isdecimal() and rows.isdecimal() and 0 < int(columns) * int(rows) <= 1_000_000):
        raise ValueError(f"{text!r} should be COLSxROWS, such as 8x4.")
    return int(columns), int(rows)


def checked_grid(text: str | None) -> str | None:
    """The callback of a grid's flag."""
    if text is not None:
        grid_shape(text)
    return text


def checked_threads(text: str) -> str:
    """The callback of a number of threads."""
    if text != "auto" and not (text.isdecimal() and 0 < int(text) <= 1024):
        raise ValueError(f"{text[:80]!r} should be auto, or a number of threads such as 1.")
    return text if text == "auto" else str(int(text))


def device_name(text: str) -> str:
    """A device as torch spells it; whether it is here is another question."""
    if not re.fullmatch(r"auto|(cpu|mps|cuda)(:\d+)?", text):
        meant = did_you_mean({"gpu": "cuda"}.get(text, text), ("auto", "cpu", "cuda", "mps"))
        raise ValueError(f"No device named {text!r}.{meant} There are auto, cpu, cuda, cuda:1, mps.")
    return text


Device = Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")]
DataDir = Annotated[
    Path | None, Option(envvar="GANTOOL_DATA", help="Where named data sets are kept.", show_default="user cache")
]


class Inherited:
    """Settings of several bases have the defaults that Python's order of the bases gives everything else.

    A dataclass asks of each base what it holds, not what it declares: a mixin that comes first would undo the defaults
    of the game beside it by those that it has of their common base.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        held: dict[str, Field[Any]] = {}
        declared: dict[str, Field[Any]] = {}
        for base in cls.__mro__[:0:-1]:
            known = {each.name: each for each in fields(base)} if is_dataclass(base) else {}
            held |= known
            declared |= {name: known[name] for name in get_annotations(base) if name in known}
        own = get_annotations(cls)
        for name, its in declared.items():
            if its is not held[name] and name not in own:
                cls.__annotations__[name] = Any
                anew: Any = field(default=its.default, default_factory=its.default_factory)
                setattr(cls, name, anew)


Former = str | tuple[str, Callable[[Any], Any]]  # what a setting is called now, and what a value of then is now


def former(section: Any) -> dict[str, Former]:
    """Names that settings had in earlier versions, and old files have."""
    return of_bases(section, "former")


def suit(options: Any, images: int) -> Any:
    """The options, those left open as so many images want them."""
    pairs = of_bases(options, "by_images").items()
    return replace(options, **{name: pair[images >= MANY] for name, pair in pairs if getattr(options, name) is None})


def of_bases(section: Any, name: str) -> dict[str, Any]:
    """What a dataclass and its bases say under that name, each of its own settings."""
    found: dict[str, Any] = {}
    for base in reversed((section if isinstance(section, type) else type(section)).__mro__):
        found |= vars(base).get(name, {})
    return found


@dataclass(kw_only=True)
class Recipe:
    """How to train, whatever the variant. A variant's `recipe` holds its own defaults."""

    former: ClassVar = {"average_images": "ema_images"}

    data: Annotated[
        str, Option(help="Data set (see `gantool data list`), folder or zip of images, or CSV of points.")
    ] = "digits"
    data_dir: DataDir = None
    size: Annotated[
        int | None, Option(min=4, max=1024, help="Side of the square images.", show_default="the data's own, else 32")
    ] = None
    channels: Annotated[
        Literal[1, 3, 4] | None, Option(help="Grey, colour, or colour and alpha.", show_default="the data's own")
    ] = None
    flip: Annotated[bool, Option(help="Mirror every other image, at random.")] = False
    batch_size: Annotated[int, Option("--batch-size", "-b", min=1, help="Images in a batch.")] = 64
    steps: Annotated[
        int | None,
        Option(min=1, max=10**8, help="How long to train, in training steps."),
    ] = None
    epochs: Annotated[
        float | None,
        Option(callback=within(0, 1e9), help="How long to train, in passes over the data; instead of --steps."),
    ] = None
    minutes: Annotated[
        float | None,
        Option(
            callback=within(0, 1e6),
            help="How long to train, in minutes, start and end included; instead of --steps.",
        ),
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Seed of everything random.")] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Option(help="Number format; auto: bf16 on GPUs that have it, and on CPUs where it is faster, else fp32."),
    ] = "auto"
    threads: Annotated[
        str,
        Option(metavar="auto|N", callback=checked_threads, help="CPU threads; auto: one or all, whichever is faster."),
    ] = "auto"
    ema_images: Annotated[
        int, Option(min=0, help="Half-life, in images, of the generator's moving average (EMA); 0 for none.")
    ] = 10_000
    log_every: Annotated[int, Option(min=1, help="Steps between lines of metrics.jsonl.")] = 25
    sample_every: Annotated[
        int | None, Option(min=1, help="Steps between image grids.", show_default="a 20th of the run")
    ] = None
    grid: Annotated[str, Option(metavar="COLSxROWS", callback=checked_grid, help="Shape of the image grids.")] = "8x8"
    save_every: Annotated[
        int | None, Option(min=1, help="Steps between checkpoints.", show_default="a 10th of the run, 1,000 at most")
    ] = None


CORE = "gantool_"  # what the name of a setting of gantool's begins with where the variant has one of that name


def core(values: Mapping[str, Any], name: str) -> Any:
    """Of stored settings, gantool's own of this name; None where there is none."""
    return values.get(f"{CORE}{name}", values.get(name))


MANY = 20_000  # images; fewer D soon memorises, and a training soon has seen often
LENGTHS = ("steps", "epochs", "minutes")  # three ways to say how long: the one said last wins


@dataclass(kw_only=True)
class Options(Inherited):
    """What the players' optimisers are tuned by. A variant's own Options extend this, or Variant.Options."""

    former: ClassVar[Mapping[str, Any]] = {}  # names of earlier versions, in old files and on command lines: see Former
    applies: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # settings, and what others must be for them to matter
    by_images: ClassVar[Mapping[str, tuple[Any, Any]]] = {}  # what settings left open become: of few images, of MANY

    lr: Annotated[float, Option(min=0, max=100, help="Learning rate of the optimisers.")] = 2e-4
    decay: Annotated[float, Option(min=0, max=1, help="The learning rate falls as 1 / (1 + decay x steps).")] = 0.0
    optimizer: Annotated[
        Literal["adam", "sgd", "rmsprop"], Option(help="Optimiser of every player; SGD and RMSprop have no momentum.")
    ] = "adam"
    beta1: Annotated[float, Option(min=0, max=1, help="Adam's first decay.")] = 0.5
    beta2: Annotated[float, Option(min=0, max=1, help="Adam's second decay, and RMSprop's.")] = 0.999


@dataclass(kw_only=True)
class SampleOptions(Inherited):
    """Flags of `gantool sample VARIANT` beyond the shared ones."""


@dataclass(kw_only=True)
class NoiseOptions(SampleOptions):
    """For variants that draw from noise."""

    truncation: Annotated[
        float,
        Option(
            callback=within(0, 100), help="Redraw noise beyond this: lower is safer and less varied, and 9 keeps all."
        ),
    ] = 2.0
    interpolate: Annotated[
        bool, Option("--interpolate", help="Walk from one noise to another: a strip, or a film with --out FILE.gif.")
    ] = False


@dataclass(kw_only=True)
class LabelOptions(NoiseOptions):
    """For conditional variants; `Variant.labels_for` answers with the classes to draw."""

    label: Annotated[
        str | None,
        Option(
            "--label", "--digit", help="Class to draw, by name or number; or several, such as 3,5.",
            show_default="all in turn",
        ),
    ] = None  # fmt: skip


@dataclass(kw_only=True)
class InputOptions(SampleOptions):
    """For variants that turn images into images."""

    natural: ClassVar[bool] = False  # whether `translate` wants each at its own size and in its own channels

    input: Annotated[Path, Option(exists=True, help="An image, or a folder of them; names are kept.")]


@dataclass(kw_only=True)
class OptionalInput(SampleOptions):
    """For variants that draw from noise, and where there is an --input turn that into images."""

    natural: ClassVar[bool] = False

    input: Annotated[
        Path | None, Option(exists=True, help="An image, or a folder of them, to make these of.", show_default=False)
    ] = None


def takes_input(of: type) -> bool:
    """Whether a variant of these sample options makes images of images."""
    return issubclass(of, InputOptions | OptionalInput)


def draws(of: type) -> bool:
    """Whether it draws without any."""
    return not issubclass(of, InputOptions)


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
