"""The pool of earlier fakes answers with new and old ones, half and half, and draws by the seed."""

import torch
from torch import Tensor

from gantool.api import DataSpec, Pool


def numbered(first: int, n: int) -> Tensor:
    return torch.arange(first, first + n).float().view(-1, 1, 1, 1).expand(n, 1, 4, 4)


def test_it_answers_with_new_and_old() -> None:
    torch.manual_seed(0)
    pool, answers = Pool(50, DataSpec((1, 4, 4))), []
    for first in range(0, 1_000, 4):
        answers += pool(numbered(first, 4))[:, 0, 0, 0].int().tolist()
    assert pool.held.item() == len(pool.images) == 50
    assert answers[:50] == list(range(50))  # a pool that is not full keeps what it is given, and gives it back
    old = [i for i, answer in enumerate(answers) if answer != i]
    assert 0.45 < len(old) / 950 < 0.55
    assert all(answers[i] < i for i in old)
    held = pool.images[:, 0, 0, 0].int().tolist()
    given_back = [answers[i] for i in old]
    assert len({*held, *given_back}) == 50 + len(old)  # what is given back has left the pool


def test_it_swaps_by_the_seed() -> None:
    def play(seed: int) -> Tensor:
        torch.manual_seed(seed)
        pool = Pool(5, DataSpec((1, 4, 4)))
        return torch.cat([pool(numbered(first, 3)) for first in range(0, 60, 3)])

    assert torch.equal(play(1), play(1)) and not torch.equal(play(1), play(2))
