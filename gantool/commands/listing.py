"""`list`, `info`, `runs`, `plugins` and `data`: what there is, as tables or JSON."""

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gantool.commands.terminal import as_json, table
from gantool.config.packages import COMMANDS, DATASETS, KINDS, METRICS, WRITERS, Offer, clash, in_a_line, offers
from gantool.config.schema import Schema, settings_of
from gantool.data import catalog
from gantool.errors import UserError
from gantool.evaluation.gates import ALL, SCORES
from gantool.progress.console import console
from gantool.registry import Registry
from gantool.runs.run import RunFolder, all_runs
from gantool.runtime.faults import debugging
from gantool.runtime.signals import Signals
from gantool.sampling.settings import ENDINGS, HowToSample

PATIENCE = 120.0  # seconds that a check may take


def variants(registry: Registry, json: bool) -> None:
    rows = [
        {"name": o.name, "summary": o.summary, "task": o.field("Task"), "paper": o.field("Paper"),
         "package": o.package, "version": o.version, "clash": len(offers) > 1}
        for offers in registry.offers.values() for o in offers
    ]  # fmt: skip
    if json:
        as_json(rows)
        return
    table(("name", "task", "summary", "package"), [(r["name"], r["task"], r["summary"], r["package"]) for r in rows])


def info(registry: Registry, name: str, json: bool) -> None:
    offer, cls = registry.offer(name), registry.load(name)
    if json:
        as_json(described(offer, cls))
        return
    print(offer.summary)
    for field in ("Paper", "Task"):
        if offer.field(field):
            print(f"{field.lower()}: {offer.field(field)}")
    print(f"package: {offer.package} {offer.version}")
    print(f"source: {offer.source}")
    networks(cls)
    for title, section in (("options", cls.Options), ("sample flags", cls.SampleOptions)):
        print(f"\n{title}:")
        table(("name", "default", "what"), [(s.key, s.shown, s.help) for s in settings_of(section, title)])
    if presets := offer.presets():
        print(f"\npresets: {', '.join(presets)} (gantool train {name} --preset {next(iter(presets))})")
    card = offer.source.parent / "cards" / f"{name}.md" if offer.source else None
    if card and card.is_file():
        print("\n" + card.read_text().strip())


def described(offer: Offer, cls: Any) -> dict[str, Any]:
    """All that can be set, as a form or a sweep would want it."""
    from gantool.training.session import schema_of

    return {
        "name": offer.name, "summary": offer.summary, "task": offer.field("Task"), "paper": offer.field("Paper"),
        "package": offer.package, "version": offer.version, "presets": list(offer.presets()),
        "train": [setting.described() for setting in schema_of(offer.name, cls).all],
        "sample": [s.described() for s in Schema(
            {"Sampling": HowToSample, offer.name: cls.SampleOptions}, own=offer.name
        ).all],
    }  # fmt: skip


def networks(cls: Any) -> None:
    """Each network and its size, as built for the variant's default data."""
    from gantool.data.pictures import DataSpec
    from gantool.variant import parameters_of

    entry = catalog.CATALOG.get(cls.recipe.data)
    size = cls.recipe.size or (entry.size if entry else 32)
    spec = DataSpec((entry.channels if entry else 3, size, size), entry.classes if entry else ())
    try:
        if catalog.offer(cls.recipe.data):  # made by code: only it knows
            spec = cls.dataset(cls.recipe, cls.Options()).spec
        variant = cls(cls.Options(), spec)
    except Exception as error:  # a plugin's own, or settings that want to be chosen
        print(f"\nnetworks: not shown ({error.message if isinstance(error, UserError) else in_a_line(error)})")
        return
    print(f"\nnetworks, for {spec.shown} pictures:")
    table(("name", "parameters"), [(child, f"{count:,}") for child, count in parameters_of(variant).items()])


def runs(folder: Path, json: bool) -> None:
    rows = []
    for run in all_runs(folder):
        try:
            rows.append({"run": run.name, **run.status()._asdict()})
        except UserError as error:
            rows.append({"run": run.name, "state": f"unreadable: {error.message}"})
    if json:
        as_json(rows)
    elif not rows:
        print(f"No runs in {folder}/ yet. Make one: gantool train gan")
    else:
        names = ("run", "variant", "data", "step", "steps", "state", "score")
        table(names, [[row.get(name, "") for name in names] for row in rows])


