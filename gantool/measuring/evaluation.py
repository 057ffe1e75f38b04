"""`gantool eval`: how good what a model draws is, between an untrained network and real pictures."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor

from gantool import device, files
from gantool.data import catalog, named
from gantool.data.pictures import Pictures, open_data, shaped
from gantool.errors import USAGE, UserError
from gantool.measuring import measures
from gantool.measuring.judge import FEATURES, Judge, digits_judge, kept_judge, look, of_digits, random_judge
from gantool.modelfile import open_model
from gantool.options import EvalCommand, InputOptions, Recipe
from gantool.registry import Registry
from gantool.run import Run
from gantool.sampler import draw
from gantool.terminal import console, table
from gantool.variant import Variant

FEWEST = 2 * FEATURES  # pictures; with no more than this, covariances of features say little
SURE = 0.9
NEIGHBOURS = 5  # of density and coverage


class Seen(NamedTuple):
    """Some pictures as the judge sees them, and their classes: true ones, or those asked for."""

    features: Tensor
    probabilities: Tensor
    labels: Tensor | None
    radii: Tensor | None = None  # of the features' neighbourhoods, where several sets are laid over them


class Real(NamedTuple):
    """Real pictures: `reference` is measured against, `control` is what a perfect generator would draw."""

    reference: Pictures
    control: Pictures
    split: str  # test: pictures the model was not trained on; train: one half of those it was


def evaluate(registry: Registry, name: str, command: EvalCommand) -> None:
    path, variant, facts = open_model(registry, name, command.run, command.device, "eval")
    if issubclass(type(variant).SampleOptions, InputOptions):
        raise UserError(f"{name} turns pictures into pictures; eval measures variants that draw from noise.")
    device.seed_all(command.seed)
    real = real_pictures(facts, path, variant, command)
    n = min(command.n, *map(len, real[:2])) if real else command.n
    if n <= FEWEST:
        more = "Give more with -n." if n == command.n else "Its data has no more; measure against others with --data."
        raise UserError(f"{n} pictures are too few: measuring takes more than {FEWEST}.", more, USAGE)
    judge, who = find_judge(facts, variant, real)
    classes = len(variant.data.classes)
    reference = see(judge, real.reference, n) if real else None
    if reference:
        reference = reference._replace(radii=measures.nearest(reference.features, reference.features, NEIGHBOURS + 1))
    drawn = seen_drawn(judge, variant, n)
    report: dict[str, Any] = {"run": str(path), "step": facts["step"], "judge": who, "n": n}
    report["scores"] = scores(drawn, reference, classes)
    untrained = type(variant)(variant.options, variant.data).to(variant.device).eval()
    report["untrained"] = scores(seen_drawn(judge, untrained, n), reference, classes)
    if real:
        report["data"], report["split"] = command.data or facts["data"], real.split
        report["real"] = scores(see(judge, real.control, n), reference, classes)
    run = Run(path.parent)
    if run.config.is_file():
        files.write(run.eval, json.dumps(report, indent=1) + "\n")
    if command.json:
        print(json.dumps(report))
    else:
        show(report)


def seen_drawn(judge: Judge, variant: Variant, n: int) -> Seen:
    pixels, labels = [], []
    with torch.inference_mode():
        for part in draw(variant, n, variant.SampleOptions()):
            pixels.append(torch.from_numpy(part.images).permute(0, 3, 1, 2))
            labels += [] if part.labels is None else [torch.from_numpy(part.labels)]
    return Seen(*look(judge, torch.cat(pixels)), torch.cat(labels) if labels else None)


def see(judge: Judge, data: Pictures, n: int) -> Seen:
    return Seen(*look(judge, data.pixels[:n]), data.labels[:n] if data.spec.classes else None)


def real_pictures(facts: dict[str, Any], path: Path, variant: Variant, command: EvalCommand) -> Real | None:
    """The data the model was trained on, or --data: its test split if it has one, else two halves of it."""
    kept = Run(path.parent).read_config() if Run(path.parent).config.is_file() else facts["settings"]
    folder = command.data_dir or (Path(kept["data_dir"]) if kept.get("data_dir") else None)
    data, spec = command.data or str(kept["data"]), variant.data
    try:
        recipe = Recipe(data=data, data_dir=folder, size=spec.size, channels=cast(Literal[1, 3, 4], spec.channels))
        if (all_ := open_data(recipe)).streamed:
            raise UserError(f"{data} is too large to be measured in memory.")
    except UserError as error:
        if command.data:
            raise
        console(stderr=True).print(f"note: measured without real pictures. {error.message}")
        return None
    order = torch.randperm(len(all_), generator=torch.Generator().manual_seed(0))
    if data in catalog.CATALOG and data != "digits":
        pixels, labels = named.load(data, folder, train=False)
        held = Pictures(shaped(pixels, spec.size, spec.channels), labels, all_.spec.classes)
        mixed = torch.randperm(len(held), generator=torch.Generator().manual_seed(0))
        return Real(part(held, mixed), part(all_, order), "test")
    half = len(order) // 2
    return Real(part(all_, order[:half]), part(all_, order[half:]), "train")


def part(data: Pictures, index: Tensor) -> Pictures:
    return Pictures(data.pixels[index], data.labels[index], data.spec.classes)


def find_judge(facts: dict[str, Any], variant: Variant, real: Real | None) -> tuple[Judge, str]:
    """The shipped judge for digits, one trained now for other classes, and for none convolutions never trained."""
    spec = variant.data
    if of_digits(spec, facts["data"]):
        return digits_judge(), "digits-judge"
    if not spec.classes:
        return random_judge(spec.channels), "random-convolutions"
    if not real:
        raise UserError("Without its data there is nothing to train a judge on.", "Give --data.", USAGE)
    pixels, labels = (torch.cat([getattr(d, of) for d in real[:2]]) for of in ("pixels", "labels"))
    name = f"{facts['data']}-judge"
    judge = kept_judge(
        Pictures(pixels, labels, spec.classes), lambda: console(stderr=True).print(f"training {name}...")
    )
    return judge, f"{name}, {judge.accuracy:.1%} right on pictures held out"


def scores(x: Seen, real: Seen | None, classes: int) -> dict[str, float]:
    """All that can be said of pictures; distances need real ones, and classes a judge that knows some."""
    found: dict[str, float] = {}
    if classes:
        sure, seen = x.probabilities.max(1)
        if x.labels is not None:
            found["label_accuracy"], found["worst_class"] = measures.accuracy(
                measures.confusion(x.labels, seen, classes)
            )
        found["sure"] = (sure > SURE).double().mean().item()
        found["classifier_score"] = measures.classifier_score(x.probabilities)
        found["class_balance_kl"] = measures.imbalance(seen, classes)
        found["classes_drawn"] = len(torch.unique(seen))
    if real:
        found["FD"] = measures.frechet(real.features, x.features)
        found["KID"], found["KID_spread"] = measures.kernel(real.features, x.features)
        found["density"], found["coverage"] = measures.density_and_coverage(
            real.features, x.features, NEIGHBOURS, real.radii
        )
        if classes and real.labels is not None:
            each = [measures.variety(s.features, s.probabilities.argmax(1), classes) for s in (x, real)]
            found["variety"] = (each[0] / each[1])[each[1] > 0].mean().item()
    return found


def show(report: dict[str, Any]) -> None:
    """Each score, between what an untrained network and real pictures get."""
    rows, judge = [], report["judge"].partition(",")[0]
    for name, value in report["scores"].items():
        null, best = report["untrained"].get(name), report.get("real", {}).get(name)
        if name == "KID_spread":
            continue
        label = f"{name}[{judge}, {report['n']}, {report['split']}]" if name in ("FD", "KID") else name
        reached = ""
        if None not in (null, best) and abs(null - best) > 0.1 * abs(best):  # else no network fails this measure
            reached = f"{max(0, 1 - abs(value - best) / abs(null - best)):.0%}"
        rows.append((label, *("" if v is None else f"{v:.4g}" for v in (value, null, best)), reached))
    table(("measure", "value", "untrained", "real", "reached"), rows)
    print("reached: 0% is as far from real pictures as an untrained network, 100% is as near as other real pictures")
    print(f"{report['n']} samples of {report['run']}, judged by: {report['judge']}")
