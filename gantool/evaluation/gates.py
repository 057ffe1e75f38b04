"""The names of scores, and thresholds: what scores must reach, in YAML beside a variant. Imports no torch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gantool.config.packages import Offer
from gantool.errors import USAGE, UserError, counted, did_you_mean

SCORES = {
    "label_accuracy": "the class asked for is the class seen",
    "worst_class_accuracy": "the same, of the class that does worst",
    "second_judge": "the class asked for, else that seen, is what a second judge sees; digits only",
    "confident": "samples whose class has a probability above .9",
    "classifier_score": "the inception score, by the judge",
    "class_balance_kl": "from the classes as drawn to even ones",
    "classes_drawn": "how many there are",
    "FD": "Fréchet distance",
    "KID": "kernel distance",
    "density": "how thickly real neighbourhoods are met",
    "coverage": "how many of them",
    "variety": "variance within a class, as a share of real",
    "nearest_ratio": "distance to training images; 1 is as new ones, 0 is copies",
    "CAS": "what a classifier trained on samples alone gets right; takes half a minute",
}
FORMER = {  # as 0.1 called scores, and the keys of cards
    "sure": "confident", "worst_class": "worst_class_accuracy", "gates": "thresholds", "must_fail": "negative_controls",
}  # fmt: skip
ALL = "all"  # of them, all of packages, and all of the variant's own
DISTANCES = ("FD", "KID", "density", "coverage")  # whose features --inception replaces
USUAL = tuple(name for name in SCORES if name != "CAS")  # what is measured unless more is asked for
REAL = "real"  # unit of a bound: what real images get
_limit = re.compile(r"(\w+) (>=|<=) (\d+(?:\.\d+)?|\.\d+)(?: x (.+))?").fullmatch
_words = re.compile(r"\w[\w ,.'()+=-]*").fullmatch


def chosen(text: str | None) -> tuple[str, ...]:
    """The scores that --metrics names: some, or `all`. Others may be a package's, or a variant's own: `check_names`."""
    if text is None:
        return USUAL
    known = {name.lower(): name for name in SCORES} | FORMER
    found: list[str] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        if word.lower() in ("fid", "inception_score", "is"):
            raise UserError(
                f"{word} wants the Inception network; FD and classifier_score are the same by gantool's own judge.",
                "--metrics FD,classifier_score; or, after pip install 'gantool[fid]', --metrics FD --inception", USAGE,
            )  # fmt: skip
        found += [*SCORES, ALL] if word.lower() == ALL else [known.get(word.lower(), word)]
    if not found:
        raise UserError("--metrics names no score.", f"Scores: all, {', '.join(SCORES)}.", USAGE)
    return tuple(dict.fromkeys(found))


def check_names(wanted: Iterable[str], own: Iterable[str] = ()) -> None:
    known = (ALL, *SCORES, *own)
    for word in wanted:
        if word not in known:
            raise UserError(
                f"No score named {word!r}.{did_you_mean(word, known)}", f"Scores: {', '.join(known)}.", USAGE
            )


@dataclass(frozen=True)
class Threshold:
    """One score must be at least, or at most, a number, or that many times what others get.

    These are real images, or, by its name, a negative control.
    """

    score: str
    least: bool
    bound: float
    of: str = ""

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.bound:g}" + (f" x {self.of}" if self.of else "")

    def passes(
        self, scores: Mapping[str, float], real: Mapping[str, float], others: Mapping[str, Mapping[str, float]] = {}
    ) -> bool | None:
        """None where that was not measured. NaN passes nothing."""
        value = scores.get(self.score)
        unit = {**others, REAL: real}.get(self.of, {}).get(self.score) if self.of else 1.0
        if value is None or unit is None:
            return None
        return value >= self.bound * unit if self.least else value <= self.bound * unit


class Budget(NamedTuple):
    """How long to train: seconds, on two CPU cores where a threshold says so, or steps, which are the same anywhere."""

    seconds: float = 0
    steps: int = 0

    def __str__(self) -> str:
        return counted(self.steps, "step") if self.steps else f"{self.seconds:g} s"


@dataclass(frozen=True)
class Thresholds:
    """What a variant must reach on some data, trained for so long."""

    data: str
    after: Budget
    thresholds: tuple[Threshold, ...]
    negative_controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # in words: what spoils it
    preset: str = ""  # what to train, instead of the defaults
    remedies: tuple[str, ...] = ()  # what was tried where one is missed, and what came of it


def threshold(text: str, others: Iterable[str] = ()) -> Threshold:
    """'coverage >= 0.5 x real'"""
    if (found := _limit(text)) is None or found[4] not in (None, REAL, *others):
        raise ValueError(f"{text!r} should be like 'coverage >= 0.5 x real'")
    return Threshold(FORMER.get(found[1], found[1]), found[2] == ">=", float(found[3]), found[4] or "")


def thresholds_in(entry: dict[str, Any]) -> Thresholds:
    entry = {FORMER.get(key, key): value for key, value in entry.items()}
    spoiled: dict[str, dict[str, Any]] = {}
    for words, options in entry.get("negative_controls", {}).items():
        if not isinstance(words, str) or not _words(words) or words == REAL or not isinstance(options, dict):
            raise ValueError(f"negative_controls: {words!r} should be like 'no cycle loss: {{cycle: 0}}'")
        if not all(isinstance(value, str | int | float | bool) for value in options.values()):
            raise ValueError(f"negative_controls: {words!r} should have a single value for each option")
        spoiled[words] = {str(key).replace("-", "_"): value for key, value in options.items()}
    remedies = entry.get("remedies", [])
    if not isinstance(remedies, list) or not all(isinstance(words, str) and words for words in remedies):
        raise ValueError("remedies: should be a list of sentences")
    limits = tuple(threshold(text, spoiled) for text in entry["thresholds"])
    after = Budget(steps=int(entry["steps"])) if "steps" in entry else Budget(float(entry["seconds"]))
    return Thresholds(str(entry["data"]), after, limits, spoiled, str(entry.get("preset", "")), tuple(remedies))


def thresholds_of(offer: Offer) -> list[Thresholds]:
    """Those of cards/NAME.yaml beside the variant's file, the shortest training first; often none."""
    path = offer.source.parent / "cards" / f"{offer.name}.yaml" if offer.source else None
    if path is None or not path.is_file():
        return []
    import yaml  # a tenth of the time that --help takes

    try:
        entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = [thresholds_in(entry) for entry in entries]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no thresholds: {error}", f"Tell the author of {offer.package}.") from None
    return sorted(found, key=lambda g: g.after)


def thresholds_for(offer: Offer, data: str, budget: Budget | None = None) -> Thresholds | None:
    """The thresholds for this data: of the longest training that fits in the budget. Of steps, none if none fits.

    Else of the shortest that takes seconds; without any, of the longest in steps.
    """
    found = [g for g in thresholds_of(offer) if g.data == Path(data).name]
    timed, counted = [g for g in found if not g.after.steps], [g for g in found if g.after.steps]
    if budget and budget.steps:
        return next((g for g in reversed(counted) if g.after <= budget), None)
    fitting = [g for g in timed if budget and g.after <= budget]
    return next(iter(fitting[-1:] or timed[:1] or counted[-1:]), None)
