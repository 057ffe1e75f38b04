"""`gantool plugins`: what packages offer, and whether it works."""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from gantool.commands.terminal import as_json, table
from gantool.config.packages import COMMANDS, DATASETS, KINDS, METRICS, WRITERS, Offer, clash, in_a_line
from gantool.data import catalog
from gantool.errors import UserError
from gantool.evaluation.gates import ALL, SCORES
from gantool.progress.console import console
from gantool.registry import Registry
from gantool.runtime.faults import debugging
from gantool.runtime.signals import Signals
from gantool.sampling.settings import ENDINGS

PATIENCE = 120.0  # seconds that a check may take


def shown(registry: Registry, commands: Collection[str], check: bool, json: bool) -> None:
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
        shared = "".join(f"{words}\n  " for words in clashes[:3])
        raise UserError(f"Not usable: {', '.join(bad)}.", f"{shared}pip uninstall the package, or tell its author.")


def facts(kind: str, name: str, offer: Offer, state: str) -> dict[str, str]:
    return {"package": offer.package, "version": offer.version, "kind": kind, "name": name, "needs": offer.needs,
            "state": state}  # fmt: skip


def checked(kind: str, name: str) -> str:
    """`ok`, `loads`, or what is wrong, in a line. Found out by a process of its own: a plugin may hang, or crash it."""
    import subprocess
    import tempfile

    with Signals(), tempfile.TemporaryDirectory() as folder, console(stderr=True).status(f"checking {name}"):
        verdict = Path(folder, "verdict")
        code = "import sys; from gantool.commands.plugins import try_out; try_out(*sys.argv[1:])"
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
