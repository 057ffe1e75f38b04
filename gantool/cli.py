"""The command line: which commands there are, and what each calls."""

import os
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option
from typer.main import get_command

from gantool import __version__
from gantool.commands import terminal
from gantool.commands.groups import ABOUT, SINGLE, group, listed, registry, single
from gantool.commands.plain import PlainCommand, PlainGroup
from gantool.config.packages import ALLOW, COMMANDS
from gantool.errors import USAGE, UserError, did_you_mean
from gantool.runtime import faults
from gantool.runtime.caller import Caller, called_by
from gantool.runtime.signals import HUNG_UP, Interrupted, hung_up

ORDER = (
    "train", "sample", "encode", "eval", "resume", "export", "accept", "list", "info", "explain", "diff", "eject",
    "models", "runs", "diagnose", "learn", "plugins", "data", "new",
)  # fmt: skip


class Commands(PlainGroup):
    """Gantool's own, then those of packages. What takes a variant's settings or a package is built when it is meant."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(dict.fromkeys([*ORDER, *registry().plugins.offers(COMMANDS)]))

    def get_command(self, ctx: Any, name: str) -> Any:
        """Enough for --help and to complete a name."""
        if about := {**ABOUT, **SINGLE}.get(name):
            return PlainCommand(name, help=about)
        return super().get_command(ctx, name) or listed(registry().plugins, name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, *rest = args
        if name in ABOUT:
            return name, group(name), rest
        if name in SINGLE:
            return name, single(name), rest
        if name in ORDER or name.startswith("-"):
            return super().resolve_command(ctx, args)
        return name, self.of_package(ctx, name), rest

    def of_package(self, ctx: Any, name: str) -> Any:
        from gantool.commands import offered

        plugins = registry().plugins
        if ctx.resilient_parsing:  # while a line is completed, nothing is wrong, and no module is asked
            with suppress(UserError):
                return (name in plugins.offers(COMMANDS) and offered.built(plugins, name)) or None
            return None
        if found := offered.built(plugins, name):
            return found
        if name in registry().names():
            raise UserError(f"{name!r} is a variant, and wants a command before it.", f"gantool train {name}", USAGE)
        near = did_you_mean(repr(name), map(repr, self.list_commands(ctx)))
        raise UserError(f"No such command {name!r}.{near}", f"See: gantool --help{plugins.lost()}", USAGE)


def run_names(incomplete: str) -> list[str]:
    """What Tab offers where a run is meant."""
    from gantool.commands import typer_flags

    return typer_flags.run_names(incomplete)


app = typer.Typer(
    name="gantool", cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, sample and measure GANs. Draw at once: gantool sample cgan. Train: gantool train gan",
    rich_markup_mode=terminal.help_style(),
)  # fmt: skip


def show_version(value: bool) -> None:
    if value:
        print(f"gantool {__version__}")
        raise typer.Exit


def without_plugins(value: bool) -> None:
    """Before anything is looked up by name."""
    if value:
        os.environ[ALLOW] = ""


@app.callback()
def everywhere(
    version: Annotated[
        bool, Option("--version", is_eager=True, callback=show_version, help="Print the version.")
    ] = False,
    no_plugins: Annotated[
        bool,
        Option("--no-plugins", is_eager=True, callback=without_plugins, help=f"Only gantool's own. See also {ALLOW}."),
    ] = False,
) -> None: ...


@app.command("list", cls=PlainCommand)
def list_(
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
    measured: Annotated[bool, Option("--table", help="What was measured of each: threshold, median, minutes.")] = False,
) -> None:
    """The variants there are, by task; with --table, how well each does."""
    from gantool.commands import listing

    listing.variants(registry(), json, measured)


@app.command(cls=PlainCommand)
def info(
    name: Annotated[
        str | None,
        Argument(
            help="A name from `gantool list`, or from `gantool models`.", metavar="VARIANT|MODEL", show_default=False
        ),
    ] = None,
    json: Annotated[bool, Option("--json", help="Print its settings as JSON: types, ranges, defaults, help.")] = False,
    everything: Annotated[bool, Option("--all", help="Also every setting, and what was measured in full.")] = False,
) -> None:
    """A variant's paper, networks, presets, and how well it draws; or what is known of a model."""
    from gantool.commands.info import shown

    shown(registry(), wanted(name, "info", "gan"), json, everything)


