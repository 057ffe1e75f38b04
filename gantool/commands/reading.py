"""`explain`, `diff` and `eject`: a variant's code, to be read."""

import sys
import textwrap
from pathlib import Path
from shutil import get_terminal_size

from gantool.commands.shared import at_work, free
from gantool.commands.terminal import as_json, table
from gantool.errors import USAGE, UserError
from gantool.reading.differing import Differences, Row
from gantool.reading.explaining import Equation, Explanation
from gantool.runtime import files

WIDEST = 110  # columns of a paragraph


def explained(variant: str, html: Path | None, json: bool) -> None:
    from gantool import library

    found = library.explain(variant)
    if html:
        write(html, found.html(), "--html explained.html")
        print(html)
    elif json:
        as_json(found.facts())
    else:
        for line in lines(found):
            say(line)


def write(out: Path, text: str, example: str) -> None:
    try:
        files.write(out, text)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}.", f"For example: {example}", USAGE) from None


def say(line: str) -> None:
    """Of what this terminal cannot show, a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding))


def lines(found: Explanation) -> list[str]:
    """An explanation for a terminal."""
    said = wrapped(found.summary or found.name)
    for name, text in (("paper", found.paper), ("differs from the paper", found.differs), ("from", found.package)):
        said += wrapped(f"{name}: {text}") if text else []
    said += ["", *found.about.splitlines()] if found.about else []
    if not found.written:
        said += ["", *wrapped(f"{found.package} has no page of equations for {found.name}; this is its code.")]
    for number, equation in enumerate(found.equations, 1):
        said += ["", *of_equation(number, equation)]
    return said


def of_equation(number: int, equation: Equation) -> list[str]:
    said = [f"{number}. {equation.what}" + (f"  ({equation.where})" if equation.where else "")]
    if equation.maths:
        said += ["", *(f"     {line}" for line in equation.maths.splitlines())]
    if equation.words:
        said += ["", *wrapped(equation.words, "   ")]
    for part in equation.lines:
        said += ["", f"   {part.place}, {part.name}"]
        said += [f"   {number:>5}  {text}".rstrip() for number, text in part.numbered()]
    if equation.knobs:
        said.append("")
    for knob in equation.knobs:
        said += wrapped(f"{knob.flag}  {knob.help} [{knob.values}]", "   ", "     ")
    return said


def wrapped(text: str, indent: str = "", more: str | None = None) -> list[str]:
    width = min(WIDEST, get_terminal_size().columns)
    more = indent if more is None else more
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=more, break_on_hyphens=False)


def compared(a: str, b: str, json: bool) -> None:
    from gantool import library

    found = library.diff(a, b)
    if json:
        as_json(found.facts())
        return
    print(f"{found.b}, beside {found.a}: {found.kinship}")
    rows("networks", found, found.networks)
    rows("players", found, found.players)
    rows("defaults", found, found.settings)
    for change in found.code:
        print(f"\n{change.name}: {change.a or 'none'} -> {change.b or 'none'}")
        for line in change.lines:
            say(f"  {line}" if not line.startswith("@@") else "  ...")
    if not found.code:
        print("\nturns and losses: the same")


def rows(title: str, found: Differences, every: tuple[Row, ...]) -> None:
    if not every:
        print(f"\n{title}: the same")
        return
    print(f"\n{title}:")
    table(("", found.a, found.b), [(row.name, row.a, row.b if row.differs else "the same") for row in every])


def ejected(what: str, out: str | None, preset: str | None, config: str | None, with_data: bool) -> None:
    path = free(f"{Path(what).name.replace('-', '_')}.py") if out is None else Path(out)
    if path.exists():
        raise UserError(f"{path} is there already.", "Give --out another name.", USAGE)
    from gantool import library

    with at_work(answers=True):
        try:
            written = library.eject(what, path, preset=preset, config=config, with_data=with_data)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.", "Give another --out.", USAGE) from None
    data = written[1] if with_data else "DATA.npz"
    print(f"{' and '.join(map(str, written))}: trains without gantool. Next:")
    print(f"  python {path} {data}")
