"""The names of scores, and gates: what scores must reach, in YAML beside a variant. Imports no torch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gantool.errors import USAGE, UserError, did_you_mean
from gantool.registry import Offer

SCORES = {
    "label_accuracy": "the class asked for is the class seen",
    "worst_class": "the same, of the class that does worst",
    "second_judge": "the class asked for, else that seen, is what a second judge sees; digits only",
    "sure": "samples whose class has a probability above .9",
    "classifier_score": "the inception score, by the judge",
    "class_balance_kl": "from the classes as drawn to even ones",
    "classes_drawn": "how many there are",
    "FD": "Fréchet distance",
    "KID": "kernel distance",
    "density": "how thickly real neighbourhoods are met",
    "coverage": "how many of them",
    "variety": "variance within a class, as a share of real",
    "nearest_ratio": "distance to training pictures; 1 is as new ones, 0 is copies",
    "CAS": "what a classifier trained on samples alone gets right; takes half a minute",
}
DISTANCES = ("FD", "KID", "density", "coverage")  # whose features --inception replaces
USUAL = tuple(name for name in SCORES if name != "CAS")  # what is measured unless more is asked for
_limit = re.compile(r"(\w+) (>=|<=) (\d+(?:\.\d+)?|\.\d+)( x real)?").fullmatch


def chosen(text: str | None) -> tuple[str, ...]:
    """The scores that --metrics names: some, or `all`."""
    if text is None:
        return USUAL
    known = {name.lower(): name for name in SCORES}
    found: list[str] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word.lower() not in {*known, "all"}:
            raise UserError(
                f"No score named {word!r}.{did_you_mean(word, SCORES)}", f"Scores: all, {', '.join(SCORES)}.", USAGE
            )
        found += SCORES if word == "all" else [known[word.lower()]]
    if not found:
        raise UserError("--metrics names no score.", f"Scores: all, {', '.join(SCORES)}.", USAGE)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Gate:
    """One score must be at least, or at most, a number, or that many times what real pictures get."""

    score: str
    least: bool
    bound: float
    of_real: bool

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.bound:g}" + " x real" * self.of_real

    def passes(self, scores: dict[str, float], real: dict[str, float]) -> bool | None:
        """None where that was not measured. A number that is none passes nothing."""
        value, unit = scores.get(self.score), real.get(self.score) if self.of_real else 1.0
        if value is None or unit is None:
            return None
        return value >= self.bound * unit if self.least else value <= self.bound * unit


@dataclass(frozen=True)
class Gates:
    """What a variant must reach on some data after so many seconds of training on two CPU cores."""

    data: str
    seconds: float
    gates: tuple[Gate, ...]


def gate(text: str) -> Gate:
    """'coverage >= 0.5 x real'"""
    if (found := _limit(text)) is None or found[1] not in SCORES:
        raise ValueError(f"{text!r} should be like 'coverage >= 0.5 x real'")
    return Gate(found[1], found[2] == ">=", float(found[3]), bool(found[4]))


def gates_of(offer: Offer) -> list[Gates]:
    """Those of cards/NAME.yaml beside the variant's file, the shortest training first; often none."""
    path = offer.source.parent / "cards" / f"{offer.name}.yaml" if offer.source else None
    if path is None or not path.is_file():
        return []
    import yaml  # a tenth of the time that --help takes

    try:
        entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = [Gates(str(e["data"]), float(e["seconds"]), tuple(map(gate, e["gates"]))) for e in entries]
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no gates: {error}", f"Tell the author of {offer.package}.") from None
    return sorted(found, key=lambda g: g.seconds)


def gates_for(offer: Offer, data: str, seconds: float | None = None) -> Gates | None:
    """The gates for this data: of the longest training that fits in the seconds, else of the shortest."""
    found = [g for g in gates_of(offer) if g.data == Path(data).name]
    fitting = [g for g in found if seconds is not None and g.seconds <= seconds]
    return next(iter(fitting[-1:] or found[:1]), None)