def diagnose(run: RunFolder, json: bool) -> None:
    """What the monitor saw in a run, and said."""
    lines = list(run.lines())
    probes, told = [line for line in lines if "probe" in line], [line for line in lines if "sign" in line]
    if json:
        as_json({"run": str(run.folder), **run.status()._asdict(), "signs": told, "probes": probes})
        return
    status = run.status()
    print(f"{run.folder}: {status.variant} on {status.data}, step {status.step} of {status.steps}, {status.state}")
    if told:
        from gantool.training.signs import command  # which takes 10 ms, and most runs have no sign
    for line in told:
        print(f"step {line['step']}: {line.get('grade', 'warning')}: {line['words']}")
        if "try" in line:
            print(f"  {command(status.variant, run.config, line['try'])}")
    if not told:
        print(f"No sign of trouble in {len(probes)} probes.")
    if probes:
        first, last = probes[0], probes[-1]
        header = ("measured", *(f"at step {line['step']}" for line in (first, last)))
        shown = [
            (name, *(f"{line['probe'][name]:.3g}" if name in line["probe"] else "" for line in (first, last)))
            for name in last["probe"]
        ]
        table(header, shown)


def plugins(registry: Registry, commands: Collection[str], check: bool, json: bool) -> None:
    """All that packages offer; `commands` are gantool's own, whose names are taken, as are those of all it has."""
    installed = registry.plugins
    taken = {DATASETS: catalog.OURS, COMMANDS: commands, METRICS: (*SCORES, ALL), WRITERS: ENDINGS}
    rows: list[dict[str, str]] = []
    clashes: list[str] = []
    for group, kind in KINDS.items():
        for name, several in installed.offers(group).items():
            owners = ["gantool"] * (name in taken.get(group, ())) + [offer.package for offer in several]
            if len(owners) > 1:
                clashes.append(clash(name, owners).message)
            rows += [facts(kind, name, offer, "clash" if len(owners) > 1 else "") for offer in several]
    rows += [facts("module", name, offer, "") for name, offer in installed.modules().items()]
    if check:
        for row in rows:
            row["state"] = row["state"] or checked(row["kind"], row["name"])
    if json:
        as_json(rows)
    else:
        columns = ("name", "kind", "package", "version", "needs", *(["state"] if check else []))
        table(columns, [[row[c] for c in columns] for row in rows])
    if bad := {row["name"]: row["state"] for row in rows if row["state"] not in ("", "ok", "loads")}:
        told = "".join(f"{words}\n  " for words in clashes[:3])
        raise UserError(f"Not usable: {', '.join(bad)}.", f"{told}pip uninstall the package, or tell its author.")


def facts(kind: str, name: str, offer: Offer, state: str) -> dict[str, str]:
    return {"package": offer.package, "version": offer.version, "kind": kind, "name": name, "needs": offer.needs,
            "state": state}  # fmt: skip


def checked(kind: str, name: str) -> str:
    """`ok`, `loads`, or what is wrong, in a line. Found out by a process of its own: a plugin may hang, or crash it."""
    import subprocess
    import tempfile

    with Signals(), tempfile.TemporaryDirectory() as folder, console(stderr=True).status(f"checking {name}"):
        verdict = Path(folder, "verdict")
        code = "import sys; from gantool.commands.listing import try_out; try_out(*sys.argv[1:])"
        err = None if debugging() else subprocess.DEVNULL
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", code, kind, name, verdict], timeout=PATIENCE, stderr=err,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"still busy after {PATIENCE:.0f} seconds"
        if not verdict.exists():
            how = "was ended by signal" if done.returncode < 0 else "ended with exit code"
            return f"its process {how} {abs(done.returncode)}"
        return verdict.read_text(encoding="utf-8", errors="replace")


def try_out(kind: str, name: str, verdict: str) -> None:
    """In that process: look, and write down what is found."""
    try:
        found = "ok"
        if kind == "data":
            from gantool.testing import check_data

            check_data(name)
        elif kind == "variant":
            variant = Registry().load(name)
            from gantool.testing import check_variant

            if variant.recipe.data in catalog.names():
                check_variant(variant)
            else:
                found = "loads"  # it needs data of its own to be tried on
        else:
            from gantool.commands import trials

            trials.of(kind, name)
    except BaseException as error:
        found = error.message if isinstance(error, UserError) else in_a_line(error)
        if debugging():
            import traceback

            traceback.print_exc()
    Path(verdict).write_text(found, encoding="utf-8", errors="replace")


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
    table(("name", "pictures", "shape", "classes", "what", "package"), body)


def data_check(path: Path) -> None:
    from gantool.data.albums import check

    report = check(path)
    for line in report.lines():
        print(line)
