"""docs/reading.md shows what the commands print, and its examples work."""

import re
from pathlib import Path

import pytest
from conftest import Gantool, Install

import gantool as library

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
SQUARES = re.search(
    r"<!-- file: gantool_squares.py -->\n```python\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text("utf-8"), re.S
)


def test_the_excerpt_is_what_is_printed(gantool: Gantool, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the numbers of lines, which move."""
    monkeypatch.setenv("COLUMNS", "120")
    excerpt = re.search(r"```text\n(.*?)```", PAGE, re.S)
    assert excerpt

    def unnumbered(text: str) -> list[str]:
        return [re.sub(r"^ {3} *\d+  ", "   ", line) for line in text.splitlines()]

    wanted, said = unnumbered(excerpt[1]), unnumbered(gantool("explain", "gan").out)
    words = [line for line in wanted if line]
    assert [line for line in said if line in words] == words


def test_the_pages_example_of_equations_fits_the_other_pages_variant(install: Install) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert example and SQUARES
    folder = install("plug-squares", SQUARES[1], squares="Squares")
    (folder / "explain").mkdir()
    (folder / "explain" / "squares.yaml").write_text(example[1], encoding="utf-8")
    found = library.explain("squares")
    assert found.written and [lines.name for lines in found.equations[0].lines] == ["Squares.d_loss", "Variant.turns"]


def test_the_page_says_how_long_plain_files_are(tmp_path: Path) -> None:
    low, high = map(int, re.findall(r"It has (\d+) to (\d+) lines", PAGE)[0])
    for name in ("gan", "cgan", "dcgan"):
        (path,) = library.eject(name, tmp_path / f"{name}.py")
        assert low <= len(path.read_text().splitlines()) <= high
