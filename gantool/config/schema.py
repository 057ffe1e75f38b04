"""What can be set, read off dataclasses: one declaration for flags, YAML, keywords and forms. No torch, no Typer.

A field `Annotated[type, Option(help=..., min=...)]` is a setting. Its Option is read as plain data; an Argument in its
place makes it one that is typed without a flag.
"""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from gantool.config.options import CORE, LENGTHS, MANY, former, of_bases
from gantool.errors import did_you_mean

KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float", str: "text", Path: "path"}


class Required:
    """The default of what has none."""


REQUIRED = Required()


@dataclass(frozen=True)
class Setting:
    """One of them: what a flag, a line of YAML, a keyword and a form must know."""

    key: str  # in YAML, as a keyword, in a run's config
    name: str  # of its dataclass's field
    panel: str
    kind: str  # bool, int, float, text, path or choice
    default: Any
    help: str
    flags: tuple[str, ...]  # "--batch-size", "-b"; of a word that has none, "RUN"
    off: tuple[str, ...] = ()  # of a switch: "--no-flip"
    optional: bool = False  # whether it may be None: left open
    many: bool = False  # whether it is a list, and its flag may be said again
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    words: str = ""  # what a person is told that None stands for
    metavar: str = ""
    envvar: str = ""
    check: Callable[[Any], Any] | None = None
    exists: bool = False
    files: bool = True  # whether a path may be one
    folders: bool = True
    completes: Callable[..., list[str]] | None = None  # what Tab offers, by the option's own `autocompletion`
    when: Mapping[str, Any] = field(default_factory=dict)  # other settings, and what they must be for it to matter

    @property
    def flag(self) -> str:
        return next((flag for flag in self.flags if flag.startswith("--")), self.flags[0])

    @property
    def shown(self) -> str:
        """Its default, in a person's words."""
        if self.default is None or self.default is REQUIRED:
            return self.words if self.default is None else "required"
        if self.many:
            return ", ".join(map(str, self.default))
        return str(self.default).lower() if self.kind == "bool" else str(self.default)

    @property
    def range(self) -> str:
        if None not in (self.least, self.most):
            return f"{self.least} to {self.most}"
        return f"{self.least} or more" if self.least is not None else f"{self.most} or less" if self.most else ""

    def described(self) -> dict[str, Any]:
        """As JSON can hold it."""
        default = None if self.default is REQUIRED else self.default
        return {
            "name": self.key, "panel": self.panel, "type": self.kind, "flags": [*self.flags, *self.off],
            "default": str(default) if isinstance(default, Path) else default, "required": self.default is REQUIRED,
            "optional": self.optional, "many": self.many, "choices": list(self.choices),
            "min": self.least, "max": self.most,
            "help": self.help, "open": self.words, "when": dict(self.when),
        }  # fmt: skip


@cache
def hints(cls: type) -> dict[str, Any]:
    """Field annotations; a subclass may restate a field with only a new default and keep its help."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, hint in get_type_hints(base, include_extras=True).items():
            if name not in found or get_origin(hint) is Annotated:
                found[name] = hint
    return found


def default(section: Any, field: Field[Any]) -> Any:
    """An instance's value, a class's default, or REQUIRED."""
    if not isinstance(section, type):
        return getattr(section, field.name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return REQUIRED if field.default is MISSING else field.default


def settings_of(section: Any, panel: str, taken: Iterable[str] = ()) -> Iterator[Setting]:
    """One for each field of a dataclass, or of an instance that holds other defaults.

    Words in `taken` are another section's, names of settings and flags: a setting of gantool's gives way.
    """
    cls = section if isinstance(section, type) else type(section)
    known, taken, pairs = hints(cls), set(taken), of_bases(cls, "by_images")
    for each in fields(section):
        hint = known[each.name]
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (None,)
        option: Any = next((mark for mark in marks if hasattr(mark, "param_decls")), None)
        where = f"{cls.__qualname__}.{each.name}"
        if option is None:
            raise TypeError(f"{where} needs Annotated[type, typer.Option(help=...)]")
        kind_name, choices, optional, many = kind_of(kind, where)
        key = f"{CORE}{each.name}" if each.name in taken else each.name
        flags, off = flags_of(each.name, key, kind_name, declared(option), taken)
        if type(option).__name__ == "ArgumentInfo":
            flags, off = (option.metavar or each.name.upper(),), ()
        value = default(section, each)
        yield Setting(
            key, each.name, panel, kind_name, value, option.help or "", flags, off, optional, many, choices, option.min,
            option.max,
            open_words(pairs.get(each.name), option.show_default), option.metavar or "",
            option.envvar or "", option.callback, option.exists, option.file_okay, option.dir_okay,
            option.autocompletion, getattr(cls, "applies", {}).get(each.name, {}),
        )  # fmt: skip


def open_words(pair: tuple[Any, Any] | None, said: Any) -> str:
    """What a person is told that None stands for."""
    if pair:
        few, many = (f"{value:,}" if isinstance(value, int) else str(value) for value in pair)
        return f"{few} below {MANY:,} images, else {many}"
    return said if isinstance(said, str) else ""


def declared(option: Any) -> list[str]:
    """The flags that an Option names; inside Annotated, Typer keeps the first of them as its default."""
    first = [option.default] if isinstance(option.default, str) else []
    return [*first, *(option.param_decls or ())]


def kind_of(hint: Any, where: str) -> tuple[str, tuple[Any, ...], bool, bool]:
    """The name of a type, the choices of a Literal, whether None is one of its values, and whether it is a list."""
    optional = many = False
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not types.NoneType]
        optional = len(parts) < len(get_args(hint))
        hint = parts[0] if len(parts) == 1 else hint
    if get_origin(hint) is list:
        (hint,), many = get_args(hint), True
    if get_origin(hint) is Literal:
        choices = tuple(c for c in get_args(hint) if c is not None)
        return "choice", choices, optional or None in get_args(hint), many
    if hint not in KINDS:
        what = getattr(hint, "__name__", str(hint))
        raise TypeError(f"{where} is {what}; a setting is an int, float, bool, str, Path or Literal")
    return KINDS[hint], (), optional, many


def flags_of(
    name: str, key: str, kind: str, given: Iterable[str], taken: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The flags that turn a setting on, and those that turn a switch off."""
    usual = "--" + key.replace("_", "-")
    if key != name:  # it gave way, and its other flags with its name
        return (usual,), ("--no-" + usual[2:],) if kind == "bool" else ()
    on, off = [], []
    for words in given or ([f"{usual}/--no-{usual[2:]}"] if kind == "bool" else [usual]):
        yes, _, no = words.partition("/")
        on += [yes.strip()] if yes.strip().startswith("-") and yes.strip() not in taken else []
        off += [no.strip()] if no.strip() and no.strip() not in taken else []
    return tuple(on) or (usual,), tuple(off)


