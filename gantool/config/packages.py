"""What installed packages offer, asked for through pluggy: known by name, and imported one at a time."""

import ast
import importlib.util
import inspect
import os
import re
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import Distribution, EntryPoint, PackageMetadata, distributions, entry_points
from pathlib import Path
from typing import Any

import pluggy

from gantool import __version__, hookspecs
from gantool.errors import USAGE, UserError, did_you_mean
from gantool.hookspecs import hookimpl
from gantool.runtime.signals import Interrupted

# Groups of entry points. That of a kind is also its hook, with the dot read as an underscore.
VARIANTS = "gantool.variants"  # name = "module:Class"
DATASETS = "gantool.datasets"  # name = "module:function", as in the three below
COMMANDS = "gantool.commands"
METRICS = "gantool.metrics"
WRITERS = "gantool.writers"
MODULES = "gantool"  # name = "module", whose hooks are called
KINDS = {VARIANTS: "variant", DATASETS: "data", COMMANDS: "command", METRICS: "metric", WRITERS: "writer"}
ANSWERED = (COMMANDS, METRICS, WRITERS)  # kinds of which a module's hooks may know more names
ALLOW = "GANTOOL_PLUGINS"  # unset: every installed package; else only these packages, comma-separated


@dataclass(frozen=True)
class Offer:
    """One name, and the package that offers it. Everything here is known without importing what it stands for."""

    entry: EntryPoint
    called: str = ""  # its name, where a module's hook answered with it
    found: Any = None  # and itself

    @property
    def name(self) -> str:
        return self.called or self.entry.name

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

    @property
    def maker(self) -> str:
        """The package, and which version of it."""
        return f"{self.package} {self.version}".strip()

    @cached_property
    def docstrings(self) -> list[str]:
        """Of the class or function, then of the module; what is not there is left out."""
        if self.found is not None:
            return [inspect.getdoc(self.found) or ""]
        try:
            tree = ast.parse(self.source.read_bytes() if self.source else b"")
            name = self.entry.value.partition(":")[2].strip()
            defined = (ast.ClassDef, ast.FunctionDef)
            own = [node for node in tree.body if isinstance(node, defined) and node.name == name]
            module = [tree] if self.entry.group in (VARIANTS, MODULES) else []
            return list(filter(None, map(ast.get_docstring, (*own[-1:], *module))))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return []

    @property
    def summary(self) -> str:
        """A function's first line; a class's, if it also says whose paper it is; else the module's."""
        if not self.docstrings:
            return ""
        own = self.docstrings[0]
        alone = self.entry.group == VARIANTS and not re.search(r"^(Paper|Task): ", own, re.MULTILINE)
        return (self.docstrings[-1] if alone else own).partition("\n")[0]

    def field(self, name: str) -> str:
        """What a line such as `Paper: ...` or `Task: ...` says, with the lines that are indented below it."""
        found = (re.search(rf"^{name}:(.*(?:\n[ \t]+\S.*)*)", text, re.MULTILINE) for text in self.docstrings)
        return next((" ".join(match[1].split()) for match in found if match), "")

    def load(self) -> Any:
        return imported(self)

    def presets(self) -> dict[str, Path]:
        """The YAML files under presets/NAME, beside the variant's file."""
        return {file.stem: file for file in sorted(self.beside("presets", self.name).glob("*.yaml"))}

    def beside(self, *parts: str) -> Path:
        """What may lie beside the variant's file: presets/NAME, cards/NAME.json, models/NAME.safetensors..."""
        return (self.source.parent if self.source else Path("/nonexistent")).joinpath(*parts)


def check_fits(offer: Offer) -> None:
    """Raise UserError for what was made for another gantool: it would fail somewhere, with a traceback."""
    mine = numbers(__version__)
    for sign, version in re.findall(r"(<|>=|==)\s*([\d.]+)", offer.needs):
        its = numbers(version)
        if not {"<": mine < its, ">=": mine >= its, "==": mine == its}[sign]:
            raise UserError(
                f"{offer.name!r} from {offer.maker} was made for {offer.needs}; this is {__version__}.",
                f"pip install -U {offer.package}; its author finds what to rename in docs/migrating.md.",
            )


def numbers(version: str) -> tuple[int, ...]:
    """'0.2.0' as (0, 2, 0), to be compared."""
    return (*(int(part) for part in version.split(".") if part.isdecimal()), 0, 0)[:3]


def imported(offer: Offer) -> Any:
    """What it names. This entry point is imported and no other, not even one of the same name."""
    if offer.found is not None:
        return offer.found
    check_fits(offer)
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
        f"{offer.name!r} from {offer.maker} cannot be used: {cause}",
        f"It asks for {offer.needs}. Try: pip install -U {offer.package} (GANTOOL_DEBUG=1 shows the traceback).",
    )


def in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) if isinstance(error, pluggy.PluginValidationError) else str(error)
    return f"{type(error).__name__}: {text}".partition("\n")[0][:300]


def allowed(package: str) -> bool:
    only = os.environ.get(ALLOW)
    return only is None or package == "gantool" or package in {p.strip() for p in only.split(",")}


