"""Who may import whom: docs/design.md's map, as far as a test can hold the house to it."""

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
    for node in ast.walk(ast.parse(path.read_bytes())):
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


def test_nothing_imports_a_variant_but_by_its_name():
    for name, path in MODULES.items():
        if not name.startswith("gantool.variants"):
            assert not [found for found in imported(path) if found.startswith("gantool.variants.")], name


def test_a_variant_imports_the_api_and_other_variants():
    for name, path in MODULES.items():
        if name.startswith("gantool.variants."):
            assert all(found.startswith(("gantool.api", "gantool.variants.")) for found in imported(path)), name
