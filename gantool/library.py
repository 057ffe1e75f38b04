"""gantool from Python: what `import gantool` offers. The command line parses, calls this, and prints.

Nothing is printed unless `progress` asks for it, and nothing is left behind: random states, and what torch and Pillow
are told for the while, are put back. One piece of work goes on at a time in a process.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from gantool.config import presets
from gantool.config.options import takes_input
from gantool.config.packages import DATASETS, offers
from gantool.config.schema import Schema
from gantool.config.validate import Layer, environment, idle, settle
from gantool.data import catalog
from gantool.data.images import ImageData
from gantool.errors import USAGE, UserError, did_you_mean
from gantool.evaluation import acceptance, comparison, evaluation
from gantool.evaluation.settings import HowToAccept, HowToMeasure
from gantool.export.facts import described
from gantool.export.writing import ENDING, format_of, write
from gantool.export.written import Format, Written
from gantool.handles import Model, Run, Settings, Shown, at_work, load
from gantool.reading import differing, ejecting, explaining
from gantool.reading.differing import Differences
from gantool.reading.explaining import Explanation
from gantool.registry import Registry
from gantool.results import Card, Images, Known, Report
from gantool.runs.finding import ModelFile, listed
from gantool.runs.run import RUNS, RunFolder, all_runs, find, unfinished
from gantool.runtime import files
from gantool.runtime.alone import TRAINING
from gantool.runtime.caller import caller
from gantool.runtime.progress import current
from gantool.runtime.signals import listening
from gantool.training import resuming, session
from gantool.training.session import OnStep, Plan, schema_of
from gantool.training.settings import HowToResume
from gantool.training.trainer import Trainer

GREY = ("1", "L", "LA", "I;16")  # Pillow's modes
__all__ = [
    "Model", "Run", "accept", "compare", "datasets", "diff", "eject", "evaluate", "explain", "export", "load", "models",
    "plan", "resume", "runs", "train", "variants",
]  # fmt: skip


def train(
    variant: str, *, preset: str | None = None, config: str | Path | None = None, progress: Shown = None,
    on_step: Callable[[Trainer], object] | None = None, settings: Settings = None, **keywords: Any,
) -> Run:  # fmt: skip
    """Train a variant and give its run. Keywords are the flags of `gantool train VARIANT`: steps=40, seed=3, name="x".

    `progress=True` shows how it goes; `on_step` is called with the trainer after each step; `settings` holds what has
    the name of an argument here. Ctrl-C saves, and gives a run that can be resumed.
    """
    values = {**(settings or {}), **keywords}
    by = caller(words("train", variant, values, preset=preset, config=config))
    with at_work(TRAINING, progress), listening() as signals:
        made, how = prepared(variant, values, preset, config, by.words)
        made.on_step = on_step
        outcome = session.train(made, how.name, how.out, signals, by.began)
    return Run(outcome.run.folder, outcome)


def plan(
    variant: str, *, preset: str | None = None, config: str | Path | None = None, settings: Settings = None,
    **keywords: Any,
) -> Plan:  # fmt: skip
    """What `train` would do and how long it would take; nothing is trained or written."""
    values = {**(settings or {}), **keywords}
    by = caller(words("plan", variant, values, preset=preset, config=config))
    with at_work("planning"):
        made, _ = prepared(variant, values, preset, config, by.words)
        return session.plan(made, by.began)


def prepared(
    variant: str, values: Mapping[str, Any], preset: str | None, config: str | Path | None, said: str
) -> tuple[session.Session, Any]:
    """The training that is asked for, with every setting held to the real variant's; and where it is to go."""
    registry = Registry()
    offer, cls = registry.offer(variant), registry.load(variant)
    schema = schema_of(variant, cls)
    layers = [Layer(values), environment(schema), *presets.layers(variant, offer.presets(), preset, config)]
    sections = settle(schema, layers, presets.see(variant)).sections
    for note in idle(schema, sections, values):
        current().note(note)
    recipe, options, how = sections.values()
    if cls.recipe.data in catalog.names():  # other variants read data of their own
        catalog.is_named(recipe.data)
    return session.Session(registry, variant, recipe, options, how, said), how


