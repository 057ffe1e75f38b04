"""What the pages say is so: their code runs, their commands parse, their links lead somewhere."""

import hashlib
import importlib
import inspect
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from conftest import Gantool, Install, Result
from PIL import Image
from safetensors.torch import save
from torch import nn

from gantool import hookspecs
from gantool.api import DataSpec, UserError
from gantool.testing import check_data, check_variant

ROOT = Path(__file__).parents[1]
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
FILES = dict(re.findall(r"<!-- file: (\w+)\.py -->\n```python\n(.*?)```", PLUGINS, re.DOTALL))
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
]
LINES = sorted({line for block in BLOCKS for line in re.findall(r"^(?:\$ )?(gantool .*)$", block, re.M)})
SMALL = ("--batch-size", "4", "--width", "2", "--sample-every", "2", "--grid", "2x2", "-q")


@pytest.fixture
def offered(install: Install) -> None:
    """The page's variants, data set and diary, as installed packages."""
    install("plug-squares", FILES["gantool_squares"], squares="Squares")
    install("plug-sharpen", FILES["gantool_sharpen"], sharpen="Sharpen")
    install("plug-reread", FILES["gantool_reread"], reread="Reread")
    install("plug-heed", FILES["gantool_heed"], heed="Heed", strict="Strict")
    install("plug-wind", FILES["gantool_wind"].replace("gantool_squares", "plug_squares"), wind="Wind")
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


def test_what_is_to_be_typed_can_be_pasted() -> None:
    """A prompt stands only where what is answered is shown, too."""
    for block in BLOCKS:
        typed = [line.startswith("$ ") for line in block.splitlines()]
        assert not (typed and all(typed)), block


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
    assert (
        gantool("sample", "squares", "--truncation", "1.5", "-n", "4", "--out", "four.png", "--scale", "1", "-q").code
        == 0
    )
    with Image.open("four.png") as image:
        assert image.size == (58, 58)
    assert gantool("info", "squares").out.count("1611.04076") == 1


def test_pairs_of_ones_own_train_and_translate(gantool: Gantool, offered: None, images: Callable[..., Path]) -> None:
    photos = images({"a.png": "red", "b.png": "blue"})
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


CLASSES = [
    ("squares", "Squares"), ("clipped", "Clipped"), ("sharpen", "Sharpen"), ("reread", "Reread"), ("heed", "Heed"),
    ("heed", "Strict"), ("wind", "Wind"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls"), CLASSES)
def test_the_pages_variants_keep_the_contract(name: str, cls: str, module: Callable[[str], ModuleType]) -> None:
    check_variant(getattr(module(f"gantool_{name}"), cls), options={"width": 2})


def test_options_reach_the_data_and_a_folder_has_something_held_out(
    module: Callable[[str], ModuleType], images: Callable[..., Path]
) -> None:
    sharpen = module("gantool_sharpen")
    recipe = sharpen.Recipe(data=str(images({f"{c}.png": c for c in ("red", "blue", "lime", "tan", "pink")})), size=16)
    training, held = (
        sharpen.Sharpen.dataset(recipe, sharpen.Sharpen.Options(blur=3), train) for train in (True, False)
    )
    assert (len(training), len(held), training.blur) == (4, 1, 3)
    assert module("gantool_wind").Wind.dataset(recipe, module("gantool_wind").Wind.Options(grid=24)).spec.shape == (
        2, 12, 24,
    )  # fmt: skip


def test_an_input_may_be_left_out_and_each_has_several_answers(
    gantool: Gantool, offered: None, images: Callable[..., Path]
) -> None:
    assert gantool("train", "reread", "--steps", "2", *SMALL).code == 0
    photos = images({"a.png": "red", "b.png": "blue"})
    assert gantool("sample", "reread", "-n", "4", "--out", "four.png", "--scale", "1", "-q").code == 0
    line = ("sample", "reread", "--input", photos, "--each", "3", "--mix", photos / "a.png", "--out", "again", "-q")
    assert gantool(*line) == Result(0, "", "")
    assert len(list(Path("again").iterdir())) == 6
    (photos / "bad.png").write_bytes(b"no image")
    bad = gantool("sample", "reread", "--input", photos / "a.png", "--mix", photos / "bad.png", "-q")
    assert bad.code == 2 and "bad.png" in bad.err


def test_a_helper_is_fetched_for_training_alone(
    module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reread = module("gantool_reread")
    blob = save(nn.Conv2d(1, 8, 3).state_dict())
    digest = hashlib.sha256(blob).hexdigest()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = tmp_path / "gantool" / "weights" / digest[:16] / "teacher.safetensors"
    monkeypatch.setattr(reread, "TEACHER", ("https://localhost:1/teacher.safetensors", digest, len(blob)))
    model = reread.Reread(reread.Reread.Options(taught=True, width=2), DataSpec((1, 28, 28)))
    batch = torch.zeros(2, 1, 28, 28), None, torch.zeros(2, 1, 28, 28)
    with pytest.raises(UserError, match="localhost"):
        model.g_loss(batch)
    assert model.sample(2, model.SampleOptions()).shape == (2, 1, 28, 28), "drawing needs no helper"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(blob)
    assert model.g_loss(batch)["again"] >= 0
    assert not any("teacher" in name for name in model.state_dict())


def test_two_variants_in_a_module_have_papers_of_their_own(gantool: Gantool, offered: None) -> None:
    listed = {row["name"]: row for row in json.loads(gantool("list", "--json").out)}
    assert listed["heed"]["summary"].startswith("Heed:") and listed["strict"]["summary"].startswith("Strict:")
    assert "1805.08318" in listed["heed"]["paper"] and "1802.05957" in listed["strict"]["paper"]
    assert "one block, a tenth of the width" in gantool("info", "heed", "--all").out


def test_samples_of_any_shape_are_shown_and_an_option_may_have_a_name_of_gantools(
    gantool: Gantool, offered: None
) -> None:
    size = ("--grid", "24", "--gantool-grid", "3x2")
    quick = ("--batch-size", "4", "--width", "2", "--sample-every", "2", "-q")
    assert gantool("train", "wind", *size, *quick, "--steps", "2") == Result(0, "", "")
    with Image.open("runs/wind-001/samples/step-000002.png") as image:
        assert image.size == (9 * (3 * 24 + 2 * 2), 9 * (2 * 12 + 2)) and image.mode == "RGB"
    assert gantool("sample", "wind", "-n", "4", "--out", "winds.npz", "-q").code == 0
    with np.load("winds.npz") as file:
        assert file["images"].shape == (4, 12, 24, 2)
