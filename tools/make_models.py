"""Trains the models that packages carry, and writes each with its card beside the module of its variant.

    python tools/make_models.py              gantool's own
    python tools/make_models.py acgan ...    these; their package must be installed with `pip install -e`
    python tools/make_models.py --again ...  write nothing, and fail unless they are made anew to the byte
    python tools/make_models.py --card ...   train nothing: write the cards of the files there anew

One thread, float32 and a fixed number of steps: on one machine and one torch, the same bytes each time. The weights are
then halved, and what is measured is the halved file. A model that misses a threshold of its variant is not written.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

import gantool
from gantool.evaluation.evaluation import measure
from gantool.evaluation.gates import ALL, Budget, thresholds_for, thresholds_of
from gantool.evaluation.settings import HowToMeasure
from gantool.registry import Registry
from gantool.runs import header, packaged
from gantool.runs.model import halve, open_model
from gantool.runtime import files

OURS = ("cgan",)
THEIRS = ("acgan", "cyclegan", "stargan", "srgan", "wgan-gp", "gan-cls", "r3gan")  # of packages
SEEDS = {"acgan": 1, "srgan": 1}  # else 0, with which these miss a threshold by little
HOW = {"threads": "1", "precision": "fp32", "device": "cpu"}
LARGEST = 2 * 2**20  # bytes of a file
LEFT_OUT = ("confusion",)  # of a card: too long to be read


def trained(name: str, folder: Path) -> Path:
    """The model's file, in this folder."""
    steps = Registry().load(name).recipe.steps
    run = gantool.train(name, steps=steps, seed=SEEDS.get(name, 0), out=folder / "run", progress=True, settings=HOW)
    halved = folder / f"{name}.safetensors"
    halve(run.files.model, halved)
    return halved


def measured(model: Path) -> dict[str, Any]:
    """Its card: how it was made, and what was measured of this very file."""
    registry, facts = Registry(), header.facts(model)
    offer, data = registry.offer(model.stem), facts["data"]
    timed = [limits.after for limits in thresholds_of(offer) if limits.data == data and limits.after.seconds]
    budget = max(timed, default=Budget(steps=facts["step"]))
    limits = thresholds_for(offer, data, budget)
    every = limits and any(threshold.score == "CAS" for threshold in limits.thresholds)
    how = HowToMeasure(device="cpu", metrics=ALL if every else None)
    found = measure(open_model(registry, model, "cpu"), offer, how, budget).report
    said = {"steps": facts["step"], "seed": facts["seed"], **HOW}
    flags = " ".join(f"--{key} {value}" for key, value in said.items())
    return {
        **{key: value for key, value in found.items() if key not in LEFT_OUT},
        "run": packaged.name_of(offer), "command": f"gantool train {offer.name} {flags}",
        "made_by": {facts["package"]: facts["version"], "gantool": facts["gantool"], "torch": facts["torch"]},
        "machine": f"{platform.system()} {platform.machine()}, one thread",
    }  # fmt: skip


def check(name: str, size: int, card: dict[str, Any]) -> None:
    """Refuse what is too large, or worse than its variant must be."""
    if size > LARGEST:
        raise SystemExit(f"{name}: {size:,} bytes are more than {LARGEST:,}")
    if failed := [f"{t['score']} {t['threshold']}" for t in card.get("thresholds", []) if t["passed"] is False]:
        raise SystemExit(f"{name} misses {', '.join(failed)}: {card['scores']}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the models that packages carry.")
    parser.add_argument("variants", nargs="*", default=OURS, metavar="VARIANT", help=", ".join((*OURS, *THEIRS)))
    parser.add_argument("--again", action="store_true", help="write nothing: fail unless the same bytes are made anew")
    parser.add_argument("--card", action="store_true", help="train nothing: write the cards of the files there anew")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.variants:
        there = packaged.path_of(Registry().offer(name))
        with tempfile.TemporaryDirectory() as folder:
            made = there if args.card else trained(name, Path(folder))
            data, card = made.read_bytes(), measured(made)
        text = json.dumps(card, indent=1) + "\n"
        if args.again:
            for path, new in ((there, data), (packaged.card_path(there), text.encode())):
                if path.read_bytes() != new:
                    raise SystemExit(f"{name}: other bytes than {path}")
            print(f"{name}: the same bytes", file=sys.stderr)
            continue
        check(name, len(data), card)
        files.make_folder(there.parent)
        if not args.card:
            files.write(there, data)
        files.write(packaged.card_path(there), text)
        print(f"{there}: {len(data):,} bytes, {card['scores']}", file=sys.stderr)


if __name__ == "__main__":
    main()
