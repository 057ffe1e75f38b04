"""What calls give to work with: a trained model, and a run. Also how any call goes about its work."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gantool.config import presets
from gantool.config.options import draws, takes_input
from gantool.config.schema import Schema
from gantool.config.validate import Layer, settle
from gantool.errors import USAGE, UserError
from gantool.progress import screen
from gantool.registry import Registry
from gantool.results import Images, Latents
from gantool.runs.finding import file_of
from gantool.runs.model import Opened, open_model
from gantool.runs.packaged import called
from gantool.runs.run import RunFolder, model_in
from gantool.runtime import alone
from gantool.runtime.device import undisturbed
from gantool.runtime.progress import Progress, shown_by
from gantool.sampling import encoding, sampler
from gantool.sampling.inputs import as_inputs
from gantool.sampling.settings import HowToSample
from gantool.training.session import Outcome
from gantool.training.settings import HowToResume

Settings = Mapping[str, Any] | None
Shown = bool | Progress | None


class Model:
    """A trained variant, ready to draw. `variant` is its module, with the weights in place."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.path, self.variant, self.facts = opened
        self.name: str = self.facts["variant"]

    @property
    def settings(self) -> dict[str, Any]:
        """What it was trained with."""
        return dict(self.facts["settings"])

    @property
    def classes(self) -> tuple[str, ...]:
        return self.variant.data.classes

    def sample(self, n: int | None = None, *, seed: int = 0, settings: Settings = None, **flags: Any) -> Images:
        """n images; further keywords are the flags of `gantool sample`, such as digit=7 or truncation=1.5."""
        how, options = self._settled({"n": n, "seed": seed, **(settings or {}), **flags})
        if not draws(type(options)):
            raise UserError(f"{self.name} makes images of images.", "Give it some: model.translate(images)", USAGE)
        return self._collected(sampler.drawing(self.variant, how, options), how.seed)

    def translate(self, images: Any, *, seed: int = 0, settings: Settings = None, **flags: Any) -> Images:
        """Images made of images: a file or folder, Images, a PIL image, or a tensor (n, C, H, W) of bytes or floats."""
        if not takes_input(type(self.variant).SampleOptions):
            raise UserError(f"{self.name} draws from noise.", "model.sample(16)", USAGE)
        from_files = isinstance(images, str | Path)
        values = {"seed": seed, "input": images if from_files else Path(), **(settings or {}), **flags}
        how, options = self._settled(values)
        if from_files:
            return self._collected(sampler.drawing(self.variant, how, options), how.seed)
        every = as_inputs(images, self.variant.data, options.natural)
        inputs = [(f"{i:05d}", pixels) for i, pixels in enumerate(every)]
        made = sampler.translated(self.variant, inputs, options)
        return self._collected(sampler.Drawing(len(inputs) * self.variant.answers(options), None, made), how.seed)

    def encode(self, images: Any) -> Latents:
        """Latents of images, by a model that has an encoder; `images` as for `translate`."""
        encoding.check_encodes(self.name, self.variant)
        with at_work("encoding"):
            if isinstance(images, str | Path):
                inputs = sampler.inputs(self.variant, Path(images))
            else:
                inputs = ((f"{i:05d}", pixels) for i, pixels in enumerate(as_inputs(images, self.variant.data, False)))
            names, parts = zip(*encoding.encoded(self.variant, inputs), strict=True)
        return Latents(torch.cat(parts).numpy(), list(chain.from_iterable(names)))

    def write(self, out: str | Path, settings: Settings = None, **flags: Any) -> int:
        """Draw into a file or a folder as images come, however many: what `gantool sample --out` does."""
        how, options = self._settled({**(settings or {}), **flags})
        with at_work("sampling"):
            return sampler.sample_to(Path(out), self.variant, how, options)

    def _settled(self, values: Mapping[str, Any]) -> tuple[HowToSample, Any]:
        """Flags of `gantool sample VARIANT`, held to its real SampleOptions."""
        schema = Schema({"Sampling": HowToSample, self.name: type(self.variant).SampleOptions}, own=self.name)
        how, options = settle(schema, [Layer(values)], presets.see(self.name, "sample")).sections.values()
        return how, options

    def _collected(self, drawing: sampler.Drawing, seed: int) -> Images:
        with at_work("sampling"):
            parts = list(sampler.drawn(drawing, seed))
        arrays = [array for part in parts for array in part.images]
        labels = [part.labels for part in parts if part.labels is not None]
        names = [name for part in parts for name in part.names]
        known = np.concatenate(labels) if labels else None
        return Images(arrays, known, self.classes if labels else (), names, drawing.columns, drawing.scale)

    def __repr__(self) -> str:
        return f"<model of {self.name}, {called(Registry(), self.path)}, step {self.facts['step']}>"


