"""`gantool eval`: what a judge makes of a model's samples."""

import json
from pathlib import Path
from typing import Any

import torch

from gantool import device, files
from gantool.data import catalog
from gantool.data.pictures import DataSpec, as_floats, open_data
from gantool.errors import UserError
from gantool.judge import Judge, digits_judge, judge_classes, train_judge
from gantool.modelfile import open_model
from gantool.options import EvalCommand, InputOptions, Recipe
from gantool.registry import Registry
from gantool.run import Run
from gantool.sampler import draw
from gantool.terminal import console, table

CPU = torch.device("cpu")
DIGITS = catalog.CATALOG["digits"].classes


def evaluate(registry: Registry, name: str, command: EvalCommand) -> None:
    path, variant, facts = open_model(registry, name, command.run, command.device, "eval")
    if issubclass(type(variant).SampleOptions, InputOptions):
        raise UserError(f"{name} turns pictures into pictures; eval measures variants that draw from noise.")
    judge, who = find_judge(facts, path, variant.data, command)
    device.seed_all(command.seed)
    found, asked = [], []
    with torch.inference_mode():
        for part in draw(variant, command.n, variant.SampleOptions()):
            (images,) = as_floats((torch.from_numpy(part.images).permute(0, 3, 1, 2),), CPU)
            found.append(judge_classes(judge, images))
            asked += [] if part.labels is None else [torch.from_numpy(part.labels)]
    scores = measure(torch.cat(found), torch.cat(asked) if asked else None, variant.data.classes)
    report = {"run": str(path), "step": facts["step"], "judge": who, "n": command.n, "scores": scores}
    run = Run(path.parent)
    if run.config.is_file():
        files.write(run.eval, json.dumps(report, indent=1) + "\n")
    if command.json:
        print(json.dumps(report))
    else:
        show(report)


def find_judge(facts: dict[str, Any], path: Path, spec: DataSpec, command: EvalCommand) -> tuple[Judge, str]:
    """The shipped judge for digits; for other labelled data, one trained now on the pictures the run was made from."""
    if spec.classes == DIGITS and facts["data"] != "svhn":  # whose digits are photographs
        return digits_judge(), "digits-judge, 99 % right on MNIST's test set"
    if not spec.classes:
        raise UserError("eval counts classes, and these pictures have none.", "Train on class sub-folders to use it.")
    settings = facts["settings"]
    kept = Run(path.parent).read_config() if Run(path.parent).config.is_file() else settings
    folder = command.data_dir or (Path(kept["data_dir"]) if kept.get("data_dir") else None)
    console(stderr=True).print(f"training a judge on {facts['data']}...")
    data = open_data(Recipe(data=str(kept["data"]), data_dir=folder, size=spec.size, channels=settings["channels"]))
    if data.streamed:
        raise UserError(f"{facts['data']} is too large to train a judge on in memory.")
    judge = train_judge(data.pixels, data.labels, len(spec.classes))
    return judge, f"trained on {facts['data']}, {judge.accuracy:.1%} right on pictures held out"


def measure(found: torch.Tensor, asked: torch.Tensor | None, classes: tuple[str, ...]) -> dict[str, float]:
    """Label accuracy where classes were asked for; and how evenly the classes come."""
    scores: dict[str, float] = {}
    if asked is not None:
        right = (found == asked).float()
        each = [right[asked == i].mean().item() for i in range(len(classes)) if (asked == i).any()]
        scores |= {"label_accuracy": right.mean().item(), "worst_class": min(each)}
    share = torch.bincount(found, minlength=len(classes)).double() / len(found)
    present = share[share > 0]
    # KL from the classes as drawn to even ones: 0 when even, log(classes) when all are one.
    scores["class_balance_kl"] = (present * (present * len(classes)).log()).sum().item()
    scores["classes_drawn"] = int((share > 0).sum())
    return scores


def show(report: dict[str, Any]) -> None:
    best = {"label_accuracy": "1", "worst_class": "1", "class_balance_kl": "0"}
    rows = [(name, f"{value:.4g}", best.get(name, "")) for name, value in report["scores"].items()]
    table(("measure", "value", "best"), rows)
    print(f"{report['n']} samples of {report['run']}, judged by: {report['judge']}")
