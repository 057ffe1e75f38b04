"""Runs chapters, and writes what they show."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from gantool import learn
from gantool.handles import at_work
from gantool.learn.chapter import Found
from gantool.runtime import files
from gantool.runtime.alone import TRAINING
from gantool.viz import drawing

SHOWN = 100  # milliseconds a frame


def run(name: str, seed: int = 0) -> tuple[Found, float]:
    """What came of it, and how many seconds it took."""
    chapter, began = learn.opened(name), time.monotonic()
    with at_work(TRAINING), one_thread():
        found: Found = chapter.run(seed)
    return found, time.monotonic() - began


def write(found: Found, film: Path) -> None:
    """The film."""
    files.make_folder(film.parent)
    files.write(film, drawing.animate((page.drawn() for page in found.film), SHOWN))


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks of a few units are quickest so, and the numbers do not hang on how many cores there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
