"""`list`, `info`, `runs`, `plugins` and `data`: what there is, as tables or JSON."""

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from gantool.data import catalog
from gantool.errors import UserError
from gantool.flags import default, hints
from gantool.registry import LISTENERS, Registry, listeners
from gantool.terminal import as_json, table


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


def info(registry: Registry, name: str) -> None:
    offer = registry.offer(name)
    cls = registry.load(name)
    print(offer.summary)
    for field in ("Paper", "Task"):
        if offer.field(field):
            print(f"{field.lower()}: {offer.field(field)}")
    print(f"package: {offer.package} {offer.version}")
    print(f"source: {offer.source}")
    networks(cls)
    for title, section in (("options", cls.Options), ("sample flags", cls.SampleOptions)):
        print(f"\n{title}:")
        known = hints(section)
        table(
            ("name", "default", "what"),
            [(f.name, shown(default(section, f)), get_args(known[f.name])[1].help or "") for f in fields(section)],
        )
    if presets := offer.presets():
        print(f"\npresets: {', '.join(presets)} (gantool train {name} --preset {next(iter(presets))})")
    card = offer.source.parent / "cards" / f"{name}.md" if offer.source else None
    if card and card.is_file():
        print("\n" + card.read_text().strip())


def networks(cls: Any) -> None:
    """Each network and its size, as built for the variant's default data."""
    from gantool.data.pictures import DataSpec

    entry = catalog.CATALOG.get(cls.recipe.data)
    size = cls.recipe.size or (entry.size if entry else 32)
    spec = DataSpec(entry.channels if entry else 3, size, entry.classes if entry else ())
    try:
        variant = cls(cls.Options(), spec)
    except UserError as error:
        print(f"networks: not shown ({error.message})")
        return
    print(f"\nnetworks, for {size}x{size}x{spec.channels} pictures:")
    table(("name", "parameters"), [(child, f"{count:,}") for child, count in variant.sizes().items()])


def shown(value: Any) -> str:
    return "" if value is None else "required" if isinstance(value, type) else str(value)


def runs(folder: Path, json: bool) -> None:
    from gantool.run import all_runs

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


def plugins(registry: Registry, check: bool, json: bool) -> None:
    rows = [
        {"package": o.package, "version": o.version, "kind": "variant", "name": o.name, "needs": o.needs,
         "state": "clash" if len(offers) > 1 else ""}
        for offers in registry.offers.values() for o in offers
    ]  # fmt: skip
    for name, entry in listeners().items():
        dist = entry.dist
        rows.append({"package": dist.name if dist else "", "version": dist.version if dist else "",
                     "kind": "observer", "name": name, "needs": f"group {LISTENERS}", "state": ""})  # fmt: skip
    if check:
        for row in rows:
            row["state"] = row["state"] or checked(registry, row["kind"], row["name"])
    if json:
        as_json(rows)
    else:
        columns = ("name", "kind", "package", "version", "needs", *(["state"] if check else []))
        table(columns, [[row[c] for c in columns] for row in rows])
    if bad := [row["name"] for row in rows if row["state"] not in ("", "ok", "loads")]:
        raise UserError(f"Not usable: {', '.join(bad)}.", "pip uninstall the package, or tell its author.")


def checked(registry: Registry, kind: str, name: str) -> str:
    """`ok`, or what is wrong in a line."""
    try:
        if kind == "observer":
            listeners()[name].load()
            return "ok"
        from gantool.testing import check_variant

        variant = registry.load(name)
        if variant.recipe.data not in catalog.CATALOG:
            return "loads"  # it needs data of its own to be tried on
        check_variant(variant)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return "ok"


def data_sets(json: bool) -> None:
    if json:
        as_json([{"name": name, **entry._asdict()} for name, entry in catalog.CATALOG.items()])
        return
    rows = [
        (name, f"{e.images:,}", f"{e.size}x{e.size}x{e.channels}", len(e.classes), e.about)
        for name, e in catalog.CATALOG.items()
    ]
    table(("name", "pictures", "shape", "classes", "what"), rows)


def data_check(path: Path) -> None:
    from gantool.data.images import check

    report = check(path)
    for line in report.lines():
        print(line)
