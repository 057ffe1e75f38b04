"""`gantool accept`: trains a variant from several seeds, holds it to its thresholds, and writes its card."""

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gantool import __version__
from gantool.config import yaml
from gantool.config.options import LENGTHS
from gantool.config.packages import Offer
from gantool.config.schema import Schema
from gantool.config.validate import Wrong, held_to
from gantool.errors import USAGE, UserError
from gantool.evaluation import controls, gates
from gantool.evaluation.evaluation import Measured, measure
from gantool.evaluation.gates import Budget, Threshold, Thresholds
from gantool.evaluation.scores import scores, see
from gantool.evaluation.settings import HowToAccept, HowToMeasure, seconds_of
from gantool.registry import Registry
from gantool.runs import keeping
from gantool.runs.model import open_model
from gantool.runtime import files, progress
from gantool.runtime.signals import Signals
from gantool.training.session import Session, train
from gantool.training.settings import HowToTrain
from gantool.training.trainer import Diverged
from gantool.variant import Variant

DIVERGED = "every threshold: its training met NaN or infinity"
FORMER = {  # keys of a card, as 0.1 called them
    "gates": "thresholds", "gates_after": "thresholds_after", "nulls": "negative_controls",
    "must_fail": "trained_controls",
}  # fmt: skip
HEADER = ("threshold", "median", "worst", "floor", "real", "verdict")
MISSED = ("missed", "each seed", "negative controls")


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
    cards_in(path)  # what is wrong with them should not be known an hour from now
    usual = preset_of(offer, limits)
    schema = Schema({"Training": cls.recipe, name: cls.Options}, own=name)
    shared, options = held_to(schema, usual, f"preset {limits.preset}: ").values()
    spoiled = {words: spoilt(offer, cls, words, usual, spoil) for words, spoil in limits.negative_controls.items()}
    metrics = gates.ALL if any(g.score == "CAS" for g in limits.thresholds) else None
    recipe = replace(
        shared, data=data, data_dir=how.data_dir, steps=budget.steps or None, epochs=None,
        minutes=budget.seconds / 60 or None,
    )  # fmt: skip

    minutes: list[float] = []

    def trial(words: str, options: Any, seed: int) -> Measured:
        say(f"{words}: training {name} on {data} for {budget}")
        session = Session(registry, name, replace(recipe, seed=seed), options, HowToTrain(device=how.device), words)
        with progress.shown_by(progress.Progress()):
            run = train(session, None, None, signals, time.monotonic()).run
        signals.end()
        minutes.append(round(keeping.seconds(run) / 60, 2))
        say(f"{words}: measuring {run.folder}")
        measuring = HowToMeasure(n=how.n, metrics=metrics, device=how.device, seed=seed)
        found = measure(open_model(registry, run.model, how.device), offer, measuring, budget)
        got = {threshold.score: found.report["scores"].get(threshold.score) for threshold in limits.thresholds}
        say(f"{words}: " + ", ".join(f"{score} {value:.4g}" for score, value in got.items() if value is not None))
        return found

    made = [trial(f"seed {seed}", options, seed) for seed in range(how.seeds)]
    lesser: dict[str, dict[str, float]] = {}
    for words, worse in spoiled.items():
        try:
            lesser[words] = trial(words, worse, 0).report["scores"]
        except UserError as error:
            if not isinstance(error.__context__, Diverged):
                raise
            lesser[words] = {}
    found = card(name, data, budget, limits, made, lesser) | {"minutes": minutes[: how.seeds]}
    keep(path, found)
    say(f"card: {path.with_suffix('.md')}")
    return found


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


