"""What measuring can be told. Imports no torch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from gantool.config.options import DataDir, Device
from gantool.evaluation.gates import chosen


def score_names(text: str | None) -> str | None:
    """The check of --metrics."""
    chosen(text)
    return text


def seconds_of(text: str) -> float:
    """'90s' or '5m' in seconds."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(s|m|h)", text)
    if not found or not 1 <= (seconds := float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]) <= 1e6:
        raise ValueError(f"{text!r} should be a time of a second or more, such as 90s, 5m or 1h.")
    return seconds


def checked_time(text: str) -> str:
    """The check of --budget."""
    seconds_of(text)
    return text


@dataclass(kw_only=True)
class HowToMeasure:
    n: Annotated[int, Option("--n", "-n", min=10, help="Samples to measure, if there are as many real ones.")] = 10_000
    data: Annotated[
        str | None, Option(help="Real images to measure against.", show_default="what it was trained on")
    ] = None
    data_dir: DataDir = None
    metrics: Annotated[
        str | None,
        Option(metavar="A,B", callback=score_names, help="Scores to measure, or all.", show_default="all but CAS"),
    ] = None
    inception: Annotated[
        bool, Option("--inception", help="Distances by the Inception of papers; needs torch-fidelity.")
    ] = False
    inception_weights: Annotated[
        Path | None,
        Option(
            exists=True, dir_okay=False, metavar="FILE", help="File of Inception's weights.", show_default="downloaded"
        ),
    ] = None
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Same seed, same samples.")] = 0
    device: Device = "auto"

    @property
    def with_inception(self) -> bool:
        return self.inception or self.inception_weights is not None


@dataclass(kw_only=True)
class HowToAccept:
    budget: Annotated[
        str | None,
        Option(metavar="TIME", callback=checked_time, help="Time to train for.", show_default="as the thresholds say"),
    ] = None
    steps: Annotated[
        int | None, Option(min=1, help="Steps to train for instead: the same on any machine.", show_default=False)
    ] = None
    seeds: Annotated[int, Option(min=1, max=100, help="Trainings, from seeds 0, 1, 2...; their median counts.")] = 3
    jobs: Annotated[
        int | None,
        Option(min=1, max=256, help="Trainings at once, each on one core.", show_default="all cores, if for steps"),
    ] = None
    data: Annotated[str | None, Option(help="Data to train on.", show_default="the variant's")] = None
    data_dir: DataDir = None
    n: Annotated[int, Option("--n", "-n", min=10, help="Samples to measure, if there are as many real ones.")] = 10_000
    cards: Annotated[Path, Option(file_okay=False, help="Folder of the card: VARIANT.md and VARIANT.json.")] = Path(
        "cards"
    )
    device: Device = "auto"
