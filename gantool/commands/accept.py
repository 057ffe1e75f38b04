"""`gantool accept VARIANT`."""

from dataclasses import dataclass
from typing import Any

import typer

from gantool.commands.groups import registry
from gantool.commands.shared import OURS, Json, at_work
from gantool.commands.typer_flags import Given, built, settled
from gantool.config import presets
from gantool.config.schema import Schema
from gantool.evaluation.settings import HowToAccept


@dataclass(kw_only=True)
class AcceptCommand(HowToAccept):
    json: Json = False


def command(name: str) -> Any:
    registry().offer(name)
    every = Schema({"Acceptance": AcceptCommand})

    def run(given: Given) -> None:
        (this,) = settled(every, given, presets.see(name, "accept")).values()
        from gantool import library
        from gantool.commands import answers, terminal

        values = {key: value for key, value in given.values.items() if key not in OURS}
        with at_work(answers=True):
            card = library.accept(name, settings=values)
            terminal.as_json(card.facts) if this.json else answers.card(card.facts)
            if not card.accepted:
                raise typer.Exit(1)

    return built(name, f"Hold {name} to its acceptance thresholds.", every, run, example=f"gantool accept {name}")
