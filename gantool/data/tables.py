"""Points from a CSV file: a row each, of one number or two."""

import math
from pathlib import Path

import torch

from gantool.data.points import Points
from gantool.errors import USAGE, UserError, printable

ENDING = ".csv"
LARGEST = 64 * 2**20  # bytes
USUAL = 3.0  # numbers larger than this are learned slowly, if at all: networks begin near 0


def is_table(path: Path) -> bool:
    return path.suffix.lower() == ENDING and path.is_file()


def open_table(path: Path) -> Points:
    """Read all of it, or say what is wrong, and in which line. A first line of names is passed over."""
    if (size := path.stat().st_size) > LARGEST:
        raise UserError(f"{named(path)} has {size / 1e6:,.0f} MB, and {LARGEST / 1e6:.0f} are read.", code=USAGE)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise wrong(path, "is not text") from None
    rows: list[list[float]] = []
    begun = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        first, begun = not begun, True
        cells = line.split(",")
        if not 1 <= len(cells) <= 2 or (rows and len(cells) != len(rows[0])):
            wanted = f"{len(rows[0])}, as the lines before" if rows else "1 or 2"
            raise wrong(path, f"has {len(cells)} columns in line {number}, and should have {wanted}")
        row = list(map(number_of, cells))
        if first and all(x is None for x in row):
            continue
        bad = next((cell for cell, x in zip(cells, row, strict=True) if x is None), None)
        if bad is not None:
            raise wrong(path, f"has {printable(bad.strip())[:40]!r} in line {number}, which is no number")
        rows.append([x for x in row if x is not None])
    if len(rows) < 2:
        raise wrong(path, f"has {len(rows)} rows of numbers")
    data = Points(torch.tensor(rows, dtype=torch.float32))
    low, high = float(data.x.min()), float(data.x.max())
    if max(-low, high) > USUAL:
        data.notes = (f"numbers go from {low:.4g} to {high:.4g}; they are learned best between -1 and 1.",)
    return data


def number_of(cell: str) -> float | None:
    """None for what is no number, or none that 32 bits can hold."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e30 else None


def named(path: Path) -> str:
    return printable(str(path))


def wrong(path: Path, what: str) -> UserError:
    return UserError(f"{named(path)} {what}.", "A row for each point: one number, or two with a comma between.", USAGE)
