"""How long a step takes; and with how many threads, in which arithmetic, it takes least on this machine, now."""

import math
import time
from copy import deepcopy
from dataclasses import replace
from typing import Literal, NamedTuple

import torch

from gantool.config.options import Recipe
from gantool.runtime import device as devices
from gantool.runtime import distributed, torchrun
from gantool.training.trainer import Trainer

SHORT = 1_000  # steps of a run that asks no clock what to compute with, so that its bytes hang on none
EACH, ALONE = 0.06, 0.5  # seconds that each of several ways is timed for, or the only one; a step at least
BETTER = 0.8  # of the time that all cores take in float32, or another way is not worth its difference

Precision = Literal["auto", "fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


class Way(NamedTuple):
    """To compute with so many threads, in this arithmetic; both as in the settings."""

    threads: int
    precision: Precision

    def take(self, trainer: Trainer) -> None:
        torch.set_num_threads(self.threads)
        trainer.cast = devices.cast(self.precision, trainer.device)


def ways(recipe: Recipe, device: torch.device) -> list[Way]:
    """What there is to choose from, the plainest first: what was said is not asked, and a GPU is fed by any."""
    most = torch.get_num_threads()
    counts = [most, 1][: min(most, 2)] if recipe.threads == "auto" else [int(recipe.threads)]
    if device.type != "cpu" or torchrun.count() > 1:
        return [Way(counts[0], recipe.precision)]
    if recipe.precision != "auto" or not devices.multiplies_bf16():
        return [Way(threads, recipe.precision) for threads in counts]
    return [Way(threads, kind) for kind in PRECISIONS for threads in counts]


def settled(trainer: Trainer, recipe: Recipe, timed: bool) -> tuple[Recipe, float]:
    """The settings with both chosen, and the trainer set to them; and where that was timed, a step's seconds."""
    plainest, *others = every = ways(recipe, trainer.device)
    plainest.take(trainer)
    best, each = plainest, 0.0
    if timed and others:
        took = dict.fromkeys(every, math.inf)
        for _ in range(2):  # turn about, and the quieter turn counts: machines drift
            for way in every:
                way.take(trainer)
                took[way] = min(took[way], seconds_a_step(trainer, EACH))
            if min(took.values()) > EACH:  # slow steps are few in a run, and long enough to be told apart
                break
        fastest = min(others, key=took.__getitem__)
        best = fastest if took[fastest] < BETTER * took[plainest] else plainest
        best.take(trainer)
        each = took[best]
    elif timed:
        each = seconds_a_step(trainer)
    if torchrun.count() > 1 or trainer.device.type != "cpu":
        return recipe, each
    kind = best.precision if len({way.precision for way in every}) > 1 else recipe.precision
    return replace(recipe, threads=str(best.threads), precision=kind), each


def seconds_a_step(trainer: Trainer, seconds: float = ALONE) -> float:
    """Times a few steps and takes them back."""
    before = deepcopy(trainer.state())
    trainer.take_step()
    start, taken = time.perf_counter(), 0
    while taken < 1 or distributed.broadcast(time.perf_counter() - start) < seconds:
        trainer.take_step()
        taken += 1
    if trainer.device.type != "cpu":
        torch.accelerator.synchronize()
    each = (time.perf_counter() - start) / taken
    trainer.restore(before)
    return each
