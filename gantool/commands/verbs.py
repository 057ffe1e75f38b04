"""`train`, `sample`, `eval` and `accept`: each holds a command for every installed variant."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from gantool.commands.settings import (
    AcceptCommand,
    EvalCommand,
    MeasureCommand,
    ResumeCommand,
    SampleCommand,
    TrainCommand,
)
from gantool.commands.typer_flags import Given, PlainCommand, PlainGroup, command, flags, settled
from gantool.config import presets
from gantool.config.outline import outline
from gantool.config.schema import Schema
from gantool.data import catalog
from gantool.errors import USAGE, UserError
from gantool.registry import Registry
from gantool.runs.run import RUNS, RunFolder, find, model_path, runs_of, unfinished
from gantool.runtime import torchrun
from gantool.runtime.signals import Signals

registry = cache(Registry)
Build = Callable[[str], Any]
OURS = ("resume", "dry_run", "quiet", "out", "run", "json")  # of flags, those that the library has no use for


def variant_group(verb: str, build: Build) -> type[PlainGroup]:
    """`train`, `sample`, `eval` and `accept` each hold one subcommand per installed variant."""

    class VariantGroup(PlainGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return registry().names()

        def get_command(self, ctx: Any, name: str) -> Any:
            """Enough for --help and to complete a name; `resolve_command` builds the one that is meant."""
            if name not in registry().names():
                return None
            return PlainCommand(name, help=registry().offers[name][0].summary)

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


@contextmanager
def at_work(quiet: bool = False, answers: bool = False) -> Iterator[Signals]:
    """While the library works for a command: signals are heard, and a person sees how it goes."""
    from gantool.progress.terminal import OnTerminal
    from gantool.runtime.progress import shown_by

    with Signals() as signals, shown_by(OnTerminal(quiet, answers)):
        yield signals


def known(name: str) -> Any:
    """What the command line must know of a variant."""
    try:
        return outline(registry().offer(name), lambda: registry().load(name))
    except TypeError as error:
        raise broken(name, error) from None


def schema(name: str, variant: Any, title: str, section: Any, *, options: str) -> Schema:
    """A command's settings: its own, and the variant's."""
    try:
        return Schema({title: section, name: getattr(variant, options)}, own=name)
    except TypeError as error:
        raise broken(name, error) from None


def broken(name: str, error: Exception) -> UserError:
    from gantool.config.packages import broken as said

    return said(registry().offer(name), str(error))


# train


def train_command(name: str) -> Any:
    offer, found = registry().offer(name), known(name)
    sections = {"Training": found.recipe, name: found.Options, "This run": TrainCommand}
    try:
        every = Schema(sections, own=name, unstored=("This run",))
    except TypeError as error:
        raise broken(name, error) from None
    return command(name, offer.summary, every, partial(run_train, name, every, found.recipe.data), offer.presets())


def run_train(name: str, every: Schema, usual_data: str, given: Given) -> None:
    """What is wrong is said before torch is there; what trains is settled once more, by the real class."""
    layers = presets.layers(name, registry().offer(name).presets(), given.preset, given.config)
    recipe, _, this = settled(every, given, presets.see(name), layers).values()
    if this.resume:
        resume_as_told(name, every, given, this)
        return
    if usual_data in catalog.names():  # other variants read data of their own
        catalog.known(recipe.data)
    if torchrun.first() and not this.quiet and not this.dry_run:
        print(f"{name} on {recipe.data}", flush=True)  # seconds before torch is there
    ours = {s.key for s in every.of["This run"] if s.name in OURS and s.name != "out"}
    values = {key: value for key, value in given.values.items() if key not in ours}
    from gantool import library
    from gantool.commands import answers

    with at_work(this.quiet):
        if this.dry_run:
            answers.planned(library.plan(name, preset=given.preset, config=given.config, settings=values))
        else:
            made = library.train(name, preset=given.preset, config=given.config, settings=values)
            answers.trained(made, this.quiet)


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
    go_on(run, said, this.quiet)


def resume_command() -> Any:
    words = [("run", "A run's folder or name; the newest unfinished one if left out.")]
    every = Schema({"Options": ResumeCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, "See: gantool resume --help").values()
        which = find(given.words[0]) if given.words else unfinished()
        said = {key: value for key, value in given.values.items() if key not in ("quiet", "steps")}
        go_on(which, said, this.quiet, this.steps)

    about = "Go on with a run exactly where its last checkpoint stands."
    return command("resume", about, every, run, words=words)


def go_on(run: RunFolder, said: dict[str, Any], quiet: bool, steps: int | None = None) -> None:
    if torchrun.first() and not quiet:
        print(f"resuming {run.folder}", flush=True)
    from gantool import library
    from gantool.commands import answers

    with at_work(quiet):
        answers.trained(library.resume(run.folder, steps=steps, settings=said), quiet)


# sample


def sample_command(name: str) -> Any:
    every = schema(name, known(name), "Sampling", SampleCommand, options="SampleOptions")

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
            print(f"{n} picture{'s' * (n != 1)} in {out}", file=sys.stderr)

    return command(name, f"Draw with {name}.", every, run)


def of(name: str, model: Any, verb: str) -> Any:
    """The model, if it is this variant's."""
    if model.name != name:
        raise UserError(f"{model.path} is a {model.name}.", f"gantool {verb} {model.name} --run {model.path}", USAGE)
    return model


