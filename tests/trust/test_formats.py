"""R12: runs of every format so far are listed, drawn from and resumed, or refused with the command that helps."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attempts import outcomes
from PIL import Image
from test_hostile_models import File, tree

from gantool.runs import sealed

FIXTURES = Path(__file__).parent / "fixtures"
READ = [1]  # formats of runs; a new one comes with a run of its own in fixtures/


@pytest.fixture
def old(tmp_path: Path) -> Callable[[int], Path]:
    def old(form: int) -> Path:
        return Path(shutil.copytree(FIXTURES / f"run-format-{form}", tmp_path / "runs" / f"format-{form}"))

    return old


def test_the_format_that_is_written_has_a_run_in_the_fixtures() -> None:
    assert READ[-1] == sealed.FORMAT
    assert [f"run-format-{form}" for form in READ] == sorted(path.name for path in FIXTURES.iterdir())


@pytest.mark.promise("R12")
@pytest.mark.parametrize("form", READ)
def test_a_run_of_a_format_that_is_read_is_listed_drawn_from_and_resumed(
    form: int,
    old: Callable[[int], Path],
    start: Callable,
    tried: Callable,
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    run = old(form)
    lines = [
        ("runs", "--json"),
        ("sample", "gan", "-q", "--scale", 1),
        ("resume", run, "-q", "--steps", 9),
    ]
    listed, *others = outcomes(start, tmp_path, lines)
    assert [o.wrong(0) for o in (listed, *others)] == [""] * 3
    (row,) = json.loads(listed.out)
    assert (row["variant"], row["step"], row["steps"], row["state"]) == ("gan", 6, 6, "done")
    with Image.open(tmp_path / "gan.png") as drawn:
        assert drawn.size == (8 * 8 + 7 * 2,) * 2  # 64 images of the size it was trained at
    assert sealed.load(run / "checkpoints" / "step-000009.safetensors")[1]["step"] == 9
    assert sealed.load(run / "model.safetensors")[0]["step"] == 9
    steps = sorted({json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()})
    assert steps == [2, 4, 6, 8, 9]  # the lines it had, and those it added
    tried("runs of former formats")


@pytest.mark.promise("R12")
@pytest.mark.parametrize(
    ("form", "command"), [(sealed.FORMAT + 1, "pip install -U gantool"), (READ[0] - 1, "pip install gantool==0.1.0")]
)
def test_another_format_is_refused_with_the_command_that_helps(
    form: int,
    command: str,
    old: Callable[[int], Path],
    start: Callable,
    tried: Callable,
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    run = old(READ[-1])
    for path in run.rglob("*.safetensors"):
        (file := File(path.read_bytes())).inner["format"] = form
        file.facts["gantool"] = "0.1.0"
        path.write_bytes(file.sealed())
    before = tree(run)
    lines = [("sample", "gan", "-q"), ("eval", "gan"), ("resume", run, "-q", "--steps", 9)]
    for outcome in outcomes(start, tmp_path, lines):
        assert not outcome.wrong(1)
        assert f"has format {form}; this gantool reads {sealed.FORMAT}" in outcome.err
        assert command in outcome.err
    assert tree(run) == before  # a file of another format is no damaged one: it keeps its name
    tried("files of formats that are not read", len(lines))
