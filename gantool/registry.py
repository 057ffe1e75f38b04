"""Finds variants by entry point, and imports only the one that is asked for."""

import ast
import importlib.util
import os
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from gantool.errors import USAGE, UserError, did_you_mean

VARIANTS = "gantool.variants"  # variants: name = "module:Class"
LISTENERS = "gantool"  # observers of training: name = "module"
ALLOW = "GANTOOL_PLUGINS"  # unset: every installed package; else only these packages, comma-separated


@dataclass(frozen=True)
class Offer:
    """One entry point, and the package that offers it. Everything here is known without importing it."""

    entry: EntryPoint

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def package(self) -> str:
        return self.entry.dist.name if self.entry.dist else "unknown"

    @property
    def version(self) -> str:
        return self.entry.dist.version if self.entry.dist else ""

    @property
    def needs(self) -> str:
        """The gantool it was made for, in pip's words."""
        requires = (self.entry.dist.requires if self.entry.dist else None) or []
        return next((r for r in requires if r.split(";")[0].strip().startswith("gantool")), "any gantool")

    @cached_property
    def source(self) -> Path | None:
        """The file that defines it. Only the top package's finder is asked, so nothing is imported."""
        top, *rest = self.entry.module.split(".")
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
        try:
            return ast.get_docstring(ast.parse(self.source.read_bytes())) or "" if self.source else ""
        except (OSError, SyntaxError, ValueError, RecursionError):
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


class Registry:
    """What is installed. Reading it costs one pass over the packages' metadata."""

    def __init__(self) -> None:
        self.plugins = pluggy.PluginManager("gantool")
        self.offers: dict[str, list[Offer]] = {}
        for entry in sorted(entry_points(group=VARIANTS), key=lambda e: (e.name, e.value)):
            offer = Offer(entry)
            known = self.offers.setdefault(offer.name, [])
            if allowed(offer.package) and offer.package not in {o.package for o in known}:
                known.append(offer)
        self.offers = {name: offers for name, offers in self.offers.items() if offers}

    def names(self) -> list[str]:
        return list(self.offers)

    def offer(self, name: str) -> Offer:
        match self.offers.get(name, []):
            case [offer]:
                return offer
            case []:
                raise UserError(
                    f"No variant named {name!r}.{did_you_mean(name, self.offers)}",
                    f"Installed: {', '.join(self.offers)}. See `gantool list`.",
                    USAGE,
                )
            case several:
                owners = " and ".join(o.package for o in several)
                one = next(o.package for o in several if o.package != "gantool")
                raise UserError(f"{name!r} is offered by {owners}.", f"Remove all but one: pip uninstall {one}", USAGE)

    def load(self, name: str) -> Any:
        """The variant's class. This entry point is imported and no other, not even one of the same name."""
        offer = self.offer(name)
        try:
            variant = offer.entry.load()
        except (Exception, SystemExit) as error:
            if os.environ.get("GANTOOL_DEBUG"):
                raise
            raise broken(offer, f"{type(error).__name__}: {error}".partition("\n")[0]) from error
        from gantool.variant import Variant

        if not (isinstance(variant, type) and issubclass(variant, Variant)):
            raise broken(offer, f"{offer.entry.value} is not a subclass of gantool.api.Variant.")
        if not self.plugins.is_registered(variant):  # one class may have two names
            self.plugins.register(variant, name)
        return variant


def broken(offer: Offer, cause: str) -> UserError:
    return UserError(
        f"{offer.name!r} from {offer.package} {offer.version} cannot be used: {cause}",
        f"It asks for {offer.needs}. Try: pip install -U {offer.package} (GANTOOL_DEBUG=1 shows the traceback).",
    )


def allowed(package: str) -> bool:
    only = os.environ.get(ALLOW)
    return only is None or package == "gantool" or package in {p.strip() for p in only.split(",")}


def listeners() -> dict[str, EntryPoint]:
    """Other packages' observers of training."""
    found = entry_points(group=LISTENERS)
    return {e.name: e for e in sorted(found, key=lambda e: e.name) if e.dist and allowed(e.dist.name)}
