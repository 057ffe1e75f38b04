"""What to type after a training: a command that works as it stands."""

from pathlib import Path
from shlex import quote

import torch

from gantool.commands.groups import registry
from gantool.commands.shared import free
from gantool.config.options import InputOptions, Recipe, core
from gantool.data import catalog
from gantool.data.images import Data
from gantool.data.opening import open_data
from gantool.errors import UserError
from gantool.handles import Run
from gantool.sampling.exporting import PARTS


def onward(made: Run) -> str:
    """The next step of a person who has just made this run."""
    run = made.files
    if made.outcome is None or made.outcome.ending != "done":
        return f"gantool resume {quote(str(run.folder))}"
    drawn = f"gantool sample {run.variant} --run {quote(str(run.folder))}"
    if run.variant not in registry().names():  # the run was moved away meanwhile
        return drawn
    if not issubclass(registry().load(run.variant).SampleOptions, InputOptions):
        return drawn
    data, folder = str(core(made.config, "data")), core(made.config, "data_dir")
    if Path(data).exists():
        return f"{drawn} --input {quote(data)} --out {free('outputs')}"
    try:
        catalog.is_named(data)
        held = open_data(Recipe(data=data, data_dir=Path(folder) if folder else None), of=Data)  # type: ignore[type-abstract]
    except UserError:  # it was there when the training began
        return drawn
    sides = [part for part in held.batch(torch.arange(1), torch.Generator()) if part.ndim == 4]
    # Of a pair, what goes in comes first; of one image in two sizes, the small one goes in.
    side = min(range(len(sides)), key=lambda i: sides[i].numel())
    folders = [*PARTS] if len(sides) > 1 else [*held.spec.classes, ""]
    exported = free("inputs")
    inputs = quote(str(exported / folders[side]))
    return f"gantool data export {data} {exported} -n 8 && {drawn} --input {inputs} --out {free('outputs')}"
