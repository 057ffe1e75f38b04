"""How long a step takes; and with how many threads, in which arithmetic, it takes least on this machine, now."""

import time
from copy import deepcopy
from dataclasses import replace
from statistics import median
from typing import Literal, NamedTuple

import torch

from gantool.config.options import Recipe
from gantool.runtime import device as devices
from gantool.runtime import distributed, torchrun
from gantool.training.trainer import Trainer

SHORT = 1_000  # steps of a run that asks no clock what to compute with, so that its bytes hang on none
TURNS, PATIENCE = 6, 5.0  # that each way is timed for, at most, and seconds from which on it is for no more
RESTLESS = 1.3  # times that two turns on end differ by, where others are at work
EACH, ALONE = 0.06, 0.5  # seconds that each of several ways is timed for, or the only one; a step at least
# Shares of the time that all cores take in float32, below which another way is worth its difference. Timing errs by a
# tenth: to take too few threads by mistake costs more than that, to take bfloat16 by mistake costs nothing.
FEWER_THREADS, BFLOAT16 = 0.8, 0.9

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
        turns: dict[Way, list[float]] = {way: [] for way in every}
        began = time.monotonic()
        for turn in range(TURNS):  # turn about: machines drift
            for way in every:
                way.take(trainer)
                turns[way].append(seconds_a_step(trainer, EACH))
            latest = [each[-2:] for each in turns.values()]  # the first turns of a process may be slow by themselves
            restless = not turn or any(max(each) > RESTLESS * min(each) for each in latest)
            if not restless or time.monotonic() - began > PATIENCE:
                break
        took = {way: median(each) for way, each in turns.items()}  # one lucky turn is not what a busy machine gives
        most = {way: BFLOAT16 if way.threads == plainest.threads else FEWER_THREADS for way in others}
        worth = [way for way in others if took[way] < most[way] * took[plainest]]
        best = min([plainest, *worth], key=took.__getitem__)
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
