"""`gantool eval`: how good what a model draws is, between an untrained network and real pictures."""

from collections.abc import Container
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor

from gantool import device
from gantool.data import catalog, named
from gantool.data.pictures import DataSpec, Pictures, open_data, shaped
from gantool.errors import USAGE, UserError
from gantool.measuring import cas, gates, measures, report, sheet
from gantool.measuring.inception import features_of, find_extractor
from gantool.measuring.judge import FEATURES, Judge
from gantool.measuring.judges import check_judge, find_judge
from gantool.measuring.scores import Extractor, Ground, Seen, ground, scores, see, see_data
from gantool.measuring.waiting import waiting
from gantool.modelfile import open_model
from gantool.options import EvalCommand, InputOptions, Recipe
from gantool.registry import Registry
from gantool.run import Run
from gantool.sampler import draw
from gantool.terminal import console
from gantool.variant import Variant


class Real(NamedTuple):
    """Real pictures: `reference` is measured against, `control` is what a perfect generator would draw."""

    reference: Pictures
    control: Pictures
    split: str  # test: pictures the model was not trained on; train: one half of those it was
    training: Pictures | None  # all it was trained on, if these are


class Measured(NamedTuple):
    """All that came of it; `ground` and `drawn` are for pictures of it."""

    path: Path
    variant: Variant
    judge: Judge
    real: Real | None
    ground: Ground
    drawn: Seen
    report: dict[str, Any]


def evaluate(registry: Registry, name: str, command: EvalCommand) -> None:
    found = measure(registry, name, command)
    run = Run(found.path.parent)
    if run.config.is_file():
        report.keep(run.eval, found.report)
        training = found.real.training.pixels if found.real and found.real.training else None
        classes, lines = found.variant.data.classes, list(run.lines())
        sheet.write(run.eval.with_suffix(".png"), found.report, found.drawn, found.ground, training, classes, lines)
    report.out(found.report, command)


def measure(registry: Registry, name: str, command: EvalCommand, seconds: float | None = None) -> Measured:
    """A model's scores; `seconds` is how long it was trained, if that is known."""
    wanted = gates.chosen(command.metrics)
    path, variant, facts = open_model(registry, name, command.run, command.device, "eval")
    if issubclass(type(variant).SampleOptions, InputOptions):
        raise UserError(f"{name} turns pictures into pictures; eval measures variants that draw from noise.")
    device.seed_all(command.seed)
    real = real_pictures(facts, path, variant, command)
    n = enough(command.n, *map(len, real[:2] if real else ()), features=features_of(command))
    extractor = find_extractor(command)
    judge, who = find_judge(variant.data, str(facts["data"]), real[:2] if real else ())
    on = ground_of(judge, real, n, extractor)._replace(second=check_judge(variant.data, str(facts["data"])))
    drawn = seen_drawn(judge, variant, n)
    untrained = type(variant)(variant.options, variant.data).to(variant.device).eval()
    found: dict[str, Any] = {"run": str(path), "variant": name, "step": facts["step"], "judge": who, "n": n}
    found |= {"extractor": "inception"} if extractor else {}
    found |= {"scores": scores(drawn, on, wanted), "null": "an untrained network"}
    found["floor"] = floor(seen_drawn(judge, untrained, n), on, wanted)
    if real:
        found["data"], found["split"] = command.data or facts["data"], real.split
        found["ceiling"] = ceiling(see_data(judge, real.control, n), on, wanted)
        if "CAS" in wanted and drawn.labels is not None and len(variant.data.classes) > 1:
            found["scores"]["CAS"], found["ceiling"]["CAS"] = trained_on_samples(drawn, real, n)
    if drawn.labels is not None and on.classes > 1:
        table = measures.confusion(drawn.labels, drawn.probabilities.argmax(1), on.classes)
        found["confusion"] = table.tolist()
    if command.data is None and (limits := gates.gates_for(registry.offer(name), str(facts["data"]), seconds)):
        found["gates"] = report.verdicts(limits, found, wanted if command.metrics else gates.SCORES)
    return Measured(path, variant, judge, real, on, drawn, found)


def enough(*counts: int, features: int = FEATURES) -> int:
    """The least of them, if covariances can be made of so many pictures. The first is what was asked for."""
    if (n := min(counts)) <= 2 * features:
        more = "Give more with -n." if n == counts[0] else "There are no more; measure against others with --data."
        why = f"the covariance of {features} features needs more than {2 * features}."
        raise UserError(f"{n} pictures are too few: {why}", more, USAGE)
    return n


