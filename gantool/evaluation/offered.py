"""Metrics that packages offer: functions of drawn and real images, found by name and fenced off."""

from collections.abc import Container, Iterable
from typing import Any

import torch
from torch import Tensor

from gantool.config.packages import METRICS, MODULES, Offer, Plugins, imported, in_a_line
from gantool.errors import UserError
from gantool.evaluation import gates
from gantool.runtime import progress


class Offered:
    """Those of the scores asked for that are neither gantool's nor the variant's own."""

    def __init__(self, requested: Iterable[str], own: Container[str] = ()) -> None:
        self.plugins, self.offers, self.failed = Plugins((METRICS, MODULES)), dict[str, Offer](), set[str]()
        for name in requested:
            if name == gates.ALL:
                self.plugins.open()
                every = self.plugins.offers(METRICS).items()
                self.offers |= {name: few[0] for name, few in every if len(few) == 1 and name not in gates.SCORES}
            elif name not in gates.SCORES and name not in own and (offer := self.plugins.offer(METRICS, name)):
                self.offers[name] = offer
        self.offers = {name: offer for name, offer in self.offers.items() if name not in own}

    def check_names(self, wanted: Iterable[str], own: Iterable[str] = ()) -> None:
        """Raise UserError for a score that is nobody's."""
        try:
            gates.check_names(wanted, (*own, *self.plugins.offers(METRICS)))
        except UserError as error:
            raise UserError(error.message, error.hint + self.plugins.lost(), error.code) from None

    def scores(self, drawn: Tensor, real: Tensor) -> dict[str, float]:
        """What they give for bytes (n, C, H, W). One that fails is told of, with its package, and asked no more."""
        found = {}
        for name in self.offers.keys() - self.failed:
            try:
                with torch.random.fork_rng([]):
                    found[name] = float(imported(self.offers[name])(drawn, real))
            except (Exception, SystemExit) as error:
                self.failed.add(name)
                why = error.message if isinstance(error, UserError) else in_a_line(error)
                maker = self.offers[name].maker
                progress.current().warn(f"the metric {name!r} from {maker} failed and was left out: {why}")
        return dict(sorted(found.items()))

    def without_failed(self, found: dict[str, Any]) -> None:
        """A report, rid of what failed only later."""
        for end in ("scores", "floor", "ceiling"):
            for name in self.failed:
                found.get(end, {}).pop(name, None)
