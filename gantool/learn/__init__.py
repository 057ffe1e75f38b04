"""Chapters: the theory of GANs, played by gantool's own trainer and held to closed forms. Imports no torch."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from gantool.errors import USAGE, UserError, did_you_mean

NAMES = (
    "optimal-d", "value", "not-a-proof", "equilibrium", "figure-1", "saturating", "dirac", "wasserstein", "collapse",
    "condition", "memorise", "when-to-stop",
)  # fmt: skip


class About(NamedTuple):
    """A chapter, unread."""

    name: str
    title: str
    text: str


def about(name: str) -> About:
    """What its module's docstring says: a line, and what is seen."""
    if name not in NAMES:
        raise UserError(f"No chapter named {name!r}.{did_you_mean(name, NAMES)}", "See: gantool learn", USAGE)
    path = Path(__file__).with_name(f"{module(name)}.py")
    title, _, text = (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")
    return About(name, title.rstrip("."), text.strip())


def opened(name: str) -> Any:
    """Its module, with all that it takes to run it."""
    about(name)
    return import_module(f"gantool.learn.{module(name)}")


def module(name: str) -> str:
    return name.replace("-", "_")
