"""Rows as a table of plain text, each printed when it is there."""

from collections.abc import Iterable
from typing import Any


def show(title: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prints them under their names, and gives them back. A blank line ends a table."""
    print(title, flush=True)
    kept: list[dict[str, Any]] = []
    for row in rows:
        if not kept:
            widths = [max(10, len(name) + 2) for name in row]
            print("".join(name.ljust(14) if not i else name.rjust(widths[i]) for i, name in enumerate(row)))
        cells = map(shown, row.values())
        print("".join(c.ljust(14) if not i else c.rjust(widths[i]) for i, c in enumerate(cells)), flush=True)
        kept.append(row)
    print(flush=True)
    return kept


def shown(value: str | float) -> str:
    """Shares need a third digit: .995 is not 1."""
    match value:
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return value
