"""The card of a variant: what its trainings came to beside its thresholds, kept as JSON and as a page."""

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gantool import __version__
from gantool.errors import UserError
from gantool.evaluation import controls, gates
from gantool.evaluation.evaluation import Measured
from gantool.evaluation.gates import Budget, Threshold, Thresholds
from gantool.evaluation.scores import scores, see
from gantool.runtime import files

DIVERGED = "every threshold: its training met NaN or infinity"
FORMER = {  # keys of a card, as 0.1 called them
    "gates": "thresholds", "gates_after": "thresholds_after", "nulls": "negative_controls",
    "must_fail": "trained_controls",
}  # fmt: skip
HEADER = ("threshold", "median", "worst", "floor", "real", "verdict")
MISSED = ("missed", "each seed", "negative controls")


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
