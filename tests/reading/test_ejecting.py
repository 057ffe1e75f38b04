"""`gantool eject`: the plain file trains to gantool's losses, to the bit, and reads as if somebody had written it."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Gantool, Install
from PIL import Image
from safetensors.torch import load_file

import gantool as library
from gantool.errors import UserError
from gantool.reading import ejecting
from gantool.registry import Registry
from gantool.testing import check_ejected

ROOT = Path(__file__).parents[2]
MLPS: dict[str, Any] = {"g_layers": "32-16", "d_layers": "32", "batch_size": 16}
SMALL: dict[str, Any] = {"width": 4, "d_width": 4, "batch_size": 8}
HOWS: list[tuple[str, dict[str, Any]]] = [
    ("gan", MLPS),
    ("gan", MLPS | {"optimizer": "sgd", "lr": 0.01, "batch_norm": 0.5, "decay": 0.1}),
    ("gan", MLPS | {"loss": "saturating", "r1": 0, "augment": "none", "dropout": 0.2, "batch_norm": 0, "d_lr": 1e-3}),
    ("gan", MLPS | {"channels": 3, "size": 9, "noise": "uniform", "components": 5, "flip": True, "ema_images": 0}),
    ("cgan", SMALL),
    ("cgan", SMALL | {"mismatch": 0, "r1": 0, "augment": "none", "optimizer": "rmsprop", "lr": 1e-4, "d_steps": 2}),
    ("cgan", MLPS | {"networks": "mlp", "dropout": 0.3, "augment": "translate,color,cutout", "seed": 5}),
    ("cgan", SMALL | {"mismatch": 0, "size": 21, "augment": "translate", "optimizer": "sgd"}),
    ("dcgan", SMALL | {"size": 17}),
    ("dcgan", SMALL | {"r1": 0, "augment": "color", "components": 0, "growth": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("variant", "settings"), HOWS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(HOWS)])
def test_the_plain_file_has_the_same_losses(variant: str, settings: dict[str, Any]) -> None:
    check_ejected(variant, steps=12, **settings)


@pytest.mark.long
@pytest.mark.parametrize("variant", ["gan", "cgan", "dcgan"])
def test_two_hundred_steps_of_the_defaults_have_the_same_losses(variant: str) -> None:
    check_ejected(variant, steps=200)


def test_a_plain_file_that_moves_apart_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "gan.py.txt"
    template = ejecting.template_of(Registry().offer("gan"))
    assert template
    text = template.read_text()
    wrong.write_text(text.replace("R1 / 2 * R1_EVERY", "R1 * R1_EVERY"))
    monkeypatch.setattr(ejecting, "template_of", lambda offer: wrong)
    with pytest.raises(AssertionError, match="at step 1 D/r1 is"):
        check_ejected("gan", steps=2, **MLPS)
    wrong.write_text(text.replace('"D/fake"', '"D/false"'))
    with pytest.raises(AssertionError, match="names other losses"):
        check_ejected("gan", steps=2, **MLPS)


@pytest.mark.parametrize("variant", ["gan", "cgan", "dcgan"])
def test_it_reads_as_if_somebody_had_written_it(variant: str, tmp_path: Path) -> None:
    (path,) = library.eject(variant, tmp_path / "plain.py")
    text = path.read_text()
    assert len(text.splitlines()) <= 310
    tree = ast.parse(text)
    modules = {n.module if isinstance(n, ast.ImportFrom) else a.name for n in ast.walk(tree)
               if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names}  # fmt: skip
    tops = {str(name).partition(".")[0] for name in modules}
    assert tops - set(sys.stdlib_module_names) == {"torch"}
    config = ["--config", str(ROOT / "pyproject.toml")]
    for words in (["check", *config], ["format", "--check", *config]):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "network(" not in text and "pickle" not in text and "torch.save" not in text


def test_what_settings_decide_is_decided(tmp_path: Path) -> None:
    def text(**settings: Any) -> str:
        return library.eject("gan", tmp_path / "plain.py", settings=MLPS | settings)[0].read_text()

    assert "penalised" not in text(r1=0) and "penalised" in text(r1=0.5)
    assert "def translate" not in text(augment="none") and "def cutout" in text(augment="cutout")
    assert "softplus(-on_fake)" not in text(loss="saturating")
    assert "COMPONENTS" not in text(components=0) and "COMPONENTS = 7" in text(components=7)
    assert "def follow" not in text(ema_images=0) and "deepcopy" not in text(ema_images=0)
    assert "torch.optim.SGD" in text(optimizer="sgd") and "BETA1" not in text(optimizer="sgd")
    assert f"STEPS = {round(2 * 5_000 / 16)}" in text(epochs=2)


ALONE = """
import sys
from runpy import run_path
class Only:  # a finder that finds Python's own modules, and torch with what it cannot do without
    def __init__(self, inner): self.inner = inner
    def __getattr__(self, name): return getattr(self.inner, name)
    def find_spec(self, name, path=None, target=None):
        barred = ("gantool", "numpy", "PIL", "safetensors", "scipy", "torchvision", "yaml", "typer")
        return None if name.partition(".")[0] in barred else self.inner.find_spec(name, path, target)
sys.meta_path[:] = [Only(finder) if hasattr(finder, "find_spec") else finder for finder in sys.meta_path]
import torch
torch.set_num_threads(1)
sys.argv = sys.argv[1:]
run_path(sys.argv[0], run_name="__main__")
"""


def alone(*words: object) -> subprocess.CompletedProcess[str]:
    """A file run where there is torch, and neither numpy nor gantool."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE, *map(str, words)], capture_output=True,
                          text=True, env=environment, timeout=300)  # fmt: skip


