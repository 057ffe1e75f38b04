"""Values held to their settings: converted, checked and put in order, wherever they came from.

Flags, keywords, YAML, presets and stored settings pass here and are told the same, in the same words.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gantool.config.schema import REQUIRED, Schema, Setting
from gantool.errors import USAGE, UserError

TRUE, FALSE = ("true", "yes", "on", "1", "t", "y"), ("false", "no", "off", "0", "f", "n")


class Wrong(ValueError):
    """A value that its setting cannot have; the text says what would be right."""


@dataclass
class Layer:
    """Values from one source, by the names they were given; `where` says of files which."""

    values: Mapping[str, Any]
    where: str = ""

    def about(self, setting: Setting, why: str) -> str:
        if self.where:
            return f"{self.where}: {setting.key}: {why}"
        return setting.flag + (" " if why.startswith(("is ", "should ")) else ": ") + why


@dataclass
class Settled:
    """The sections as filled in, and the names of the settings that somebody chose, in whichever way."""

    sections: dict[str, Any]
    chosen: set[str] = field(default_factory=set)


def converted(setting: Setting, value: Any) -> Any:
    """The value as its setting has it, or Wrong."""
    if value is None:
        if setting.optional:
            return None
        raise Wrong("needs a value.")
    if setting.many:
        each = replace(setting, many=False, check=None)
        every = [converted(each, one) for one in (value if isinstance(value, list | tuple) else [value])]
        return checked(setting.check, every) if setting.check else every
    if isinstance(value, bool) and setting.kind != "bool":
        raise Wrong(f"{value} is not a value for it; it is not a switch.")
    found = CONVERT[setting.kind](setting, value)
    if setting.least is not None and not found >= setting.least:
        raise Wrong(f"should be {setting.least} or more.")
    if setting.most is not None and not found <= setting.most:
        raise Wrong(f"should be {setting.most} or less.")
    return checked(setting.check, found) if setting.check else found


def checked(check: Any, value: Any) -> Any:
    """What a declaration's own check makes of it. It raises ValueError to refuse."""
    try:
        return check(value)
    except Exception as error:
        if isinstance(error, ValueError) or type(error).__name__ == "BadParameter":  # as Typer's own checks do
            raise Wrong(getattr(error, "message", str(error))) from None
        raise


def switch(setting: Setting, value: Any) -> bool:
    word = str(value).lower()
    if isinstance(value, float | Path) or word not in TRUE + FALSE:
        raise Wrong("should be true or false.")
    return word in TRUE


def whole(setting: Setting, value: Any) -> int:
    try:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        return int(value)
    except (ValueError, TypeError, OverflowError):
        raise Wrong("should be a whole number, such as 100.") from None


def number(setting: Setting, value: Any) -> float:
    try:
        found = float(value)
    except (ValueError, TypeError, OverflowError):
        found = math.nan
    if math.isnan(found):
        raise Wrong("should be a number, such as 0.5.")
    return found


def text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str | int | float | Path):
        raise Wrong("should be a word.")
    return str(value)


