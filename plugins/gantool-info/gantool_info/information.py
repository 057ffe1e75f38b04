"""What Q says of codes: how likely they are."""

import math

from torch import Tensor
from torch.nn.functional import cross_entropy


def log_q(said: Tensor, c: Tensor, values: int) -> tuple[Tensor, Tensor]:
    """log Q of c1, and of c2 and c3 together, (n,) each; Q said logits of c1's values, two means, two deviations."""
    mean, log_s = said[:, values : values + 2], said[:, values + 2 :]
    log_s = log_s.clamp(-4, 4)  # e^-4: else one lucky guess weighs without end
    rest = -log_s - ((c[:, 1:] - mean) / log_s.exp()).square() / 2 - math.log(2 * math.pi) / 2
    return -cross_entropy(said[:, :values], c[:, 0].long(), reduction="none"), rest.sum(1)
