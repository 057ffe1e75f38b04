"""What share of a default training the monitor takes, in seconds of the processor: start, 20 probes, all steps."""

import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from table import show

from gantool.registry import Registry
from gantool.runs.run import RunFolder
from gantool.runtime.device import seed_all
from gantool.training.monitor import Monitor
from gantool.training.signs import EARLY
from gantool.training.trainer import Trainer

PROBES, TIMED = 20, 64


def monitor(args: Namespace) -> list[dict[str, Any]]:
    torch.set_num_threads(1)  # else the processor's seconds count those of threads that wait
    return show("monitor: its part of a default training", map(share, args.only or ("gan", "cgan", "dcgan")))


def share(name: str) -> dict[str, Any]:
    cls = Registry().load(name)
    seed_all(0)
    data = cls.dataset(cls.recipe, cls.Options())
    trainer = Trainer(cls(cls.Options(), data.spec), cls.recipe, data, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        watching = Monitor(RunFolder(Path(folder)), 1, lambda words: None)
        start = seconds(lambda: watching.gantool_train_start(trainer))
        seconds(trainer.take_step, 10)
        step = seconds(trainer.take_step, TIMED) / TIMED
        trainer.read_window()
        probes = [seconds(lambda: watching.gantool_train_step(trainer)) for _ in range(EARLY + 4)]
    once = probes[EARLY]  # the first that is judged by its samples looks at training images as well
    rest = [p for p in probes if p is not once]
    mine = start + once + (PROBES - 1) * sum(rest) / len(rest)
    whole = mine + step * cls.recipe.steps
    return {"variant": name, "ms a probe": round(1e3 * sum(rest) / len(rest)), "the first judged": round(1e3 * once),
            "s of training": round(whole), "share": f"{mine / whole:.1%}"}  # fmt: skip


def seconds(call: Any, times: int = 1) -> float:
    start = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - start
