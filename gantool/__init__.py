"""Train, sample and measure generative adversarial networks: from Python here, from a command line as `gantool`."""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# OpenMP's threads wait for each other by spinning. On a machine that is doing something else too, that made training
# ten times slower; a short spin, then sleep, costs nothing on a quiet one. Read when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

if TYPE_CHECKING:
    from gantool.errors import UserError as UserError
    from gantool.library import (
        Model,
        Run,
        accept,
        compare,
        datasets,
        diff,
        eject,
        evaluate,
        explain,
        export,
        load,
        models,
        plan,
        resume,
        runs,
        train,
        variants,
    )
    from gantool.results import Card, Images, Latents, Report
    from gantool.runtime.progress import Progress

# Where each name comes from: looked up when it is first used, so that importing gantool imports no torch.
HOME = {
    "Progress": "runtime.progress",
    "UserError": "errors",
    **dict.fromkeys(("Card", "Images", "Latents", "Report"), "results"),
}
__all__ = [
    "Card", "Images", "Latents", "Model", "Progress", "Report", "Run", "UserError", "__version__", "accept", "compare",
    "datasets", "diff", "eject", "evaluate", "explain", "export", "load", "models", "plan", "resume", "runs", "train",
    "variants",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("export", "runs", "variants"):  # folders, which can also be called
        return importlib.import_module(f"gantool.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'gantool' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"gantool.{HOME.get(name, 'library')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
