"""Starts and resumes runs: puts variant, data, trainer, run directory and observers together."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from gantool.commands import typer_flags
from gantool.config.options import LENGTHS, Recipe, TrainCommand, first_defaults, plain
from gantool.config.packages import listeners
from gantool.data import catalog
from gantool.data.pictures import Data
from gantool.errors import USAGE, UserError
from gantool.progress.console import console
from gantool.progress.display import clock, display
from gantool.registry import Registry
from gantool.runs import model, sealed
from gantool.runs.run import Run
from gantool.runtime import device as devices
from gantool.runtime import distributed, torchrun
from gantool.runtime.signals import Signals
from gantool.training.callbacks import Checkpoints, Gallery, MetricsLog
from gantool.training.compiling import compile_networks
from gantool.training.events import Fenced, told
from gantool.training.monitor import Monitor
from gantool.training.trainer import Diverged, Trainer

MARGIN = 0.9  # of --minutes: a machine's speed drifts by a tenth
CLOSING = 3.0  # seconds kept for the last save and the film
UNTOLD = 10_000  # steps, for a variant whose recipe says nothing


class Session:
    """One `train`, `resume` or --dry-run of a variant, from settings to exit code."""

    def __init__(self, registry: Registry, name: str, recipe: Recipe, options: Any, command: TrainCommand) -> None:
        self.offer = registry.offer(name)
        self.cls = registry.load(name)
        self.recipe, self.command = located(recipe), command
        self.options = self.cls.Options(**asdict(options))
        self.console = console(quiet=command.quiet)
        self.device = devices.choose(command.device)

    def prepare(self) -> None:
        """Data, networks and trainer; every mistake in the settings shows here, before anything is written."""
        count, batch = torchrun.count(), self.recipe.batch_size
        if batch % count:
            near = f"Try --batch-size {batch // count * count or count}."
            raise UserError(f"{count} processes cannot share a batch of {batch} equally.", near, USAGE)
        devices.keep_pages()
        devices.seed_all(self.recipe.seed)
        with distributed.in_turn():
            self.data: Data = self.cls.dataset(self.recipe)
        for note in self.data.notes:
            if torchrun.first() and not self.command.quiet:
                print(f"note: {note}", file=sys.stderr)
        self.options = self.cls.suited(self.options, self.data)
        variant = self.cls(self.options, self.data.spec).to(self.device)
        self.trainer = Trainer(variant, self.recipe, self.data, self.device)

    def settle(self, started: float) -> None:
        """Turn --epochs or --minutes into steps, once, and write down what was left open."""
        recipe, trainer = self.recipe, self.trainer
        steps = recipe.steps or UNTOLD
        if recipe.epochs:
            steps = max(1, round(recipe.epochs * len(self.data) / recipe.batch_size))
        if recipe.minutes:
            each = trainer.seconds_a_step()
            budget = recipe.minutes * 60 - (time.monotonic() - started)
            steps = max(1, int(distributed.of_first((budget - CLOSING) * MARGIN / each)))
            if torchrun.first():  # whose clock is all processes'
                trainer.deadline = started + recipe.minutes * 60 - CLOSING
        self.recipe = trainer.recipe = replace(
            recipe, steps=steps, epochs=None, minutes=None,
            sample_every=recipe.sample_every or max(50, steps // 20),
            save_every=recipe.save_every or max(50, min(1_000, steps // 10)),
        )  # fmt: skip
        trainer.steps = steps

    def values(self) -> dict[str, Any]:
        return flat(self.recipe, self.options)

    def play(self, run: Run, signals: Signals) -> None:
        """Train, show, keep; then say what came of it."""
        trainer, name = self.trainer, self.offer.name
        run.write_config(name, self.values(), f"{self.offer.package} {self.offer.version}")
        self.console.print(self.shape())
        recipe = trainer.recipe
        self.console.print(f"{recipe.steps:,} steps of {recipe.batch_size}, seed {recipe.seed}, in {run.folder}")
        compile_networks(trainer, self.command.compile, self.console.print)
        signals.gently = trainer.interrupt
        try:
            trainer.run(self.events(run))
        except Diverged as error:
            good = [p.stem for p in run.saved()[:1]]
            kept = f"{good[0]} is kept: gantool sample {name} --run {run.folder}" if good else ""
            raise UserError(error.message, f"{error.hint}\n  {kept}".rstrip()) from None
        took = f"{clock(trainer.seconds)} ({trainer.rate:,.0f} images/s)"
        self.console.print(f"{trainer.ending}: step {trainer.step} of {trainer.steps} in {took}", style="bold")
        self.console.print(f"  {run.model}")
        if found := [line["sign"] for line in run.lines() if "sign" in line]:
            told_of = ", ".join(found)
            self.console.print(f"  signs of trouble ({told_of}): gantool diagnose {run.folder}", soft_wrap=True)
        onward = f"sample {name} --run" if trainer.ending == "done" else "resume"
        self.console.print(f"  next: gantool {onward} {run.folder}")

    def shape(self) -> str:
        """The data and the device, in a line."""
        spec = self.data.spec
        labels = f", {len(spec.classes)} classes" if spec.classes else ""
        what = "pictures" if spec.size > 1 else "points"
        shape = f"{len(self.data):,} {what} {spec.size}x{spec.size}x{spec.channels}{labels}"
        crew = f", {torchrun.count()} processes" if torchrun.count() > 1 else ""
        return f"{shape}; {devices.describe(self.device)}{crew}"

    def follow(self, signals: Signals) -> None:
        """Train, and leave the rest to the first process."""
        compile_networks(self.trainer, self.command.compile, self.console.print)
        signals.gently = self.trainer.interrupt
        self.trainer.run(told([]))

    def events(self, run: Run) -> Any:
        """The observers, in the order they are told; then other packages' own, each fenced off."""
        every, screen = self.trainer.recipe, Console(highlight=False, markup=False, quiet=self.command.quiet)
        ours: list[Any] = [
            MetricsLog(run),
            Gallery(run, every.sample_every or 1),
            Monitor(run, every.sample_every or 1, partial(screen.print, soft_wrap=True)),
            Checkpoints(run, every.save_every or 1, self.offer, self.values()),
            *([] if self.command.quiet else [display(screen)]),
        ]
        return told([*ours, *(Fenced(name, entry.load) for name, entry in listeners().items())])


