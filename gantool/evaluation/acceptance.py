"""`gantool accept`: trains a variant from several seeds, holds it to its thresholds, and writes its card."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from gantool.config import yaml
from gantool.config.options import LENGTHS
from gantool.config.packages import Offer
from gantool.config.schema import Schema
from gantool.config.validate import Wrong, held_to
from gantool.errors import USAGE, UserError
from gantool.evaluation import cards, gates
from gantool.evaluation.evaluation import Measured, measure
from gantool.evaluation.gates import Budget, Thresholds
from gantool.evaluation.settings import HowToAccept, HowToMeasure, seconds_of
from gantool.registry import Registry
from gantool.runs import keeping
from gantool.runs.model import open_model
from gantool.runs.run import RunFolder
from gantool.runtime import device as devices
from gantool.runtime import progress
from gantool.runtime.signals import Signals
from gantool.training import crew, pace
from gantool.training.resuming import resume
from gantool.training.session import Session, begin, train
from gantool.training.settings import HowToResume, HowToTrain
from gantool.training.trainer import Diverged
from gantool.variant import Variant


class Trial(NamedTuple):
    """One training of several: of a seed, or of a negative control."""

    words: str
    options: Any
    seed: int


def accept(registry: Registry, name: str, signals: Signals, how: HowToAccept) -> dict[str, Any]:
    """The card: whether the median of the seeds passes every threshold, and every negative control fails one."""
    offer, cls = registry.offer(name), registry.load(name)
    data, say = how.data or cls.recipe.data, progress.current().say
    given = budget_of(how)
    if (limits := gates.thresholds_for(offer, data, given)) is None:
        there = "; ".join(f"{g.data}, {g.after}" for g in gates.thresholds_of(offer)) or "none"
        after = f" after {given}" if given else ""
        raise UserError(
            f"There are no thresholds of {name} on {data}{after}.", f"Those of {name} are for: {there}.", USAGE
        )
    budget, path = given or limits.after, how.cards / f"{name}.json"
    cards.cards_in(path)  # what is wrong with them should not be known an hour from now
    usual = preset_of(offer, limits)
    schema = Schema({"Training": cls.recipe, name: cls.Options}, own=name)
    shared, options = held_to(schema, usual, f"preset {limits.preset}: ").values()
    spoiled = {words: spoilt(offer, cls, words, usual, spoil) for words, spoil in limits.negative_controls.items()}
    metrics = gates.ALL if any(g.score == "CAS" for g in limits.thresholds) else None
    recipe = replace(
        shared, data=data, data_dir=how.data_dir, steps=budget.steps or None, epochs=None,
        minutes=budget.seconds / 60 or None,
    )  # fmt: skip

    trials = [Trial(f"seed {seed}", options, seed) for seed in range(how.seeds)]
    trials += [Trial(words, worse, 0) for words, worse in spoiled.items()]
    sessions = [
        Session(registry, name, replace(recipe, seed=t.seed), t.options, HowToTrain(device=how.device), t.words)
        for t in trials
    ]
    minutes: list[float] = []

    def measured(words: str, run: RunFolder, seed: int) -> Measured:
        minutes.append(round(keeping.seconds(run) / 60, 2))
        say(f"{words}: measuring {run.folder}")
        measuring = HowToMeasure(n=how.n, metrics=metrics, device=how.device, seed=seed)
        found = measure(open_model(registry, run.model, how.device), offer, measuring, budget)
        got = {threshold.score: found.report["scores"].get(threshold.score) for threshold in limits.thresholds}
        say(f"{words}: " + ", ".join(f"{score} {value:.4g}" for score, value in got.items() if value is not None))
        return found

    made: list[Measured] = []
    lesser: dict[str, dict[str, float]] = {}
    with trainings(registry, sessions, jobs_of(how, budget, len(trials)), signals) as train_next:
        for words, _, seed in trials:
            say(f"{words}: training {name} on {data} for {budget}")
            try:
                with progress.shown_by(progress.Progress()):
                    run = train_next()
            except UserError as error:
                if words not in spoiled or not isinstance(error.__context__, Diverged):
                    raise
                lesser[words] = {}
                continue
            found = measured(words, run, seed)
            if words in spoiled:
                lesser[words] = found.report["scores"]
            else:
                made.append(found)
    kept = cards.card(name, data, budget, limits, made, lesser) | {"minutes": minutes[: how.seeds]}
    cards.keep(path, kept)
    say(f"card: {path.with_suffix('.md')}")
    return kept


def jobs_of(how: HowToAccept, budget: Budget, trials: int) -> int:
    """How many trainings at once: seconds are of the whole machine, and a GPU is not shared unless that is asked."""
    if how.jobs and how.jobs > 1 and not budget.steps:
        message = f"--jobs shares out the cores, and {budget} are of all of them."
        raise UserError(message, "Give --steps, or leave --jobs out.", USAGE)
    alone = budget.steps < pace.SHORT or devices.choose(how.device).type != "cpu"
    return min(how.jobs or (1 if alone else len(crew.cores())), trials)


@contextmanager
def trainings(
    registry: Registry, sessions: list[Session], jobs: int, signals: Signals
) -> Iterator[Callable[[], RunFolder]]:
    """Yields what gives the next one's run once that is trained."""
    if jobs == 1:
        one = iter(sessions)

        def train_next() -> RunFolder:
            run = train(next(one), None, None, signals, time.monotonic()).run
            signals.end()
            return run

        yield train_next
        return
    runs = []
    for session in sessions:
        session.recipe = replace(session.recipe, threads="1")
        runs.append(begin(session))
    with crew.Crew(runs, jobs, sessions[0].how.device) as others:
        coming = iter(runs)

        def wait_for_next() -> RunFolder:
            run = next(coming)
            if not others.finished(run):  # what went wrong there goes wrong here, in words
                resume(registry, run, {}, HowToResume(device=sessions[0].how.device), signals)
                signals.end()
            return run

        yield wait_for_next


def budget_of(how: HowToAccept) -> Budget | None:
    if how.budget and how.steps:
        raise UserError("--budget and --steps both say how long to train.", "Give one of them.", USAGE)
    if how.steps:
        return Budget(steps=how.steps)
    return Budget(seconds_of(how.budget)) if how.budget else None


def preset_of(offer: Offer, limits: Thresholds) -> dict[str, Any]:
    """The settings that these thresholds are for, where they are not the defaults."""
    if not limits.preset:
        return {}
    if (path := offer.presets().get(limits.preset)) is None:
        message = (
            f"The thresholds of {offer.name} on {limits.data} are for a preset {limits.preset!r}, which it has not."
        )
        raise UserError(message, f"Tell the author of {offer.package}.")
    values = yaml.read(path)
    yaml.whose(values)
    return {key: value for key, value in values.items() if key not in LENGTHS}


def spoilt(offer: Offer, cls: type[Variant], words: str, usual: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """The usual options but for these, held to type and range as a preset's are."""
    schema = Schema({offer.name: cls.Options})
    try:
        for key in values:
            if schema.find(key) is None:
                raise Wrong(f"no such option: {key}.{schema.near(key, flags=False)}")
        (options,) = held_to(schema, {**usual, **values}).values()
    except (UserError, Wrong) as error:
        message = f"The negative control {words!r} is no setting of {offer.name}: {error}"
        raise UserError(message, f"Tell the author of {offer.package}.") from None
    return options
