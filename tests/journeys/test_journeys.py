"""Five first hours, each typed at a terminal as a person would: they end with images, a number and no dead end.

What a command says comes next is typed as it was said.
"""

import os
import re
import subprocess
import sys
import threading
import venv
from contextlib import suppress
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")]
ROOT = Path(__file__).parents[2]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A shell's work in a folder: what was typed, and what was seen."""

    def __init__(self, folder: Path, python: Path = Path(sys.executable), plugins: str = "") -> None:
        self.folder, self.plugins, self.seen = folder, plugins, ""
        self.bin = folder / ".bin"
        self.bin.mkdir(exist_ok=True)
        (self.bin / "gantool").write_text(f'#!/bin/sh\nexec "{python}" -m gantool "$@"\n')
        (self.bin / "gantool").chmod(0o755)

    def type(self, line: str, fails: bool = False) -> str:
        """Have the shell do this on a terminal; the screen afterwards, without its colours."""
        reader, writer = os.openpty()
        environment = os.environ | {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "TERM": "xterm-256color", "COLUMNS": "100",
            "LINES": "30", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GANTOOL_PLUGINS": self.plugins,
        }  # fmt: skip
        process = subprocess.Popen(
            ["/bin/sh", "-c", line], cwd=self.folder, env=environment, stdin=writer, stdout=writer, stderr=writer
        )
        os.close(writer)
        said: list[bytes] = []

        def listen() -> None:
            with suppress(OSError):  # how a terminal says that the other side is gone
                while part := os.read(reader, 65536):
                    said.append(part)

        ear = threading.Thread(target=listen)
        ear.start()
        code = process.wait(300)
        ear.join()
        os.close(reader)
        self.seen = ESCAPES.sub("", b"".join(said).decode(errors="replace"))
        assert (code != 0) == fails, f"{line}\n{self.seen}"
        assert "Traceback" not in self.seen
        return self.seen

    def next(self) -> str:
        """What was said to come next, as it was said."""
        found = re.search(r"next: (gantool .*)", self.seen)
        assert found, self.seen
        return found[1].strip()

    def image(self, name: str) -> Image.Image:
        with Image.open(self.folder / name) as image:
            image.load()
            return image


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    here = tmp_path / "here"
    here.mkdir()
    return Terminal(here)


def number(seen: str, score: str) -> float:
    """A score's value in eval's table."""
    found = re.search(rf"^{re.escape(score)}\S*\s+([\d.e+-]+)", seen, re.MULTILINE)
    assert found, seen
    return float(found[1])


def test_a_student_draws_the_digit_of_a_choice(terminal: Terminal) -> None:
    assert "gantool train gan" in terminal.type("gantool")
    assert "cgan" in terminal.type("gantool list")
    assert "differs from the paper" in terminal.type("gantool info cgan")
    assert "gantool train cgan" in terminal.type("gantool sample cgan --digit 7 -n 16 --out at-once.png")
    assert max(terminal.image("at-once.png").size) >= 640
    assert "done: step" in terminal.type("gantool train cgan --steps 400")
    assert "70 images in cgan.png, drawn by runs/cgan-001" in terminal.type(terminal.next())
    terminal.type("gantool sample cgan --digit 7 -n 16 --out sevens.png")
    assert max(terminal.image("sevens.png").size) >= 640 and max(terminal.image("cgan.png").size) >= 640
    assert number(terminal.type("gantool eval cgan -n 500"), "label_accuracy") > 0.5
    assert "cgan-001" in terminal.type("gantool runs") and "label_accuracy" in terminal.seen
    assert "diversity" in terminal.type("gantool diagnose")
    terminal.type("gantool sample cgan --interpolate --digit 3 -n 12 -o walk.gif")
    assert terminal.image("walk.gif").format == "GIF"