def train(session: Session, signals: Signals, started: float) -> None:
    with devices.swift_products(session.device), distributed.joined(session.device):
        session.prepare()
        session.settle(started)
        if session.command.dry_run:
            rehearse(session)
            return
        if not torchrun.first():
            session.follow(signals)
            return
        run = Run.create(session.offer.name, session.command.name, session.command.out)
        with run.taken():
            Run.create(session.offer.name, None, run.folder)  # asked once more, now that no other can be quicker
            session.play(run, signals)


def resume(registry: Registry, run: Run, said: dict[str, Any], command: TrainCommand, signals: Signals) -> None:
    """Go on exactly where the newest good checkpoint stands; `said` are settings given once more."""
    name, *settings = stored(registry, run)
    made_with = flat(*settings)
    recipe, options = (replace(s, **{k: v for k, v in said.items() if hasattr(s, k)}) for s in settings)
    session = Session(registry, name, recipe, options, command)
    with devices.swift_products(session.device), distributed.joined(session.device), taken(run):
        with distributed.in_turn():
            facts, state = newest_good(run) or ({"settings": made_with, "step": 0}, None)
        if state:
            with model.fitting(run.folder, facts):  # before the settings' networks, or their weights, take memory
                model.check_networks(session.cls, session.options, facts, state)
        session.prepare()
        refuse_changes(session, facts)
        session.settle(time.monotonic())
        trainer = session.trainer
        if state:
            with model.fitting(run.folder, facts):
                trainer.restore(state)
        if trainer.step >= trainer.steps:
            more = f"Train on with more: gantool resume {run.folder} --steps {2 * trainer.steps}"
            raise UserError(f"{run.folder} is done: all {trainer.steps} steps.", more, USAGE)
        if not torchrun.first():
            session.follow(signals)
            return
        run.forget_after(trainer.step)
        session.play(run, signals)


