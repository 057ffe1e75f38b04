"""CSV files of points: what is in them is what is learned, and what is wrong is said with its line."""

from pathlib import Path

import pytest
import torch
from conftest import Gantool

from gantool.config.options import Recipe
from gantool.data import tables
from gantool.data.opening import open_data
from gantool.data.points import Points
from gantool.errors import USAGE, UserError

SMALL = ("--batch-size", 8, "--steps", 2, "--g-layers", "8", "--d-layers", "8", "--quiet")


def table(folder: Path, text: str | bytes) -> str:
    path = folder / "points.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1\n2\n", [[1], [2]]),
        ("x,y\n.5,-1e-1\n\n 2 , 3\n", [[0.5, -0.1], [2, 3]]),
        ("\ufeff0,1\r\n1,0\r\n", [[0, 1], [1, 0]]),
    ],
)
def test_rows_are_points(text: str, rows: list[list[float]], tmp_path: Path) -> None:
    data = open_data(Recipe(data=table(tmp_path, text)), of=Points)
    assert torch.equal(data.x, torch.tensor(rows)) and data.spec.shape == (len(rows[0]),)
    assert (
        data.notes == ()
        and data.fingerprint() == open_data(Recipe(data=table(tmp_path, text)), False, of=Points).fingerprint()
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 rows of numbers"),
        ("x\n1\n", "has 1 rows of numbers"),
        ("1,2\n3\n", "has 1 columns in line 2, and should have 2, as the lines before"),
        ("1,2,3\n", "has 3 columns in line 1, and should have 1 or 2"),
        ("1\ntwo\n", "has 'two' in line 2, which is no number"),
        ("x,y\n1,2\n3,nan\n", "has 'nan' in line 3, which is no number"),
        ("1\n1e39\n", "has '1e39' in line 2, which is no number"),
        ("1,2\n3,\n", "has '' in line 2, which is no number"),
        (b"\xff\xfe\x00\n", "is not text"),
    ],
)
def test_what_is_no_table_of_points_is_refused_with_its_line(text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        open_data(Recipe(data=table(tmp_path, text)), of=Points)
    assert said in told.value.message and "A row for each point" in told.value.hint and told.value.code == USAGE


def test_a_table_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGEST", 5)
    with pytest.raises(UserError, match="and 0 are read"):
        open_data(Recipe(data=table(tmp_path, "1\n2\n3\n")), of=Points)


def test_numbers_that_are_far_from_0_are_told_of(tmp_path: Path) -> None:
    (note,) = open_data(Recipe(data=table(tmp_path, "-1\n120.5\n")), of=Points).notes
    assert "from -1 to 120.5" in note


def test_a_table_is_checked_learned_drawn_and_measured(gantool: Gantool) -> None:
    assert gantool("data", "export", "moons", "points").code == 0
    mine = "points/points.csv"
    assert gantool("data", "check", mine).out == "50,000 points of 2\n"
    assert gantool("train", "gan", "--data", mine, *SMALL).code == 0
    assert gantool("sample", "gan", "-n", 5, "--out", "five.csv", "-q").code == 0
    assert len(Path("five.csv").read_text().splitlines()) == 6
    assert "cloud_distance" in gantool("eval", "gan").out
    assert gantool("resume", "gan-001", "--steps", 3, "-q").code == 0
    refused = gantool("train", "gan", "--data", mine, "--size", 16, *SMALL)
    assert refused.code == USAGE and "points.csv has no size" in refused.err
    images = gantool("train", "dcgan", "--data", mine, "-q")
    assert images.code == USAGE and "these are points" in images.err
