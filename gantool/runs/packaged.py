"""Models that packages carry: what draws before anything is trained. Knowing what there is needs no torch.

`models/NAME.safetensors` beside a variant's module is one: a model file like any other. Its card, NAME.json, is what
was measured of that very file, known by its sha256.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from gantool.config.packages import Offer
from gantool.errors import USAGE, UserError
from gantool.registry import Registry

FOLDER = "models"
PACKAGED = "packaged"  # what --run calls it, and what its name begins with


def path_of(offer: Offer) -> Path:
    """Where the package keeps its model of this variant, if it has one."""
    return offer.beside(FOLDER, f"{offer.name}.safetensors")


def name_of(offer: Offer) -> str:
    """What it is called: packaged/cgan."""
    return f"{PACKAGED}/{offer.name}"


def named(registry: Registry, word: str) -> Offer | None:
    """The variant of packaged/NAME; None where another thing is meant."""
    before, _, variant = word.partition("/")
    return registry.offer(variant) if before == PACKAGED and variant in registry.offers else None


def model_of(offer: Offer) -> Path:
    """The model, if the package carries one."""
    if not (path := path_of(offer)).is_file():
        raise UserError(
            f"{offer.package} carries no model of {offer.name}.", f"Make one: gantool train {offer.name}", USAGE
        )
    return path


def carrier(registry: Registry, path: Path) -> Offer | None:
    """Whose package carries this file, if one does."""
    found = (offer for offer in registry.offers.get(path.stem, []) if path == path_of(offer))
    return next(found, None)


def called(registry: Registry, path: Path) -> str:
    """A model file's name, for people: of one that a package carries not where that is installed."""
    offer = carrier(registry, path)
    return name_of(offer) if offer else str(path)


def card_path(path: Path) -> Path:
    """Where the card of a packaged model lies."""
    return path.with_suffix(".json")


def card_of(path: Path) -> dict[str, Any]:
    """What was measured of a packaged model; nothing where its package does not say."""
    return report_in(card_path(path))


def report_in(path: Path) -> dict[str, Any]:
    """What `gantool eval` wrote; nothing where that cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_measured(path: Path) -> bool:
    """Whether this is the file that its card is of; one without a card has only its own checksum."""
    known = digest(path)
    return bool(card_of(path).get("sha256", known) == known)


def digest(path: Path) -> str:
    """A file's sha256, as a card has it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def anew(offer: Offer) -> str:
    """What helps where a packaged model is damaged."""
    return f"Install {offer.maker} again, or train your own: gantool train {offer.name}"
