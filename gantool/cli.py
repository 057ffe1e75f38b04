"""The command line: which commands there are, and what each calls."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option
from typer.main import get_command

from gantool import __version__
from gantool.commands import listing, terminal
from gantool.commands.typer_flags import QuickCommand, QuickGroup, UsageError
from gantool.commands.verbs import go_on, groups, registry
from gantool.config.options import Compile, TrainCommand, device_name
from gantool.config.packages import ALLOW
from gantool.errors import USAGE, UserError
from gantool.runs.run import find, newest, unfinished
from gantool.runtime import faults
from gantool.runtime.signals import Interrupted

app = typer.Typer(
    name="gantool", cls=QuickGroup, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, sample and measure GANs. Start with: gantool train gan", rich_markup_mode=terminal.help_style(),
)  # fmt: skip
for verb, group in groups():
    app.add_typer(group, name=verb)


def show_version(value: bool) -> None:
    if value:
        print(f"gantool {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, Option("--version", is_eager=True, callback=show_version, help="Print the version.")
    ] = False,
    no_plugins: Annotated[bool, Option("--no-plugins", help=f"Only gantool's own variants. See also {ALLOW}.")] = False,
) -> None:
    if no_plugins:
        os.environ[ALLOW] = ""


@app.command(cls=QuickCommand)
def resume(
    run: Annotated[Path | None, Argument(help="A run's folder or name; the newest unfinished one if left out.")] = None,
    steps: Annotated[int | None, Option(min=1, help="Train on to this many steps in all.")] = None,
    device: Annotated[str, Option(callback=device_name, help="auto, cpu, cuda, cuda:1, mps...")] = "auto",
    how: Compile = "auto",
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
) -> None:
    """Go on with a run exactly where its last checkpoint stands."""
    this = TrainCommand(device=device, compile=how, quiet=quiet)
    go_on(find(run) if run else unfinished(), {"steps": steps} if steps else {}, this)


@app.command("list", cls=QuickCommand)
def list_(json: Annotated[bool, Option("--json", help="Print JSON.")] = False) -> None:
    """The variants there are."""
    listing.variants(registry(), json)


@app.command(cls=QuickCommand)
def info(variant: Annotated[str, Argument(help="A name from `gantool list`.")]) -> None:
    """A variant's networks, options, presets and paper."""
    listing.info(registry(), variant)


@app.command(cls=QuickCommand)
def runs(
    folder: Annotated[Path, Argument(help="Where to look.")] = Path("runs"),
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """The runs so far, newest first."""
    listing.runs(folder, json)


@app.command(cls=QuickCommand)
def diagnose(
    run: Annotated[Path | None, Argument(help="A run's folder or name; the newest if left out.")] = None,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Did it go wrong? What the monitor saw during a training, and what to try."""
    listing.diagnose(find(run) if run else newest(), json)


@app.command(cls=QuickCommand)
def plugins(
    check: Annotated[bool, Option("--check", help="Load each and try it for a few steps.")] = False,
    json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
) -> None:
    """Installed packages that bring variants, data sets or observers."""
    listing.plugins(registry(), check, json)


@app.command(cls=QuickCommand)
def new(
    name: Annotated[str, Argument(help="What to type after `gantool train`, such as my-gan.")],
    out: Annotated[Path | None, Option(help="Where to make it.", show_default="gantool-NAME")] = None,
) -> None:
    """Start a package of your own with a working variant, its test and its README."""
    from gantool.commands.scaffold import scaffold

    scaffold(registry(), name, out)


data = typer.Typer(cls=QuickGroup, no_args_is_help=True, help="Data sets and folders of pictures.")
app.add_typer(data, name="data")


@data.command("list", cls=QuickCommand)
def data_list(json: Annotated[bool, Option("--json", help="Print JSON.")] = False) -> None:
    """The data sets there are."""
    listing.data_sets(json)


@data.command("check")
def data_check(path: Annotated[Path, Argument(help="A folder or zip of pictures.")]) -> None:
    """Count a folder's pictures, sizes and classes, and name the bad files."""
    listing.data_check(path)


def run(args: list[str]) -> int:
    """The exit code of one command line: 0 done, 1 failed, 2 usage, 129, 130 and 143 interrupted."""
    try:
        code = get_command(app).main(args, prog_name="gantool", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UsageError as error:
        return usage(error)
    except Interrupted as error:
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        terminal.silence_broken_pipe()
        return 1
    except Exception as error:
        if faults.debugging():
            raise
        seen = error if isinstance(error, UserError) else faults.explain(error)
        terminal.complain(seen)
        return seen.code


def usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        path = error.ctx.command_path if error.ctx else "gantool"
        near = getattr(error, "possibilities", None)
        message = f"{error.message.rstrip('.')}. Did you mean {' or '.join(near)}?" if near else error.format_message()
        terminal.complain(UserError(message, f"See: {path} --help", USAGE))
    return USAGE
