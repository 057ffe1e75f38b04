"""The order of the data: a pure function of seed, epoch and position, so a resumed run sees what it would have."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gantool.data.images import Data, as_floats
from gantool.runtime.distributed import WHOLE, Share

AHEAD = 8  # batches a streamed data set decodes in advance


class Batches(Iterator[tuple[Any, ...]]):
    """Endless batches: every epoch shuffled anew, one epoch following the other without a short batch between."""

    def __init__(
        self, data: Data, size: int, seed: int, device: torch.device, drawn: int = 0, share: Share = WHOLE
    ) -> None:
        self.data, self.size, self.seed, self.device, self.share = data, size, seed, device, share
        self.drawn = drawn  # batches handed out since the run began
        self.pool = ThreadPoolExecutor(thread_name_prefix="decode") if getattr(data, "streamed", False) else None
        self.coming: deque[Future[tuple[Tensor, ...]]] = deque()
        self.order = lru_cache(maxsize=2)(self.shuffled)

    def __next__(self) -> tuple[Any, ...]:
        batch = self.fetch(self.drawn) if self.pool is None else self.decoded(self.pool)
        self.drawn += 1
        return as_floats(batch, self.device)

    def fetch(self, number: int) -> tuple[Tensor, ...]:
        index, rng = self.index(number), torch.Generator().manual_seed(mix(self.seed, number))
        if self.pool:  # decoding is what takes time, so only this process's share
            return self.data.batch(self.share.of(index), rng)
        return tuple(self.share.of(t) for t in self.data.batch(index, rng))

    def decoded(self, pool: ThreadPoolExecutor) -> tuple[Tensor, ...]:
        while len(self.coming) < AHEAD:
            self.coming.append(pool.submit(self.fetch, self.drawn + len(self.coming)))
        return self.coming.popleft().result()

    def index(self, number: int) -> Tensor:
        """Which examples batch `number` holds: a window on the epochs' orders laid end to end."""
        n, start = len(self.data), number * self.size
        parts, end = [], start + self.size
        while start < end:
            epoch, position = divmod(start, n)
            part = self.order(epoch)[position : position + end - start]
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def shuffled(self, epoch: int) -> Tensor:
        return torch.randperm(len(self.data), generator=torch.Generator().manual_seed(mix(self.seed, -1 - epoch)))

    def first(self) -> tuple[Any, ...]:
        """The run's first examples, whatever has been drawn since."""
        return as_floats(self.fetch(0), self.device)

    def rewind(self, drawn: int) -> None:
        self.drawn = drawn
        self.coming.clear()

    def close(self) -> None:
        if self.pool:
            self.pool.shutdown(wait=False, cancel_futures=True)


def mix(seed: int, number: int) -> int:
    """One seed of two, such that neighbours have nothing to do with each other (SplitMix64's finaliser)."""
    mask = 2**64 - 1
    x = (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) >> 1
