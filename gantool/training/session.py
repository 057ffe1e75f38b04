"""Starts runs: puts variant, data, trainer, run directory and observers together."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gantool.config.options import Recipe, plain
from gantool.config.packages import listeners
from gantool.config.schema import Schema
from gantool.data import catalog
from gantool.data.images import Data
from gantool.errors import USAGE, UserError, counted
from gantool.hookspecs import hookimpl
from gantool.registry import Registry
from gantool.runs.run import RunFolder
from gantool.runtime import device as devices
from gantool.runtime import distributed, progress, torchrun
from gantool.runtime.signals import Signals
from gantool.training import pace
from gantool.training.callbacks import Checkpoints, Gallery, MetricsLog
from gantool.training.compiling import compile_networks
from gantool.training.events import Fenced, heard_by
from gantool.training.monitor import Monitor
from gantool.training.settings import HowToResume, HowToTrain
from gantool.training.trainer import CLOSING, Diverged, Trainer
from gantool.variant import parameters_of

MARGIN = 0.9  # of --minutes goes to steps, at first sight; the rest to what is drawn and saved between them
DEFAULT_STEPS = 10_000  # steps, for a variant whose recipe says nothing
OnStep = Callable[[Trainer], object]


class Outcome(NamedTuple):
    """What came of a training, for this process."""

    run: RunFolder
    ending: str
    step: int
    steps: int
    planned: int  # the steps it set out for; a run given minutes moves its end
    seconds: float
    rate: float  # images a second


class Plan(NamedTuple):
    """What a training would be."""

    settings: dict[str, Any]
    networks: dict[str, int]  # parameters of each
    shape: str  # of the data, and where it is computed
    steps: int
    seconds: float
    rate: float


def schema_of(name: str, variant: Any, how: Any = HowToTrain) -> Schema:
    """What a training of this variant, or of what is known of it, can be told."""
    sections = {"Training": variant.recipe, name: variant.Options, "This run": how}
    return Schema(sections, own=name, unstored=("This run",))


class Session:
    """One training or resuming of a variant, from settings to the last save."""

    def __init__(
        self, registry: Registry, name: str, recipe: Recipe, options: Any, how: HowToResume, made_with: str
    ) -> None:
        self.offer, self.cls = registry.offer(name), registry.load(name)
        self.recipe, self.options, self.how = located(recipe), options, how
        self.made_with = made_with  # the command or the call, for a person to read
        self.on_step: OnStep | None = None
        self.planned = 0  # steps, before the machine's pace was known
        self.written = False  # whether the settings are in the run's folder
        self.device = devices.choose(how.device)

    def prepare(self) -> None:
        """Data, networks and trainer; every mistake in the settings shows here, before anything is written."""
        count, batch = torchrun.count(), self.recipe.batch_size
        if batch % count:
            near = f"Try --batch-size {batch // count * count or count}."
            raise UserError(f"{count} processes cannot share a batch of {batch} equally.", near, USAGE)
        devices.tune_malloc()
        devices.seed_all(self.recipe.seed)
        with distributed.rank_by_rank():
            self.data: Data = self.cls.dataset(self.recipe, self.options)
        for note in self.data.notes:
            if torchrun.first():
                progress.current().note(note)
        self.options = self.cls.resolve(self.options, self.data)
        variant = self.cls(self.options, self.data.spec).to(self.device)
        self.trainer = Trainer(variant, self.recipe, self.data, self.device)
        if torchrun.first() and batch > (n := len(self.data)):
            progress.current().note(f"a batch of {batch} holds the {n} examples there are more than once.")
        if batch // count == 1:
            self.check_one()

    def check_one(self) -> None:
        """Batch norm has nothing to compare one image with; whether that matters, a step tells."""
        try:
            pace.seconds_a_step(self.trainer, 0)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UserError(
                "Batch norm cannot learn from a batch of 1.", "Try --batch-size 2 or more.", USAGE
            ) from None

    def settle(self, started: float, anew: bool = True) -> None:
        """Turn --epochs or --minutes into steps, once, and write down what was left open; `anew`: for a new run."""
        recipe, trainer = self.recipe, self.trainer
        steps = recipe.steps or DEFAULT_STEPS
        if recipe.epochs:
            steps = max(1, round(recipe.epochs * len(self.data) / recipe.batch_size))
        found, each = pace.settled(trainer, recipe, anew and bool(recipe.minutes or steps >= pace.SHORT))
        if anew:
            recipe = found
        if recipe.minutes:
            deadline = started + recipe.minutes * 60
            budget = (deadline - CLOSING - time.monotonic()) * MARGIN
            steps = max(1, int(distributed.broadcast(budget / each)))
            trainer.timed = True
            if torchrun.first():  # whose clock is all processes'
                trainer.deadline = deadline
        self.recipe = trainer.recipe = replace(
            recipe, steps=steps, epochs=None, minutes=None,
            sample_every=recipe.sample_every or max(50, steps // 20),
            save_every=recipe.save_every or max(50, min(1_000, steps // 10)),
        )  # fmt: skip
        trainer.steps = self.planned = steps

    def values(self) -> dict[str, Any]:
        return flat(schema_of(self.offer.name, self.cls), {"Training": self.recipe, self.offer.name: self.options})

    def keep(self, run: RunFolder) -> dict[str, Any]:
        """Write the settings down, and give them; the length of a run given minutes changes as it goes."""
        recipe = replace(self.recipe, steps=self.trainer.steps)
        if self.recipe != recipe or not self.written:
            self.recipe = self.trainer.recipe = recipe
            by = f"{self.offer.package} {self.offer.version}"
            run.write_config(self.offer.name, self.values(), by, self.made_with)
            self.written = True
        return self.values()

    def play(self, run: RunFolder, signals: Signals) -> Outcome:
        """Train, show and keep."""
        trainer, name, say = self.trainer, self.offer.name, progress.current().say
        self.keep(run)
        say(self.shape())
        recipe = trainer.recipe
        say(f"{counted(recipe.steps or 0, 'step')} of {recipe.batch_size}, seed {recipe.seed}, in {run.folder}")
        compile_networks(trainer, self.how.compile, say)
        trainer.folder, trainer.run_name = run.folder, run.name
        signals.gently = trainer.interrupt
        saves = Checkpoints(run, recipe.save_every or 1, self.offer, partial(self.keep, run))
        try:
            trainer.run(self.events(run, saves))
        except Diverged as error:
            good = [p.stem for p in run.saved()[:1]]
            kept = f"{good[0]} is kept: gantool sample {name} --run {run.folder}" if good else ""
            raise UserError(error.message, f"{error.hint}\n  {kept}".rstrip()) from None
        finally:
            signals.gently = None  # what comes now has nothing to save
            saves.behind.leave()
        return self.outcome(run)

    def outcome(self, run: RunFolder) -> Outcome:
        trainer = self.trainer
        return Outcome(run, trainer.ending, trainer.step, trainer.steps, self.planned, trainer.seconds, trainer.rate)

    def shape(self) -> str:
        """The data and the device, in a line."""
        spec = self.data.spec
        labels = f", {len(spec.classes)} classes" if spec.classes else ""
        what = "images" if spec.images else "points of"
        shape = f"{len(self.data):,} {what} {spec.shown}{labels}"
        crew = f", {torchrun.count()} processes" if torchrun.count() > 1 else ""
        kind = ", bf16" if devices.half(self.recipe.precision, self.device) else ""
        return f"{shape}; {devices.describe(self.device)}{kind}{crew}"

    def follow(self, run: RunFolder, signals: Signals) -> Outcome:
        """Train, and leave the rest to the first process."""
        compile_networks(self.trainer, self.how.compile, progress.current().say)
        signals.gently = self.trainer.interrupt
        self.trainer.run(heard_by([]))
        return self.outcome(run)

    def events(self, run: RunFolder, saves: Checkpoints) -> Any:
        """The observers, in the order they are told; then other packages' own, each fenced off."""
        every, screen = self.trainer.recipe, progress.current()
        ours: list[Any] = [
            MetricsLog(run),
            Gallery(run, every.sample_every or 1),
            Fenced("monitor", lambda: Monitor(run, every.sample_every or 1, screen.say)),
            saves,
            *screen.observers(),
            *([Caller(self.on_step)] if self.on_step else []),
        ]
        return heard_by([*ours, *(Fenced(name, entry.load) for name, entry in listeners().items())])

    def plan(self) -> Plan:
        """What would happen, and how long it would take."""
        trainer = self.trainer
        each = pace.seconds_a_step(trainer)
        rate = trainer.recipe.batch_size / each
        networks, seconds = parameters_of(trainer.variant), each * trainer.steps
        return Plan(self.values(), networks, self.shape(), trainer.steps, seconds, rate)


