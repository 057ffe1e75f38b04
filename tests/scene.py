"""A folder with runs, models and images, good and bad, for mistakes to be made in."""

import shutil
from pathlib import Path

from PIL import Image

from gantool.runs import sealed


def make_scene(here: Path, trained: Path) -> Path:
    shutil.copytree(trained, here / "runs" / "mine")
    shutil.copytree(trained, here / "runs" / "unsaved")
    shutil.rmtree(here / "runs" / "unsaved" / "checkpoints")
    (here / "runs" / "unsaved" / "model.safetensors").unlink()
    shutil.copytree(trained, here / "runs" / "rotten")
    for checkpoint in (here / "runs" / "rotten" / "checkpoints").iterdir():
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    shutil.copy(next((trained / "checkpoints").iterdir()), here / "checkpoint.safetensors")
    model = (trained / "model.safetensors").read_bytes()
    (here / "cut.safetensors").write_bytes(model[: len(model) // 2])
    (here / "stub.safetensors").write_bytes(model[:5])
    (here / "empty.safetensors").write_bytes(b"")
    flipped = bytearray(model)
    flipped[-100] ^= 1
    (here / "flipped.safetensors").write_bytes(flipped)
    facts, state = sealed.load(trained / "model.safetensors")
    sealed.save(here / "ghost.safetensors", facts | {"variant": "ghost", "package": "gantool-ghost"}, state)
    sealed.save(here / "misfit.safetensors", facts | {"settings": facts["settings"] | {"g_layers": "9"}}, state)
    (here / "a-file").write_text("not a folder")
    (here / "empty").mkdir()
    for name in ("loose/1.png", "loose/2.png", "mixed/1.png", "mixed/cat/2.png", "pets/cat/1.png", "pets/dog/2.png"):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(path)
    (here / "rotten").mkdir()
    (here / "rotten" / "1.png").write_bytes(b"\x89PNG but no more")
    (here / "list.yaml").write_text("- 1\n- 2\n")
    return here


def tree(folder: Path) -> dict[str, bytes]:
    """What lies in a folder; the locks of runs aside."""
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*") if p.name != ".lock"}