def card(
    name: str, data: str, budget: Budget, limits: Thresholds, made: list[Measured], lesser: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """All that is known now; numbers as measured. `lesser` are the scores of negative controls that were trained."""
    reports = [m.report for m in made]
    ends = {end: medians(r.get(end, {}) for r in reports) for end in ("scores", "floor", "ceiling")}
    rows = []
    for limit in limits.thresholds:
        values = [r["scores"][limit.score] for r in reports if limit.score in r["scores"]]
        rows.append(
            {"score": limit.score, "threshold": str(limit), "median": ends["scores"].get(limit.score),
             "worst": (min if limit.least else max)(values, default=None),
             "floor": ends["floor"].get(limit.score), "real": ends["ceiling"].get(limit.score),
             "passed": limit.passes(ends["scores"], ends["ceiling"], lesser)}
        )  # fmt: skip
    failing = failed_by_controls(limits.thresholds, made[0], lesser)
    flag = f"--steps {budget.steps}" if budget.steps else f"--budget {budget.seconds:g}s"
    return {
        "variant": name, "data": data, "preset": limits.preset, "trained": str(budget),
        "thresholds_after": limits.after._asdict(),
        "accepted": all(row["passed"] for row in rows) and all(failing.values()),
        "thresholds": rows, "negative_controls": failing, "seeds": len(made), "steps": [r["step"] for r in reports],
        "n": reports[0]["n"], "judge": reports[0].get("judge"), "split": reports[0].get("split"),
        "remedies": list(limits.remedies), "scores": [r["scores"] for r in reports],
        "trained_controls": {
            words: {"options": limits.negative_controls[words], "scores": found} for words, found in lesser.items()
        },
        "command": f"gantool accept {name} --data {data} {flag} --seeds {len(made)}",
        "made_by": {"gantool": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count(),
                    "device": made[0].variant.device.type},
    }  # fmt: skip


def keep(path: Path, found: dict[str, Any]) -> None:
    """The card now says this too, in place of what it said of the same data after the same time."""
    cards = sorted([*(card for card in cards_in(path) if when(card) != when(found)), found], key=when)
    files.make_folder(path.parent)
    files.write(path, json.dumps(cards, indent=1) + "\n")
    files.write(path.with_suffix(".md"), "\n".join(map(page, cards)))


def cards_in(path: Path) -> list[dict[str, Any]]:
    try:
        cards: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        cards = [as_called_now(card) for card in cards]
        cards.sort(key=when)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        raise UserError(f"{path} holds no cards.", "Move it away, or give another --cards.") from None
    return cards


def as_called_now(card: dict[str, Any]) -> dict[str, Any]:
    """A card that 0.1 may have made."""
    card = {FORMER.get(key, key): value for key, value in card.items()}
    for row in card["thresholds"]:
        row["score"] = gates.FORMER.get(row["score"], row["score"])
        row["threshold"] = row.pop("gate", row.get("threshold"))
    return card


def when(card: dict[str, Any]) -> tuple[str, Budget]:
    return str(card["data"]), Budget(**card["thresholds_after"])


def medians(reports: Iterable[dict[str, float]]) -> dict[str, float]:
    reports = list(reports)
    return {name: median(r[name] for r in reports) for name in reports[0] if all(name in r for r in reports)}


def failed_by_controls(
    limits: tuple[Threshold, ...], made: Measured, lesser: dict[str, dict[str, float]]
) -> dict[str, list[str]]:
    """Of each negative control: the thresholds it fails."""
    real = made.report.get("ceiling", {})

    def failed(found: dict[str, float], limits: Iterable[Threshold]) -> list[str]:
        return [f"{g.score} {g}" for g in limits if g.passes(found, real, lesser) is False]

    failing = {words: failed(found, limits) if found else [DIVERGED] for words, found in lesser.items()}
    # What is made of real images may be made of training images: that these are copies says nothing.
    limits = tuple(g for g in limits if g.score != "nearest_ratio")
    failing["untrained"] = failed(made.report["floor"], limits)
    if made.shown is None or made.shown.real is None:
        return failing
    offered = made.shown.ground.offered
    known = (*gates.SCORES, *(offered.offers if offered else ()))
    if not (wanted := tuple(g.score for g in limits if g.score in known)):
        return failing
    others, n, conditional = made.shown.real.others, made.report["n"], made.shown.drawn.labels is not None
    for name, spoil in (controls.WITH_CLASSES if conditional else controls.WITHOUT).items():
        x, y = spoil(others.pixels[:n], others.labels[:n])
        seen = see(made.shown.judge, x, y if conditional else None)
        failing[name] = failed(scores(seen, made.shown.ground, wanted), limits)
    return failing


def table(found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (f"{row['score']} {row['threshold']}", *("" if row[k] is None else f"{row[k]:.4g}" for k in HEADER[1:5]),
         "not measured" if row["passed"] is None else "pass" if row["passed"] else "FAIL")
        for row in found["thresholds"]
    ]  # fmt: skip


def missed(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of each threshold that was missed, what is not in the table: how far seeds are apart, and controls below them."""
    rows = [row for row in found["thresholds"] if row["passed"] is False]
    trained = {words: control["scores"] for words, control in found.get("trained_controls", {}).items()}

    def others(score: str) -> str:
        return ", ".join(f"{words} {scores[score]:.4g}" for words, scores in trained.items() if score in scores)

    return [
        (f"{row['score']} {row['threshold']}", ", ".join(f"{s[row['score']]:.4g}" for s in found["scores"]),
         others(row["score"]))
        for row in rows
    ]  # fmt: skip


def summary(found: dict[str, Any]) -> str:
    word = "accepted" if found["accepted"] else "NOT accepted"
    how = f"preset {found['preset']}, " if found.get("preset") else ""
    return f"{found['variant']} on {found['data']}, {how}{found['trained']}, seeds: {found['seeds']}: {word}"


def page(found: dict[str, Any]) -> str:
    """The card as people read it."""
    made, machine = found["made_by"], found["machine"]
    lines = [f"# {summary(found)}", "", *markdown(HEADER, table(found)), ""]
    failed = [(words, ", ".join(failed) or "NOTHING") for words, failed in found["negative_controls"].items()]
    lines += markdown(("negative control", "fails"), failed)
    if short := missed(found):
        lines += ["", *markdown(MISSED, short)]
    if short and found.get("remedies"):
        lines += ["", "Remedies tried:", "", *(f"- {words}" for words in found["remedies"])]
    steps = ", ".join(f"{step:,}" for step in found["steps"])
    by = f"samples each, judged by {found['judge']}" if found["judge"] else f"examples of {found['data']}"
    where = f"{machine['system']} {machine['processor']}, {machine['cores']} cores, on {machine['device']}"
    took = f"; minutes: {', '.join(f'{m:.2g}' for m in found['minutes'])}" if "minutes" in found else ""
    lines += [
        "", f"{found['n']:,} {by}; steps: {steps}{took}.", "",
        "```sh", str(found["command"]), "```", "",
        f"gantool {made['gantool']}, torch {made['torch']}, Python {made['python']}; {where}.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
