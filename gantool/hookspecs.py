"""Events of a training run. A package listens through the entry-point group `gantool`."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from gantool.training.trainer import Trainer

hookspec = pluggy.HookspecMarker("gantool")
hookimpl = pluggy.HookimplMarker("gantool")


@hookspec
def gantool_train_start(trainer: "Trainer") -> None:
    """The networks are built or restored; no step has been taken."""


@hookspec
def gantool_train_step(trainer: "Trainer") -> None:
    """A step is done. `trainer.metrics` is new when `trainer.logged` is true."""


@hookspec
def gantool_train_end(trainer: "Trainer") -> None:
    """No more steps will be taken; `trainer.ending` says why."""
