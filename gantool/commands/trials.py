"""How `gantool plugins --check` tries commands, metrics, writers and modules with hooks: each raises what is wrong."""

import math
import re
from collections.abc import Callable
from typing import Any

from gantool.commands import offered
from gantool.config.packages import COMMANDS, KINDS, METRICS, WRITERS, Plugins, answered, imported


def of(kind: str, name: str) -> None:
    plugins = Plugins()
    if kind == "module":
        for group, offers in answered(plugins.modules()[name], strict=True).items():
            for found in offers.values():
                TRIALS[group](found.name, found.found)
        return
    group = next(group for group, word in KINDS.items() if word == kind)
    if offer := plugins.offer(group, name):
        TRIALS[group](name, imported(offer))


def command(name: str, function: Any) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"{name!r} is no word to type: small letters, digits and dashes")
    offered.schema(function)


def metric(name: str, function: Any) -> None:
    """On images like gantool's digits."""
    import torch

    if not name.isidentifier():
        raise ValueError(f"{name!r} cannot be named in a threshold: letters, digits and underscores, one word")
    rng = torch.Generator().manual_seed(0)
    shown = [torch.randint(256, (64, 1, 28, 28), generator=rng).byte() for _ in range(2)]
    kept = [x.clone() for x in shown]
    value = function(*shown)
    if not math.isfinite(float(value)):
        raise ValueError(f"it gives {value}, which is NaN or infinity")
    if not all(map(torch.equal, shown, kept)):
        raise ValueError("it changes the images that it is given")


def writer(name: str, function: Any) -> None:
    """Of images in colour, into a folder that is thrown away."""
    import tempfile
    from pathlib import Path

    import numpy as np

    from gantool.sampling.writers import Drawing, Drawn

    if not re.fullmatch(r"[a-z0-9]+", name):
        raise ValueError(f"{name!r} is no ending: small letters and digits, without a dot")
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        from gantool.runtime import files

        out = Path(folder, f"four.{name}")
        parts = iter([Drawn(images, np.arange(4), [f"{i:05d}" for i in range(4)])])
        files.write(out, function(Drawing(4, 2, parts), out))


TRIALS: dict[str, Callable[[str, Any], None]] = {COMMANDS: command, METRICS: metric, WRITERS: writer}
