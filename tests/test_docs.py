"""What the pages say is so: their code runs, their commands parse, their links lead somewhere."""

import importlib
import inspect
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from conftest import Gantool, Install, Result
from PIL import Image

from gantool import hookspecs
from gantool.testing import check_data, check_variant

ROOT = Path(__file__).parents[1]
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
FILES = dict(re.findall(r"<!-- file: (\w+)\.py -->\n```python\n(.*?)```", PLUGINS, re.DOTALL))
LINES = sorted({line for page in (README, PLUGINS) for line in re.findall(r"^\$ (gantool .*)$", page, re.MULTILINE)})
SMALL = ("--batch-size", "4", "--width", "2", "--sample-every", "2", "--grid", "2x2", "-q")


@pytest.fixture
def offered(install: Install) -> None:
    """The page's variants, data set and diary, as installed packages."""
    install("plug-squares", FILES["gantool_squares"], squares="Squares")
    install("plug-sharpen", FILES["gantool_sharpen"], sharpen="Sharpen")
    diary = install("plug-diary", FILES["gantool_diary"])
    entries = "[gantool.commands]\ndiary = plug_diary:diary\n[gantool]\ndiary = plug_diary\n"
    diary.parent.joinpath("plug_diary-1.2.dist-info", "entry_points.txt").write_text(entries)
    data = install("plug-stripes", FILES["gantool_stripes"])
    entries = "[gantool.datasets]\nstripes = plug_stripes:stripes\n"
    data.parent.joinpath("plug_stripes-1.2.dist-info", "entry_points.txt").write_text(entries)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """A file of the page, imported under the name the page gives it."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, source in FILES.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    yield importlib.import_module
    for name in FILES:
        sys.modules.pop(name, None)


def test_the_readme_marks_one_test_command() -> None:
    marked = re.findall(r"^<!-- test command -->\n```\w*\n(.+)\n```$", README, re.MULTILINE)
    assert len(marked) == README.count("<!-- test command -->") == 1
    assert marked[0].endswith("-m pytest -n auto")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:|mailto:|#", link):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_fit(page: Path) -> None:
    """But for rows of tables, which cannot be broken."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_every_hook_is_documented() -> None:
    hooks = [name for name, hook in inspect.getmembers(hookspecs) if hasattr(hook, "gantool_spec")]
    assert hooks
    for name in hooks:
        assert f"| `{name}` |" in PLUGINS
        assert f"def {name}(" in FILES["gantool_diary"] or f'entry-points."{name.replace("_", ".")}"]' in PLUGINS


def test_the_page_shows_the_example_as_it_is() -> None:
    example = ROOT / "examples" / "gantool-diary"
    assert (example / "gantool_diary.py").read_text(encoding="utf-8") == FILES["gantool_diary"]
    declared = (example / "pyproject.toml").read_text(encoding="utf-8")
    _, *parts = re.split(r"^(?=\[)", declared, flags=re.MULTILINE)
    entries = [part.strip() for part in parts if part.startswith("[project.entry-points")]
    assert len(entries) == 2 and all(part in PLUGINS for part in entries)


def test_the_command_reference_is_new(process: Gantool) -> None:
    result = process(ROOT / "tools" / "make_cli_reference.py", "--check")
    assert result.code == 0, result.err


@pytest.mark.parametrize("line", LINES)
def test_a_command_on_a_page_parses(
    line: str, gantool: Gantool, install: Install, offered: None, trained: Path
) -> None:
    """Every flag is known: --help comes only after the others were told apart."""
    install("plug-mine", FILES["gantool_squares"], my_gan="Squares")
    shutil.copytree(trained, "runs/first")
    words = shlex.split(line)[1:]
    if words[0] == "new":
        words[1] = "another"
    result = gantool(*words, "--help")
    assert result.code == 0, result.err
    assert "Usage" in result.out


def test_the_whole_variant_fits_a_page() -> None:
    assert len(FILES["gantool_squares"].splitlines()) <= 60


def test_the_whole_variant_trains_resumes_and_samples(gantool: Gantool, offered: None) -> None:
    said = gantool("train", "squares", "--help").out
    assert "What G wants D to say" in said
    assert "Squares: least squares" in gantool("list").out
    assert gantool("train", "squares", "--c", "2", *SMALL).code == 2
    assert gantool("train", "squares", "--c", "0.9", "--steps", "2", *SMALL) == Result(0, "", "")
    assert gantool("resume", "squares-001", "--steps", "4", "-q").code == 0
    assert gantool("sample", "squares", "--truncation", "1.5", "-n", "4", "--out", "four.png", "-q").code == 0
    with Image.open("four.png") as image:
        assert image.size == (58, 58)
    assert gantool("info", "squares").out.count("1611.04076") == 1


def test_pairs_of_ones_own_train_and_translate(gantool: Gantool, offered: None, pictures: Callable[..., Path]) -> None:
    photos = pictures({"a.png": "red", "b.png": "blue"})
    data = ("--data", photos, "--size", "16", "--channels", "3")
    assert gantool("train", "sharpen", *data, "--steps", "2", *SMALL).code == 0
    assert gantool("sample", "sharpen", "--input", photos, "--out", "sharp", "-q").code == 0
    assert sorted(file.name for file in Path("sharp").iterdir()) == ["a.png", "b.png"]


def test_the_pages_data_set_keeps_the_contract_and_can_be_trained_on(gantool: Gantool, offered: None) -> None:
    check_data("stripes", size=12, channels=3)
    assert gantool("train", "squares", "--data", "stripes", "--steps", "2", *SMALL).code == 0
    assert "Upright and level stripes; which is which is the class." in gantool("data", "list").out


def test_the_observer_hears_start_steps_and_end(gantool: Gantool, offered: None) -> None:
    assert gantool("train", "squares", "--steps", "4", "--log-every", "2", *SMALL).code == 0
    heard = Path("runs/squares-001/diary.txt").read_text().splitlines()
    starts = "squares-001 starts at step 0 of 4"
    assert [line.partition(":")[0] for line in heard] == [starts, "step 2", "step 4", "ends"]
    assert "D/real" in heard[1]
    assert heard[-1] == "ends: done"


def test_the_command_the_metric_and_the_writer_do_as_the_page_says(gantool: Gantool, offered: None) -> None:
    assert gantool("train", "squares", "--steps", "4", "--log-every", "2", *SMALL).code == 0
    assert gantool("diary", "squares-001").out.count("step ") == 2
    ink = gantool("eval", "squares", "-n", "130", "--metrics", "ink,coverage")
    assert ink.code == 0 and re.search(r"^ink +[\d.]+ +[\d.]+ +[\d.]+", ink.out, re.MULTILINE)
    assert gantool("sample", "squares", "-n", "2", "--out", "two.txt", "-q") == Result(0, "", "")
    assert Path("two.txt").read_text().startswith("00000\n") and "\n\n00001\n" in Path("two.txt").read_text()


@pytest.mark.parametrize(("name", "cls"), [("squares", "Squares"), ("clipped", "Clipped"), ("sharpen", "Sharpen")])
def test_the_pages_variants_keep_the_contract(name: str, cls: str, module: Callable[[str], ModuleType]) -> None:
    check_variant(getattr(module(f"gantool_{name}"), cls), options={"width": 2})
