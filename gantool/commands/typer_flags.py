"""Settings as flags: Typer reads words, and what they mean is settled by gantool.config, as everywhere."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from gantool.commands.plain import PlainCommand
from gantool.commands.terminal import help_style
from gantool.config.options import CORE
from gantool.config.schema import REQUIRED, Schema, Setting
from gantool.config.validate import Layer, environment, settle
from gantool.errors import UserError

FILES = "Files"
Offers = Callable[..., list[str]]  # what Tab offers, given what is begun
Words = tuple[str, str]  # a positional argument: what it is called, and its help


@dataclass
class Given:
    """What was typed: values by the names of their settings, and the words that are no flags."""

    values: dict[str, Any]
    words: list[str] = field(default_factory=list)
    preset: str | None = None
    config: str | None = None


def built(
    name: str, help: str, schema: Schema, run: Callable[[Given], None], presets: Mapping[str, Path] | None = None,
    words: Iterable[Words] = (), example: str = "",
) -> Any:  # fmt: skip
    """A command with a flag for each setting, and with `presets` also --preset and --config.

    It hands on what was typed; whether that may be is for the settings to say.
    """
    words = list(words)

    def callback(**typed: Any) -> None:
        said = {key: value for key, value in typed.items() if value not in (None, [], ())}
        positional = [str(said.pop(word)) for word, _ in words if word in said]
        run(Given(said, positional, *(said.pop(name, None) for name in files)))

    parameters = [argument(*word) for word in words]
    files = file_flags(presets, schema) if presets is not None else {}
    parameters += files.values()
    parameters += flags(schema)
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=help_style())
    epilog = f"For example: {example}" if example else None
    app.command(name, help=help, cls=PlainCommand, epilog=epilog)(callback)
    return get_command(app)


def argument(name: str, help: str, many: bool = False, offers: Offers | None = None) -> inspect.Parameter:
    words: Any = list[str] if many else str
    offers = offers or KNOWN.get(name)
    kind = Annotated[words | None, typer.Argument(help=help, show_default=False, autocompletion=offers)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def flags(schema: Schema) -> Iterator[inspect.Parameter]:
    """One for each setting, without a default of its own: what is not typed stays open."""
    for setting in schema.all:
        if not setting.flag.startswith("-"):
            yield argument(setting.key, explained(setting), setting.many, offered(setting))
            continue
        names = [f"{on}/{off}" for on, off in zip(setting.flags, setting.off, strict=False)]
        names += setting.flags[len(names) :]
        option = typer.Option(
            *names, help=explained(setting), rich_help_panel=setting.panel, show_default=False, metavar=kind(setting),
            autocompletion=offered(setting),
        )  # fmt: skip
        kind_: Any = list[str] if setting.many else bool if setting.kind == "bool" else str
        annotation = Annotated[kind_ | None, option]
        yield inspect.Parameter(setting.key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    for word in schema.former:  # understood, and not shown
        hidden = Annotated[str | None, typer.Option(f"--{word.replace('_', '-')}", hidden=True)]
        yield inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hidden)


def completed(choices: Iterable[Any]) -> Callable[[str], list[str]]:
    """What Tab offers of them."""
    words = [str(choice) for choice in choices]

    def begun(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return begun


def run_names(incomplete: str) -> list[str]:
    """Of runs in the usual place."""
    from gantool.runs.run import all_runs

    return completed(run.name for run in all_runs())(incomplete)


def data_names(incomplete: str) -> list[str]:
    """Of data sets, gantool's and those of packages."""
    from gantool.config.packages import DATASETS, offers
    from gantool.data import catalog

    return completed([*catalog.OURS, *offers(DATASETS)])(incomplete)


def class_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the model that would draw; of several with commas between them, the last."""
    from gantool.commands.groups import registry
    from gantool.runs import finding, header

    with suppress(UserError, AttributeError, TypeError):  # a file may say anything of itself
        given = ctx.params.get("run")
        path = finding.model_path(registry(), str(ctx.info_name), Path(given) if given else None)
        before, comma, begun = incomplete.rpartition(",")
        names = completed(header.facts(path).get("spec", {}).get("classes", ()))(begun)
        return [f"{before}{comma}{name}" for name in names if name.isprintable()]
    return []


def chapter_names(incomplete: str) -> list[str]:
    """Of `gantool learn`."""
    from gantool.learn import NAMES

    return completed(NAMES)(incomplete)


KNOWN: dict[str, Offers] = {
    "run": run_names, "data": data_names, "against": data_names, "chapter": chapter_names, "label": class_names,
}  # fmt: skip


def offered(setting: Setting) -> Offers | None:
    return completed(setting.choices) if setting.choices else setting.completes or KNOWN.get(setting.name)


def kind(setting: Setting) -> str:
    """What comes after the flag."""
    if setting.kind == "bool":
        return ""
    if setting.choices:
        return f"<{'|'.join(map(str, setting.choices))}>"
    return setting.metavar or f"<{setting.kind}>"


def explained(setting: Setting) -> str:
    """Help, with the range, the default, and when it matters."""
    facts = [setting.range] if setting.range else []
    if setting.shown and not (setting.kind == "bool" and not setting.default):
        facts.append("required" if setting.default is REQUIRED else f"default: {setting.shown}")
    facts += [f"with --{key.replace('_', '-')} {value}" for key, value in setting.when.items()]
    if setting.envvar:
        facts.append(f"or {setting.envvar}")
    escaped = "\\[" if help_style() else "["
    return f"{setting.help} {escaped}{'; '.join(facts)}]" if facts else setting.help


def file_flags(presets: Mapping[str, Path], schema: Schema) -> dict[str, inspect.Parameter]:
    """--preset and --config; they too give way to a variant's options of these names."""
    about = f"Ready-made settings: {', '.join(presets)}." if presets else "Ready-made settings; none here."
    config = "YAML file of settings, such as a run's config.yaml. Flags win over it, it wins over a preset."
    found = {}
    for word, help, metavar, known in (("preset", about, "NAME", presets), ("config", config, "FILE", None)):
        name = f"{CORE}{word}" if schema.find(word) else word
        option = typer.Option(
            f"--{name.replace('_', '-')}", help=help, rich_help_panel=FILES, metavar=metavar,
            autocompletion=completed(known) if known else None,
        )  # fmt: skip
        kind = Annotated[str | None, option]
        found[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    return found


def settled(schema: Schema, given: Given, see: str, layers: Iterable[Layer] = ()) -> dict[str, Any]:
    """The sections as typed, over the environment and these layers."""
    return settle(schema, [Layer(given.values), environment(schema), *layers], see).sections
