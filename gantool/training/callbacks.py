"""What a run keeps as it goes: its log, its images, its checkpoints. Each listens to the trainer."""

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gantool.config.options import grid_shape
from gantool.config.packages import Offer
from gantool.data.images import as_bytes, as_images
from gantool.hookspecs import hookimpl
from gantool.runs import model
from gantool.runs.run import RunFolder, step_of
from gantool.runs.sealed import Sealed
from gantool.runtime import files
from gantool.runtime.behind import Behind
from gantool.training.trainer import Skipped, Trainer
from gantool.viz import drawing, sheets
from gantool.viz.charts import curves
from gantool.viz.rows import Sheet

END = "end"  # the step at which a run given minutes is to end, where that was moved
SHARES = ("diversity", "rarest class", "label effect", "label accuracy", "memorised")  # of a probe, from 0 to 1


class MetricsLog:
    """metrics.jsonl: a line at every logging step."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        self.mark = (time.monotonic(), trainer.step)

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        if trainer.logged:
            now, (then, step) = time.monotonic(), self.mark
            rate = (trainer.step - step) * trainer.recipe.batch_size / max(now - then, 1e-9)
            self.mark = (now, trainer.step)
            epoch = trainer.step * trainer.recipe.batch_size / len(trainer.data)
            line = {"step": trainer.step, "epoch": round(epoch, 4), "images_per_s": round(rate, 1), **trainer.metrics}
            self.run.append(line | ({END: trainer.steps} if trainer.moved else {}))


class Gallery:
    """samples/: the same noise every so often, beside real.png if the data are images; losses.png; progress.gif."""

    def __init__(self, run: RunFolder, every: int) -> None:
        self.run, self.every = run, every

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        batch, image = trainer.first_batch(), trainer.variant.image
        real = [image(t) for t in batch if t.ndim == 4] or [image(t) for t in batch[:1] if t.ndim == 2]
        self.columns, _ = grid_shape(trainer.recipe.grid)
        if alike := [t for t in real if t.shape == real[0].shape]:  # data of several sides shows them side by side
            self.save("real.png", Sheet(as_bytes(torch.stack(alike, 1).flatten(0, 1))))
        self.show(trainer)

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        if trainer.step % self.every == 0 or trainer.step == trainer.steps:
            self.save(f"step-{trainer.step:06d}.png", self.show(trainer))
            self.draw_losses()

    @hookimpl
    def gantool_train_end(self, trainer: Trainer) -> None:
        if trainer.ending == "done" and trainer.stop != "interrupted":
            with suppress(Skipped):  # large images take many seconds, and the last save comes after
                try:
                    trainer.skippable = True
                    files.write(self.run.folder / "progress.gif", drawing.animate(self.frames()))
                finally:
                    trainer.skippable = False

    def frames(self) -> list[NDArray[np.uint8]]:
        """As many of the images, evenly, as a film has: all of a long run's would not fit in memory."""
        found = sorted(self.run.samples.glob("step-*.png"), key=lambda file: (len(file.name), file))
        chosen = np.linspace(0, len(found) - 1, min(len(found), drawing.MAX_FRAMES)).round().astype(int)
        return [sheets.captioned(read(found[i]), f"step {step_of(found[i]):,}") for i in chosen]

    def show(self, trainer: Trainer) -> Sheet:
        """Draw the preview; whoever watches sees it at its own size, without names."""
        shown = trainer.preview()
        trainer.grid_image = drawing.grid(*self.tiles(shown))
        return shown

    def tiles(self, shown: Sheet) -> tuple[NDArray[np.uint8], int]:
        """Its images and columns."""
        columns = shown.images.shape[1] if shown.images.ndim == 5 else self.columns
        return as_images(shown.images.flatten(0, shown.images.ndim - 4)), columns

    def save(self, name: str, shown: Sheet) -> None:
        image = sheets.sheet(*self.tiles(shown), shown.across, shown.down)
        files.write(self.run.samples / name, drawing.encode_png(image))

    def draw_losses(self) -> None:
        """Losses above, everything else that was logged below."""
        series: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for line in self.run.lines():
            shares = {name: value for name, value in line.get("probe", {}).items() if name in SHARES}
            for name, value in (line | shares).items():
                if name not in ("step", "epoch", "images_per_s", END) and isinstance(value, int | float):
                    series[name].append((line["step"], value))
        losses = {name: points for name, points in series.items() if "/" in name}
        rest = {name: points for name, points in series.items() if "/" not in name}
        panels = [("losses", losses), *([("measured", rest)] if rest else [])]
        files.write(self.run.folder / "losses.png", drawing.encode_png(curves(panels)))


class Checkpoints:
    """checkpoints/: everything to go on from; with each, the model file to sample from.

    A save copies what it is of; the disk's time, most of it, passes beside the next steps.
    """

    def __init__(self, run: RunFolder, every: int, offer: Offer, keep: Callable[[], dict[str, Any]]) -> None:
        self.run, self.every, self.offer = run, every, offer
        self.keep = keep  # has the run's config up to date, and gives its settings
        self.at = -1
        self.behind = Behind()

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        self.behind.ask()
        if trainer.step % self.every == 0 and trainer.step < trainer.steps:
            self.save(trainer)

    @hookimpl
    def gantool_train_end(self, trainer: Trainer) -> None:
        """The last save comes after all else is written, so a run with its last checkpoint is whole."""
        failed = trainer.ending == "failed"
        if not failed and trainer.step not in (0, self.at):
            self.save(trainer)
        with suppress(Exception) if failed else nullcontext():  # what a training failed of is what is told
            self.behind.wait()

    def save(self, trainer: Trainer) -> None:
        self.behind.wait()
        trainer.pause = max(trainer.pause, self.behind.longest)  # for the last save, one does wait
        trainer.check_weights()
        facts = model.describe(self.offer, self.keep(), trainer.data.spec, trainer)
        drawing = model.sealed_of(facts, trainer, apart=True)
        going_on = Sealed(facts | {"kind": model.CHECKPOINT}, trainer.state(), apart=True)
        self.behind.send(partial(self.write, trainer.step, drawing, going_on))
        self.at = trainer.step

    def write(self, step: int, drawing: Sealed, going_on: Sealed) -> None:
        """In this order: no checkpoint is newer than its log and its model."""
        self.run.sync_log()
        drawing.write(self.run.model)
        going_on.write(self.run.checkpoint(step))
        self.run.prune()


def read(file: Any) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(file) as image:
        array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]
