"""`gantool export`: a trained generator as a file that others can draw with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gantool.commands.shared import at_work, free
from gantool.errors import USAGE, UserError

if TYPE_CHECKING:
    from gantool.export.written import Written

FORMATS = ("html", "onnx", "torch")


def shown(
    model: str, format: str | None, out: Path | None, small: bool, static: bool, force: bool, quiet: bool
) -> None:  # fmt: skip
    if format is not None and format not in FORMATS:
        raise UserError(f"--format should be one of {', '.join(FORMATS)}, not {format!r}.", "--format html", USAGE)
    if out is not None and out.exists() and not force:
        raise UserError(f"{out} is already there.", "Give another --out, or --force to write over it.", USAGE)
    from gantool import library
    from gantool.export.writing import ENDING, format_of

    kind = format_of(out, format)  # type: ignore[arg-type]
    with at_work(quiet, answers=True):
        opened = library.load(model, device="cpu")
        out = out or free(f"{opened.name}{ENDING[kind]}")
        written = library.export(opened, out, format=kind, small=small, static=static)
    if not quiet:
        for line in summary(written):
            print(line, file=sys.stderr)


def summary(written: "Written") -> list[str]:
    """What there is now, and what was seen of it."""
    size = written.size / 1e6
    shown_size = f"{size:.2f} MB" if size >= 0.1 else f"{1000 * size:.0f} kB"
    also = "".join(f" and {path}" for path in written.also)
    lines = [f"{written.path}{also}, {shown_size}: compared with gantool's own images, {difference(written)}."]
    lines += written.notes
    if written.format == "html":
        lines.append("Open it in any browser; it needs no connection.")
    elif written.format == "torch":
        lines.append(f"Draw with torch alone: python {written.also[0]}")
    return lines


def difference(written: "Written") -> str:
    if written.format != "html":
        return f"at most {written.largest:.1g} apart in [-1, 1]"
    levels = f"{written.levels} of 255 levels"
    return f"at most {levels} apart, {127.5 * written.mean:.2g} on average"
