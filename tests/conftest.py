"""What tests share: the command line in a folder of its own, pretend packages, and a tiny trained run."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from gantool import cli

TINY = ("--batch-size", "4", "--g-layers", "8", "--d-layers", "8", "--quiet")  # of gan: a step in a millisecond
OURS = ("GANTOOL_DATA", "GANTOOL_DEBUG", "GANTOOL_PLUGINS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Result:
    """What a command line left behind."""

    code: int
    out: str
    err: str


Gantool = Callable[..., Result]
Install = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the person who runs the tests, and none of the packages they have installed."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANTOOL_PLUGINS", "")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def gantool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gantool:
    """`gantool("train", "gan")` in this process, in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def gantool(*args: object) -> Result:
        cli.registry.cache_clear()
        capsys.readouterr()
        code = cli.run([str(arg) for arg in args])
        return Result(code, *capsys.readouterr())

    return gantool


@pytest.fixture
def process(tmp_path: Path) -> Gantool:
    """`process("-m", "gantool", "list", COLUMNS="40")`: Python with these arguments, as a process of its own."""

    def process(*args: object, **environment: str) -> Result:
        paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, *map(str, args)], env={**os.environ, "PYTHONPATH": paths, **environment},
            cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)

    return process


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """A pretend package with real metadata: install("plug-a", source, my_gan="MyGAN") offers the variant my-gan."""
    site, before = tmp_path / "site", set(sys.modules)
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(package: str, source: str | bytes, requires: str = "gantool>=0.1", **variants: str) -> Path:
        module = package.replace("-", "_")
        folder, info = site / module, site / f"{module}-1.2.dist-info"
        folder.mkdir()
        info.mkdir()
        (folder / "__init__.py").write_bytes(source.encode() if isinstance(source, str) else source)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\nRequires-Dist: {requires}\n"
        )
        lines = [f"{name.replace('_', '-')} = {module}:{cls}" for name, cls in variants.items()]
        (info / "entry_points.txt").write_text("\n".join(["[gantool.variants]", *lines, ""]))
        monkeypatch.setenv("GANTOOL_PLUGINS", ",".join(filter(None, [os.environ.get("GANTOOL_PLUGINS"), package])))
        importlib.invalidate_caches()
        return folder

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("plug"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of gan, two steps long. Read it, or copy it: every test shares it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANTOOL_PLUGINS", "")
        cli.registry.cache_clear()
        assert cli.run(["train", "gan", "--steps", "2", "--lr", "2e-4", *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """A folder of 8x8 images: images({"cat/1.png": "red", "note.txt": b"..."})."""
    from PIL import Image

    def images(files: dict[str, Any]) -> Path:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                Image.new("RGB", (8, 8), content).save(path)
        return folder

    return images