@app.command(cls=PlainCommand)
def explain(
    variant: Annotated[str | None, Argument(help="A name from `gantool list`.", show_default=False)] = None,
    html: Annotated[str | None, Option(help="Write a page instead.", metavar="FILE", show_default=False)] = None,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read a variant: its paper's equations, each beside the lines of code that are it."""
    name = registry().offer(wanted(variant, "explain", "gan")).name
    from gantool.commands.reading import explained

    explained(name, Path(html) if html else None, json)


@app.command(cls=PlainCommand)
def diff(
    a: Annotated[str | None, Argument(help="A name from `gantool list`.", show_default=False)] = None,
    b: Annotated[str | None, Argument(help="Another.", show_default=False)] = None,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """What one variant changes of another: networks, players, turns, losses, defaults."""
    a = registry().offer(wanted(a, "diff", "gan dcgan")).name
    b = registry().offer(wanted(b, f"diff {a}", "dcgan" if a != "dcgan" else "gan")).name
    from gantool.commands.reading import compared

    compared(a, b, json)


@app.command(cls=PlainCommand)
def eject(
    what: Annotated[
        str | None,
        Argument(metavar="RUN|VARIANT", help="Whose training.", show_default=False, autocompletion=run_names),
    ] = None,
    out: Annotated[
        str | None, Option(help="Where to write it; else NAME.py.", metavar="FILE.py", show_default=False)
    ] = None,
    preset: Annotated[str | None, Option(help="Of a variant: settings of a preset.", show_default=False)] = None,
    config: Annotated[str | None, Option(help="Of a variant: settings in a file.", show_default=False)] = None,
    with_data: Annotated[bool, Option("--with-data", help="Also write its data, as NAME.npz.")] = False,
) -> None:
    """Own the loop: a training as one plain PyTorch file without gantool, to the same losses."""
    whose = wanted(what, "eject", "gan --out gan.py")
    from gantool.commands.reading import ejected

    ejected(whose, out, preset, config, with_data)


class RunsGroup(PlainGroup):
    """`gantool runs` alone, or with a folder, lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = (*self.commands, *self.get_help_option_names(ctx))
        return super().parse_args(ctx, args if args and args[0] in named else ["list", *args])


runs = typer.Typer(cls=RunsGroup, help="The runs so far: list them, find, rename or remove one.")
app.add_typer(runs, name="runs")
RunName = Annotated[str | None, Argument(help="A run's name or folder.", show_default=False, autocompletion=run_names)]


@runs.command("list", cls=PlainCommand)
def runs_list(
    folder: Annotated[str, Argument(help="Where to look.")] = "runs",
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """The runs so far, newest first; what `gantool runs` shows."""
    from gantool.commands import listing

    listing.runs(Path(folder), json)


@runs.command("path", cls=PlainCommand)
def runs_path(run: RunName = None) -> None:
    """Print a run's folder; the newest run's if left out."""
    from gantool.runs.run import find, newest

    print((find(run) if run else newest()).folder)


@runs.command("open", cls=PlainCommand)
def runs_open(run: RunName = None) -> None:
    """Show a run's folder in the file browser; the newest run's if left out."""
    from gantool.runs.run import find, newest

    folder = (find(run) if run else newest()).folder
    if typer.launch(str(folder)):
        print(folder)


@runs.command("rename", cls=PlainCommand)
def runs_rename(
    run: RunName = None, name: Annotated[str | None, Argument(help="Its new name.", show_default=False)] = None
) -> None:
    """Give a run another name."""
    from gantool.runs import keeping
    from gantool.runs.run import find

    old = find(wanted(run, "runs rename", "cgan-001 sevens"))
    print(keeping.rename(old, wanted(name, f"runs rename {run}", "sevens")).folder)


@runs.command("rm", cls=PlainCommand)
def runs_rm(
    run: Annotated[
        list[str] | None, Argument(help="Runs' names or folders.", show_default=False, autocompletion=run_names)
    ] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs, with all that is in their folders."""
    from gantool.commands import listing
    from gantool.runs.run import find

    wanted(run or None, "runs rm", "cgan-001")
    listing.remove([find(name) for name in dict.fromkeys(run or [])], yes)


@app.command(cls=PlainCommand)
def models(
    folder: Annotated[str, Argument(help="Where the runs are.")] = "runs",
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """What can draw: the models that packages carry, and those of the runs, with their data, size and scores."""
    from gantool.commands import listing

    listing.models(registry(), Path(folder), json)


@app.command(cls=PlainCommand)
def diagnose(
    run: Annotated[
        str | None, Argument(help="A run's folder or name; the newest if left out.", autocompletion=run_names)
    ] = None,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Did it go wrong? What the monitor saw during a training, and what to try."""
    from gantool.commands import listing
    from gantool.runs.run import find, newest

    listing.diagnose(find(run) if run else newest(), json)


@app.command(cls=PlainCommand)
def encode(
    model: Annotated[
        str | None,
        Argument(
            help="A run, a .safetensors file, or a variant for its newest run.",
            show_default=False,
            autocompletion=run_names,
            metavar="RUN|FILE",
        ),
    ] = None,
    input: Annotated[Path | None, Option("--input", help="An image, or a folder of them.", show_default=False)] = None,
    out: Annotated[
        Path | None, Option("--out", "-o", metavar="FILE", help="FILE.npz; else latents.npz.", show_default=False)
    ] = None,
    force: Annotated[bool, Option("--force", help="Write over what --out holds already.")] = False,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1, mps...")] = "auto",
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
) -> None:
    """Latents of images, by a model that has an encoder: an .npz with `latents` and `names`."""
    name = wanted(model, "encode", "RUN --input photos")
    from gantool.commands.encode import shown

    shown(name, Path(wanted(input, f"encode {name}", "--input photos")), out, force, quiet, device)


@app.command(cls=PlainCommand)
def export(
    model: Annotated[
        str | None,
        Argument(
            help="A run, a .safetensors file, packaged/VARIANT, or a variant for its newest run.",
            show_default=False,
            autocompletion=run_names,
            metavar="RUN|FILE",
        ),
    ] = None,
    format: Annotated[
        str | None,
        Option(help="html: a page that draws; onnx; torch: a program and a script.", metavar="html|onnx|torch"),
    ] = None,
    out: Annotated[
        Path | None,
        Option("--out", "-o", help="FILE.html, FILE.onnx or FILE.pt2; else VARIANT.html.", show_default=False),
    ] = None,
    small: Annotated[bool, Option("--small", help="html: weights of 8 bits, half as large and less exact.")] = False,
    static: Annotated[bool, Option("--static", help="onnx: one image at a time, where more cannot be had.")] = False,
    force: Annotated[bool, Option("--force", help="Write over what --out holds already.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
) -> None:
    """Write a model as one HTML page that draws, as ONNX, or as a program of plain torch."""
    from gantool.commands.export import shown

    shown(wanted(model, "export", "cgan"), format, out and Path(out), small, static, force, quiet)


@app.command(cls=PlainCommand)
def plugins(
    check: Annotated[bool, Option("--check", help="Load each and try it for a few steps.")] = False,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Installed packages, and what they bring: variants, data sets, commands, metrics, writers, observers."""
    from gantool.commands.plugins import shown

    shown(registry(), ORDER, check, json)


@app.command(cls=PlainCommand)
def new(
    name: Annotated[
        str | None, Argument(help="What to type after `gantool train`, such as my-gan.", show_default=False)
    ] = None,
    out: Annotated[str | None, Option(help="Where to make it; else gantool-NAME.", show_default=False)] = None,
) -> None:
    """Start a package of your own with a working variant, its test and its README."""
    from gantool.commands.scaffold import scaffold

    scaffold(registry(), wanted(name, "new", "my-gan"), Path(out) if out else None)


data = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="Data sets and folders of images.")
app.add_typer(data, name="data")


@data.command("list", cls=PlainCommand)
def data_list(json: Annotated[bool, Option("--json", help="Print JSON.")] = False) -> None:
    """The data sets there are."""
    from gantool.commands import listing

    listing.data_sets(json)


@data.command("export", cls=PlainCommand)
def data_export(
    name: Annotated[str | None, Argument(help="A data set of `gantool data list`.", show_default=False)] = None,
    folder: Annotated[str | None, Argument(help="A new folder for its files.", show_default=False)] = None,
    n: Annotated[str | None, Option("--n", "-n", help="How many examples; else all.", metavar="<int>")] = None,
    data_dir: Annotated[str | None, Option(help="Where named data sets are kept.", envvar="GANTOOL_DATA")] = None,
    test: Annotated[bool, Option("--test", help="Those held out, in place of those to train on.")] = False,
) -> None:
    """Write a data set as files: PNGs, in a folder for each class or side; points as a CSV."""
    from gantool.commands.exporting import shown

    name = wanted(name, "data export", "digits digits-as-files")
    shown(name, wanted(folder, f"data export {name}", f"{name}-as-files"), n, data_dir, test)


@data.command("check", cls=PlainCommand)
def data_check(
    path: Annotated[str | None, Argument(help="A folder or zip of images, or a CSV.", show_default=False)] = None,
) -> None:
    """Count a folder's images, sizes and classes, and name the bad files; or a CSV's points."""
    from gantool.commands import listing

    listing.data_check(Path(wanted(path, "data check", "photos")))


def wanted(word: Any, command: str, example: str) -> str:
    """What a command cannot do without."""
    if word is None:
        raise UserError(f"{command} what?", f"For example: gantool {command} {example}", USAGE)
    return str(word)


def run(args: list[str] | None = None, began: float | None = None) -> int:
    """The exit code of one command line: 0 done, 1 failed, 2 usage, 129, 130 and 143 interrupted."""
    args = sys.argv[1:] if args is None else args
    whose = Caller(time.monotonic() if began is None else began, shlex.join(["gantool", *args]))
    try:
        with called_by(whose):
            code = get_command(app).main(args, prog_name="gantool", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Interrupted as error:
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        terminal.silence_broken_pipe()
        return 1
    except typer.TyperException as error:  # what Typer itself has to say
        return usage(error)
    except Exception as error:
        if hung_up(error):
            terminal.silence_broken_pipe()
            return HUNG_UP
        if faults.debugging():
            raise
        seen = error if isinstance(error, UserError) else faults.explain(error)
        terminal.complain(seen)
        return seen.code


def usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 0
    else:
        path = error.ctx.command_path if getattr(error, "ctx", None) else "gantool"
        near = getattr(error, "possibilities", None)
        message = f"{error.message.rstrip('.')}. Did you mean {' or '.join(near)}?" if near else error.format_message()
        terminal.complain(UserError(message, f"See: {path} --help", USAGE))
    return USAGE
