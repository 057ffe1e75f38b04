"""Commands that are known by a name and a line until one is meant: of each verb for every variant, and of packages."""

import shlex
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from gantool.commands.plain import PlainCommand, PlainGroup
from gantool.commands.terminal import help_style
from gantool.config.packages import COMMANDS, Offer, Plugins
from gantool.errors import USAGE, UserError
from gantool.registry import Registry

registry = cache(Registry)
ABOUT = {
    "train": "Train a variant: networks, checkpoints, images and a model file in runs/.",
    "sample": "Draw images with a trained variant.",
    "eval": "Measure what a trained variant draws.",
    "accept": "Train a variant from several seeds, and hold it to its acceptance thresholds.",
}
OF_RUNS = ("sample", "eval")  # what can be done with a run, whichever variant's it is
PACKAGES = "Commands of packages"
RESUME = "Go on with a run exactly where its last checkpoint stands."
LEARN = "The theory, checked in front of you: chapters, numbers beside closed forms, films."
SINGLE = {"resume": RESUME, "learn": LEARN}  # commands that are built when they are meant


class VariantGroup(PlainGroup):
    """A verb, by its name: `command(variant)` of the module of that name builds what it does with one."""

    def build(self, variant: str) -> Any:
        return import_module(f"gantool.commands.{self.name}").command(variant)

    def list_commands(self, ctx: Any) -> list[str]:
        return [*registry().names(), *self.runs(ctx)]

    def runs(self, ctx: Any) -> list[str]:
        """Those that Tab offers, too."""
        if not ctx.resilient_parsing or self.name not in OF_RUNS:
            return []
        from gantool.runs.run import all_runs

        return [run.name for run in all_runs() if run.name not in registry().names()]

    def get_command(self, ctx: Any, name: str) -> Any:
        """Enough for --help and to complete a name; `resolve_command` builds the one that is meant."""
        if name in self.runs(ctx):
            return PlainCommand(name, help="A run.")
        if name not in registry().names():
            return None
        return PlainCommand(name, help=registry().offers[name][0].summary)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.name == "sample" and args[:1] == ["--run"] and len(args) > 1:
            args = args[1:]  # a run says whose it is
        if not ctx.resilient_parsing:  # a line that is being completed is not wrong yet
            self.check_order(ctx, args)
        return super().parse_args(ctx, args)

    def check_order(self, ctx: Any, args: list[str]) -> None:
        """The variant first; only `eval` has options that go before it."""
        names = registry().names()
        which = f"Variants: {', '.join(names)}."
        if not args:
            raise UserError(f"{self.name} what?", f"{which} For example: gantool {self.name} gan", USAGE)
        if self.name != "eval" and args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx):
            named = next((word for word in args if word in names), None)
            at = args.index(named) if named else len(args)
            rest = shlex.join(args[:at] + args[at + 1 :])
            hint = f"gantool {self.name} {named} {rest}" if named else f"gantool {self.name} VARIANT {rest}\n  {which}"
            raise UserError(f"The variant comes before {args[0]}.", hint, USAGE)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str, Any, list[str]]:
        if self.name in OF_RUNS and args[0] not in registry().names():
            if owner := owner_of(args[0]):
                args = [owner, "--run", *args]
            elif gone := owner_gone(args):
                raise gone
        try:
            return args[0], self.build(args[0]), args[1:]
        except UserError:
            if ctx.resilient_parsing:  # there is nothing to complete
                return args[0], None, args[1:]
            raise


def listed(plugins: Plugins, name: str) -> PlainCommand | None:
    """Of a package: enough for --help and to complete the name."""
    if not (several := plugins.offers(COMMANDS).get(name)):
        return None
    return PlainCommand(name, help=about(several[0]), rich_help_panel=PACKAGES)


def about(offer: Offer) -> str:
    if not help_style():
        return offer.summary
    from rich.markup import escape

    return escape(offer.summary)


def owner_of(word: str) -> str:
    """The variant of a run or a model file that is named where a variant could be; nothing if it names neither."""
    from gantool.runs.header import facts
    from gantool.runs.packaged import named
    from gantool.runs.run import find

    if offer := named(registry(), word):
        return offer.name
    path = Path(word)
    with suppress(UserError, OSError):
        name = facts(path).get("variant") if path.is_file() else find(word).variant
        return name if name in registry().names() else ""
    return ""


def owner_gone(args: list[str]) -> UserError | None:
    """Of a model made by a package that is not installed: which package."""
    given = next((after for flag, after in pairwise(args) if flag == "--run"), None)
    with suppress(UserError):
        from gantool.runs import header, model
        from gantool.runs.finding import model_path

        path = model_path(registry(), args[0], Path(given) if given else None)
        facts = header.facts(path)
        if facts.get("variant") == args[0]:
            return model.not_installed(path, facts)
    return None


def single(name: str) -> Any:
    """One of SINGLE: `NAME_command` of its module builds it."""
    found = {"resume": "gantool.commands.train", "learn": "gantool.commands.learn"}[name]
    return getattr(import_module(found), f"{name}_command")()


def group(verb: str) -> Any:
    """The one that is meant. `eval` can also do without a variant."""
    app = typer.Typer(
        name=verb, cls=VariantGroup, help=ABOUT[verb], subcommand_metavar="VARIANT", add_completion=False,
        invoke_without_command=verb == "eval", rich_markup_mode=help_style(),
    )  # fmt: skip
    app.callback()(import_module("gantool.commands.eval").alone if verb == "eval" else lambda: None)
    return get_command(app)
