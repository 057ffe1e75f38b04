"""The judge of digits, for variants that measure themselves. Light: it is read when it is first asked."""

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gantool.metrics.judge import Judge

CHUNK = 1_000  # images looked at together


def judged_digits(x: Tensor) -> tuple[Tensor, Tensor]:
    """Features (n, 64) and probabilities of the ten digits, of images in [-1, 1]: any size, 1 or 3 channels.

    Differentiable in x, where gradients are wanted.
    """
    judge = _judge(x.device)
    features = torch.cat([judge.features(part) for part in torch.split(x, CHUNK)])
    return features, judge.head(features).softmax(1)


@cache
def _judge(device: torch.device) -> "Judge":
    from gantool.metrics.judge import digits_judge

    with torch.inference_mode(False):  # it is kept, for losses too, whoever asks first
        return digits_judge().requires_grad_(False).to(device)
