"""What commands answer with: scores and cards as tables, a finished training in a few lines."""

import json
from pathlib import Path
from typing import Any

from gantool.commands.onward import onward
from gantool.commands.terminal import table
from gantool.errors import USAGE, UserError, counted
from gantool.evaluation import report
from gantool.evaluation.gates import ALL, chosen
from gantool.handles import Run
from gantool.progress.console import console
from gantool.progress.display import clock
from gantool.progress.events import emit
from gantool.training.session import Plan


def trained(made: Run, quiet: bool, as_events: bool) -> None:
    """What came of a training, and what to type next."""
    screen, run, outcome = console(quiet=quiet), made.files, made.outcome
    assert outcome is not None  # it was just made
    if as_events:
        seconds, rate = round(outcome.seconds, 2), round(outcome.rate, 1)
        facts = {"step": outcome.step, "steps": outcome.steps, "seconds": seconds, "images_per_s": rate}
        emit("end", ending=outcome.ending, run=str(run.folder), model=str(run.model), **facts, next=onward(made))
        return
    took = f"{clock(outcome.seconds)} ({outcome.rate:,.0f} images/s)"
    screen.print(f"{outcome.ending}: step {outcome.step} of {outcome.steps} in {took}", style="bold")
    if outcome.steps != outcome.planned:
        screen.print(f"  to be done in time, it ended there, not at {outcome.planned}")
    screen.print(f"  {run.model}")
    if found := [line["sign"] for line in run.lines() if "sign" in line]:
        screen.print(f"  signs of trouble ({', '.join(found)}): gantool diagnose {run.folder}", soft_wrap=True)
    screen.print(f"  next: {onward(made)}", soft_wrap=True)


def planned(found: Plan) -> None:
    screen = console()
    for key, value in found.settings.items():
        if value is not None:
            screen.print(f"{key}: {value}")
    for name, count in found.networks.items():
        screen.print(f"{name}: {count:,} parameters")
    screen.print(found.shape)
    about = f"about {clock(found.seconds)} for {counted(found.steps, 'step')} ({found.rate:,.0f} images/s)"
    screen.print(f"{about}; nothing was trained")


def measured(found: dict[str, Any], metrics: str | None, out: Path | None, as_json: bool) -> None:
    """Where the flags ask for it: a file, JSON, else a table."""
    wanted = chosen(metrics) if metrics else ()
    if missing := [name for name in wanted if ALL not in wanted and name not in found["scores"]]:
        console(stderr=True).print(f"note: cannot be measured here: {', '.join(missing)}")
    if out:
        try:
            report.keep(out, found)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.", "Give another --out.", USAGE) from None
    if as_json:
        print(json.dumps(found))
    else:
        scores(found)


def scores(found: dict[str, Any]) -> None:
    """What to think of it, in a sentence; then each score, between its floor and real images."""
    if said := report.verdict(found):
        print(said)
    body = report.rows(found)
    wide = len(report.HEADER) if any(row[-1] for row in body) else len(report.HEADER) - 1
    table(report.HEADER[:wide], [row[:wide] for row in body])
    for note in report.notes(found):
        print(note)
    judged = f", judged by: {found['judge']}" if "judge" in found else ""
    print(f"{found['n']} {report.made_by(found)}{judged}")


def card(found: dict[str, Any]) -> None:
    from gantool.evaluation import cards

    table(cards.HEADER, cards.table(found))
    print()
    controls = [(words, ", ".join(failed) or "NOTHING") for words, failed in found["negative_controls"].items()]
    table(("negative control", "fails"), controls)
    if short := cards.missed(found):
        print()
        table(cards.MISSED, short)
        for words in found.get("remedies", []):
            print(f"tried: {words}")
    print(cards.summary(found))