# eval


def eval_command(name: str) -> Any:
    registry().offer(name)
    every = Schema({"Measuring": EvalCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, presets.see(name, "eval")).values()
        measure(name, this, given.values)

    return command(name, f"Measure {name}.", every, run)


def measure(name: str | None, this: EvalCommand, values: dict[str, Any]) -> None:
    """Of a variant; None: whichever the run is of."""
    from gantool import library
    from gantool.commands import answers

    told = {key: value for key, value in values.items() if key not in (*OURS, "images", "against")}
    with at_work(answers=True):
        model = library.load(model_path(name or "", this.run), device=this.device)
        found = library.evaluate(of(name, model, "eval") if name else model, settings=told)
    answers.measured(found.facts, this.metrics, this.out, this.json)


BARE = Schema({"Without a variant's name": MeasureCommand})
EXAMPLES = "For example: gantool eval --run runs/gan-001, or: gantool eval --images FOLDER --against mnist"


def eval_without_variant(ctx: typer.Context, **typed: Any) -> None:
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

        told = {key: value for key, value in given.values.items() if key not in (*OURS, "images", "against")}
        with at_work(answers=True):
            found = library.compare(this.images, this.against, settings=told)
        answers.measured(found.facts, this.metrics, this.out, this.json)
    else:
        raise UserError("eval what? A variant, --run RUN, or --images and --against.", EXAMPLES, USAGE)


def with_flags(function: Any, every: Schema) -> Any:
    """The function as a group's callback that has these flags."""
    import inspect

    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    function.__signature__ = inspect.Signature([context, *flags(every)])
    return function


# accept


def accept_command(name: str) -> Any:
    registry().offer(name)
    every = Schema({"Acceptance": AcceptCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, presets.see(name, "accept")).values()
        from gantool import library
        from gantool.commands import answers, terminal

        told = {key: value for key, value in given.values.items() if key not in OURS}
        with at_work(answers=True):
            card = library.accept(name, settings=told)
            terminal.as_json(card.facts) if this.json else answers.card(card.facts)
            if not card.accepted:
                raise typer.Exit(1)

    return command(name, f"Hold {name} to its gates.", every, run)


GROUPS: dict[str, tuple[Build, str]] = {
    "train": (train_command, "Train a variant: networks, checkpoints, pictures and a model file in runs/."),
    "sample": (sample_command, "Draw pictures with a trained variant."),
    "eval": (eval_command, "Measure what a trained variant draws."),
    "accept": (accept_command, "Train a variant from several seeds, and hold it to its gates."),
}


def groups() -> Iterator[tuple[str, typer.Typer]]:
    for verb, (build, about) in GROUPS.items():
        alone = verb == "eval"
        yield verb, typer.Typer(
            cls=variant_group(verb, build), help=about, subcommand_metavar="VARIANT", invoke_without_command=alone,
            callback=with_flags(eval_without_variant, BARE) if alone else lambda: None,
        )  # fmt: skip
