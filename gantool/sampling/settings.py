"""What every drawing can be told. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from gantool.config.options import checked_grid

ENDINGS = ("png", "gif", "npz", "idx", "csv")  # of files that gantool writes itself
STDOUT = "-"  # what --out says for a PNG down the pipe
LARGEST_SCALE = 64


def checked_scale(text: str) -> str:
    """The callback of --scale."""
    if text != "auto" and not (text.isdecimal() and 1 <= int(text) <= LARGEST_SCALE):
        raise ValueError(f"{text[:40]!r} should be auto, or a whole number from 1 to {LARGEST_SCALE}.")
    return text


@dataclass(kw_only=True)
class HowToSample:
    n: Annotated[
        int | None, Option("--n", "-n", min=1, help="How many images to draw.", show_default="64, or all inputs")
    ] = None
    grid: Annotated[
        str | None,
        Option(metavar="COLSxROWS", callback=checked_grid, help="Shape of the grid.", show_default="square"),
    ] = None
    scale: Annotated[
        str, Option(metavar="N|auto", callback=checked_scale, help="Enlarge each pixel of a grid or a film N times.",
                    show_default="auto: to 640 pixels or more")
    ] = "auto"  # fmt: skip
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Same seed, same images.")] = 0
