"""Defaults of settings: of several bases, and of few images or many."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from typer import Option

from gantool import api
from gantool.config.options import MANY, suit
from gantool.config.schema import settings_of


@dataclass(kw_only=True)
class Base(api.Options):
    turns: Annotated[int, Option(help="Turns.")] = 1
    words: Annotated[list[str], Option(help="Words.")] = field(default_factory=list)
    where: Annotated[str, Option(help="Where.")] = "here"


@dataclass(kw_only=True)
class Mixin(Base):
    """It adds a setting, and has its own default of another."""

    extra: Annotated[float, Option(help="More.")] = 0.5
    where: str = "there"


@dataclass(kw_only=True)
class Game(Base):
    """A game with defaults of its own."""

    former: ClassVar = {"rounds": "turns"}

    beta2: float = 0.99
    turns: int = 3
    words: list[str] = field(default_factory=lambda: ["own"])
    where: str = "elsewhere"


@dataclass(kw_only=True)
class Both(Mixin, Game):
    """The mixin comes first, as Python wants it."""

    lr: float = 0.5


def test_a_mixin_that_comes_first_leaves_the_games_defaults_alone() -> None:
    o = Both()
    assert (o.beta2, o.turns, o.words, o.extra, o.lr) == (0.99, 3, ["own"], 0.5, 0.5)
    assert o.where == "there", "what the mixin declares itself is its own to say"
    assert Both().words is not o.words


def test_help_says_the_same() -> None:
    shown = {each.key: (each.shown, each.help) for each in settings_of(Both, "Both")}
    assert shown["turns"] == ("3", "Turns.")
    assert shown["beta2"] == ("0.99", "Adam's second decay, and RMSprop's.")
    assert [each.key for each in settings_of(Both, "")] == [*(e.key for e in settings_of(Base, "")), "extra"]


def test_a_further_class_has_what_was_inherited() -> None:
    @dataclass(kw_only=True)
    class Third(Both):
        turns: int = 5

    assert (Third().turns, Third().beta2) == (5, 0.99)


@dataclass(kw_only=True)
class Open(Both):
    """Some is left open, and hangs on how many images there are."""

    by_images: ClassVar = {"turns": (2, 40_000), "where": ("near", "far"), "beta2": (0.5, 0.9)}

    turns: Annotated[int | None, Option(help="Turns.")] = None  # type: ignore[assignment]
    where: Annotated[str | None, Option(help="Where.")] = None  # type: ignore[assignment]


@dataclass(kw_only=True)
class Closed(Open):
    """One of them is said again, for many images; another is fixed."""

    by_images: ClassVar = {"turns": (2, 7)}

    where: str = "here"  # type: ignore[assignment]


def test_what_is_left_open_is_filled_by_the_number_of_images() -> None:
    few, many = suit(Open(), MANY - 1), suit(Open(), MANY)
    assert (few.turns, few.where) == (2, "near") and (many.turns, many.where) == (40_000, "far")
    assert few.beta2 == many.beta2 == 0.99, "it was not left open"
    assert suit(Open(turns=5), MANY).turns == 5
    assert (suit(Closed(), MANY).turns, suit(Closed(), MANY).where) == (7, "here")


def test_help_says_what_both_are() -> None:
    shown = {each.key: each.shown for each in settings_of(Open, "Open")}
    assert shown["turns"] == "2 below 20,000 images, else 40,000"
    assert shown["where"] == "near below 20,000 images, else far" and shown["beta2"] == "0.99"