class Caller:
    """The function that whoever called wants to be called after each step."""

    def __init__(self, on_step: OnStep) -> None:
        self.on_step = on_step

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        self.on_step(trainer)


def train(session: Session, name: str | None, out: Path | None, signals: Signals, started: float) -> Outcome:
    with devices.computing(session.device), distributed.joined(session.device):
        session.prepare()
        session.settle(started)
        if not torchrun.first():
            return session.follow(RunFolder(out or Path(name or "")), signals)
        run = RunFolder.create(session.offer.name, name, out)
        with run.taken():
            RunFolder.create(session.offer.name, None, run.folder)  # asked once more, now that no other can be quicker
            return session.play(run, signals)


def begin(session: Session) -> RunFolder:
    """A run with its settings settled, and no step taken: resuming it takes them all."""
    with devices.computing(session.device):
        session.prepare()
        session.settle(time.monotonic())
        run = RunFolder.create(session.offer.name, None, None)
        with run.taken():
            session.keep(run)
    return run


def plan(session: Session, started: float) -> Plan:
    with devices.computing(session.device), distributed.joined(session.device):
        session.prepare()
        session.settle(started)
        return session.plan()


def located(recipe: Recipe) -> Recipe:
    """A folder by its whole path, so that the run can be resumed from anywhere."""
    is_path = recipe.data not in catalog.names() and Path(recipe.data).expanduser().exists()
    return replace(recipe, data=str(Path(recipe.data).expanduser().resolve())) if is_path else recipe


def flat(schema: Schema, sections: dict[str, Any]) -> dict[str, Any]:
    """The settings, one flat mapping: what config.yaml and the checkpoints hold."""
    kept = (s for s in schema.stored() if s.panel in sections and s.key not in schema.lengths[1:])
    return {s.key: plain(getattr(sections[s.panel], s.name)) for s in kept}