class Run:
    """What one training made."""

    def __init__(self, folder: str | Path, outcome: Outcome | None = None) -> None:
        self.files = RunFolder(Path(folder))
        self.outcome = outcome  # of the call that gave it: its ending, seconds, images a second

    @property
    def folder(self) -> Path:
        """Where all of it is kept."""
        return self.files.folder

    @property
    def name(self) -> str:
        return self.files.name

    @property
    def variant(self) -> str:
        return self.files.variant

    @property
    def config(self) -> dict[str, Any]:
        """Its settings."""
        return self.files.read_config()

    @property
    def state(self) -> str:
        """running, done, stopped, or new: nothing saved yet."""
        return self.files.status().state

    @property
    def step(self) -> int:
        """Steps done, as of the newest checkpoint."""
        return self.files.status().step

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """What was logged, in columns of one length: step, epoch, losses...; None where a line lacks a number."""
        return columns([line for line in self.files.lines() if "probe" not in line and "sign" not in line])

    @property
    def probes(self) -> dict[str, list[Any]]:
        """What the monitor measured, in columns."""
        return columns([{"step": line["step"], **line["probe"]} for line in self.files.lines() if "probe" in line])

    @property
    def signs(self) -> list[dict[str, Any]]:
        """Signs of trouble that the monitor told of."""
        return [line for line in self.files.lines() if "sign" in line]

    @property
    def samples(self) -> list[Path]:
        """The image grids, oldest first."""
        return sorted(self.files.samples.glob("step-*.png"), key=lambda path: (len(path.name), path))

    @property
    def model(self) -> Model:
        """Its newest model, ready to draw."""
        return load(self)

    def _repr_html_(self) -> str:
        try:
            status = self.files.status()
        except UserError:  # a list of runs is not to fail for one of them
            return escape(repr(self))
        signs = "".join(f"<li>step {sign['step']}: {escape(str(sign['words']))}</li>" for sign in self.signs)
        signs = signs and f"<ul>{signs}</ul>"
        images = "".join(map(image, [*self.samples[-1:], self.folder / "losses.png"]))
        score = f", {escape(status.score)}" if status.score else ""
        return (
            f"<div><b>{escape(str(self.folder))}</b>: {escape(status.variant)} on {escape(status.data)}, "
            f"step {status.step:,} of {status.steps:,}, {status.state}{score}{signs}{images}</div>"
        )

    def __repr__(self) -> str:
        try:
            status = self.files.status()
        except UserError as error:
            return f"<run {self.folder}: unreadable: {error.message}>"
        return f"<run {self.folder}: {status.variant}, step {status.step} of {status.steps}, {status.state}>"


def load(model: Run | str | Path, *, device: str = "auto") -> Model:
    """A model to draw with: of a run, a file, or by a name.

    A variant's name means its newest run, and where there is none the model that its package carries, packaged/NAME;
    then come runs by name. A run that is named like a variant is reached by its folder, runs/NAME.
    """
    registry = Registry()
    with at_work("loading"):
        path = model_in(model.files) if isinstance(model, Run) else file_of(registry, model)
        return Model(open_model(registry, path, HowToResume(device=device).device))


def columns(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for line in lines for name in line)
    return {name: [line.get(name) for line in lines] for name in names}


def image(path: Path) -> str:
    """A PNG inside a page; nothing where there is none."""
    try:
        return f'<img src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}" style="max-width:48%">'
    except OSError:
        return ""


@contextmanager
def at_work(what: str, progress: Shown = None) -> Iterator[None]:
    """While this lasts: alone in this process, shown to whoever asked, and leaving everything as it was."""
    with alone.alone(what), undisturbed():
        if progress is None:  # whoever is around hears of it
            yield
        else:
            with shown_by(screen(progress)):
                yield