def path(setting: Setting, value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise Wrong("should be a path.")
    found = Path(value)
    try:
        there, folder = found.exists(), found.is_dir()
    except (OSError, ValueError):
        raise Wrong("should be a path.") from None
    if setting.exists and not there:
        raise Wrong(f"{str(value)!r} does not exist.")
    if there and not setting.folders and folder:
        raise Wrong(f"{str(value)!r} is a folder.")
    if there and not setting.files and not folder:
        raise Wrong(f"{str(value)!r} is a file.")
    return found


def choice(setting: Setting, value: Any) -> Any:
    for known in setting.choices:
        if value == known or str(value) == str(known):
            return known
    raise Wrong(f"{str(value)!r} is not one of {', '.join(repr(str(c)) for c in setting.choices)}.")


CONVERT: dict[str, Any] = {
    "bool": switch, "int": whole, "float": number, "text": text, "path": path, "choice": choice,
}  # fmt: skip


def held(schema: Schema, layer: Layer, see: str) -> dict[str, Any]:
    """A layer's values, by key, each held to its setting; None is left out."""
    found: dict[str, Any] = {}
    for word, value in layer.values.items():
        setting = schema.find(word)
        if setting is None or (layer.where and setting.panel in schema.unstored):
            raise unknown(schema, layer, word, see)
        if setting.key in found:
            message = f"{setting.key} is said twice." if layer.where else f"{setting.flag} is said twice."
            raise UserError(f"{layer.where}: {message}" if layer.where else message, see, USAGE)
        if value is not None:
            try:
                found[setting.key] = converted(setting, schema.now(word, value))
            except ValueError as error:
                raise UserError(layer.about(setting, str(error)), see, USAGE) from None
    said = [key for key in schema.lengths if key in found]
    if len(said) > 1:
        one_of = ", ".join(said if layer.where else ["--" + key.replace("_", "-") for key in said])
        message = f"{layer.where}: give one of {one_of}." if layer.where else f"Give one of {one_of}."
        raise UserError(message, "Each says how long to train." if layer.where else see, USAGE)
    return found


def unknown(schema: Schema, layer: Layer, word: str, see: str) -> UserError:
    if layer.where:
        return UserError(f"{layer.where}: no such setting: {word}.{schema.near(word, flags=False)}", see, USAGE)
    flag = "--" + word.replace("_", "-")
    return UserError(f"No such option: {flag}.{schema.near(flag)}", see, USAGE)


def environment(schema: Schema) -> Layer:
    return Layer({s.key: os.environ[s.envvar] for s in schema.all if s.envvar and os.environ.get(s.envvar)})


def settle(schema: Schema, layers: Iterable[Layer], see: str = "") -> Settled:
    """Each setting from the strongest layer that has it, else its default; the strongest comes first.

    Of the ways to say how long to train, the one said by the strongest layer overrules the others.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        values = held(schema, layer, see)
        if merged.keys() & set(schema.lengths):
            values = {key: value for key, value in values.items() if key not in schema.lengths}
        merged = values | merged
    open_ = dict.fromkeys(schema.lengths) if merged.keys() & set(schema.lengths) else {}
    return Settled(filled(schema, open_ | merged, see), set(merged))


def idle(schema: Schema, sections: Mapping[str, Any], said: Iterable[str]) -> Iterator[str]:
    """A sentence for each setting that was said and does nothing, since it matters with others' other values."""
    for setting in filter(None, map(schema.find, said)):
        for key, value in setting.when.items():
            if (other := schema.find(key)) and getattr(sections[other.panel], other.name) != value:
                yield f"{setting.flag} does nothing here: it matters with {other.flag} {value}."


def filled(schema: Schema, values: Mapping[str, Any], see: str = "") -> dict[str, Any]:
    """The sections with these values, which are converted already, in place of their defaults."""
    found: dict[str, Any] = {}
    for title, settings in schema.of.items():
        section = schema.sections[title]
        for s in settings:
            if s.key not in values and s.default is REQUIRED:
                raise UserError(f"{s.flag} is missing: {see.removeprefix('See: ').removesuffix(' --help')} {needed(s)}",
                                see, USAGE)  # fmt: skip
        cls = section if isinstance(section, type) else type(section)
        try:
            found[title] = cls(**{s.name: values.get(s.key, s.default) for s in settings})
        except Exception as error:
            if isinstance(error, ValueError) or type(error).__name__ == "BadParameter":
                raise UserError(getattr(error, "message", str(error)), see, USAGE) from None
            raise
    return found


def needed(setting: Setting) -> str:
    if not setting.flag.startswith("-"):
        return setting.flag
    return f"{setting.flag} {setting.metavar or setting.flag.lstrip('-').upper()}"


def held_to(schema: Schema, values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The sections holding stored values, those of a run or a model; ValueError where one does not fit."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if (setting := schema.find(key)) and value is not None:
            try:
                found[setting.key] = converted(setting, schema.now(key, value))
            except ValueError as error:
                raise Wrong(f"{where}{key}: {error}") from None
    open_ = dict.fromkeys(schema.lengths) if found.keys() & set(schema.lengths) else {}
    return filled(schema, open_ | found)
