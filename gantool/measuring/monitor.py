"""Is it going wrong? Cheap probes during training, and what they mean in words. It advises; it never changes a run.

All it remembers are lines of metrics.jsonl, so a resumed run is judged as one that was never stopped.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor

from gantool.data.batches import Batches
from gantool.data.pictures import as_bytes
from gantool.hookspecs import hookimpl
from gantool.measuring import measures
from gantool.measuring.judge import Judge, look
from gantool.measuring.judges import ready_judge
from gantool.options import InputOptions
from gantool.run import Run
from gantool.trainer import Trainer

SAMPLES = 256  # a probe
EARLY = 5  # probes whose gradients are taken for usual
Line = dict[str, Any]


class Monitor:
    """Probes at the steps at which pictures are drawn; a sign must hold at two probes on end to be told."""

    def __init__(self, run: Run, every: int, say: Callable[[str], object]) -> None:
        self.run, self.every, self.say = run, every, say
        self.judge: Judge | None = None

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        variant, spec = trainer.variant, trainer.data.spec
        if issubclass(variant.SampleOptions, InputOptions):
            return  # it draws no samples: only gradients can be probed
        self.judge = ready_judge(spec, trainer.recipe.data)
        x, *_ = Batches(trainer.data, min(SAMPLES, len(trainer.data)), trainer.recipe.seed, trainer.device).first()
        self.real, _ = look(self.judge, as_bytes(x))
        self.usual = spread(self.real)

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        if trainer.step % self.every:
            return
        lines = list(self.run.lines())
        before = [line for line in lines if "probe" in line]
        now: Line = {"step": trainer.step, "probe": self.probe(trainer)}
        told = {line["sign"] for line in lines if "sign" in line}
        self.run.append(now)
        last = dict(signs(before[-1], before[:-1])) if before else {}
        for name, words in signs(now, before):
            if name in last and name not in told:
                words += " " + advice(name, trainer)
                self.run.append({"step": trainer.step, "sign": name, "words": words})
                self.say(f"step {trainer.step}: {words}")

    def probe(self, trainer: Trainer) -> dict[str, float]:
        """What can be said of the networks now."""
        trainer.check_weights()
        found = {
            f"{name} gradient": float(torch.stack([w.grad.norm() for w in owned if w.grad is not None]).norm())
            for name, owned in trainer.owned.items()
            if any(w.grad is not None for w in owned)
        }
        if "D right" in trainer.metrics:
            found["D right"] = trainer.metrics["D right"]
        if self.judge is None:
            return found
        with trainer.sampling() as variant:
            got = variant.sample(SAMPLES, variant.SampleOptions())
        images, asked = got if isinstance(got, tuple) else (got, None)
        features, probabilities = look(self.judge, as_bytes(images))
        found["diversity"] = spread(features) / max(self.usual, 1e-12)
        found["distance"] = measures.frechet(self.real, features)
        if self.judge.classes > 1:
            seen = probabilities.argmax(1)
            found["rarest class"] = float(torch.bincount(seen, minlength=self.judge.classes).min()) / len(seen)
            if asked is not None:
                found["as asked"] = float((seen == asked.cpu()).double().mean())
        return found


def spread(features: Tensor) -> float:
    """The mean distance between two."""
    return float(torch.pdist(features.double()).mean())


def signs(line: Line, before: list[Line]) -> Iterator[tuple[str, str]]:
    """What looks wrong at a probe, given those before it: a name, and a sentence."""
    now, past = line["probe"], [earlier["probe"] for earlier in before]
    for name, value in now.items():
        usual = [p[name] for p in past[:EARLY] if name in p]
        if name.endswith(" gradient") and len(usual) == EARLY:
            player = name.removesuffix(" gradient")
            if value < 1e-3 * median(usual):
                yield f"{player} vanishes", f"{player}'s gradients have all but vanished ({value:.1e})."
            if value > 100 * max(1, median(usual)):
                yield f"{player} explodes", f"{player}'s gradients have exploded ({value:.1e})."
    if now.get("D right", 0) > 0.99:
        yield "D wins", f"D tells real from drawn {now['D right']:.1%} of the time, so G learns little."
    if len(past) < EARLY:
        return  # every network begins by drawing the same picture
    if now.get("diversity", 1) < 0.2:
        yield "collapse", f"Samples are nearly all alike: {now['diversity']:.0%} of the variety of real pictures."
    elif now.get("diversity", 1) < 0.5:
        yield "narrow", f"Samples vary little: {now['diversity']:.0%} of the variety of real pictures."
    if now.get("rarest class", 1) < 0.01:
        yield "missing class", f"A class is hardly ever drawn: {now['rarest class']:.1%} of samples."
    if now.get("as asked", 1) < 0.3:
        yield "ignored label", f"Only {now['as asked']:.0%} of samples show the class that was asked for."
    best: dict[str, float] = min(past, key=lambda p: p.get("distance", float("inf")), default={})
    if now.get("distance", 0) > 1.5 * best.get("distance", float("inf")):
        step = next(earlier["step"] for earlier in before if earlier["probe"] is best)
        yield "worse", f"Samples were nearer to real ones at step {step}."


def advice(sign: str, trainer: Trainer) -> str:
    """What to type next, of the options this variant has."""
    o = trainer.variant.options
    if sign == "worse":
        return "Train for fewer steps, or try --decay."
    if sign == "G vanishes" and getattr(o, "loss", "") == "saturating":
        return "Try --loss non-saturating."
    if sign in ("D wins", "G vanishes") and hasattr(o, "d_lr"):
        return f"Try --d-lr {(o.d_lr or o.lr) / 2:g}."
    if hasattr(o, "r1") and sign in ("collapse", "narrow", "missing class"):
        return f"Try --r1 {max(2 * o.r1, 0.1):g}."
    return f"Try --lr {o.lr / 2:g}."
