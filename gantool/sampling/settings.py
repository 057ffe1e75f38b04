"""What every drawing can be told. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from gantool.config.options import checked_grid

ENDINGS = ("png", "gif", "npz", "idx", "csv")  # of files that gantool writes itself


@dataclass(kw_only=True)
class HowToSample:
    n: Annotated[
        int | None, Option("--n", "-n", min=1, help="How many images to draw.", show_default="64, or all inputs")
    ] = None
    grid: Annotated[
        str | None,
        Option(metavar="COLSxROWS", callback=checked_grid, help="Shape of the grid.", show_default="square"),
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Same seed, same images.")] = 0
