"""What a package may answer and hear, as pluggy's hooks: names that it offers, and the events of a training run."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from gantool.training.trainer import Trainer

Named = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]
hookspec = pluggy.HookspecMarker("gantool")
hookimpl = pluggy.HookimplMarker("gantool")  # marks a function of yours that answers a hook


class ByEntryPoint:
    """Answered from entry points alone: these names are in runs and model files, and nothing is imported for them."""

    @hookspec
    def gantool_variants(self) -> Named:
        """Subclasses of `gantool.api.Variant`."""
        return {}

    @hookspec
    def gantool_datasets(self) -> Functions:
        """Functions of a recipe that give `gantool.api.Data`."""
        return {}


@hookspec
def gantool_commands() -> Functions:
    """Functions of their settings, a dataclass; what is typed after `gantool`."""
    return {}


@hookspec
def gantool_metrics() -> Functions:
    """Functions of drawn and real images that give a number; what `--metrics` and thresholds may name."""
    return {}


@hookspec
def gantool_writers() -> Functions:
    """Functions of a drawing that give what goes into a file; by the file's ending, without its dot."""
    return {}


@hookspec
def gantool_train_start(trainer: "Trainer") -> None:
    """The networks are built or restored; no step has been taken."""


@hookspec
def gantool_train_step(trainer: "Trainer") -> None:
    """A step is done. `trainer.metrics` is new when `trainer.logged` is true."""


@hookspec
def gantool_train_end(trainer: "Trainer") -> None:
    """No more steps will be taken; `trainer.ending` says why."""
