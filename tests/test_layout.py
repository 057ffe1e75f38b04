"""Who may import whom: docs/design.md's map, room by room."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import gantool

PACKAGE = Path(gantool.__file__).parent
MODULES = {
    ".".join(("gantool", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if "assets" not in path.parts
}


def imported(path: Path) -> Iterator[str]:
    """Modules of gantool that a file imports, at its top or inside a function."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):  # what is imported for its types alone is not imported
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from {name if name in MODULES else node.module for name in names} & MODULES.keys()
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & MODULES.keys()


def order(graph: dict[str, set[str]]) -> list[str]:
    return list(TopologicalSorter(graph).static_order())


def test_no_module_imports_one_that_imports_it():
    graph = {name: set(imported(path)) - {"gantool"} for name, path in MODULES.items()}
    assert len(order(graph)) == len(MODULES)
    graph["gantool.errors"] = {"gantool.training.trainer"}
    with pytest.raises(CycleError):
        order(graph)


# From the ground up: a room may import those before it. What stands in one line knows nothing of its neighbours.
ROOMS = [
    "errors", "runtime", "hookspecs", "config", "data", "nn", "viz", "exported", "variant", "penalised", "registry",
    "runs", "metrics", "training", "reading", "sampling", "evaluation", "export", "progress", "results", "handles",
    "library", "learn", "commands",
]  # fmt: skip
# What is handed to people, each a view of the house: these may reach down to any room.
FACADES = ("", "__main__", "cli", "api", "testing", "registry")


def room_of(module: str) -> str:
    """'gantool.data.images': data."""
    return module.removeprefix("gantool").strip(".").partition(".")[0]


def against(imports: dict[str, set[str]]) -> list[str]:
    """Each import that goes up, or sideways into a façade."""
    found = []
    for name, used in imports.items():
        mine = room_of(name)
        if mine in FACADES or mine == "variants":
            continue
        for other in sorted({room_of(module) for module in used}):
            if other in (mine, "") or (mine, other) == ("commands", "testing"):  # "": gantool's version
                continue
            if other not in ROOMS or ROOMS.index(other) >= ROOMS.index(mine):
                found.append(f"{name} imports {other}")
    return found


def test_rooms_import_those_before_them_and_none_after():
    imports = {name: set(imported(path)) for name, path in MODULES.items()}
    assert against(imports) == []
    assert {room_of(name) for name in MODULES} == {*ROOMS, *FACADES, "variants"}, "every file is in a room"
    for name, wrong in [
        ("gantool.config.options", "gantool.training.trainer"), ("gantool.data.named", "gantool.api"),
        ("gantool.training.trainer", "gantool.library"), ("gantool.library", "gantool.commands.train"),
        ("gantool.runs.model", "gantool.cli"), ("gantool.errors", "gantool.runtime.files"),
    ]:  # fmt: skip
        assert against(imports | {name: imports[name] | {wrong}}) == [f"{name} imports {room_of(wrong)}"]


def told(path: Path) -> list[str]:
    """What a file uses of the command line: Typer but for its Option, rich's console, argv."""
    found = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        found += [name for name in names if name.startswith(("typer", "rich.console", "rich.live", "rich.progress"))
                  and name not in ("typer.Option",)]  # fmt: skip
        found += [name for name in names if name == "sys.argv" or name == "rich.print"]
    return found


def test_the_command_line_is_known_to_its_own_rooms_alone():
    for name, path in MODULES.items():
        if room_of(name) not in ("cli", "commands", "progress"):
            assert told(path) == [], name
    assert told(MODULES["gantool.cli"]) and told(MODULES["gantool.progress.terminal"]), "it finds what it is for"


def test_nothing_imports_a_variant_but_by_its_name():
    for name, path in MODULES.items():
        if not name.startswith("gantool.variants"):
            assert not [found for found in imported(path) if found.startswith("gantool.variants.")], name


def test_a_variant_imports_the_api_and_other_variants():
    for name, path in MODULES.items():
        if name.startswith("gantool.variants."):
            assert all(found.startswith(("gantool.api", "gantool.variants.")) for found in imported(path)), name
