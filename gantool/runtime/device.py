"""Which device to use, how to compute on it, and the random states to keep."""

import ctypes
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from gantool.errors import USAGE, UserError, counted
from gantool.runtime import torchrun
from gantool.runtime.uncompiled import uncompiled


def choose(name: str) -> torch.device:
    """The device of that name, if it works here; `auto` takes the accelerator there is, else the CPU.

    Of several processes on a machine, each takes the GPU of its own number.
    """
    kind, _, index = name.partition(":")
    # Without the check, a CUDA build of torch answers "cuda" on a machine that has no GPU.
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    have = accelerator.type if accelerator else "cpu"
    if kind == "auto":
        kind = have
    if kind not in ("cpu", have):
        raise UserError(f"There is no {kind} device here.", f"Leave --device out, or say --device {have}.", USAGE)
    if kind == "cuda" and torchrun.count() > 1:
        index = str(torchrun.local_rank())
    if index and int(index) >= (torch.accelerator.device_count() if kind != "cpu" else 1):
        raise UserError(
            f"There is no device {kind}:{index} here.", f"This machine has {kind}:0 and nothing beyond.", USAGE
        )
    return torch.device(f"{kind}:{index}" if index else kind)


def describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"cpu ({counted(threads, 'thread')})" if device.type == "cpu" else str(device)


def half(precision: str, device: torch.device) -> bool:
    """Whether to autocast to bfloat16. On a CPU only when told, by hand or by a timing: on most it is far slower."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"


def cast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """What losses are computed in. Autocast is not free where it does nothing."""
    return partial(torch.autocast, device.type, torch.bfloat16) if half(precision, device) else nullcontext


def tune_malloc() -> None:
    """Let glibc keep freed memory: given back at every convolution, it costs a third of the time to fault in again."""
    if sys.platform == "linux":
        try:
            libc = ctypes.CDLL(None)
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        except (OSError, AttributeError):  # another C library
            pass


@contextmanager
def computing(device: torch.device) -> Iterator[None]:
    """While this lasts, oneDNN multiplies matrices on AMD's CPUs, where MKL at some sizes leaves cores idle.

    That is a tenth on MLPs; on Intel's, MKL is the faster by as much. torch asks oneDNN where bfloat16 would do; it has
    no use for that without AMX, and computes float32 as exactly as MKL. torch's compiler is imported only where
    it is wanted. Afterwards all this, and the number of threads, are as before.
    """
    has = capabilities() if device.type == "cpu" else {}
    before, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    if "AMD" in str(has.get("cpu_name")) and has.get("avx512_f") and not has.get("amx_bf16"):
        torch.set_float32_matmul_precision("medium")
    try:
        with uncompiled():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.set_num_threads(threads)


def capabilities() -> dict[str, Any]:
    """What this CPU can do, as far as torch tells."""
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for it; others take many times as long as for float32."""
    has = capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def random_states(device: torch.device) -> dict[str, Any]:
    """Every generator a variant could draw from."""
    _, keys, *rest = np.random.get_state()
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": (torch.from_numpy(np.asarray(keys, np.int64)), *rest),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random(states: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(states["torch"])
    random.setstate(states["python"])
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Random states as they were, whatever is drawn meanwhile."""
    where = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    states = random_states(where)
    try:
        yield
    finally:
        restore_random(states, where)


def seed_all(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
