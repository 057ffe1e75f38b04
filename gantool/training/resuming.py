"""Resumes a run: the settings it was made with, its newest whole checkpoint, and its end where it was."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from gantool.config.options import core, first_defaults
from gantool.config.schema import Schema
from gantool.config.validate import Wrong, held_to
from gantool.errors import USAGE, UserError
from gantool.registry import Registry
from gantool.runs import header, model, sealed
from gantool.runs.run import RunFolder
from gantool.runtime import device as devices
from gantool.runtime import distributed, progress, torchrun
from gantool.runtime.signals import Signals
from gantool.training.callbacks import END
from gantool.training.session import OnStep, Outcome, Session, flat, schema_of
from gantool.training.settings import HowToResume


def resume(
    registry: Registry,
    run: RunFolder,
    said: dict[str, Any],
    how: HowToResume,
    signals: Signals,
    on_step: OnStep | None = None,
) -> Outcome:
    """Go on exactly where the newest good checkpoint stands; `said` are settings given once more."""
    name, schema, sections = stored(registry, run)
    made_with = flat(schema, sections)
    for title, section in sections.items():
        changed = {s.name: said[s.key] for s in schema.of[title] if s.key in said}
        sections[title] = replace(section, **changed)
    session = Session(registry, name, sections["Training"], sections[name], how, run.made_with())
    session.on_step = on_step
    with devices.computing(session.device), distributed.joined(session.device), taken(run):
        with distributed.rank_by_rank():
            facts, state = newest_good(run) or ({"settings": made_with, "step": 0}, None)
        if state:
            with model.fitting(run.folder, facts):  # before the settings' networks, or their weights, take memory
                state = model.as_called_now(session.cls, state)
                model.check_networks(session.cls, session.options, facts, state)
        session.prepare()
        refuse_changes(session, schema, facts)
        session.settle(time.monotonic(), anew=False)
        trainer = session.trainer
        if state:
            with model.fitting(run.folder, facts):
                trainer.restore(state)
            go_on_to(session, run, facts, said)
        if trainer.step >= trainer.steps:
            more = f"Train on with more: gantool resume {run.folder} --steps {2 * trainer.steps}"
            raise UserError(f"{run.folder} is done: all {trainer.steps} steps.", more, USAGE)
        if not torchrun.first():
            return session.follow(run, signals)
        run.forget_after(trainer.step)
        return session.play(run, signals)


def go_on_to(session: Session, run: RunFolder, facts: dict[str, Any], said: dict[str, Any]) -> None:
    """The end is where it was, and moves as it did, unless another is asked for."""
    trainer = session.trainer
    ends = moved_ends(run, trainer.step)
    own = schema_of(session.offer.name, session.cls).lengths[0]
    if own not in said and (ends or session.recipe.steps == facts["settings"].get(own)):
        trainer.ends = ends
    else:
        trainer.steps = session.recipe.steps or 0
    session.planned = trainer.steps


def moved_ends(run: RunFolder, step: int) -> dict[int, int]:
    """Where the run's end was moved after this step."""
    return {line["step"]: line[END] for line in run.lines() if line["step"] > step and isinstance(line.get(END), int)}


def taken(run: RunFolder) -> AbstractContextManager[Any]:
    """By the first process for all."""
    return run.taken() if torchrun.first() else nullcontext()


def newest_good(run: RunFolder) -> tuple[dict[str, Any], Any] | None:
    """Its newest checkpoint that is whole; None for a run that was stopped before its first."""
    damaged: list[Path] = []
    for path in run.saved():
        try:
            found = model.open_checkpoint(path)
        except sealed.Damaged as error:
            progress.current().warn(f"{error.message} Falling back to the one before.")
            damaged.append(path)
            continue
        for bad in damaged:  # out of the way, so that it does not count as the newest
            bad.replace(bad.with_suffix(".damaged"))
        return found
    if not damaged and not any(run.checkpoints.glob("*.damaged")):
        return None
    raise UserError(f"{run.folder} has no good checkpoint to go on from.", "Train anew with its config.yaml: --config.")


def refuse_changes(session: Session, schema: Schema, facts: dict[str, Any]) -> None:
    """A resumed run continues what was; only its length may grow."""
    made_with = schema.renamed(facts["settings"])
    then, now = first(schema) | made_with, session.values()
    free = [s.key for s in schema.of["Training"] if s.name in ("steps", "data_dir", "threads")]
    data, steps = core(now, "data"), core(now, "steps") or 0
    changed = [
        f"{key}: {then.get(key)} in the checkpoint, {now.get(key)} now"
        for key in sorted(made_with.keys() | now.keys())
        if key not in free and then.get(key) != now.get(key)
    ]
    if core(then, "data") == data and facts.get("fingerprint") not in (None, session.data.fingerprint()):
        changed.append(f"data: {data} holds other images than it did")
    if steps < facts["step"]:
        changed.append(f"steps: {facts['step']} are done already, {steps} asked for")
    if changed:
        shown = changed[:3] + ([f"and {len(changed) - 3} more"] if len(changed) > 3 else [])
        raise UserError(
            "Cannot resume with changed settings:\n  " + "\n  ".join(shown),
            "Leave them as they were, or train a new run.",
            USAGE,
        )


def first(schema: Schema) -> dict[str, Any]:
    """Of each setting, what a run did that was made before there was such a setting."""
    known = {title: first_defaults(section if isinstance(section, type) else type(section))
             for title, section in schema.sections.items()}  # fmt: skip
    return {s.key: known[s.panel][s.name] for s in schema.stored() if s.name in known[s.panel]}


def stored(registry: Registry, run: RunFolder) -> tuple[str, Schema, dict[str, Any]]:
    """The variant and settings a run was made with."""
    values = run.read_config()
    name = run.variant
    if name not in registry.offers and run.saved():
        raise model.not_installed(run.folder, header.facts(run.saved()[0]))
    schema = Schema({"Training": (cls := registry.load(name)).recipe, name: cls.Options}, own=name)
    if unknown := sorted(key for key in values if not schema.find(key)):
        raise UserError(
            f"{run.config} has a setting {name} does not know: {', '.join(unknown)}.", "Take it out.", USAGE
        )
    options = {s.key: value for s in schema.of[name] if (value := first(schema).get(s.key)) is not None}
    try:
        return name, schema, held_to(schema, options | values)
    except Wrong as error:
        raise UserError(f"{run.config}: {error}", f"See: gantool train {name} --help", USAGE) from None