def ground_of(judge: Judge, real: Real | None, n: int, extractor: Extractor = None) -> Ground:
    if real is None:
        return ground(judge, None, None, None)
    reference = see_data(judge, real.reference, n)
    training = real.training.pixels if real.training else None
    return ground(judge, reference, training, reference.features if real.split == "test" else None, extractor)


def floor(null: Seen, on: Ground, wanted: Container[str]) -> dict[str, float]:
    """What a null gets. That of the nearest ratio is a model that copies: each sample is a training picture."""
    found = scores(null, on._replace(training=None), wanted)
    return found | ({"nearest_ratio": 0.0} if on.training is not None and "nearest_ratio" in wanted else {})


def ceiling(control: Seen, on: Ground, wanted: Container[str]) -> dict[str, float]:
    """What real pictures get in the samples' place. By its definition, new ones have a nearest ratio of 1."""
    found = scores(control, on._replace(training=None), wanted)
    return found | ({"nearest_ratio": 1.0} if on.training is not None and "nearest_ratio" in wanted else {})


def trained_on_samples(drawn: Seen, real: Real, n: int) -> tuple[float, float]:
    """The classification accuracy score, and the same of as many real pictures."""
    tested = real.control if real.split == "train" else real.reference
    by_real = real.reference if real.split == "train" else real.control
    classes, found = len(real.reference.spec.classes), []
    sets = (("samples", drawn.pixels, drawn.labels), ("real pictures", by_real.pixels[:n], by_real.labels[:n]))
    for what, pixels, labels in sets:
        with waiting(f"training a classifier on {what}") as tell:
            found.append(cas.score(pixels, cast(Tensor, labels), tested.pixels, tested.labels, classes, tell))
    return found[0], found[1]


def seen_drawn(judge: Judge, variant: Variant, n: int) -> Seen:
    pixels, labels = [], []
    with torch.inference_mode():
        for part in draw(variant, n, variant.SampleOptions()):
            pixels.append(torch.from_numpy(part.images).permute(0, 3, 1, 2))
            labels += [] if part.labels is None else [torch.from_numpy(part.labels)]
    return see(judge, torch.cat(pixels), torch.cat(labels) if labels else None)


def real_pictures(facts: dict[str, Any], path: Path, variant: Variant, command: EvalCommand) -> Real | None:
    """The data the model was trained on, or --data: its test split if it has one, else two halves of it."""
    kept = Run(path.parent).read_config() if Run(path.parent).config.is_file() else facts["settings"]
    folder = command.data_dir or (Path(kept["data_dir"]) if kept.get("data_dir") else None)
    data = command.data or str(kept["data"])
    try:
        real = open_real(data, folder, variant.data)
    except UserError as error:
        if command.data:
            raise
        console(stderr=True).print(f"note: measured without real pictures. {error.message}")
        return None
    same = real.training is not None and real.training.fingerprint() == facts.get("fingerprint")
    return real if same else real._replace(training=None)


def open_real(data: str, folder: Path | None, spec: DataSpec | None = None) -> Real:
    """Real pictures, at the size and channels of `spec`, else their own."""
    size, channels = (spec.size, spec.channels) if spec else (None, None)
    recipe = Recipe(data=data, data_dir=folder, size=size, channels=cast(Literal[1, 3, 4] | None, channels))
    if (all_ := open_data(recipe)).streamed:
        raise UserError(f"{data} is too large to be measured in memory.")
    if data in catalog.CATALOG and data != "digits":
        pixels, labels = named.load(data, folder, train=False)
        held = Pictures(shaped(pixels, size, channels), labels, all_.spec.classes)
        return Real(mixed(held), mixed(all_), "test", all_)
    return halves(all_)


def halves(data: Pictures) -> Real:
    """Where no pictures were held out."""
    both, half = mixed(data), len(data) // 2
    pixels, labels = both.pixels, both.labels
    first = Pictures(pixels[:half], labels[:half], both.spec.classes)
    return Real(first, Pictures(pixels[half:], labels[half:], both.spec.classes), "train", data)


def mixed(data: Pictures, seed: int = 0) -> Pictures:
    """In an order drawn by lot: a folder's is that of its classes."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return Pictures(data.pixels[order], data.labels[order], data.spec.classes)
