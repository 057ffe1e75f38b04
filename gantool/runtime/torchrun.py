"""What torchrun tells each of the processes it starts, before torch is there to be asked."""

import os


def count() -> int:
    """How many processes train together."""
    return int(os.environ["WORLD_SIZE"]) if {"MASTER_ADDR", "RANK", "WORLD_SIZE"} <= os.environ.keys() else 1


def rank() -> int:
    """This one's number among them all."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def local_rank() -> int:
    """Its number on this machine, and so of its GPU."""
    return int(os.environ.get("LOCAL_RANK", rank())) if count() > 1 else 0


def first() -> bool:
    """The first process keeps the run and speaks; the others only compute."""
    return rank() == 0
