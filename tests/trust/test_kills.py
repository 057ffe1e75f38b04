"""R1, R2: a SIGKILL at any instant loses at most one save interval, and the run ends as if it had not been."""

from pathlib import Path

import pytest
from commands import VARIANTS, learned


@pytest.mark.promise("R2")
def test_two_runs_of_one_seed_are_alike(start, tried, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("a", "b"):
        assert start("train", *VARIANTS["gan"], "--steps", 30, "--name", name).wait() == 0
    assert learned(tmp_path / "runs/a") == learned(tmp_path / "runs/b")
    tried("runs compared", 2)
