"""`gantool train VARIANT` and `gantool resume`."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from typer import Option

from gantool.commands.groups import RESUME, registry
from gantool.commands.shared import OURS, Events, Quiet, at_work, known, schema
from gantool.commands.typer_flags import Given, built, settled
from gantool.config import presets
from gantool.config.schema import Schema
from gantool.data import catalog
from gantool.errors import USAGE, UserError
from gantool.runs.run import RUNS, RunFolder, find, runs_of, unfinished
from gantool.runtime import torchrun
from gantool.training.settings import HowToResume, HowToTrain


@dataclass(kw_only=True)
class TrainCommand(HowToTrain):
    resume: Annotated[bool, Option("--resume", help="Go on with --name or --out, or the newest run.")] = False
    json: Events = False
    dry_run: Annotated[bool, Option("--dry-run", help="Show settings, networks and time; train nothing.")] = False
    quiet: Quiet = False


@dataclass(kw_only=True)
class ResumeCommand(HowToResume):
    steps: Annotated[int | None, Option(min=1, help="Train on to this many steps in all.")] = None
    json: Events = False
    quiet: Quiet = False


def command(name: str) -> Any:
    offer, found = registry().offer(name), known(name)
    sections = {"Training": found.recipe, name: found.Options, "This run": TrainCommand}
    every = schema(name, sections, unstored=("This run",))
    return built(
        name,
        offer.summary,
        every,
        partial(run_train, name, every, found.recipe.data),
        offer.presets(),
        example=f"gantool train {name} --minutes 5",
    )


def run_train(name: str, every: Schema, usual_data: str, given: Given) -> None:
    """What is wrong is said before torch is there; what trains is settled once more, by the real class."""
    layers = presets.layers(name, registry().offer(name).presets(), given.preset, given.config)
    recipe, _, this = settled(every, given, presets.see(name), layers).values()
    if this.resume:
        resume_as_told(name, every, given, this)
        return
    if usual_data in catalog.names():  # other variants read data of their own
        catalog.is_named(recipe.data)
    if torchrun.first() and not (this.quiet or this.dry_run or this.json):
        print(f"{name} on {recipe.data}", flush=True)  # seconds before torch is there
    ours = {s.key for s in every.of["This run"] if s.name in OURS and s.name != "out"}
    values = {key: value for key, value in given.values.items() if key not in ours}
    from gantool import library
    from gantool.commands import answers

    with at_work(this.quiet, events=this.json):
        if this.dry_run:
            answers.planned(library.plan(name, preset=given.preset, config=given.config, settings=values))
        else:
            made = library.train(name, preset=given.preset, config=given.config, settings=values)
            answers.trained(made, this.quiet, this.json)


def resume_as_told(name: str, every: Schema, given: Given, this: TrainCommand) -> None:
    """`train VARIANT --resume`: as `resume`, but what is said again must be as it was."""
    run = runs_of(name)[0] if this.name is None and this.out is None else find(this.out or RUNS / str(this.name))
    if (whose := run.status().variant) != name:
        raise UserError(f"{run.folder} is a run of {whose}.", f"gantool resume {run.folder}", USAGE)
    elsewhere = {s.key for s in every.of["This run"] if s.name not in ("device", "compile")}
    said = {key: value for key, value in given.values.items() if key not in elsewhere}
    layers = presets.layers(name, registry().offer(name).presets(), given.preset, given.config)
    for layer in reversed(layers):
        said = dict(layer.values) | said
    if lengths := said.keys() & {"epochs", "minutes"}:
        raise UserError(f"A resumed run has its steps; it takes no --{lengths.pop()}.", "Give --steps, in all.", USAGE)
    go_on(run, said, this)


def resume_command() -> Any:
    words = [("run", "A run's folder or name; the newest unfinished one if left out.")]
    every = Schema({"Options": ResumeCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, "See: gantool resume --help").values()
        which = find(given.words[0]) if given.words else unfinished()
        said = {key: value for key, value in given.values.items() if key not in ("quiet", "steps", "json")}
        go_on(which, said, this, this.steps)

    return built("resume", RESUME, every, run, words=words, example="gantool resume cgan-001 --steps 10000")


def go_on(run: RunFolder, said: dict[str, Any], this: Any, steps: int | None = None) -> None:
    if torchrun.first() and not (this.quiet or this.json):
        print(f"resuming {run.folder}", flush=True)
    from gantool import library
    from gantool.commands import answers
    from gantool.training import crew

    with at_work(this.quiet, events=this.json):
        crew.follow()
        answers.trained(library.resume(run.folder, steps=steps, settings=said), this.quiet, this.json)
