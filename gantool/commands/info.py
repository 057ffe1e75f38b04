"""`gantool info`: a variant's networks, options and presets."""

from shlex import quote
from typing import TYPE_CHECKING, Any

from gantool.commands.terminal import as_json, plain, table
from gantool.config.packages import Offer
from gantool.config.schema import Schema, settings_of
from gantool.errors import UserError, counted
from gantool.registry import Registry
from gantool.sampling.settings import HowToSample

if TYPE_CHECKING:
    from gantool.runs.finding import ModelFile

DIFFERS = "Differs from the paper"


def shown(registry: Registry, name: str, json: bool, everything: bool) -> None:
    """Of a variant; or of the model of a run, a file or a package."""
    from gantool.runs.finding import is_named

    if is_named(registry, name):
        of_model(registry, name, json, everything)
        return
    offer, cls = registry.offer(name), registry.load(name)
    if json:
        as_json(described(offer, cls))
        return
    print(offer.summary)
    for field in ("Paper", "Task", DIFFERS):
        if offer.field(field):
            print(f"{field.lower()}: {offer.field(field)}")
    print(f"package: {offer.package} {offer.version}")
    print(f"source: {offer.source}")
    networks(cls)
    if everything:
        for title, section in (("options", cls.Options), ("sample flags", cls.SampleOptions)):
            print(f"\n{title}:")
            table(("name", "default", "what"), [(s.key, s.shown, s.help) for s in settings_of(section, title)])
    if presets := offer.presets():
        print(f"\npresets: {', '.join(presets)} (gantool train {name} --preset {next(iter(presets))})")
    cards(offer, everything)
    packaged(offer)
    if not everything:
        print(f"\nAll its settings, and each card: gantool info {name} --all")


def cards(offer: Offer, everything: bool) -> None:
    """What was measured of it: a line for each card, or the cards themselves."""
    from gantool.evaluation.cards import cards_in
    from gantool.evaluation.cards import table as thresholds

    try:
        found = cards_in(offer.source.parent / "cards" / f"{offer.name}.json") if offer.source else []
    except UserError as error:  # a package's
        print(f"\ncards: not shown ({error.message})")
        return
    if everything:
        from gantool.commands.answers import card

        for one in found:
            print()
            card(one)
    elif found:
        print("\nmeasured, medians of several trainings (gantool accept):")
        rows = [
            (one["data"], one["trained"], "accepted" if one["accepted"] else "NOT accepted",
             ", ".join(f"{row[0].split()[0]} {row[1]}" for row in thresholds(one)[:3])) for one in found
        ]  # fmt: skip
        table(("data", "trained for", "thresholds", "what it reaches"), rows)


def packaged(offer: Offer) -> None:
    """The model that comes with it."""
    from gantool.runs.finding import of_package
    from gantool.runs.packaged import path_of

    if path_of(offer).is_file():
        print(f"\nmodel in the package, {summary(of_package(offer))}")
        print(f"  draw with it: gantool sample {offer.name} --run packaged")


def summary(known: "ModelFile") -> str:
    """How it was trained, its size and its first scores."""
    from gantool.commands.listing import brief

    scored = f": {brief(known.scores)}" if known.scores else ""
    return f"{counted(known.step, 'step')} on {known.data}, {known.bytes / 1e6:.2f} MB{scored}"


def of_model(registry: Registry, word: str, json: bool, everything: bool) -> None:
    """What a model's file says of itself, and what was measured of it."""
    from gantool.runs.finding import file_of, known_of
    from gantool.runs.header import facts

    path = file_of(registry, word)
    said, known = facts(path), known_of(registry, path)
    if not said:
        raise UserError(f"{path} was not written by gantool.", "Give a run or a model file; see `gantool models`.")
    if json:
        as_json({**known._asdict(), "facts": said})
        return
    spec, settings = (part if isinstance(part := said.get(key), dict) else {} for key in ("spec", "settings"))
    shape, classes = (part if isinstance(part := spec.get(key), list) else [] for key in ("shape", "classes"))
    rows = {
        "model": known.name, "variant": known.variant, "made by": f"{said.get('package')} {said.get('version')}",
        "trained": f"{counted(known.step, 'step')} on {known.data}, seed {said.get('seed', 'unknown')}",
        "shape": "x".join(map(str, [*shape[1:], *shape[:1]])), "classes": ", ".join(map(str, classes)),
        "size": f"{known.bytes / 1e6:.2f} MB",
        **{name: f"{value:.4g}" for name, value in known.scores.items()},
        **(settings if everything else {}),
    }  # fmt: skip
    for name, value in rows.items():
        if value not in ("", None):
            print(plain(f"{name}: {value}"))
    if not everything:
        print(f"\nIts settings: gantool info {quote(word)} --all. Of the variant: gantool info {plain(known.variant)}")


def described(offer: Offer, cls: Any) -> dict[str, Any]:
    """All that can be set, as a form or a sweep would want it."""
    from gantool.training.session import schema_of

    return {
        "name": offer.name, "summary": offer.summary, "task": offer.field("Task"), "paper": offer.field("Paper"),
        "differs": offer.field(DIFFERS),
        "package": offer.package, "version": offer.version, "presets": list(offer.presets()),
        "train": [setting.described() for setting in schema_of(offer.name, cls).all],
        "sample": [s.described() for s in Schema(
            {"Sampling": HowToSample, offer.name: cls.SampleOptions}, own=offer.name
        ).all],
    }  # fmt: skip


def networks(cls: Any) -> None:
    """Each network and its size, as built for the variant's default data."""
    from gantool.reading.built import built
    from gantool.variant import parameters_of

    found = built(cls)
    if found.variant is None:
        print(f"\nnetworks: not shown ({found.why})")
        return
    print(f"\nnetworks, for {found.spec.shown} images:")
    table(("name", "parameters"), [(child, f"{count:,}") for child, count in parameters_of(found.variant).items()])
