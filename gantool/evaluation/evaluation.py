"""How good is what a model draws: between an untrained network and real images."""

from collections.abc import Container, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from gantool.config.options import LabelOptions, draws
from gantool.config.packages import Offer
from gantool.data.images import Data, ImageData
from gantool.data.points import Points
from gantool.errors import USAGE, UserError
from gantool.evaluation import gates, report, sheet
from gantool.evaluation.held import Held, Real, held_data, real_of, without_real
from gantool.evaluation.offered import Offered
from gantool.evaluation.scores import NEIGHBOURS, Extractor, Ground, Seen, few, ground, scores, see, see_data
from gantool.evaluation.settings import HowToMeasure
from gantool.metrics import cas, measures
from gantool.metrics.inception import features_of, find_extractor
from gantool.metrics.judge import Judge
from gantool.metrics.judges import check_judge, find_judge
from gantool.metrics.mixtures import MEASURED, score_points
from gantool.runs.model import Opened
from gantool.runs.packaged import digest, name_of, path_of
from gantool.runs.run import RunFolder
from gantool.runtime import device, progress
from gantool.sampling.sampler import draw
from gantool.variant import Variant

LEAST = 2 * NEIGHBOURS + 2  # images of which anything can be said
LACKING = "What suits it better, its author can add: `measure`, in docs/plugins.md."


class Shown(NamedTuple):
    """What was made of images: who judged them, what they were laid over, and what the model drew."""

    judge: Judge
    real: Real | None
    ground: Ground
    drawn: Seen


class Measured(NamedTuple):
    """All that came of it; nothing is `shown` of a variant whose measures are all its own."""

    path: Path
    variant: Variant
    shown: Shown | None
    report: dict[str, Any]


def keep(found: Measured) -> None:
    """In the run that the model belongs to, if it lies in one."""
    run = RunFolder(found.path.parent)
    if run.config.is_file():
        report.keep(run.eval, found.report)
        if seen := found.shown:
            training = seen.real.training.pixels if seen.real and seen.real.training else None
            classes, lines = found.variant.data.classes, list(run.lines())
            sheet.write(run.eval.with_suffix(".png"), found.report, seen.drawn, seen.ground, training, classes, lines)


def measure(model: Opened, offer: Offer, how: HowToMeasure, budget: gates.Budget | None = None) -> Measured:
    """A model's scores; `budget` is what it had to be trained, if that is known."""
    path, variant, facts = model
    cls, name = type(variant), offer.name
    own = cls.measure is not Variant.measure
    wanted = gates.chosen(how.metrics)
    limits = gates.thresholds_for(offer, str(facts["data"]), budget) if how.data is None else None
    requested = wanted if how.metrics else [threshold.score for threshold in limits.thresholds] if limits else []
    offered = Offered([] if own else requested)
    if not own:
        offered.check_names(wanted)
    from_noise = draws(cls.SampleOptions)
    if not (from_noise or own):
        raise UserError(f"{name} turns images into images, and has no measures of its own.", LACKING)
    data = held_data(facts, path, variant, how)
    whose = name_of(offer) if path == path_of(offer) else str(path)
    found: dict[str, Any] = {"run": whose, "variant": name, "step": facts["step"], "sha256": digest(path)}
    found |= {"scores": {}, "floor": {}, "floor_from": "an untrained network"}
    found |= {"data": how.data or facts["data"], "split": data.split} if data else {}
    mine: list[dict[str, float]] = []
    if own and data and (how.metrics is None or not gates.SCORES.keys() >= set(wanted)):
        mine = [own_scores(x, data.held, how.seed) for x in (variant, untrained(variant, how.seed))]
        offered = Offered(requested, mine[0])
        offered.check_names(wanted, mine[0])
        if how.metrics and gates.ALL not in wanted:
            mine = [{name: x[name] for name in x if name in wanted} for x in mine]
    shown = None
    if data and not own and from_noise and isinstance(data.held, Points):
        mine = [points_drawn(x, data.held, how.seed) for x in (variant, untrained(variant, how.seed))]
        found["ceiling"], found["n"] = score_points(real_points(data), data.held), MEASURED
    elif from_noise and (data is None or isinstance(data.training, ImageData)):
        shown = look_at(variant, facts, data, how, wanted, offered, found)
    elif not own:
        raise UserError(f"{name} is not trained on plain images, and has no measures of its own.", LACKING)
    elif not data:
        raise UserError(f"{name} measures itself on data that are not there.", "Give --data.", USAGE)
    else:
        found["n"] = len(data.held)
    for end, scored in zip(("scores", "floor"), mine, strict=False):
        found[end] |= scored
    if limits:
        found["thresholds"] = report.verdicts(limits, found, wanted if how.metrics else (gates.ALL,))
    return Measured(path, variant, shown, found)


