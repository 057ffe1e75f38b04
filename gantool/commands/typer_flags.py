"""Dataclass fields become typed flags; presets and YAML files become their defaults."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from gantool.commands.terminal import help_style
from gantool.config.options import LENGTHS, TrainCommand
from gantool.errors import USAGE, UserError, did_you_mean

# Where a run is written, and how it is shown, is said on the command line and not by a file from elsewhere.
NO_SETTINGS = {"preset", "config", "help", *(f.name for f in fields(TrainCommand))}
UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # Typer's own, under whichever name it carries it

PLAIN = {  # what the parser says of a value, and what a person is told
    r"Input should be a valid integer.*": "should be a whole number, such as 100.",
    r"Input should be a valid number.*": "should be a number, such as 0.5.",
    r"Input should be a valid boolean.*": "should be true or false.",
    r"Input should be greater than or equal to (\S+)": r"should be \1 or more.",
    r"Input should be less than or equal to (\S+)": r"should be \1 or less.",
    r"Value error, ('.*' is not one of )": r"\1",
    r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)": r"'\1' is one word too many.",
    r"Option '(.*)' requires an argument\.": r"\1 needs a value after it.",
}


def plain_words(text: str) -> str:
    for theirs, ours in PLAIN.items():
        text = re.sub(theirs, ours, text)
    return text


@contextmanager
def plainly(ctx: Any) -> Iterator[None]:
    """What the parser has to say, in plain words, beginning with the flag it is about."""
    try:
        yield
    except typer.BadParameter as error:
        here, flag = error.ctx or ctx, error.param.opts[0] if error.param else ""
        why = plain_words(error.message) or f"is missing: {here.command_path} {flag.upper()}"
        between = "" if not flag else " " if why.startswith(("is ", "should ")) else ": "
        raise UsageError(flag + between + why, here) from None
    except UsageError as error:
        error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
        error.message = plain_words(error.message)  # type: ignore[attr-defined]
        raise


class Quick:
    """Starts quickly and speaks plainly.

    A switch not given is False. Typer's own are None, which it shows to pydantic: a tenth of a second to import.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if param.default is None and getattr(param, "is_flag", False):
                param.default = False
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with plainly(ctx):
            rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
            return rest

    def invoke(self, ctx: Any) -> Any:
        with plainly(ctx):
            return super().invoke(ctx)  # type: ignore[misc]


class QuickCommand(Quick, TyperCommand): ...


class QuickGroup(Quick, TyperGroup): ...


@dataclass
class Given:
    """The sections as filled in, and which of their fields a person set: by flag, or by YAML file or preset."""

    sections: list[Any]
    chosen: set[str]


