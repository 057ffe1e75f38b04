"""Writes a model down for others: checked first, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gantool.errors import USAGE, UserError
from gantool.export import checking, folding, onnx, packing, page, programs
from gantool.export.lowering import lowered
from gantool.export.program import Refused
from gantool.export.subject import Subject, subject
from gantool.export.written import Format, Written
from gantool.runs.model import Opened
from gantool.runtime import files

ENDINGS: dict[str, Format] = {".html": "html", ".htm": "html", ".onnx": "onnx", ".pt2": "torch"}
ENDING = {"html": ".html", "onnx": ".onnx", "torch": ".pt2"}


def write(
    model: Opened, options: Any, out: Path, format: Format, small: bool, static: bool, facts: Mapping[str, str],
    title: str,
) -> Written:  # fmt: skip
    """The model as such a file."""
    if small and format != "html":
        raise UserError("--small is for pages: what other programs read has full precision.", "--format html", USAGE)
    if static and format != "onnx":
        raise UserError("--static is for ONNX.", "--format onnx", USAGE)
    variant = model.variant.to("cpu")
    drawn = subject(variant, options, plain=format != "html")
    if not drawn.inputs:
        raise Refused("draws one image, whatever its inputs")
    if format == "html":
        return as_page(drawn, options, out, small, facts, title)
    found = checking.wanted(drawn, options)
    checking.check_alone(drawn, found)
    if format == "torch":
        return programs.write(drawn, found, out)
    return onnx.write(drawn, found, out, static, facts)


def as_page(
    drawn: Subject, options: Any, out: Path, small: bool, facts: Mapping[str, str], title: str
) -> Written:  # fmt: skip
    precision: packing.Precision = "int8" if small else "fp16"
    program = folding.folded(lowered(drawn, drawn.example(1)))
    found = checking.wanted(drawn, options)
    checking.check_alone(drawn, found)
    checking.check_program(program, found)
    error = checking.error(packing.rounded(program, precision), found)
    numbers = f"{sum(weight.numbers.numel() for weight in program.weights):,} in {precision}"
    text = page.page(drawn, options, found, program, {**facts, "Weights": numbers}, title, precision, error.levels)
    files.write(out, text)
    return Written(out, "html", len(text.encode()), [], error.largest, error.mean, error.levels)


def format_of(out: Path | None, format: Format | None) -> Format:
    """As it is asked for; else as the file's name ends."""
    ending = ENDINGS.get(out.suffix.lower()) if out else None
    if format and ending and format != ending:
        raise UserError(f"{out} is a name for {ending}, not {format}.", f"--out NAME{ENDING[format]}", USAGE)
    if out and not ending:
        endings = ", ".join(ENDING.values())
        raise UserError(f"{out} should end in one of {endings}.", f"--out {out.stem}{ENDING[format or 'html']}", USAGE)
    return format or ending or "html"
