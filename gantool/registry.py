"""Finds variants by name, and imports only the one that is asked for."""

import os
from pathlib import Path
from typing import Any

from gantool.config.packages import ALLOW, VARIANTS, Offer, Plugins, broken, clash, imported
from gantool.errors import USAGE, UserError, did_you_mean

SHELF = Path(__file__).parent / "assets" / "shelf.json"


def shelf() -> dict[str, str]:
    """Variants of the packages that are kept beside gantool, and whose each is: tools/make_variants.py writes it."""
    import json

    found: dict[str, str] = json.loads(SHELF.read_text(encoding="utf-8"))
    return found


def task_of(text: str) -> str:
    """The first of the tasks that a variant names: 'images of a class, or from noise' is 'images of a class'."""
    return text.split(",")[0].split(";")[0].strip() or "other"


class Registry:
    """What is installed. Reading it costs one pass over the packages' metadata."""

    def __init__(self) -> None:
        self.plugins = Plugins()
        self.offers = self.plugins.offers(VARIANTS)

    def names(self) -> list[str]:
        return list(self.offers)

    def offer(self, name: str) -> Offer:
        match self.offers.get(name, []):
            case [offer]:
                return offer
            case []:
                if (package := shelf().get(name)) and ALLOW not in os.environ:
                    raise UserError(f"{name} comes with {package}.", f"pip install ./plugins/{package}", USAGE)
                raise UserError(
                    f"No variant named {name!r}.{did_you_mean(name, self.offers)}",
                    f"Installed: {', '.join(self.offers)}. See `gantool list`.",
                    USAGE,
                )
            case several:
                raise clash(name, [o.package for o in several])

    def load(self, name: str) -> Any:
        """The variant's class."""
        offer = self.offer(name)
        variant = imported(offer)
        from gantool.variant import Variant

        if not (isinstance(variant, type) and issubclass(variant, Variant)):
            raise broken(offer, f"{offer.entry.value} is not a subclass of gantool.api.Variant.")
        return variant
