"""`train`, `sample`, `eval` and `accept`: each holds a command for every installed variant."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from inspect import Parameter, Signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from gantool.commands.typer_flags import Given, QuickCommand, QuickGroup, command, parameters
from gantool.config.options import AcceptCommand, EvalCommand, MeasureCommand, SampleCommand, TrainCommand
from gantool.config.outline import outline
from gantool.data import catalog
from gantool.errors import USAGE, UserError
from gantool.registry import Registry
from gantool.runs.run import RUNS, Run, find, model_path, runs_of
from gantool.runtime import torchrun
from gantool.runtime.signals import Signals

STARTED = time.monotonic()  # --minutes counts from here
registry = cache(Registry)
Build = Callable[[str], Any]


def variant_group(verb: str, build: Build) -> type[QuickGroup]:
    """`train`, `sample`, `eval` and `accept` each hold one subcommand per installed variant."""

    class VariantGroup(QuickGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return registry().names()

        def get_command(self, ctx: Any, name: str) -> Any:
            """Enough for --help and to complete a name; `resolve_command` builds the one that is meant."""
            if name not in registry().names():
                return None
            return QuickCommand(name, help=registry().offers[name][0].summary)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if not ctx.resilient_parsing:  # a line that is being completed is not wrong yet
                self.check_order(ctx, args)
            return super().parse_args(ctx, args)

        def check_order(self, ctx: Any, args: list[str]) -> None:
            """The variant first; only `eval` has options that go before it."""
            names = registry().names()
            which = f"Variants: {', '.join(names)}."
            if not args:
                raise UserError(f"{verb} what?", f"{which} For example: gantool {verb} gan", USAGE)
            if verb != "eval" and args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx):
                named = next((word for word in args if word in names), None)
                at = args.index(named) if named else len(args)
                rest = shlex.join(args[:at] + args[at + 1 :])
                hint = f"gantool {verb} {named} {rest}" if named else f"gantool {verb} VARIANT {rest}\n  {which}"
                raise UserError(f"The variant comes before {args[0]}.", hint, USAGE)

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str, Any, list[str]]:
            if verb != "train" and args[0] not in registry().names() and (gone := owner_gone(args)):
                raise gone
            try:
                return args[0], build(args[0]), args[1:]
            except UserError:
                if ctx.resilient_parsing:  # there is nothing to complete
                    return args[0], None, args[1:]
                raise

    return VariantGroup


def owner_gone(args: list[str]) -> UserError | None:
    """Of a model made by a package that is not installed: which package."""
    given = next((after for flag, after in pairwise(args) if flag == "--run"), None)
    with suppress(UserError):
        path = model_path(args[0], Path(given) if given else None)
        from gantool.runs import model, sealed

        facts = sealed.facts(path)
        if facts.get("variant") == args[0]:
            return model.not_installed(path, facts)
    return None


def train_command(name: str) -> Any:
    offer, found = registry().offer(name), outline(registry(), name)
    sections = {"Training": found.recipe, name: found.options, "This run": TrainCommand}
    run = partial(run_train, name, found.recipe.data)
    return command(name, offer.summary, sections, run, offer.presets())


def run_train(name: str, usual_data: str, given: Given) -> None:
    recipe, options, this = given.sections
    if this.resume:
        run_resume_with(name, given)
        return
    if usual_data in catalog.names():  # other variants read data of their own
        catalog.known(recipe.data)
    if torchrun.first() and not this.quiet and not this.dry_run:
        print(f"{name} on {recipe.data}", flush=True)  # seconds before torch is there
    from gantool.training import session

    with Signals() as signals:
        session.train(session.Session(registry(), name, recipe, options, this), signals, STARTED)


def run_resume_with(name: str, given: Given) -> None:
    """`train VARIANT --resume`: as `resume`, but what is said again must be as it was."""
    recipe, options, this = given.sections
    run = runs_of(name)[0] if this.name is None and this.out is None else find(this.out or RUNS / this.name)
    if (whose := run.status().variant) != name:
        raise UserError(f"{run.folder} is a run of {whose}.", f"gantool resume {run.folder}", USAGE)
    said = {k: v for k, v in (asdict(recipe) | asdict(options)).items() if k in given.chosen}
    if lengths := said.keys() & {"epochs", "minutes"}:
        raise UserError(f"A resumed run has its steps; it takes no --{lengths.pop()}.", "Give --steps, in all.", USAGE)
    go_on(run, said, this)


def go_on(run: Run, said: dict[str, Any], this: TrainCommand) -> None:
    if torchrun.first() and not this.quiet:
        print(f"resuming {run.folder}", flush=True)
    from gantool.training import session

    with Signals() as signals:
        session.resume(registry(), run, said, this, signals)


def sample_command(name: str) -> Any:
    def run(given: Given) -> None:
        from gantool.sampling.sampler import sample

        with Signals():
            sample(registry(), name, *given.sections)

    sections = {"Sampling": SampleCommand, name: outline(registry(), name).sample_options}
    return command(name, f"Draw with {name}.", sections, run)


def eval_command(name: str) -> Any:
    def run(given: Given) -> None:
        from gantool.evaluation.evaluation import evaluate

        with Signals():
            evaluate(registry(), name, *given.sections)

    registry().offer(name)
    return command(name, f"Measure {name}.", {"Measuring": EvalCommand}, run)


def accept_command(name: str) -> Any:
    def run(given: Given) -> None:
        from gantool.evaluation.acceptance import accept

        with Signals() as signals:
            if not accept(registry(), name, signals, *given.sections):
                raise typer.Exit(1)

    registry().offer(name)
    return command(name, f"Hold {name} to its gates.", {"Acceptance": AcceptCommand}, run)


def eval_without_variant(ctx: typer.Context, **values: Any) -> None:
    if ctx.invoked_subcommand is None:
        from gantool.evaluation.comparison import without_variant

        with Signals():
            without_variant(registry(), MeasureCommand(**values))
    elif early := [p.opts[0] for p in ctx.command.params if given_early(ctx, str(p.name))]:
        raise UserError(f"{early[0]} goes behind {ctx.invoked_subcommand}.", code=USAGE)


def given_early(ctx: typer.Context, name: str) -> bool:
    return getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"


eval_without_variant.__signature__ = Signature(  # type: ignore[attr-defined]
    [
        Parameter("ctx", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *parameters(MeasureCommand, "Without a variant's name"),
    ]
)


GROUPS: dict[str, tuple[Build, str]] = {
    "train": (train_command, "Train a variant: networks, checkpoints, pictures and a model file in runs/."),
    "sample": (sample_command, "Draw pictures with a trained variant."),
    "eval": (eval_command, "Measure what a trained variant draws."),
    "accept": (accept_command, "Train a variant from several seeds, and hold it to its gates."),
}


def groups() -> Iterator[tuple[str, typer.Typer]]:
    for verb, (build, about) in GROUPS.items():
        yield verb, typer.Typer(
            cls=variant_group(verb, build), help=about, subcommand_metavar="VARIANT",
            callback=eval_without_variant if verb == "eval" else lambda: None, invoke_without_command=verb == "eval",
        )  # fmt: skip
