"""Write docs/cli.md: what `--help` says, of every command, and of every built-in variant.

With --check, only say whether it is stale.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WIDTH = "100"
FIXED = {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb", "GANTOOL_PLUGINS": "",
         "_TYPER_FORCE_DISABLE_TERMINAL": "1"}  # fmt: skip
FOREIGN = ("GANTOOL_DATA", "GANTOOL_DEBUG", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE")
HELP = SimpleNamespace(resilient_parsing=False)  # of a context, all that a group of commands asks for
PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
HEAD = """# Commands

What `--help` says of every command. Written by `python tools/make_cli_reference.py`; do not edit.
`train`, `sample`, `eval` and `accept` have one command for each installed variant; here are the built-in ones.
"""

os.environ.update(FIXED)  # before Typer is imported, which reads some of these only once
for name in FOREIGN:
    os.environ.pop(name, None)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command line that has a --help."""
    yield path
    for name in group.list_commands(HELP):
        command = group.resolve_command(HELP, [name])[1]
        if hasattr(command, "list_commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def help_of(path: tuple[str, ...]) -> str:
    from gantool import cli

    said = StringIO()
    with redirect_stdout(said):
        code = cli.run([*path, "--help"])
    if code:
        raise SystemExit(f"gantool {' '.join(path)} --help ended with {code}")
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines()).strip("\n")


def page() -> str:
    from typer.main import get_command

    from gantool import cli

    sections = [HEAD]
    for path in commands(get_command(cli.app)):
        sections.append(f"## {' '.join(('gantool', *path))}\n\n```text\n{help_of(path)}\n```\n")
    return "\n".join(sections)


def words(text: str) -> list[str]:
    """What is said, not how it is laid out: another version of rich wraps lines elsewhere."""
    return sorted(word for word in text.split() if word.strip("╭╮╰╯─│"))


def main() -> None:
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.is_file() or words(PAGE.read_text(encoding="utf-8")) != words(page()):
        raise SystemExit("docs/cli.md is stale. Run: python tools/make_cli_reference.py")


if __name__ == "__main__":
    main()
