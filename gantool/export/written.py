"""What an export made, and what was seen of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["html", "onnx", "torch"]


@dataclass
class Written:
    """What was written, and what was seen on the way."""

    path: Path
    format: Format
    size: int  # bytes
    also: list[Path] = field(default_factory=list)  # beside it
    largest: float = 0.0  # difference from what torch draws, in [-1, 1]
    mean: float = 0.0
    levels: int = 0  # of 255
    notes: list[str] = field(default_factory=list)