class Package:
    """An installed package, as pluggy knows it: it answers with what it offers, by name, unimported."""

    def __init__(self, entries: list[EntryPoint]) -> None:
        self.entries = entries
        self.answers: dict[str, dict[str, Offer]] = {}  # of its modules, once they are imported
        self.faults: list[UserError] = []

    def offers(self, group: str) -> dict[str, Offer]:
        declared = {entry.name: Offer(entry) for entry in reversed(self.entries) if entry.group == group}
        return self.answers.get(group, {}) | declared

    @hookimpl
    def gantool_variants(self) -> dict[str, Offer]:
        return self.offers(VARIANTS)

    @hookimpl
    def gantool_datasets(self) -> dict[str, Offer]:
        return self.offers(DATASETS)

    @hookimpl
    def gantool_commands(self) -> dict[str, Offer]:
        return self.offers(COMMANDS)

    @hookimpl
    def gantool_metrics(self) -> dict[str, Offer]:
        return self.offers(METRICS)

    @hookimpl
    def gantool_writers(self) -> dict[str, Offer]:
        return self.offers(WRITERS)

    def open(self) -> None:
        """Import its modules, which may answer with names that no entry point tells."""
        for module in self.offers(MODULES).values():
            try:
                found = answered(module)
            except UserError as error:
                self.faults.append(error)
            else:
                for group, more in found.items():
                    self.answers.setdefault(group, {}).update(more)


class Plugins(pluggy.PluginManager):
    """The packages that count, each a plugin by its own name. To make it, metadata is read and nothing imported."""

    def __init__(self, groups: tuple[str, ...] = (*KINDS, MODULES)) -> None:
        super().__init__("gantool")
        self.add_hookspecs(hookspecs)
        self.add_hookspecs(hookspecs.ByEntryPoint)
        self.packages = {name: Package(entries) for name, entries in packages(groups).items()}
        for name, package in self.packages.items():
            self.register(package, name)
        self.opened = False

    def offers(self, group: str) -> dict[str, list[Offer]]:
        """What is offered, by name; several of one name are for the caller to refuse."""
        found: dict[str, list[Offer]] = {}
        for answer in getattr(self.hook, group.replace(".", "_"))():
            for name, offer in answer.items():
                found.setdefault(name, []).append(offer)
        return {name: sorted(found[name], key=lambda offer: offer.entry.value) for name in sorted(found)}

    def offer(self, group: str, name: str) -> Offer | None:
        """The only one of that name, or None. What no entry point names, modules are asked for."""
        if name not in self.offers(group):
            self.open()
        match self.offers(group).get(name, []):
            case []:
                return None
            case [offer]:
                return offer
            case several:
                raise clash(name, [offer.package for offer in several])

    def open(self) -> None:
        if not self.opened:
            self.opened = True
            for package in self.packages.values():
                package.open()

    def modules(self) -> dict[str, Offer]:
        """Those with hooks. Nobody types their names, so two of one name are told apart by their packages."""
        every = [offer for package in self.packages.values() for offer in package.offers(MODULES).values()]
        names = [offer.name for offer in every]
        return {o.name if names.count(o.name) == 1 else f"{o.name} of {o.package}": o for o in every}

    def lost(self) -> str:
        """For below an error about a name that nobody knows: modules that might, and could not be asked."""
        faults = [fault.message for package in self.packages.values() for fault in package.faults]
        return "".join(f"\n  {fault}" for fault in faults[:3])


def offers(group: str) -> dict[str, list[Offer]]:
    return Plugins((group,)).offers(group)


def listeners() -> dict[str, Offer]:
    """Modules with hooks, which may observe a training."""
    return Plugins((MODULES,)).modules()


def hooks_of(found: Any) -> pluggy.PluginManager:
    """The hooks of a module, an object or a class; pluggy refuses one that asks for what it will not be given."""
    hooks = pluggy.PluginManager("gantool")
    hooks.add_hookspecs(hookspecs)
    hooks.register(found() if isinstance(found, type) else found)
    return hooks


def answered(module: Offer, strict: bool = False) -> dict[str, dict[str, Offer]]:
    """What a module's hooks know, by kind. `strict`: a hook of no known name is a fault too, as it is never called."""
    found = imported(module)
    try:
        hooks = hooks_of(found)
        if strict:
            check_spelling(hooks)
        return {
            group: {str(name): Offer(module.entry, str(name), what) for name, what in answer.items()}
            for group in ANSWERED for answer in getattr(hooks.hook, group.replace(".", "_"))()
        }  # fmt: skip
    except Exception as error:
        if os.environ.get("GANTOOL_DEBUG"):
            raise
        raise broken(module, in_a_line(error)) from error


def check_spelling(hooks: pluggy.PluginManager) -> None:
    """Raise for a hook that is none of gantool's."""
    known = [name for name in vars(hookspecs) if name.startswith("gantool_")]
    for name in vars(hooks.hook).keys() - set(known):
        near = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise LookupError(f"no hook is called {name}.{near}")
    hooks.check_pending()


def packages(groups: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """The entry points of each package that counts. A package whose list of them cannot be read offers none."""
    try:
        every = entry_points()
        found = [entry for group in groups for entry in every.select(group=group)]
    except Exception:
        found = []
        for package in distributions():
            with suppress(Exception):
                found += [entry for entry in package.entry_points if entry.group in groups]
    names: dict[int, str] = {}  # of packages, each asked once
    grouped: dict[str, list[EntryPoint]] = {}
    for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
        if id(entry.dist) not in names:
            names[id(entry.dist)] = metadata(entry, "Name")[0]
        if allowed(name := names[id(entry.dist)]):
            grouped.setdefault(name, []).append(entry)
    return grouped


def metadata(entry: EntryPoint, key: str) -> list[str]:
    """What a package says of itself; an empty word where it says nothing that can be read."""
    with suppress(Exception):
        return described(entry.dist).get_all(key) or [""] if entry.dist else [""]
    return [""]


@lru_cache(maxsize=256)
def described(package: Distribution) -> PackageMetadata:
    """Parsed once: of many variants, it is asked for thrice each."""
    return package.metadata
