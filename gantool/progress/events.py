"""What a program reads in place of a person: each event a line of JSON on stdout."""

import json
from typing import Any

from gantool.hookspecs import hookimpl
from gantool.runtime import torchrun
from gantool.runtime.progress import Progress


def emit(event: str, **facts: Any) -> None:
    if torchrun.first():
        print(json.dumps({"event": event, **facts}), flush=True)


class AsEvents(Progress):
    """All that is said and measured, as it happens."""

    def note(self, text: str) -> None:
        emit("note", text=text)

    def warn(self, text: str) -> None:
        emit("warning", text=text)

    def say(self, text: str, strong: bool = False) -> None:
        emit("said", text=text)

    def observers(self) -> list[Any]:
        return [Steps()]


class Steps:
    """A training's start and its log."""

    @hookimpl
    def gantool_train_start(self, trainer: Any) -> None:
        emit("start", run=str(trainer.folder), step=trainer.step, steps=trainer.steps, device=str(trainer.device))

    @hookimpl
    def gantool_train_step(self, trainer: Any) -> None:
        if trainer.logged:
            rate = round(trainer.rate, 1)
            emit("step", step=trainer.step, steps=trainer.steps, images_per_s=rate, **trainer.metrics)
