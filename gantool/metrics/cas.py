"""CAS (Ravuri and Vinyals, 2019): what a classifier trained on samples alone makes of real images."""

import torch
from torch import Tensor

from gantool.metrics.judge import Judge, Progress, fit, judge_classes, opaque

IMAGES = 20_000  # shown to the classifier in all, however many differ: this bounds the time


def score(
    pixels: Tensor, labels: Tensor, tested: Tensor, true: Tensor, classes: int, tell: Progress = None, seed: int = 0
) -> float:
    """The share of `tested` that a small classifier gets right which has seen nothing but `pixels`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        pixels, tested = opaque(pixels), opaque(tested)
        judge = Judge(pixels.shape[1], classes, 28 if pixels.shape[-1] == 28 else 32).train()
        fit(judge, pixels, labels, max(1, round(IMAGES / len(pixels))), tell)
    right = judge_classes(judge.eval(), tested.float() / 127.5 - 1) == true
    return float(right.double().mean())
