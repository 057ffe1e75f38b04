"""What a file says of the model inside it: from its own facts, its variant's docstring and its card."""

from pathlib import Path
from typing import Any

from gantool.config.packages import Offer, metadata
from gantool.errors import UserError, counted, printable
from gantool.evaluation.cards import cards_in, table
from gantool.runs.packaged import card_of, path_of

SCORES = 3  # of a card


def described(offer: Offer, path: Path, facts: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Names and facts, and a title. Nothing of when or where: the same model makes the same bytes."""
    found = {
        "Model": offer.summary,
        "Paper": offer.field("Paper"),
        "Trained": f"{counted(facts['step'], 'step')} on {facts['data']}, seed {facts.get('seed', 'unknown')}",
        "Measured": scored(card_of(path)) if path == path_of(offer) else measured(offer, str(facts["data"])),
        "Made by": f"{facts['variant']} of {facts['package']} {facts['version']}",
        "Licence": licence(offer),
    }
    entries = {name: printable(text)[:500] for name, text in found.items() if text}
    return entries, printable(f"{facts['variant']}: images drawn on this page")


def scored(card: dict[str, Any]) -> str:
    """Of the model itself, by the card of one that a package carries."""
    if not isinstance(scores := card.get("scores"), dict):
        return ""
    found = ", ".join(f"{name} {value:.4g}" for name, value in list(scores.items())[:SCORES])
    return f"{found}; of {card.get('n')} of its own samples, by {card.get('judge', 'its own measures')}"


def measured(offer: Offer, data: str) -> str:
    """Of models trained like it, by the package's card; nothing where there is none for these data."""
    try:
        cards = cards_in(offer.source.parent / "cards" / f"{offer.name}.json") if offer.source else []
    except UserError:
        return ""
    for card in cards:
        if card["data"] == data:
            scores = ", ".join(f"{row[0].split()[0]} {row[1]}" for row in table(card)[:SCORES])
            return f"{scores}; medians of models trained for {card['trained']}, of which this need not be one"
    return ""


def licence(offer: Offer) -> str:
    """Of the package's code, as it declares it."""
    named = metadata(offer.entry, "License-Expression") or metadata(offer.entry, "License")
    known = [text for text in named if text and text != "unknown"]
    return f"{known[0].splitlines()[0]}, of the code that made it" if known else ""
