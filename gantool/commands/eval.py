"""`gantool eval`: of a variant, of any run, or of two sets of images."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from gantool.commands.groups import registry
from gantool.commands.shared import OURS, Json, WhichRun, at_work, of
from gantool.commands.typer_flags import Given, built, flags, settled
from gantool.config import presets
from gantool.config.schema import Schema
from gantool.errors import USAGE, UserError
from gantool.evaluation.settings import HowToMeasure
from gantool.runs.finding import model_path


@dataclass(kw_only=True)
class EvalCommand(HowToMeasure):
    run: WhichRun = None
    out: Annotated[Path | None, Option("--out", "-o", metavar="FILE.json", help="Write JSON to a file as well.")] = None
    json: Json = False


@dataclass(kw_only=True)
class MeasureCommand(EvalCommand):
    """`eval` without a variant's name."""

    run: Annotated[Path | None, Option(help="A run, a .safetensors model file, or packaged/VARIANT.")] = None
    images: Annotated[
        Path | None, Option(exists=True, help="Images to measure: a folder, a zip, or an .npz with images.")
    ] = None
    against: Annotated[str | None, Option(help="Real images to compare --images with: as --data.")] = None


def command(name: str) -> Any:
    registry().offer(name)
    every = Schema({"Measuring": EvalCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, presets.see(name, "eval")).values()
        measure(name, this, given.values)

    return built(name, f"Measure {name}.", every, run, example=f"gantool eval {name} --metrics all")


def measure(name: str | None, this: EvalCommand, values: dict[str, Any]) -> None:
    """Of a variant; None: whichever the run is of."""
    from gantool import library
    from gantool.commands import answers

    chosen = {key: value for key, value in values.items() if key not in (*OURS, "images", "against")}
    with at_work(answers=True):
        model = library.load(model_path(registry(), name or "", this.run), device=this.device)
        found = library.evaluate(of(name, model, "eval") if name else model, settings=chosen)
    answers.measured(found.facts, this.metrics, this.out, this.json)


BARE = Schema({"Without a variant's name": MeasureCommand})
EXAMPLES = "For example: gantool eval --run runs/gan-001, or: gantool eval --images FOLDER --against mnist"


def alone(ctx: typer.Context, **typed: Any) -> None:
    """Without a variant's name."""
    given = Given({key: value for key, value in typed.items() if value is not None})
    if ctx.invoked_subcommand is not None:
        if given.values:
            early = BARE.find(next(iter(given.values)))
            raise UserError(f"{early.flag if early else ''} goes behind {ctx.invoked_subcommand}.", code=USAGE)
        return
    (this,) = settled(BARE, given, "See: gantool eval --help").values()
    two_sets, either = None not in (this.images, this.against), this.images or this.against
    if this.run is not None and not either:
        measure(None, this, given.values)
    elif two_sets and this.run is None and this.data is None:
        from gantool import library
        from gantool.commands import answers

        chosen = {key: value for key, value in given.values.items() if key not in (*OURS, "images", "against")}
        with at_work(answers=True):
            found = library.compare(this.images, this.against, settings=chosen)
        answers.measured(found.facts, this.metrics, this.out, this.json)
    else:
        raise UserError("eval what? A variant, --run RUN, or --images and --against.", EXAMPLES, USAGE)


# What a group's callback is called with: its own flags, which go before a variant's name.
CONTEXT = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
alone.__signature__ = inspect.Signature([CONTEXT, *flags(BARE)])  # type: ignore[attr-defined]