class Schema:
    """The settings of one command or call, section by section.

    `own` is the title of the variant's section: where it has the name or the flag of a setting of gantool's, it keeps
    it, and gantool's is called `gantool_NAME`, on the command line `--gantool-NAME`.
    """

    def __init__(self, sections: Mapping[str, Any], own: str = "", unstored: Iterable[str] = ()) -> None:
        self.sections, self.unstored = dict(sections), set(unstored)
        first = list(settings_of(sections[own], own)) if own else []
        taken = {word for s in first for word in (s.key, *s.flags, *s.off)}
        self.of: dict[str, list[Setting]] = {
            title: first if title == own else list(settings_of(section, title, taken))
            for title, section in self.sections.items()
        }
        self.all = [setting for settings in self.of.values() for setting in settings]
        if lists := [s.key for s in self.all if s.many and (s.panel == own) and unstored]:
            raise TypeError(f"{lists[0]} is a list; a setting that is stored fits on one line of YAML")
        names = [setting.key for setting in self.all]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise TypeError(f"there are two settings called {' and '.join(twice)}")
        known = {s.name: s.key for s in self.all if s.panel != own}
        self.lengths = [known[name] for name in LENGTHS if name in known]  # the ways to say how long to train
        self.by_word = {word: s for s in self.all for word in words_for(s)}
        self.former: dict[str, tuple[Setting, Callable[[Any], Any]]] = {}  # by the names of earlier versions
        for title, section in self.sections.items():
            by_name = {s.name: s for s in self.of[title]}
            for old, now in former(section).items():
                name, convert = (now, as_it_is) if isinstance(now, str) else now
                word = old if by_name[name].key == name else f"{CORE}{old}"
                if word not in self.by_word:
                    self.former[word] = by_name[name], convert

    def find(self, word: str) -> Setting | None:
        """A setting by its name, or by a flag's: batch_size, batch-size, digit. Also by a name it once had."""
        word = word.replace("-", "_")
        return self.by_word.get(word) or self.former.get(word, (None,))[0]

    def now(self, word: str, value: Any) -> Any:
        """What a value under a name of then is today."""
        _, convert = self.former.get(word.replace("-", "_"), (None, as_it_is))
        return None if value is None else convert(value)

    def renamed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Stored settings, under today's names."""
        named = ((self.find(key), key, value) for key, value in values.items())
        return {setting.key if setting else key: self.now(key, value) for setting, key, value in named}

    def stored(self) -> list[Setting]:
        """Those that a file may hold."""
        return [s for s in self.all if s.panel not in self.unstored]

    def near(self, word: str, flags: bool = True) -> str:
        """' Did you mean --lr?', or nothing."""
        if not flags:
            return did_you_mean(word, [s.key for s in self.stored()])
        return did_you_mean(word, [flag for s in self.all for flag in (*s.flags, *s.off) if flag.startswith("--")])


def as_it_is(value: Any) -> Any:
    return value


def words_for(setting: Setting) -> set[str]:
    return {setting.key, *(flag.lstrip("-").replace("-", "_") for flag in setting.flags)}
