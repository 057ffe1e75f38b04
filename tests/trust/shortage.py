"""Memory that runs out: hooks for `start`. Each is told where; from then on there is none."""

import resource
from pathlib import Path
from typing import Any


def address_space(spare: int) -> None:
    """No more than `spare` bytes beyond what the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + spare
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def device(module: str, name: str, after: int) -> None:
    """That method of a device which is full fails as torch does, after so many calls that did not."""
    import importlib

    import torch

    home, _, method = name.rpartition(".")
    owner = importlib.import_module(module)
    owner = getattr(owner, home) if home else owner
    raises(owner, method, after, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has"))


def decoding(after: int, streamed: bool) -> None:
    """Images can no longer be decoded, whether they are kept in memory or not."""
    from gantool.data import decoding, images

    if streamed:
        images.IN_MEMORY = 0
    raises(decoding, "pixels", after, MemoryError())


def raises(owner: Any, name: str, after: int, error: Exception) -> None:
    real, calls = getattr(owner, name), []

    def limited(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) > after:
            raise error
        return real(*args, **more)

    setattr(owner, name, limited)
