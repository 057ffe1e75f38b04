"""docs/python.md does what it says: its code runs from top to bottom, and each value is what the comment says."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Install
from test_docs import FILES, ROOT

PAGE = ROOT / "docs" / "python.md"


def statements(page: str) -> Iterator[tuple[ast.stmt, str]]:
    """Those of the page's code, at their own lines, each with the comment behind it."""
    lines = page.splitlines()
    for block in re.finditer(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        tree = ast.increment_lineno(ast.parse(block[1]), page.count("\n", 0, block.start(1)))
        for node in tree.body:
            assert node.end_lineno is not None
            behind = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
            yield node, behind.strip().removeprefix("# ")


def run(page: str, name: str) -> int:
    """How many values were compared."""
    known: dict[str, Any] = {}
    compared = 0
    for node, comment in statements(page):
        if isinstance(node, ast.Expr) and comment:
            value = eval(compile(ast.Expression(node.value), name, "eval"), known)
            assert repr(value) == comment, f"{name}, line {node.lineno}"
            compared += 1
        else:
            exec(compile(ast.Module([node], []), name, "exec"), known)
    return compared


@pytest.mark.long
def test_the_code_of_the_python_page_runs_and_its_values_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install, images: Callable[[dict[str, Any]], Path]
) -> None:
    install("plug-sharpen", FILES["gantool_sharpen"], sharpen="Sharpen")
    here = tmp_path / "here"
    here.mkdir()
    images({"blue.png": "blue", "red.png": "red"}).rename(here / "photos")
    monkeypatch.chdir(here)
    assert run(PAGE.read_text(encoding="utf-8"), str(PAGE)) > 20


def test_a_value_that_is_wrong_on_a_page_is_found() -> None:
    assert run("```python\na = 2\na  # 2\n```\n\n```python\na + 1  # 3\n```\n", "page") == 2
    with pytest.raises(AssertionError, match="page, line 6"):
        run("```python\na = 2\n```\n\n```python\na + 1  # 4\n```\n", "page")
