"""Compiled networks: fewer and larger kernels, for runs long enough to pay for making them."""

import logging
from collections.abc import Callable, Iterable, Iterator

from torch import nn

from gantool.errors import UserError
from gantool.training.pace import seconds_a_step
from gantool.training.trainer import Trainer
from gantool.variant import Variant

LONG = 120.0  # seconds a run must have left; compiling takes some tens of them
FASTER = 1.05  # what a machine's drift could not have done


def compile_networks(trainer: Trainer, how: str, say: Callable[[str], object]) -> None:
    """As --compile says. `auto` compiles on a GPU, times a few steps, and keeps what is faster.

    On CPUs it compiles nothing: the small networks of the built-in variants gained nothing there in any mode.
    """
    if how == "off" or (how == "auto" and trainer.device.type != "cuda"):
        return
    found = dict(compilable(trainer.variant))
    if not found:
        return
    names, usual = " and ".join(found), seconds_a_step(trainer)
    if how == "auto" and usual * (trainer.steps - trainer.step) < LONG:
        return
    say(f"compiling {names}...")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns of every machine without a GPU
    try:
        for network in found.values():
            network.compile(dynamic=False)
        seconds_a_step(trainer, 0)  # compiles
        compiled = seconds_a_step(trainer)
    except Exception as error:  # a compiler that is missing, a layer it does not know: their own kinds, and many
        undo(found.values())
        if how == "on":
            why = str(error).strip().partition("\n")[0][:200]
            raise UserError(f"{names} cannot be compiled: {why}", "Leave --compile out.") from error
        say(f"{names} cannot be compiled here; training goes on without")
        return
    gain = usual / compiled
    if how == "auto" and gain < FASTER:
        undo(found.values())
        say(f"compiled, a step is {gain:.2f}x as fast: not worth it here")
    else:
        say(f"compiled {names}: {gain:.2f}x as fast")


def compilable(variant: Variant) -> Iterator[tuple[str, nn.Module]]:
    """The networks of which no part is differentiated twice."""
    for name, network in variant.named_children():
        left_out = any(f"{part}.".startswith(f"{name}.") for part in variant.no_compile)
        if not left_out and next(network.parameters(), None) is not None:
            yield name, network


def undo(networks: Iterable[nn.Module]) -> None:
    for network in networks:
        network._compiled_call_impl = None