def resume(
    run: Run | str | Path | None = None, *, steps: int | None = None, progress: Shown = None,
    on_step: OnStep | None = None, settings: Settings = None, **keywords: Any,
) -> Run:  # fmt: skip
    """Go on with a run exactly where its last checkpoint stands; `steps` in all. None: the newest unfinished one.

    Keywords are `device` and `compile`; what is said again of its settings must be as it was.
    """
    folder = RunFolder(run.folder) if isinstance(run, Run) else find(run) if run is not None else unfinished()
    values = {**(settings or {}), **keywords}
    with at_work(TRAINING, progress), listening() as signals:
        registry = Registry()
        name = folder.variant
        every = Schema({"This run": HowToResume})
        if name in registry.offers:  # else it is said below which package is missing
            every = schema_of(name, registry.load(name), HowToResume)
        if steps is not None:
            values |= {every.lengths[0] if every.lengths else "steps": steps}
        settled = settle(every, [Layer(values)], "See: gantool resume --help")
        how = settled.sections["This run"]
        said = {s.key: getattr(settled.sections[s.panel], s.name) for s in every.all if s.key in settled.chosen}
        outcome = resuming.resume(registry, folder, said, how, signals, on_step)
    return Run(outcome.run.folder, outcome)


def export(
    model: Model | Run | str | Path, out: str | Path | None = None, *, format: Format | None = None,
    small: bool = False, static: bool = False, settings: Settings = None, **flags: Any,
) -> Written:  # fmt: skip
    """Write a model as a page that draws (FILE.html), as ONNX (FILE.onnx), or as a program of plain torch (FILE.pt2).

    `small` halves a page, by weights of 8 bits; further keywords are flags of `gantool sample`, such as truncation=1.5,
    and hold for all that the file draws. What it says of itself is also on the page.
    """
    held = model if isinstance(model, Model) else load(model, device="cpu")
    path = Path(out) if out is not None else None
    kind = format_of(path, format)
    takes = takes_input(type(held.variant).SampleOptions)
    _, options = held._settled({**({"input": Path()} if takes else {}), **(settings or {}), **flags})
    with at_work("exporting"):
        about = described(Registry().offer(held.name), held.path, held.facts)
        return write(held.opened, options, path or Path(f"{held.name}{ENDING[kind]}"), kind, small, static, *about)


def evaluate(
    what: Model | Run | Images | str | Path, *, against: str | None = None, progress: Shown = None,
    settings: Settings = None, **keywords: Any,
) -> Report:  # fmt: skip
    """Scores of a model, a run, or with `against` of images: each between the least's and real images'.

    Keywords are the flags of `gantool eval`: n=2000, data="mnist", metrics="FD,coverage". A run keeps its report.
    """
    if against is not None:
        if isinstance(what, Model | Run):
            raise UserError("Images are measured against others; a model against its data.", 'data="mnist"', USAGE)
        return compare(what, against, progress=progress, settings=settings, **keywords)
    if isinstance(what, Images):
        raise UserError("Images are measured against real ones.", 'gantool.evaluate(images, against="mnist")', USAGE)
    values = {**(settings or {}), **keywords}
    how = measuring(values)
    model = what if isinstance(what, Model) else load(what, device=how.device)
    with at_work("evaluation", progress), listening():
        found = evaluation.measure(model.opened, Registry().offer(model.name), how)
        evaluation.keep(found)
    return Report(found.report)


def compare(
    images: Images | str | Path, against: str, *, progress: Shown = None, settings: Settings = None, **keywords: Any
) -> Report:
    """Scores of images from anywhere: Images, a folder, a zip or an .npz, against a data set's or another folder's."""
    how = measuring({**(settings or {}), **keywords})
    with at_work("evaluation", progress), listening():
        if isinstance(images, Images):
            labels = None if images.labels is None else torch.from_numpy(images.labels)
            shown: Path | ImageData = ImageData(images.tensor, labels, images.classes)
        else:
            shown = Path(images)
        return Report(comparison.compare(shown, against, how))


def measuring(values: Mapping[str, Any]) -> HowToMeasure:
    schema = Schema({"Measuring": HowToMeasure})
    settled = settle(schema, [Layer(values), environment(schema)], "See: gantool eval --help")
    how: HowToMeasure = settled.sections["Measuring"]
    return how


