"""What a person reads after a mistake, word for word: mistakes.txt holds each command and its answer.

To add a mistake, write its line into mistakes.txt. Then have all answers written anew, and read what changed:

    GANTOOL_REWRITE=1 python -m pytest tests/trust/test_mistakes.py -m trust
"""

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from scene import make_scene, tree

from gantool import cli

ANSWERS = Path(__file__).with_name("mistakes.txt")
SETTINGS = {"key": "lrr: 0.1", "value": "steps: many", "range": "lr: -1", "lengths": "steps: 5\nepochs: 2"}


def answers() -> dict[str, str]:
    """Command line: what it says, and the exit code where that is not 2."""
    blocks = ANSWERS.read_text(encoding="utf-8").strip().split("\n\n$ ")
    return dict(block.removeprefix("$ ").partition("\n")[::2] for block in blocks)


@pytest.mark.promise("U1")
def test_each_mistake_gets_the_answer_that_was_reviewed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tried: Any
) -> None:
    scene = make_scene(tmp_path, trained)
    for name, text in SETTINGS.items():
        (scene / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(scene)
    small = ("--steps", "1", "--batch-size", "2", "--size", "8", "--width", "1", "--d-width", "1")
    labelled = ("train", "cgan", *small, "-q")
    assert cli.run([*labelled, "--name", "labelled"]) == 0
    before, expected, given, wrong = tree(scene), answers(), {}, []
    for line in expected:
        capsys.readouterr()
        cli.registry.cache_clear()
        code = cli.run(shlex.split(line)[1:])
        out, err = capsys.readouterr()
        said = "\n".join(row.rstrip() for row in err.replace(str(scene), "SCENE").splitlines())
        given[line] = said + (f"\n(exit code {code})" if code != 2 else "")
        rows = said.splitlines()
        few = 0 < len(rows) <= 6 and max(map(len, rows)) < 200 and len(out.splitlines()) <= 1  # gan on digits
        if not few or code not in (1, 2) or "Traceback" in said or "bug in gantool" in said:
            wrong.append(f"$ {line}\n{out}{said}")
    if os.environ.get("GANTOOL_REWRITE"):
        ANSWERS.write_text("\n\n".join(f"$ {line}\n{said}" for line, said in given.items()) + "\n", encoding="utf-8")
    else:
        assert given == expected
    assert wrong == []
    assert tree(scene) == before, "a mistake changes nothing"
    tried("mistakes", len(given))
