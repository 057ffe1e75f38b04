"""What a chapter gives: numbers beside what theory says they are, and the frames of its film."""

import math
from typing import NamedTuple

from gantool.viz.plots import Page


class Check(NamedTuple):
    """A number, what it should be, and between which two it may lie."""

    what: str
    value: float
    expected: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def passed(self) -> bool:
        return self.low <= self.value <= self.high  # NaN does not


def near(what: str, value: float, expected: float, within: float = 0.0, share: float = 0.0) -> Check:
    """As far from what is expected as `within`, or as a share of it."""
    off = within or share * abs(expected)
    said = f"+-{within:g}" if within else f"+-{share:.0%}"
    return Check(what, value, f"{expected:.4g} {said}", expected - off, expected + off)


def at_most(what: str, value: float, most: float) -> Check:
    return Check(what, value, f"at most {most:g}", high=most)


def at_least(what: str, value: float, least: float) -> Check:
    return Check(what, value, f"at least {least:g}", low=least)


class Found(NamedTuple):
    """What came of a chapter."""

    checks: list[Check]
    shown: dict[str, float]  # numbers to be seen beside these, which nothing is asked of
    film: list[Page]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)