def accept(variant: str, *, progress: Shown = None, settings: Settings = None, **keywords: Any) -> Card:
    """Train a variant from several seeds, hold it to its thresholds, and write its card.

    Keywords are the flags of `gantool accept`: budget="90s", steps=700, seeds=3.
    """
    schema = Schema({"Acceptance": HowToAccept})
    layers = [Layer({**(settings or {}), **keywords}), environment(schema)]
    how = settle(schema, layers, presets.see(variant, "accept")).sections["Acceptance"]
    with at_work(TRAINING, progress), listening() as signals:
        return Card(acceptance.accept(Registry(), variant, signals, how))


def explain(variant: str) -> Explanation:
    """A variant's algorithm, equation by equation, each beside the lines of its installed source that are it."""
    registry = Registry()
    return explaining.explain(registry.offer(variant), registry.load(variant))


def diff(a: str, b: str) -> Differences:
    """What variant b changes of variant a: networks, players, turns, losses, defaults."""
    registry = Registry()
    return differing.differences((a, b), (registry.load(a), registry.load(b)))


def eject(
    what: Run | str, out: str | Path, *, preset: str | None = None, config: str | Path | None = None,
    with_data: bool = False, settings: Settings = None, **keywords: Any,
) -> list[Path]:  # fmt: skip
    """Write the training of a run, or of a variant, as one plain PyTorch file without gantool; give what was written.

    Keywords are the flags of `gantool train VARIANT`; `with_data` also writes its data, as an .npz that the file reads.
    """
    registry, path, values = Registry(), Path(out), {**(settings or {}), **keywords}
    if path.suffix != ".py":
        raise UserError(f"{path} should end in .py.", f"For example: {path.stem or 'plain'}.py", USAGE)
    if isinstance(what, str) and what in registry.offers:
        name, made_of = (
            what,
            f"{what} with its " + (f"preset {preset}" if preset else "defaults" if not values else "settings"),
        )
        template = ejecting.check(registry.offer(name), registry.offers)
        made, _ = prepared(name, values, preset, config, made_of)
        recipe, options = made.recipe, made.options
    else:
        run = run_of(registry, what)
        if values or preset or config:
            raise UserError(f"{run.folder} has its settings.", f"gantool eject {run.folder} --out {path}", USAGE)
        name, made_of = run.variant, f"the run {run.name}"
        template = ejecting.check(registry.offer(name), registry.offers)
        sections = resuming.stored(registry, run)[2]
        recipe, options = sections["Training"], sections[name]
    with at_work("ejecting"):
        program, data = ejecting.eject(registry, name, template, recipe, options, path.name, made_of)
        files.write(path, program)
        if not with_data:
            return [path]
        beside = path.with_name(f"{path.stem}.npz")
        ejecting.write_data(beside, data)
        return [path, beside]


def run_of(registry: Registry, what: Run | str) -> RunFolder:
    """The run meant, where a variant could be."""
    if isinstance(what, Run):
        return what.files
    try:
        return find(what)
    except UserError:
        known = [*registry.names(), *(run.name for run in all_runs())]
        near = did_you_mean(what, known)
        raise UserError(
            f"No variant and no run named {what!r}.{near}", "See: gantool list, gantool runs", USAGE
        ) from None


def variants() -> list[Known]:
    """Those that are installed."""
    return [
        Known(o.name, o.summary, o.package, o.version, o.field("Task"), o.field("Paper"))
        for several in Registry().offers.values() for o in several
    ]  # fmt: skip


def datasets() -> list[Known]:
    """Those that have a name."""
    ours = [Known(name, entry.about, "gantool", "") for name, entry in catalog.OURS.items()]
    theirs = (o for several in offers(DATASETS).values() for o in several)
    return ours + [Known(o.name, o.summary, o.package, o.version) for o in theirs]


def runs(folder: str | Path = RUNS) -> list[Run]:
    """The runs in a folder, newest first."""
    return [Run(run.folder) for run in all_runs(Path(folder))]


def models(folder: str | Path = RUNS) -> list[ModelFile]:
    """What can draw: the models that packages carry, then those of the runs in a folder, newest first."""
    return listed(Registry(), Path(folder))


def words(function: str, variant: str, values: Mapping[str, Any], **more: Any) -> str:
    """The call, as it could be typed again."""
    given = {**{name: value for name, value in more.items() if value is not None}, **values}
    shown = "".join(f", {name}={(str(v) if isinstance(v, Path) else v)!r}" for name, v in given.items())
    return " ".join(f"gantool.{function}({variant!r}{shown})".split())