@pytest.mark.long
def test_with_torch_alone_it_trains_on_an_npz_and_leaves_a_model_and_samples(gantool: Gantool) -> None:
    Path("short.yaml").write_text("steps: 30\nlog_every: 10\nwidth: 4\nd_width: 4\n")
    said = gantool("eject", "cgan", "--out", "plain.py", "--config", "short.yaml", "--with-data").out
    assert said == "plain.py and plain.npz: trains without gantool. Next:\n  python plain.py plain.npz\n"
    done = alone("plain.py", "plain.npz")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^step (\d+) of 30  D/real [\d.]+  D/fake ", done.stdout, re.M) == ["10", "20", "30"]
    with Image.open("plain.png") as image:
        assert image.size == (280, 224) and image.mode == "L"
    kept = load_file("plain.safetensors")
    assert all(torch.isfinite(t).all() for t in kept.values())
    assert kept["body.4.weight"].shape == (8, 4, 4, 4)


@pytest.mark.long
def test_with_torch_alone_it_trains_on_idx_files_in_colour_or_grey(gantool: Gantool, trained: Path) -> None:
    assert gantool("sample", trained, "-n", "40", "--out", "drawn.idx", "-q").code == 0
    Path("short.yaml").write_text("steps: 2\ng_layers: 8\nd_layers: 8\n")
    assert gantool("eject", "gan", "--out", "plain.py", "--config", "short.yaml").code == 0
    done = alone("plain.py", "drawn.idx")
    assert done.returncode == 0 and "step 2 of 2" in done.stdout, done.stderr
    Path("mnist-images-idx3-ubyte").write_bytes(
        Path("drawn.idx").read_bytes()[:4] + b"\0\0\0\2\0\0\0\6\0\0\0\6" + bytes(72)
    )
    done = alone("plain.py", "mnist-images-idx3-ubyte")
    assert "holds images of the shape (6, 6, 1); these networks are for (28, 28, 1)" in done.stderr
    assert "Give the data" in alone("plain.py").stderr


def test_a_run_in_bfloat16_is_ejected_with_a_note(gantool: Gantool) -> None:
    Path("half.yaml").write_text("precision: bf16\nthreads: 1\ng_layers: 8\nd_layers: 8\n")
    result = gantool("eject", "gan", "--out", "plain.py", "--config", "half.yaml")
    assert "the file computes in float32" in result.out + result.err and result.code == 0
    assert "\nTHREADS = 1  # " in Path("plain.py").read_text()


def test_its_data_are_the_variants_own(tmp_path: Path) -> None:
    _, data = library.eject("gan", tmp_path / "plain.py", with_data=True)
    with zipfile.ZipFile(data) as archive:
        assert sorted(archive.namelist()) == ["images.npy", "labels.npy"]


def test_a_runs_name_is_never_code(gantool: Gantool, trained: Path) -> None:
    evil = Path("runs") / 'a"""; import os; os.abort() #\\'
    shutil.copytree(trained, evil)
    assert gantool("eject", evil, "--out", "plain.py").code == gantool("eject", trained, "--out", "same.py").code == 0
    found, same = (ast.parse(Path(name).read_text().replace("same", "plain")) for name in ("plain.py", "same.py"))
    assert "import os_ os.abort__" in (ast.get_docstring(found) or "")
    assert list(map(ast.dump, found.body[1:])) == list(map(ast.dump, same.body[1:]))


def test_what_cannot_be_ejected_is_refused_in_words(gantool: Gantool, install: Install, trained: Path) -> None:
    install("plug-mine", "from gantool.variants.gan import GAN\nclass Mine(GAN): ...\n", mine="Mine")
    result = gantool("eject", "mine")
    assert result.code == 2 and "plug-mine has no plain form of mine." in result.err
    assert "These have one: cgan, dcgan, gan." in result.err
    assert "Did you mean gan?" in gantool("eject", "gna").err
    assert "should end in .py" in gantool("eject", "gan", "--out", "gan.txt").err
    assert "has its settings" in gantool("eject", trained, "--out", "a.py", "--preset", "paper").err
    assert gantool("eject").code == 2
    Path("gan.py").write_text("mine")
    assert "is there already" in gantool("eject", "gan", "--out", "gan.py").err and Path("gan.py").read_text() == "mine"
    assert gantool("eject", "gan").out.startswith("gan-2.py: trains without gantool")
    with pytest.raises(UserError, match="length is in steps"):
        library.eject("gan", "b.py", minutes=3)
    with pytest.raises(UserError, match="ring8 holds no plain images"):
        library.eject("gan", "b.py", data="ring8")
    with pytest.raises(UserError, match="in the order translate, color, cutout"):
        library.eject("gan", "b.py", augment="color,translate")
    assert not Path("b.py").exists()


def test_a_plain_file_of_a_run_has_the_runs_settings(gantool: Gantool, trained: Path) -> None:
    assert gantool("eject", trained, "--out", "plain.py").code == 0
    text = Path("plain.py").read_text()
    assert (
        "\nLR = 0.0002  # " in text and "\nBATCH_SIZE = 4  # " in text and "\nSTEPS = 2\n" in text.replace("  #", "\n#")
    )
    assert "nn.Linear(784, 8)" in text
