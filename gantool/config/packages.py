"""What installed packages offer by entry point: known without importing it, and imported one at a time."""

import ast
import importlib.util
import os
import re
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any

from gantool.errors import USAGE, UserError
from gantool.runtime.signals import Interrupted

VARIANTS = "gantool.variants"  # variants: name = "module:Class"
DATASETS = "gantool.datasets"  # data sets: name = "module:function"
LISTENERS = "gantool"  # observers of training: name = "module"
ALLOW = "GANTOOL_PLUGINS"  # unset: every installed package; else only these packages, comma-separated


@dataclass(frozen=True)
class Offer:
    """One entry point, and the package that offers it. Everything here is known without importing it."""

    entry: EntryPoint

    @property
    def name(self) -> str:
        return self.entry.name

    @cached_property
    def package(self) -> str:
        return metadata(self.entry, "Name")[0]

    @cached_property
    def version(self) -> str:
        return metadata(self.entry, "Version")[0]

    @property
    def needs(self) -> str:
        """The gantool it was made for, in pip's words."""
        requires = (line.split(";")[0].strip() for line in metadata(self.entry, "Requires-Dist"))
        return next((line for line in requires if re.match(r"gantool(?![\w.-])", line)), "any gantool")

    @cached_property
    def source(self) -> Path | None:
        """The file that defines it. Only the top package's finder is asked, so nothing is imported."""
        top, *rest = self.entry.value.partition(":")[0].strip().split(".")
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if not spec.submodule_search_locations:
            return Path(spec.origin) if spec.origin and not rest else None
        for folder in spec.submodule_search_locations:
            path = Path(folder, *rest)
            for file in (path.with_suffix(".py") if rest else path / "__init__.py", path / "__init__.py"):
                if file.is_file():
                    return file
        return None

    @cached_property
    def docstring(self) -> str:
        """The module's; of a data set, its function's."""
        try:
            tree = ast.parse(self.source.read_bytes() if self.source else b"")
            if self.entry.group != DATASETS:
                return ast.get_docstring(tree) or ""
            name = self.entry.value.partition(":")[2].strip()
            functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
            return next(filter(None, map(ast.get_docstring, functions)), "")
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return ""

    @property
    def summary(self) -> str:
        return self.docstring.partition("\n")[0]

    def field(self, name: str) -> str:
        """A line of the docstring, such as `Paper: ...` or `Task: ...`."""
        lines = (line.strip() for line in self.docstring.splitlines())
        return next((line.removeprefix(f"{name}:").strip() for line in lines if line.startswith(f"{name}:")), "")

    def presets(self) -> dict[str, Path]:
        """The YAML files under presets/NAME, beside the variant's file."""
        folder = self.source.parent / "presets" / self.name if self.source else Path("/nonexistent")
        return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def imported(offer: Offer) -> Any:
    """What it names. This entry point is imported and no other, not even one of the same name."""
    try:
        with redirect_stdout(sys.stderr):  # what a module prints is not the command's answer
            return offer.entry.load()
    except (KeyboardInterrupt, Interrupted):
        raise
    except BaseException as error:
        if os.environ.get("GANTOOL_DEBUG"):
            raise
        raise broken(offer, in_a_line(error)) from error


def clash(name: str, owners: list[str]) -> UserError:
    one = next(owner for owner in owners if owner != "gantool")
    message = f"{name!r} is offered by {' and '.join(owners)}."
    return UserError(message, f"Remove all but one: pip uninstall {one}", USAGE)


def broken(offer: Offer, cause: str) -> UserError:
    return UserError(
        f"{offer.name!r} from {f'{offer.package} {offer.version}'.strip()} cannot be used: {cause}",
        f"It asks for {offer.needs}. Try: pip install -U {offer.package} (GANTOOL_DEBUG=1 shows the traceback).",
    )


def in_a_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def allowed(package: str) -> bool:
    only = os.environ.get(ALLOW)
    return only is None or package == "gantool" or package in {p.strip() for p in only.split(",")}


def offers(group: str) -> dict[str, list[Offer]]:
    """What allowed packages offer, by name; several of one name are for the caller to refuse."""
    found: dict[str, list[Offer]] = {}
    for offer in map(Offer, offered(group)):
        if allowed(offer.package) and offer.package not in {o.package for o in found.get(offer.name, [])}:
            found.setdefault(offer.name, []).append(offer)
    return found


def offered(group: str) -> list[EntryPoint]:
    """All entry points of a group, by name. A package whose list of them cannot be read offers none."""
    try:
        found = list(entry_points(group=group))
    except Exception:
        found = []
        for package in distributions():
            with suppress(Exception):
                found += package.entry_points.select(group=group)
    return sorted(found, key=lambda entry: (entry.name, entry.value))


def metadata(entry: EntryPoint, key: str) -> list[str]:
    """What a package says of itself; an empty word where it says nothing that can be read."""
    with suppress(Exception):
        return entry.dist.metadata.get_all(key) or [""] if entry.dist else [""]
    return [""]


def listeners() -> dict[str, EntryPoint]:
    """Other packages' observers of training."""
    return {entry.name: entry for entry in offered(LISTENERS) if allowed(metadata(entry, "Name")[0])}