def test_somebody_with_a_folder_of_photos_draws_more_of_them(terminal: Terminal) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("sky", (60, 120, 230)), ("leaf", (40, 160, 60))):
        folder = terminal.folder / "photos" / name
        folder.mkdir(parents=True)
        for i in range(40):
            noise = rng.integers(-30, 30, (48, 64, 3))
            Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(folder / f"{i}.jpg")
    (terminal.folder / "photos" / "sky" / "broken.jpg").write_bytes(b"no photo")
    seen = terminal.type("gantool data check photos")
    assert "images: 80, colour" in seen and "bad: 1" in seen and "cut to squares, they lose 25%" in seen
    assert "broken.jpg" in terminal.type("gantool train dcgan --data photos --size 32 --width 4 --d-width 4 --steps 40")
    terminal.type(terminal.next())
    assert max(terminal.image("dcgan.png").size) >= 640
    number(terminal.type("gantool eval dcgan"), "KID")
    terminal.type("gantool train cgan --data photos --size 16 --width 4 --d-width 4 --steps 60 --name two")
    terminal.type("gantool sample two --label SKY -n 9 -o sky.png")
    assert "Did you mean sky?" in terminal.type("gantool sample two --label sty", fails=True)
    assert max(terminal.image("sky.png").size) >= 640


def test_an_author_makes_a_variant_of_their_own(terminal: Terminal, tmp_path: Path) -> None:
    own = tmp_path / "own"
    venv.create(own)
    site = next(own.glob("lib/python*/site-packages"))
    (site / "here.pth").write_text(f"{Path(np.__file__).parents[1]}\n{ROOT}\n")  # what is installed here is there, too
    mine = Terminal(terminal.folder, own / "bin" / "python", "gantool-my-gan")
    assert "gantool train my-gan" in mine.type("gantool new my-gan")
    mine.type(
        f"{sys.executable} -m pip --python {own}/bin/python install -q --no-deps --no-build-isolation -e gantool-my-gan"
    )
    assert "my-gan" in mine.type("gantool list")
    assert "--hidden" in mine.type("gantool train my-gan --help")
    assert "my-gan" in mine.type("gantool plugins --check")
    mine.type("gantool train my-gan --steps 60 --hidden 16")
    mine.type(mine.next())
    assert max(mine.image("my-gan.png").size) >= 640
    number(mine.type("gantool eval my-gan -n 200"), "confident")


def test_a_reader_of_papers_repeats_one(terminal: Terminal) -> None:
    seen = terminal.type("gantool info gan")
    assert "Goodfellow" in seen and "paper" in seen
    assert "nothing was trained" in terminal.type("gantool train gan --preset paper --dry-run")
    terminal.type("gantool train gan --preset paper --steps 30 --name paper")
    assert "Too early to judge" in terminal.type("gantool diagnose paper")
    assert "done: step 60 of 60" in terminal.type("gantool resume paper --steps 60")
    terminal.type(terminal.next())
    terminal.type("gantool train gan --config runs/paper/config.yaml --lr 0.05 --name mine")
    assert "mine" in terminal.type("gantool runs") and "paper" in terminal.seen
    number(terminal.type("gantool eval paper -n 200"), "confident")
    assert max(terminal.image("gan.png").size) >= 640
    terminal.type("gantool runs rm mine --yes")
    assert "mine" not in terminal.type("gantool runs")


def test_a_notebook_trains_draws_and_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cells = (
        "import gantool\n[known.name for known in gantool.variants()]",
        "run = gantool.train('cgan', steps=400)\nrun",
        "run.model.sample(16, digit=7)",
        "report = gantool.evaluate(run, n=300)\nprint(report.scores['label_accuracy'])",
        "run.model.sample(16, digit=7).save('sevens.png')",
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, card, drawn, scored, _ = book.cells
    assert "text/html" in card.outputs[-1].data and "image/png" in drawn.outputs[-1].data
    assert float(scored.outputs[0].text) > 0.5 and (tmp_path / "sevens.png").stat().st_size > 500
