"""Every command that gantool's own code tells a person to type works as it stands, with its blanks filled in."""

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Gantool
from PIL import Image

import gantool as package

HERE = Path(package.__file__).parent
COMMAND = re.compile(r"gantool (?:[a-z]+|-{1,2}[a-z-]+)\b[^`\n]*")
VERBS = (
    "train sample eval resume accept list info runs diagnose plugins data new export learn explain diff eject models"
)
SENTENCE = re.compile(r"[.,]? (?:lists|writes|makes|must|reads)\b.*|\. .*|, or: .*|\)?\.?$|, such as .*")
FILLED = {  # what stands for each blank, as it is written in the code, in the scene below
    "sample {offer.name} --run packaged": "sample cgan --run packaged", "{quote(word)}": "packaged/cgan",
    "{plain(known.variant)}": "cgan", "eval --run {path} --out {card}": "eval --run runs/done --out card.json",
    **dict.fromkeys(("{name}", "{variant}", "{whose}", "{run.variant}", "{offer.name}", "VARIANT"), "gan"),
    "--out {path}": "--out plain.py", "--steps 10000": "--steps 5",
    **dict.fromkeys(("{run.folder}", "{quote(str(run.folder))}", "RUN"), "runs/half"),
    **dict.fromkeys(("{self.config}", "{shlex.quote(str(config))}", "{path}"), "runs/done/config.yaml"),
    **dict.fromkeys(("{exported}", "{inputs}"), "inputs"), **dict.fromkeys(("{data}", "mnist"), "digits"),
    "{drawn}": "gantool sample gan --run runs/done", "{free('outputs')}": "outputs", "{typical(every)}": "-n 4",
    "{next(iter(presets))}": "paper", "{flag}": "--steps 2", "{2 * trainer.steps}": "9", "FOLDER": "images",
    "FILE.npz": "some.npz", "cgan-001": "half", "runs/gan-001": "runs/done",
}  # fmt: skip
OTHERS = {  # hints that this scene cannot hold, and the tests that run them
    "{drawn} --input": "tests of variants that translate, in test_first_hour.py and in their packages",
    " -o - ": "test_first_hour.py, as a process of its own, since what it prints is no text",
    "gantool learn {": "tests of the chapters",
    "gantool accept": "test_acceptance.py, and the cards' own",
}


def texts(tree: ast.AST) -> Iterator[str]:
    """Of a module: every text, blanks as they are written, but docstrings."""
    held = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    lone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else f"{{{ast.unparse(p.value)}}}" for p in node.values
                     if isinstance(p, ast.Constant | ast.FormattedValue))  # fmt: skip
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in held | lone:
            yield node.value


def hints() -> set[str]:
    """The commands in them."""
    found = set()
    for path in sorted(HERE.rglob("*.py")):
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            for match in COMMAND.findall(text):
                command = SENTENCE.sub("", match).strip()
                if set(command.split()[1:2]) & set(VERBS.split()):
                    found.add(command)
    return found


def ready(command: str) -> str:
    for blank, value in FILLED.items():
        command = command.replace(blank, value)
    return command


def test_the_hints_are_found() -> None:
    assert len(hints()) > 30
    assert {"gantool train gan", "gantool runs", "gantool resume {run.folder}"} <= hints()


@pytest.mark.parametrize("hint", sorted(h for h in hints() if not any(other in h for other in OTHERS)))
def test_what_a_hint_says_works(hint: str, gantool: Gantool, scene: None) -> None:
    command = ready(hint)
    assert "{" not in command, f"FILLED should say what stands for the blanks of: {hint}"
    for line in command.split(" && "):
        said = shlex.split(line)[1:]
        said += {"train": ["gan"], "data check": ["images"]}.get(" ".join(said), [])
        if said[0] == "train" and "--help" not in said:
            said += ["--dry-run"]  # as it would train, without the minutes it takes
        done = gantool(*said)
        assert done.code == 0, (line, done.err)
        shutil.rmtree("inputs", ignore_errors=True)


@pytest.fixture
def scene(gantool: Gantool, trained: Path) -> None:
    """A run that is done, one that is not, and images."""
    shutil.copytree(trained, "runs/done")
    assert gantool("train", "gan", *TINY, "--steps", 3, "--save-every", 1, "--name", "half").code == 0
    config = Path("runs/half/config.yaml")
    config.write_text(config.read_text().replace("steps: 3\n", "steps: 4\n"))
    Path("images").mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(256, size=(28, 28), dtype=np.uint8)
        Image.fromarray(pixels).save(f"images/{i}.png")
