"""Finds variants by name, and imports only the one that is asked for."""

from typing import Any

from gantool.config.packages import VARIANTS, Offer, Plugins, broken, clash, imported
from gantool.errors import USAGE, UserError, did_you_mean


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
