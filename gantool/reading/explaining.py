"""A variant's algorithm, equation by equation, each beside the lines of its installed source that are it.

Which lines these are is said in a file of the variant's package, `explain/NAME.yaml` beside its module. What such a
file quotes must be in the source, word for word and once, or it is refused: so page and code cannot move apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml as pyyaml

from gantool.config import yaml
from gantool.config.packages import Offer
from gantool.config.schema import Setting
from gantool.errors import UserError
from gantool.reading.source import Apart, Lines, called, lines_of, losses
from gantool.training.session import schema_of

LARGEST = 100_000  # bytes
KEYS = {"what", "where", "maths", "words", "code", "options"}


@dataclass(frozen=True)
class Knob:
    """A setting that changes an equation."""

    flag: str
    help: str
    default: str
    presets: dict[str, str]  # those that have another value

    @property
    def values(self) -> str:
        """'0.1; paper: 0'."""
        return "; ".join([self.default, *(f"{preset}: {value}" for preset, value in self.presets.items())])


@dataclass(frozen=True)
class Equation:
    """One of the paper's, or a line of its algorithm."""

    what: str
    maths: str = ""
    where: str = ""  # in the paper
    words: str = ""
    lines: tuple[Lines, ...] = ()
    knobs: tuple[Knob, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {
            "what": self.what, "where": self.where, "maths": self.maths, "words": self.words,
            "code": [lines.facts() for lines in self.lines],
            "options": [vars(knob) for knob in self.knobs],
        }  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """A variant, explained. `written` is false where its package has no page of equations, and code stands alone."""

    name: str
    summary: str
    paper: str
    differs: str
    package: str
    about: str  # the class's docstring, where there are no equations
    written: bool
    equations: tuple[Equation, ...] = field(default=())

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        parts = {name: getattr(self, name) for name in ("name", "summary", "paper", "differs", "package", "written")}
        return parts | {"equations": [equation.facts() for equation in self.equations]}

    def html(self) -> str:
        """One page, whole in itself, without scripts."""
        from gantool.reading.page import page

        return page(self)

    def __repr__(self) -> str:
        return f"<{self.name} explained, {len(self.equations)} parts>"


def explain(offer: Offer, cls: Any) -> Explanation:
    """What the variant's package says of it; of one that says nothing, its turns and losses."""
    path = page_of(offer)
    fields = (offer.name, offer.summary, offer.field("Paper"), offer.field("Differs from the paper"), offer.maker)
    if path is None:
        about = (cls.__doc__ or "").strip() if "__doc__" in vars(cls) else ""
        return Explanation(*fields, about, False, tuple(unwritten(cls)))
    try:
        return Explanation(*fields, "", True, tuple(equations(path, offer, cls)))
    except Apart as error:
        raise UserError(
            f"{path.parent.name}/{path.name} of {offer.maker} does not fit the installed source: {error}",
            "Whoever changed one should change the other.",
        ) from None


def page_of(offer: Offer) -> Path | None:
    """The file of equations, if there is one: explain/NAME.yaml, beside the variant's module."""
    path = offer.source.parent / "explain" / f"{offer.name}.yaml" if offer.source else None
    return path if path and path.is_file() else None


def unwritten(cls: Any) -> Iterator[Equation]:
    yield Equation("Who moves", lines=(lines_of(cls.players),))
    yield Equation("A step", lines=(lines_of(cls.turns),))
    for name in losses(cls):
        yield Equation(f"What {name} gives", lines=(lines_of(getattr(cls, name)),))


def equations(path: Path, offer: Offer, cls: Any) -> Iterator[Equation]:
    """Apart is raised where the page says what is not so."""
    known = knobs(offer, cls)
    for entry in entries(path):
        if wrong := entry.keys() - KEYS:
            raise Apart(f"no such key: {', '.join(sorted(wrong))}; there are {', '.join(sorted(KEYS))}.")
        lines = tuple(quoted(cls, part) for part in entry.get("code", ()))
        if missing := [name for name in entry.get("options", ()) if name not in known]:
            raise Apart(f"{offer.name} has no option {missing[0]!r}.")
        yield Equation(
            entry["what"], entry.get("maths", "").strip("\n"), entry.get("where", ""),
            " ".join(entry.get("words", "").split()), lines, tuple(known[name] for name in entry.get("options", ())),
        )  # fmt: skip


def entries(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    try:
        found = pyyaml.safe_load(text) if len(text) <= LARGEST else None
    except pyyaml.YAMLError as error:
        raise Apart(" ".join(str(error).split())[:200]) from None
    if not (isinstance(found, list) and found and all(isinstance(e, dict) and "what" in e for e in found)):
        raise Apart("it should be a list of entries, each with `what`.")
    return found


def quoted(cls: Any, part: Any) -> Lines:
    """`name`, all of it; or `name: these lines`."""
    if isinstance(part, str):
        return lines_of(called(cls, part))
    if not (isinstance(part, dict) and len(part) == 1):
        raise Apart(f"{part!r} is neither a name nor `name: lines`.")
    ((name, wanted),) = part.items()
    return lines_of(called(cls, str(name)), str(wanted))


def knobs(offer: Offer, cls: Any) -> dict[str, Knob]:
    """Every setting of a training, and what it is by default and in each preset."""
    schema = schema_of(offer.name, cls)
    said = {preset: schema.renamed(yaml.read(file)) for preset, file in offer.presets().items()}
    return {s.key: Knob(s.flag, s.help, s.shown or "open", elsewhere(s, said)) for s in schema.stored()}


def elsewhere(setting: Setting, presets: dict[str, dict[str, Any]]) -> dict[str, str]:
    found = {name: values[setting.key] for name, values in presets.items() if setting.key in values}
    return {
        name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in found.items() if v != setting.default
    }
