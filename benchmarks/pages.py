"""Pages of `gantool export`: their size, how soon they are ready, and what an image takes, in node and in Chromium."""

import re
import shutil
import subprocess
import tempfile
from argparse import Namespace
from pathlib import Path
from statistics import median
from typing import Any

from sampling import call
from table import show

# What a page does once it is loaded: the parts of it that need no window, timed in node.
TIMED = """
const text = require("fs").readFileSync(process.argv[2], "utf8");
const inside = (id) => text.match(new RegExp(`id="${id}">([^<]*)<`))[1];
let start = performance.now();
const model = JSON.parse(inside("model")), network = loadProgram(model.program, bytesOf(inside("weights")));
const ready = performance.now() - start, size = model.inputs[0].shape[0];
const z = drawNoise(model.noise, 0, model.count), latent = model.latent && loadProgram(model.latent.program,
  bytesOf(model.latent.weights)), latents = latentsOf(z, model.noise.size, latent), times = [];
for (let i = 0; i < 400; i++) {
  start = performance.now();
  network.run(...[latents.subarray(i % 64 * size, (i % 64 + 1) * size), [i % 10]].slice(0, model.inputs.length));
  times.push(performance.now() - start);
}
times.splice(0, 100);
console.log(JSON.stringify([ready, times.sort((a, b) => a - b)[150]]));
"""
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom")


def pages(args: Namespace) -> list[dict[str, Any]]:
    """Of the default variants, each after one step: what is drawn does not change the time."""
    with tempfile.TemporaryDirectory() as folder:
        title = "pages: MB, milliseconds until ready, and an image's; the medians"
        return show(title, (page for name in ("gan", "cgan", "dcgan") for page in measured(name, args, Path(folder))))


def measured(name: str, args: Namespace, folder: Path) -> list[dict[str, Any]]:
    call("train", name, "--steps=1", f"--out={folder / name}", "--device", "cpu")
    rows = []
    for precision, flags in (("fp16", []), ("int8", ["--small"])):
        page = folder / f"{name}-{precision}.html"
        call("export", str(folder / name), f"--out={page}", *flags)
        row: dict[str, Any] = {"variant": name, "weights": precision, "MB": round(page.stat().st_size / 1e6, 2)}
        for where, times in (("node", in_node), ("Chromium", in_chromium)):
            if seen := [found for _ in range(args.rounds) if (found := times(page, folder))]:
                ready, each = (median(column) for column in zip(*seen, strict=True))
                row |= {f"{where} ready": round(ready), f"{where} image": round(each, 2)}
        rows.append(row)
    return rows


def in_node(page: Path, folder: Path) -> tuple[float, float] | None:
    from gantool.export.page import RUNTIME, part

    if not (node := shutil.which("node")):
        return None
    script = folder / "timed.js"
    script.write_text("\n".join([*(part(f"{name}.js") for name in (*RUNTIME, "random", "noise")), TIMED]), "utf-8")
    done = subprocess.run([node, script, page], capture_output=True, text=True, check=True)
    ready, each = re.findall(r"[\d.]+", done.stdout)
    return float(ready), float(each)


def in_chromium(page: Path, folder: Path) -> tuple[float, float] | None:
    """As the page itself tells: ready includes its own check; an image includes its way to the canvas."""
    if not (chromium := shutil.which("chromium") or shutil.which("google-chrome")):
        return None
    command = [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"file://{page}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    ready, each = re.search(r'data-ready="(\d+)"', done.stdout), re.search(r'data-each="([\d.]+)"', done.stdout)
    return (float(ready[1]), float(each[1])) if ready and each else None
