"""InfoGAN's codes as people write them: `c1=3,c2=0.5`, and a walk over one of them, `c2=-2..2`."""

import math
import re
from collections.abc import Container, Iterable
from typing import NamedTuple

import torch
from gantool.api import USAGE, UserError
from torch import Tensor

NAMES = ("c1", "c2", "c3")
REACH = 2.0  # the paper's: c2 and c3 are trained from -1 to 1, and go on making sense for a while
STEPS = 10  # of a walk over c2 or c3
NOISES = 10  # rows of a sweep, where they are not the values of c1

_number = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_walk = re.compile(rf"({_number})\.\.({_number})").fullmatch


class Walk(NamedTuple):
    """One code, by its place in NAMES, and the values it goes through."""

    code: int
    values: list[float]


def held(texts: Iterable[str], values: int) -> dict[int, float]:
    """Codes and what they are held at; c1 has so many `values`."""
    found: dict[int, float] = {}
    for word in (word for text in texts for word in text.split(",")):
        name, value = _named(word, "c1=3,c2=0.5", values)
        if (code := NAMES.index(name)) in found:
            raise UserError(f"{name} is given twice.", f"For example: --code {name}=1", USAGE)
        found[code] = _within(name, value, values)
    return found


def walk(text: str, values: int, held: Container[int] = ()) -> Walk:
    """The values on the way, ends included: c1's are whole numbers."""
    name, way = _named(text, "c2=-2..2", values)
    if (code := NAMES.index(name)) in held:
        raise UserError(f"{name} cannot be held and walk.", f"Leave out --code {name}, or walk another.", USAGE)
    if not (ends := _walk(way.strip())):
        raise UserError(f"{text[:40]!r} is no walk.", "For example: --sweep c2=-2..2, or --sweep c1=0..9", USAGE)
    start, end = (_within(name, value, values) for value in ends.groups())
    if start == end:
        raise UserError(f"{text[:40]!r} goes nowhere.", "For example: --sweep c2=-2..2", USAGE)
    steps = round(abs(end - start)) + 1 if name == "c1" else STEPS
    return Walk(code, [start + (end - start) * i / (steps - 1) for i in range(steps)])


def planned(n: int, given: Iterable[str], sweep: str | None, still: bool, values: int) -> tuple[Tensor, Tensor]:
    """Codes (n, 3), NaN where they are drawn at random, and the number of each image's noise.

    Without a sweep c1 takes its values in turn, and each image has a noise of its own; where codes keep `still`, all
    are 0. In a sweep one code walks along each row. From row to row c1 goes on, at one noise; where it cannot, because
    it walks or is held, the noise goes on.
    """
    fixed, at = held(given, values), torch.arange(n)
    c = torch.full((n, len(NAMES)), 0.0 if still or sweep else math.nan)
    noise = at
    if sweep:
        path = walk(sweep, values, fixed)
        row = at // len(path.values)
        moves = path.code > 0 and 0 not in fixed
        c[:, 0], noise = row % values, row * (not moves)
        c[:, path.code] = torch.tensor(path.values)[at % len(path.values)]
    elif not still:
        c[:, 0] = at % values
    for code, value in fixed.items():
        c[:, code] = value
    return c, noise


def sheet(given: Iterable[str], sweep: str | None, values: int) -> tuple[int, int] | None:
    """Columns and rows of a sweep."""
    if not sweep:
        return None
    fixed = held(given, values)
    path = walk(sweep, values, fixed)
    return len(path.values), NOISES if path.code == 0 or 0 in fixed else values


def _named(text: str, example: str, values: int) -> tuple[str, str]:
    name, given, value = text.strip().partition("=")
    if name not in NAMES or not given:
        wrong = f"No code {name[:40]!r}." if given else f"{text[:40]!r} gives no code a value."
        there = f"Codes: c1, from 0 to {values - 1}; c2 and c3, from {-REACH:g} to {REACH:g}."
        raise UserError(wrong, f"{there} For example: {example}", USAGE)
    return name, value


def _within(name: str, value: str, values: int) -> float:
    low, high, what = (0, values - 1, "a whole number") if name == "c1" else (-REACH, REACH, "a number")
    number = float(value) if re.fullmatch(_number, value.strip()) else None
    if number is None or not low <= number <= high or (name == "c1" and number != int(number)):
        raise UserError(f"{name} cannot be {value[:40]!r}.", f"It is {what} from {low:g} to {high:g}.", USAGE)
    return number
