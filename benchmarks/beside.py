"""gantool's command line with the bare loop beside it in one process, turn about: neither has the quieter hour.

The bare loop is an observer of the training: every so many steps it takes as many of its own, and the time of one does
not count for the other. What a training does now and then (previews, probes, checkpoints) counts as gantool's, and
comes as often as in a run of the variant's default length, of which this is the beginning.
"""

import json
import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from networks import NETWORKS, Network
from table import show
from training import FEWEST, MOST, gantool, timed

from gantool.hookspecs import hookimpl

TOLD = "GANTOOL_BESIDE"  # JSON: the network, the steps of a turn, where data are and where the times go
TURN = 0.4  # seconds of a turn, about
FIRST = 50  # steps that are not timed


class Beside:
    """What gantool is offered as an observer."""

    @hookimpl
    def gantool_train_start(self, trainer: Any) -> None:
        import bare

        self.told, self.times = json.loads(os.environ[TOLD]), list[tuple[float, float]]()
        where = self.told["data_dir"]
        self.step = bare.stepper(NETWORKS[self.told["network"]], where and Path(where), trainer.device)
        self.turn()

    def turn(self) -> float:
        """The bare loop's seconds. Products are as in a process of its own."""
        import torch

        own = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        start = time.perf_counter()
        for _ in range(self.told["steps"]):
            self.step()
        took = time.perf_counter() - start
        torch.set_float32_matmul_precision(own)
        return took

    @hookimpl
    def gantool_train_step(self, trainer: Any) -> None:
        steps = trainer.step - FIRST
        if steps < 0 or steps % self.told["steps"]:
            return
        took = time.perf_counter() - self.mark if steps else 0.0
        bare = self.turn()
        if steps:
            self.times.append((bare, took))
        self.mark = time.perf_counter()

    @hookimpl
    def gantool_train_end(self, trainer: Any) -> None:
        Path(self.told["out"]).write_text(json.dumps(self.times))


def beside(args: Namespace) -> list[dict[str, Any]]:
    title = "beside: ms a step of the bare loop (b) and of gantool's command line (c), in one process, turn about"
    with tempfile.TemporaryDirectory() as folder:
        return show(title, rows(args, Path(folder)))


def rows(args: Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    for name in args.only or NETWORKS:
        found = [pair for _ in range(args.rounds) for pair in turns(NETWORKS[name], args, folder)]
        steps, b, c = found[0][2], sum(b for b, _, _ in found), sum(c for _, c, _ in found)
        most = median(b / c for b, c, _ in found)
        each = {f"{who} ms": round(t / len(found) / steps * 1e3, 2) for who, t in (("b", b), ("c", c))}
        yield {"network": name, **each, "turns": len(found), "c/b": round(b / c, 2), "c/b in most": round(most, 2)}


def turns(net: Network, args: Namespace, folder: Path) -> list[tuple[float, float, int]]:
    """Seconds of each turn, and its steps."""
    rate = timed("bare.py", net, args).images_per_s / net.images
    out, steps = folder / "times.json", max(1, round(rate * min(TURN, args.seconds / 4)))
    where = str(args.data_dir.resolve()) if args.data_dir else None
    os.environ[TOLD] = json.dumps({"network": net.name, "steps": steps, "data_dir": where, "out": str(out)})
    try:
        gantool(net, args, folder, rate, *usual(net))
    finally:
        del os.environ[TOLD]
    return [(b, c, steps) for b, c in json.loads(out.read_text())]


def usual(net: Network) -> list[str]:
    """Previews and checkpoints as often as in a default run."""
    return [f"--sample-every={max(FEWEST, net.usual // 20)}", f"--save-every={max(FEWEST, min(MOST, net.usual // 10))}"]