@cache
def hints(cls: type) -> dict[str, Any]:
    """Field annotations; a subclass may restate a field with only a new default and keep its help."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, hint in get_type_hints(base, include_extras=True).items():
            if name not in found or get_origin(hint) is Annotated:
                found[name] = hint
    return found


def default(section: Any, field: Field[Any]) -> Any:
    """An instance's value, a class's default, or nothing: then the flag is required."""
    if not isinstance(section, type):
        return getattr(section, field.name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def parameters(section: Any, panel: str) -> Iterator[inspect.Parameter]:
    """One keyword parameter per field of `section`, a dataclass or an instance that holds other defaults."""
    cls = section if isinstance(section, type) else type(section)
    known = hints(cls)
    for field in fields(section):
        kind, option = get_args(known[field.name]) if get_origin(known[field.name]) is Annotated else (None, None)
        if option is None:
            raise TypeError(f"{cls.__qualname__}.{field.name} needs Annotated[type, typer.Option(help=...)]")
        option = copy(option)
        option.rich_help_panel = panel
        value = default(section, field)
        if value is not None and isinstance(option.show_default, str):
            option.show_default = True  # the words stand for None only
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=Annotated[kind, option]
        )


def command(
    name: str,
    help: str,
    sections: Mapping[str, Any],
    run: Callable[[Given], None],
    presets: Mapping[str, Path] | None = None,
) -> Any:
    """A command whose flags are the fields of `sections` (panel title -> dataclass, or an instance of one).

    With `presets`, the command also takes --preset and --config.
    """

    def callback(ctx: typer.Context, **values: Any) -> None:
        sources = {key: getattr(ctx.get_parameter_source(key), "name", "DEFAULT") for key in values}
        values |= one_length(values, sources)
        filled = [
            (s if isinstance(s, type) else type(s))(**{f.name: values[f.name] for f in fields(s)})
            for s in sections.values()
        ]
        run(Given(filled, {key for key, source in sources.items() if source in ("COMMANDLINE", "DEFAULT_MAP")}))

    flags = [p for title, section in sections.items() for p in parameters(section, title)]
    files = [] if presets is None else file_flags(name, presets)
    names = [p.name for p in (*files, *flags)]
    if twice := {n for n in names if names.count(n) > 1}:
        raise UserError(f"{name} names its option {' and '.join(sorted(twice))} like one of gantool's own.")
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    callback.__signature__ = inspect.Signature([context, *files, *flags])  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=help_style())
    app.command(name, help=help, cls=QuickCommand)(callback)
    return get_command(app)


def filled(name: str, sections: Mapping[str, Any], values: Mapping[str, Any]) -> list[Any]:
    """The sections holding these values, converted and checked as flags are."""
    found: list[Given] = []
    command(name, "", sections, found.append).main([], name, standalone_mode=False, default_map=dict(values))
    return found[0].sections


def one_length(values: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, None]:
    """Drop the ways of saying how long to train that a stronger source has overruled."""
    said = [key for key in LENGTHS if values.get(key) is not None]
    for source in ("COMMANDLINE", "DEFAULT_MAP"):
        chosen = [key for key in said if sources[key] == source]
        if len(chosen) > 1:
            raise typer.BadParameter(f"Give one of {', '.join('--' + key for key in chosen)}.")
        if chosen:
            return {key: None for key in said if key not in chosen}
    return {}


def file_flags(variant: str, presets: Mapping[str, Path]) -> list[inspect.Parameter]:
    """--preset and --config: eager, so that what they hold is there before the other flags are read."""

    def read_preset(ctx: typer.Context, name: str | None) -> str | None:
        if name is not None and not ctx.resilient_parsing:
            short = name.removeprefix(f"{variant}/")
            if short not in presets:
                known = ", ".join(presets) or "none"
                raise typer.BadParameter(
                    f"{variant} has no preset {name!r}.{did_you_mean(short, presets)} There are: {known}."
                )
            layer(ctx, "preset", presets[short])
        return name

    def read_config(ctx: typer.Context, path: Path | None) -> Path | None:
        if path is not None and not ctx.resilient_parsing:
            layer(ctx, "config", path)
        return path

    def layer(ctx: typer.Context, kind: str, path: Path) -> None:
        """The file's values become the flags' defaults; a config's win over a preset's."""
        layers: dict[str, dict[str, Any]] = ctx.meta.setdefault("gantool.layers", {})
        layers[kind] = checked(ctx, variant, path)
        config, preset = layers.get("config", {}), layers.get("preset", {})
        if config.keys() & set(LENGTHS):
            preset = {key: value for key, value in preset.items() if key not in LENGTHS}
        ctx.default_map = preset | config

    preset_help = f"Ready-made settings: {', '.join(presets)}." if presets else "Ready-made settings; none here."
    preset = typer.Option(help=preset_help, is_eager=True, callback=read_preset, rich_help_panel="Files")
    config = typer.Option(
        help="YAML file of settings, such as a run's config.yaml. Flags win over it, it wins over a preset.",
        is_eager=True, callback=read_config, exists=True, dir_okay=False, rich_help_panel="Files",
    )  # fmt: skip
    return [
        inspect.Parameter(
            "preset", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, preset]
        ),
        inspect.Parameter(
            "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, config]
        ),
    ]


def checked(ctx: typer.Context, variant: str, path: Path) -> dict[str, Any]:
    """A settings file's values, each held to the type and range of its flag."""
    from gantool.config import yaml

    values = yaml.read(path)
    whose = values.pop("variant", variant)
    if whose != variant:
        hint = f"gantool train {whose} ..." if str(whose).isprintable() else ""
        raise UserError(f"{path} holds settings of {whose!r}, not {variant!r}.", hint, USAGE)
    known = {str(p.name): p for p in ctx.command.params if p.name not in NO_SETTINGS}
    for key, value in values.items():
        if key not in known:
            raise UserError(
                f"{path}: no such setting: {key}.{did_you_mean(key, known)}",
                f"Settings are the flags of `gantool train {variant} --help`.", USAGE,
            )  # fmt: skip
        try:
            if isinstance(value, bool) and not getattr(known[key], "is_flag", False):
                raise typer.BadParameter(f"{value} is not a value for it; it is not a switch.")
            if value is not None:
                known[key].process_value(ctx, value)
        except UsageError as error:
            why = plain_words(getattr(error, "message", str(error)))
            raise UserError(f"{path}: {key}: {why}", f"See: gantool train {variant} --help", USAGE) from None
    if len(said := [key for key in LENGTHS if values.get(key) is not None]) > 1:
        raise UserError(f"{path}: give one of {', '.join(said)}.", "Each says how long to train.", USAGE)
    return values