def points_drawn(variant: Variant, held: Points, seed: int) -> dict[str, float]:
    """What can be said of points drawn from noise."""
    device.seed_all(seed)
    with torch.no_grad():
        got = variant.sample(MEASURED, variant.SampleOptions())
    return score_points((got[0] if isinstance(got, tuple) else got).cpu(), held)


def real_points(data: Held) -> Tensor:
    """Others of the same kind."""
    assert isinstance(data.training, Points)
    order = torch.randperm(len(data.training), generator=torch.Generator().manual_seed(0))
    return data.training.x.cpu()[order[:MEASURED]]


def untrained(variant: Variant, seed: int) -> Variant:
    device.seed_all(seed)
    return type(variant)(variant.options, variant.data).to(variant.device).eval()


def own_scores(variant: Variant, held: Data, seed: int) -> dict[str, float]:
    device.seed_all(seed)
    with torch.no_grad():
        found = {str(name): float(value) for name, value in variant.measure(held).items()}
    for name in found:
        if name in gates.SCORES or name == gates.ALL:
            raise UserError(f"{type(variant).__name__}.measure gives {name}, a name of gantool's own scores.")
        if not name.isidentifier():
            raise UserError(f"{type(variant).__name__}.measure gives {name!r}: thresholds want one word.")
    return found


def look_at(
    variant: Variant, facts: dict[str, Any], data: Held | None, how: HowToMeasure, wanted: Sequence[str],
    offered: Offered, found: dict[str, Any],
) -> Shown:  # fmt: skip
    """Adds to `found` what can be said of images drawn from noise."""
    device.seed_all(how.seed)
    real = real_images(data, facts, how)
    n = enough(how, *map(len, real[:2] if real else ()))
    extractor, trained_on = find_extractor(how.with_inception, how.inception_weights, how.device), str(facts["data"])
    judge, who = find_judge(variant.data, trained_on, real[:2] if real else ())
    on = ground_of(judge, real, n, extractor)._replace(second=check_judge(variant.data, trained_on), offered=offered)
    drawn = seen_drawn(judge, variant, n, real)
    found |= {"judge": who, "n": n} | ({"extractor": "inception"} if extractor else {})
    found["scores"] = scores(drawn, on, wanted)
    found["floor"] = floor(seen_drawn(judge, untrained(variant, how.seed), n, real), on, wanted)
    if real:
        found |= lacking(found["scores"], wanted)
        found["ceiling"] = ceiling(see_data(judge, real.others, n), on, wanted)
        offered.without_failed(found)
        if "CAS" in wanted and drawn.labels is not None and len(variant.data.classes) > 1:
            found["scores"]["CAS"], found["ceiling"]["CAS"] = trained_on_samples(drawn, real, n)
    if drawn.labels is not None and on.classes > 1:
        table = measures.confusion(drawn.labels, drawn.probabilities.argmax(1), on.classes)
        found["confusion"] = table.tolist()
    return Shown(judge, real, on, drawn)


