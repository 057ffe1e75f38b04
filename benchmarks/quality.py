"""How good after so many seconds from Enter: gantool's defaults, and the script of a popular collection beside them.

Each of gantool's rows is a whole `gantool train VARIANT --minutes`, as a person would type it; the script, which knows
no end, is looked at as it goes. The same judge measures both, against the same digits: MNIST's test digits with
--data-dir. With --against it is another checkout of gantool, and not the script, that stands beside. Other data, and
other variants that are installed (--data, --variant), are gantool's alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from networks import NETWORKS
from table import show

NAMES = ("gan", "cgan", "dcgan")
SCORES = ("confident", "label_accuracy", "worst_class_accuracy", "FD", "coverage")
DRAWN, AT_ONCE = 5_000, 250
HERE = Path(__file__).parent


def quality(args: Namespace) -> list[dict[str, Any]]:
    """At `--marks`, medians of `--rounds` seeds."""
    marks = sorted(int(mark) for mark in args.marks.split(","))
    with tempfile.TemporaryDirectory() as folder:
        found = show("quality: by the judge of these images, medians over seeds", rows(args, marks, Path(folder)))
    if args.image:
        draw(found, args.image)
    return found


def rows(args: Namespace, marks: list[int], folder: Path) -> Iterator[dict[str, Any]]:
    for name in args.variant or [n for n in NAMES if n in (args.only or NAMES)]:
        other = "former" if args.against else "script"
        scripted = not (args.against or args.alone or args.data or name not in NAMES)
        kinds: dict[str, dict[int, list[dict[str, float]]]] = {"gantool": {}}
        kinds |= {other: {}} if args.against or scripted else {}
        for seed in range(args.rounds):
            if scripted:
                for mark, images in script(name, seed, marks, folder / f"{name}-{seed}"):
                    kinds[other].setdefault(mark, []).append(judged(images, args))
            for mark in marks:
                kinds["gantool"].setdefault(mark, []).append(trained(name, seed, mark, folder, args))
                if args.against:
                    kinds[other].setdefault(mark, []).append(trained(name, seed, mark, folder, args, args.against))
        for kind, at in kinds.items():
            for mark in marks:
                got = at.get(mark, [])
                scores = {s: median(g[s] for g in got) if got and all(s in g for g in got) else "" for s in SCORES}
                yield {"network": f"{name} {kind}", "seconds": mark, **scores}


def trained(name: str, seed: int, mark: int, folder: Path, args: Namespace, by: Path | None = None) -> dict[str, float]:
    """By this gantool, or by that of another checkout; this one measures."""
    import gantool

    run = folder / f"{name}-{seed}-{mark}{'-former' if by else ''}"
    line = ["train", name, "--minutes", str(mark / 60), "--seed", str(seed), "--out", str(run), "--device", args.device]
    line += ["--data", args.data or "digits"]  # some variants' own are others
    line += ["--data-dir", str(args.data_dir.resolve())] if args.data_dir and args.data else []
    whose = os.environ | ({"PYTHONPATH": str(by.resolve())} if by else {})
    subprocess.run([sys.executable, "-m", "gantool", *line, "-q"], check=True, env=whose, cwd=folder)
    return gantool.evaluate(gantool.load(run), **measuring(args, "data")).scores


def judged(images: Path, args: Namespace) -> dict[str, float]:
    import gantool

    return gantool.compare(images, **measuring(args, "against")).scores


def measuring(args: Namespace, word: str) -> dict[str, Any]:
    held = args.data or ("mnist" if args.data_dir else "digits")
    where = {"data_dir": args.data_dir.resolve()} if args.data_dir else {}
    return {word: held, **where, "n": DRAWN, "metrics": ",".join(SCORES)}


def script(name: str, seed: int, marks: list[int], folder: Path) -> Iterator[tuple[int, Path]]:
    """What the script would draw at each mark; drawing does not count for its time."""
    folder.mkdir()
    told = [name, str(seed), str(folder), *map(str, marks)]
    began = os.environ | {"BEGAN": str(time.monotonic())}
    subprocess.run([sys.executable, str(HERE / "quality.py"), *told], check=True, env=began, stdout=subprocess.DEVNULL)
    return ((mark, path) for mark in marks if (path := folder / f"{mark}.npz").is_file())


def play(name: str, seed: int, folder: Path, marks: list[int]) -> None:
    """The script's own process."""
    import numpy as np
    import script
    import torch
    from plain import CLASSES
    from torch import nn

    torch.manual_seed(seed)
    np.random.seed(seed)
    net, made = NETWORKS[name], list[nn.Module]()
    usual = script.generator
    script.generator = lambda net: made.append(usual(net)) or made[0]  # to draw with what it trains
    step = script.stepper(net, None, torch.device("cpu"))
    began = float(os.environ["BEGAN"])
    for mark in marks:
        while time.monotonic() - began < mark:
            step()
        if not made:  # torch alone took longer
            continue
        before, labels, images = time.monotonic(), torch.arange(DRAWN) % CLASSES, []
        with torch.no_grad():
            made[0].eval()
            for y in labels.split(AT_ONCE):
                z = torch.randn(len(y), net.z)
                x = made[0](torch.cat([z, nn.functional.one_hot(y, CLASSES).float()], 1) if net.labelled else z)
                images.append(((x.squeeze(1).clamp(-1, 1) + 1) * 127.5).round().byte())
            made[0].train()
        said = {"labels": labels.numpy()} if net.labelled else {}
        np.savez(folder / f"{mark}.npz", images=torch.cat(images).numpy(), **said)
        began += time.monotonic() - before


def draw(found: list[dict[str, Any]], image: Path) -> None:
    """A panel for each network, coverage against seconds; of cgan, images of the class they should be.

    Not confident images: an untrained network has nothing else, all alike.
    """
    from gantool.viz.charts import curves
    from gantool.viz.drawing import encode_png

    panels = []
    for name in dict.fromkeys(row["network"].split()[0] for row in found):
        score = "label_accuracy" if name == "cgan" else "coverage"
        lines = {
            kind: [(row["seconds"], row[score]) for row in found
                   if row["network"] == f"{name} {kind}" and row[score] != ""]
            for kind in ("gantool", "script")
        }  # fmt: skip
        panels.append((f"{name}: {score.replace('_', ' ')}", lines))
    image.write_bytes(encode_png(curves(panels, unit="seconds from Enter")))


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("marks", type=int, nargs="+")
    told = parser.parse_args()
    play(told.name, told.seed, told.folder, told.marks)