def taken(run: Run) -> AbstractContextManager[Any]:
    """By the first process for all."""
    return run.taken() if torchrun.first() else nullcontext()


def newest_good(run: Run) -> tuple[dict[str, Any], Any] | None:
    """Its newest checkpoint that is whole; None for a run that was stopped before its first."""
    damaged: list[Path] = []
    for path in run.saved():
        try:
            found = model.open_checkpoint(path)
        except sealed.Damaged as error:
            print(f"note: {error.message} Falling back to the one before.", file=sys.stderr)
            damaged.append(path)
            continue
        for bad in damaged:  # out of the way, lest it count as the newest
            bad.replace(bad.with_suffix(".damaged"))
        return found
    if not damaged and not any(run.checkpoints.glob("*.damaged")):
        return None
    raise UserError(f"{run.folder} has no good checkpoint to go on from.", "Train anew with its config.yaml: --config.")


def refuse_changes(session: Session, facts: dict[str, Any]) -> None:
    """A resumed run continues what was; only its length may grow."""
    then = first_defaults(Recipe, session.cls.Options) | facts["settings"]
    now = session.values()
    changed = [
        f"{key}: {then.get(key)} in the checkpoint, {now.get(key)} now"
        for key in sorted(facts["settings"].keys() | now.keys())
        if key not in ("steps", "data_dir") and then.get(key) != now.get(key)
    ]
    if then["data"] == now["data"] and facts.get("fingerprint") not in (None, session.data.fingerprint()):
        changed.append(f"data: {facts['settings']['data']} holds other pictures than it did")
    if (now["steps"] or 0) < facts["step"]:
        changed.append(f"steps: {facts['step']} are done already, {now['steps']} asked for")
    if changed:
        shown = changed[:3] + ([f"and {len(changed) - 3} more"] if len(changed) > 3 else [])
        raise UserError(
            "Cannot resume with changed settings:\n  " + "\n  ".join(shown),
            "Leave them as they were, or train a new run.",
            USAGE,
        )


def rehearse(session: Session) -> None:
    """--dry-run: what would happen, and how long it would take."""
    trainer, console = session.trainer, session.console
    each = trainer.seconds_a_step()
    for key, value in session.values().items():
        if value is not None:
            console.print(f"{key}: {value}")
    for name, count in trainer.variant.sizes().items():
        console.print(f"{name}: {count:,} parameters")
    console.print(session.shape())
    rate, whole = trainer.recipe.batch_size / each, clock(each * trainer.steps)
    console.print(f"about {whole} for {trainer.steps:,} steps ({rate:,.0f} images/s); nothing was trained")


def located(recipe: Recipe) -> Recipe:
    """A folder by its whole path, so that the run can be resumed from anywhere."""
    is_path = recipe.data not in catalog.names() and Path(recipe.data).expanduser().exists()
    return replace(recipe, data=str(Path(recipe.data).expanduser().resolve())) if is_path else recipe


def flat(recipe: Recipe, options: Any) -> dict[str, Any]:
    """The settings, one flat mapping: what config.yaml and the checkpoints hold."""
    found = asdict(recipe) | asdict(options)
    return {key: plain(value) for key, value in found.items() if key not in LENGTHS[1:]}


def stored(registry: Registry, run: Run) -> tuple[str, Recipe, Any]:
    """The variant and settings a run was made with."""
    values = run.read_config()
    name = str(values.pop("variant", ""))
    if name not in registry.offers and run.saved():
        raise model.not_installed(run.folder, sealed.facts(run.saved()[0]))
    cls = registry.load(name)
    shared = {f.name for f in fields(Recipe)}
    own = {f.name for f in fields(cls.Options)}
    if unknown := sorted(values.keys() - shared - own):
        raise UserError(
            f"{run.config} has a setting {name} does not know: {', '.join(unknown)}.", "Take it out.", USAGE
        )
    values = first_defaults(cls.Options) | values
    recipe, options = typer_flags.filled(name, {"Training": cls.recipe, name: cls.Options}, values)
    return name, recipe, options
