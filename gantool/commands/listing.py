"""`list`, `runs`, `diagnose` and `data`: what there is, as tables or JSON."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantool.commands.terminal import as_json, table
from gantool.config.packages import DATASETS, offers
from gantool.data import catalog
from gantool.errors import USAGE, UserError
from gantool.registry import Registry, task_of

if TYPE_CHECKING:
    from gantool.runs.run import RunFolder

SHOWN = 2  # scores of a model, in a table


def variants(registry: Registry, json: bool, measured: bool) -> None:
    if measured:
        shelf(registry, json)
        return
    rows: list[dict[str, Any]] = [
        {"name": o.name, "summary": o.summary, "task": o.field("Task"), "paper": o.field("Paper"),
         "package": o.package, "version": o.version, "clash": len(offers) > 1}
        for offers in registry.offers.values() for o in offers
    ]  # fmt: skip
    if json:
        as_json(rows)
        return
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(task_of(row["task"]), []).append(row)
    wide = [max((len(row[key]) for row in rows), default=0) for key in ("name", "summary")]
    widest = max([wide[0], *map(len, groups)])
    for i, (task, found) in enumerate(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))):
        if i:
            print()
        body = [(r["name"].ljust(widest), r["summary"].ljust(wide[1]), r["package"]) for r in found]
        table((task.ljust(widest), "", "package"), body)


def shelf(registry: Registry, json: bool) -> None:
    """Every installed variant with what its card says."""
    from dataclasses import asdict

    from gantool.evaluation.shelf import lines

    found = list(lines(registry))
    if json:
        as_json([asdict(line) for line in found])
        return
    header = ("variant", "data", "trained for", "threshold", "median", "minutes", "")
    table(header, [(line.name, *line.cells()) for line in found])


def runs(folder: Path, json: bool) -> None:
    from gantool.runs import keeping
    from gantool.runs.run import all_runs

    rows: list[dict[str, Any]] = []
    for run in all_runs(folder):
        about = {"age": time.time() - run.config.stat().st_mtime, "bytes": keeping.room(run)}
        try:
            rows.append({"run": run.name, **run.status()._asdict(), "seconds": keeping.seconds(run), **about})
        except UserError as error:
            rows.append({"run": run.name, "state": f"unreadable: {error.message}", **about})
    if json:
        as_json(rows)
    elif not rows:
        print(f"No runs in {folder}/ yet. Make one: gantool train gan")
    else:
        names = ("run", "variant", "data", "step", "steps", "state", "score")
        body = [
            [*(row.get(name, "") for name in names), time_of(row.get("seconds", 0)), f"{time_of(row['age'])} ago",
             f"{row['bytes'] / 1e6:,.1f}"] for row in rows
        ]  # fmt: skip
        table((*names, "trained", "begun", "MB"), body)


def models(registry: Registry, folder: Path, json: bool) -> None:
    from gantool.runs.finding import listed

    found = listed(registry, folder)
    if json:
        as_json([each._asdict() for each in found])
        return
    body = [
        (each.name, each.variant, each.data, f"{each.step:,}", f"{each.bytes / 1e6:.2f}", brief(each.scores),
         each.package) for each in found
    ]  # fmt: skip
    table(("model", "variant", "data", "steps", "MB", "scores", "package"), body)


def brief(scores: Mapping[str, float]) -> str:
    """The first of them."""
    return ", ".join(f"{name} {value:.3g}" for name, value in list(scores.items())[:SHOWN])


def time_of(seconds: float) -> str:
    """In the largest unit of which there are two or more, or in seconds."""
    unit, name = next(
        ((n, name) for n, name in ((86_400, "d"), (3_600, "h"), (60, "min")) if seconds >= 2 * n), (1, "s")
    )
    return f"{seconds / unit:.0f} {name}"


def remove(found: Sequence["RunFolder"], yes: bool) -> None:
    """Ask, unless that was answered beforehand; nothing is removed if one of them is being trained."""
    from gantool.runs import keeping

    for run in found:
        keeping.idle(run)
    what = ", ".join(str(run.folder) for run in found)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"Remove {what}?", "Nobody is here to answer: add --yes.", USAGE)
        answer = input(f"Remove {what} ({sum(map(keeping.room, found)) / 1e6:,.1f} MB)? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return
    for run in found:
        keeping.remove(run)
        print(f"removed {run.folder}")


def diagnose(run: "RunFolder", json: bool) -> None:
    """What the monitor saw in a run, and said."""
    lines = list(run.lines())
    probes, signs = [line for line in lines if "probe" in line], [line for line in lines if "sign" in line]
    if json:
        as_json({"run": str(run.folder), **run.status()._asdict(), "signs": signs, "probes": probes})
        return
    status = run.status()
    print(f"{run.folder}: {status.variant} on {status.data}, step {status.step} of {status.steps}, {status.state}")
    from gantool.training.signs import EARLY, command, meaning

    for line in signs:
        print(f"step {line['step']}: {line.get('grade', 'warning')}: {line['words']}")
        if "try" in line:
            print(f"  {command(status.variant, run.config, line['try'])}")
    if not signs:
        early = len(probes) <= EARLY
        print(f"Too early to judge: {len(probes)} probes." if early else f"No sign of trouble in {len(probes)} probes.")
    if probes:
        first, last = probes[0], probes[-1]
        header = ("measured", *(f"at step {line['step']}" for line in (first, last)), "what it is")
        shown = [
            (name, *(f"{line['probe'][name]:.3g}" if name in line["probe"] else "" for line in (first, last)),
             meaning(name)) for name in last["probe"]
        ]  # fmt: skip
        table(header, shown)


def data_sets(json: bool) -> None:
    """Of a package's own, as much as is known without importing it."""
    ours, theirs = catalog.OURS, [o for several in offers(DATASETS).values() for o in several]
    if json:
        rows = [{"name": name, **entry._asdict(), "package": "gantool"} for name, entry in ours.items()]
        as_json([*rows, *({"name": o.name, "about": o.summary, "package": o.package} for o in theirs)])
        return
    shape = {name: f"{e.size}x{e.size}x{e.channels}" if e.size else str(e.channels) for name, e in ours.items()}
    body = [(n, f"{e.images:,}", shape[n], str(len(e.classes)), e.about, "gantool") for n, e in ours.items()]
    body += [(o.name, "", "", "", o.summary, o.package) for o in theirs]
    table(("name", "images", "shape", "classes", "what", "package"), body)


def data_check(path: Path) -> None:
    from gantool.data.albums import check
    from gantool.data.tables import is_table, open_table

    if is_table(path):
        points = open_table(path)
        print(f"{len(points):,} points of {points.spec.channels}")
        for note in points.notes:
            print(f"note: {note}")
        return
    report = check(path)
    for line in report.lines():
        print(line)