def real_images(data: Held | None, facts: dict[str, Any], how: HowToMeasure) -> Real | None:
    try:
        return data and real_of(data, how.data or str(facts["data"]), str(facts.get("fingerprint")))
    except UserError as error:
        if how.data:
            raise
        without_real(error)
        return None


def lacking(scored: dict[str, float], wanted: Container[str]) -> dict[str, bool]:
    """That there were too few images for a score that was asked for."""
    return {"few": True} if "FD" in wanted and "FD" not in scored else {}


def enough(how: HowToMeasure, *counts: int, way_out: str = "measure against others with --data") -> int:
    """How many images there are to measure, if what was asked for can be said of so many."""
    n, features, why = min((how.n, *counts)), features_of(how.with_inception), ""
    if how.metrics and "FD" in gates.chosen(how.metrics) and few(n, features):
        why = f"FD's covariance of {features} features needs more than {2 * features}. --metrics KID needs {LEAST}."
    elif n < LEAST:
        why = f"at least {LEAST} are needed."
    if why:
        more = "Give more with -n." if n == how.n else f"There are no more; {way_out}."
        raise UserError(f"{n} images are too few: {why}", more, USAGE)
    return n


def ground_of(judge: Judge, real: Real | None, n: int, extractor: Extractor = None) -> Ground:
    if real is None:
        return ground(judge, None, None, None)
    reference = see_data(judge, real.reference, n)
    training = real.training.pixels if real.training else None
    return ground(judge, reference, training, reference.features if real.split == "test" else None, extractor)


def floor(least: Seen, on: Ground, wanted: Container[str]) -> dict[str, float]:
    """What the least gets. That of the nearest ratio is a model that copies: each sample is a training image."""
    found = scores(least, on._replace(training=None), wanted)
    return found | ({"nearest_ratio": 0.0} if on.training is not None and "nearest_ratio" in wanted else {})


def ceiling(control: Seen, on: Ground, wanted: Container[str]) -> dict[str, float]:
    """What real images get in the samples' place. By its definition, new ones have a nearest ratio of 1."""
    found = scores(control, on._replace(training=None), wanted)
    return found | ({"nearest_ratio": 1.0} if on.training is not None and "nearest_ratio" in wanted else {})


def trained_on_samples(drawn: Seen, real: Real, n: int) -> tuple[float, float]:
    """The classification accuracy score, and the same of as many real images."""
    tested = real.others if real.split == "train" else real.reference
    by_real = real.reference if real.split == "train" else real.others
    classes, found = len(real.reference.spec.classes), []
    sets = (("samples", drawn.pixels, drawn.labels), ("real images", by_real.pixels[:n], by_real.labels[:n]))
    for what, pixels, labels in sets:
        with progress.current().working(f"training a classifier on {what}") as tell:
            found.append(cas.score(pixels, cast(Tensor, labels), tested.pixels, tested.labels, classes, tell))
    return found[0], found[1]


def seen_drawn(judge: Judge, variant: Variant, n: int, real: Real | None) -> Seen:
    """n of its images. A conditional one is given those of real ones: another share of each is a distance."""
    classes, order = variant.data.classes, None
    parts = draw(variant, n, variant.SampleOptions())
    of: Any = variant.SampleOptions
    if classes and issubclass(of, LabelOptions) and real and real.reference.spec.classes == classes:
        requested = real.reference.labels[:n]
        each = zip(classes, torch.bincount(requested, minlength=len(classes)).tolist(), strict=True)
        parts = chain.from_iterable(draw(variant, many, of(label=name)) for name, many in each)
        order = requested.argsort(stable=True).argsort()  # from class by class to the real ones' order
    pixels, labels = [], []
    with torch.inference_mode():
        for part in parts:
            pixels.append(torch.from_numpy(part.images).permute(0, 3, 1, 2))
            labels += [] if part.labels is None else [torch.from_numpy(part.labels)]
    x, y = torch.cat(pixels), torch.cat(labels) if labels else None
    return see(judge, x, y) if order is None or y is None else see(judge, x[order], y[order])
