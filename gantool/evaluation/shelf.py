"""What cards say of every installed variant: a line each, with a threshold, the figure that met it, and the minutes."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from gantool.config.packages import Offer
from gantool.errors import UserError
from gantool.evaluation.cards import cards_in
from gantool.registry import Registry

SAID_BY_ALL = ("classes_drawn", "class_balance_kl")  # thresholds that tell little where others are met


@dataclass(frozen=True)
class Line:
    """One variant; of one without a card, all but the first three are empty."""

    name: str
    task: str
    package: str
    summary: str = ""
    data: str = ""
    trained: str = ""
    threshold: str = ""
    figure: float | None = None
    minutes: float | None = None
    accepted: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Threshold, figure, minutes and verdict in words."""
        verdict = {None: "no card yet", True: "accepted", False: "NOT accepted"}[self.accepted]
        numbers = (f"{n:.3g}" if n is not None else "" for n in (self.figure, self.minutes))
        return self.data, self.trained, self.threshold, *numbers, verdict


def lines(registry: Registry) -> Iterator[Line]:
    for offers in registry.offers.values():
        yield from map(line, offers)


def line(offer: Offer) -> Line:
    """By its first card."""
    return next(of_data(offer), Line(*known(offer)))


def of_data(offer: Offer) -> Iterator[Line]:
    """By the first card of each data set it has cards of; those that cannot be read are none."""
    try:
        cards = cards_in(offer.beside("cards", f"{offer.name}.json"))
    except UserError:
        cards = []
    first: dict[str, Any] = {}
    for card in cards:
        first.setdefault(card["data"], card)
    for card in first.values():
        row, given = headline(card), card["thresholds_after"]["seconds"] / 60
        yield Line(
            *known(offer), card["data"], card["trained"], f"{row['score']} {row['threshold']}", row["median"],
            median(card.get("minutes") or [given]) or None, card["accepted"],
        )  # fmt: skip


def known(offer: Offer) -> tuple[str, str, str, str]:
    return offer.name, offer.field("Task"), offer.package, offer.summary


def headline(card: dict[str, Any]) -> dict[str, Any]:
    """The first of its thresholds that is of this variant more than of any."""
    rows: list[dict[str, Any]] = card["thresholds"]
    return next((row for row in rows if row["score"] not in SAID_BY_ALL), rows[0])
