"""What looks wrong in a training, of numbers that were probed: a name, a grade, words, and what to type next."""

import math
import shlex
from collections.abc import Iterator
from dataclasses import fields
from statistics import median
from typing import Any, NamedTuple

EARLY = 5  # probes whose gradients are taken for usual, and whose samples are not judged
RECENT = 3  # probes that samples must be nearer to real ones than, to be getting better
ERROR, WARNING = "error", "warning"  # what is drawn is of no use as it is; it may yet come right, or be good enough
Line = dict[str, Any]


class Sign(NamedTuple):
    name: str
    grade: str
    words: str


def signs(line: Line, before: list[Line], settled: int = 0) -> Iterator[Sign]:
    """What looks wrong at a probe, given those before it. Samples are not judged before step `settled`."""
    now, past = line["probe"], [earlier["probe"] for earlier in before]
    early = len(past) < EARLY or line["step"] < settled  # every network begins by drawing the same image
    if not early:
        yield from of_memory(now)
    recent = [p["distance"] for p in past[-RECENT:] if "distance" in p]
    if "distance" in now and recent and now["distance"] < 0.9 * min(recent):
        return  # the second signal: whatever else is measured, samples are getting better
    yield from of_gradients(now, past)
    if early:
        return
    if now.get("D right", 0) > 0.99:
        yield Sign("D wins", WARNING, f"D tells real from drawn {now['D right']:.1%} of the time, so G learns little.")
    yield from of_samples(now)
    best = best_of(before[EARLY:] or [line])
    if now.get("distance", 0) > 1.5 * best["probe"].get("distance", float("inf")):
        yield Sign("worse", WARNING, f"Samples were nearer to real ones at step {best['step']}.")


def of_memory(now: dict[str, float]) -> Iterator[Sign]:
    """What is memorised. Samples that are copied look better and better."""
    if now.get("memorised", 0) > 0.5:
        how = f"images held out are {now['memorised']:.0%} of the way from those it trained on to drawn ones"
        yield Sign("D memorises", WARNING, f"D memorised its training images: to it, {how}.")
    if now.get("nearest", 1) < 0.8 and now.get("diversity", 1) >= 0.5:  # those that vary little are near to anything
        how = f"{now['nearest']:.0%} as far from training images as others are"
        yield Sign("copies", WARNING, f"Samples are near to being copies: {how}.")


def of_gradients(now: dict[str, float], past: list[dict[str, float]]) -> Iterator[Sign]:
    for name, value in now.items():
        player, usual = name.removesuffix(" gradient"), [p[name] for p in past[:EARLY] if name in p]
        if player == name:
            continue
        if len(usual) == EARLY and value < 1e-3 * median(usual):
            yield Sign(f"{player} vanishes", ERROR, f"{player}'s gradients have all but vanished ({value:.1e}).")
        if value > 100:
            yield Sign(f"{player} explodes", ERROR, f"{player}'s gradients have exploded ({value:.1e}).")


def of_samples(now: dict[str, float]) -> Iterator[Sign]:
    diversity = now.get("diversity", 1)
    variety = f"{diversity:.0%} of the variety of real images"
    if diversity < 0.2:
        yield Sign("collapse", ERROR, f"Samples are nearly all alike: {variety}.")
        return  # the rest follows from it
    if diversity < 0.5:
        yield Sign("narrow", WARNING, f"Samples vary little: {variety}.")
    if now.get("rarest class", 1) < 0.01:
        yield Sign("missing class", WARNING, f"A class is hardly ever drawn: {now['rarest class']:.1%} of samples.")
    if now.get("label effect", 1) < 0.05:
        share = f"{max(0.0, now['label effect']):.1%} of what tells them apart"
        yield Sign("ignored label", ERROR, f"Samples are the same whatever class is asked for: it decides {share}.")
    elif now.get("label accuracy", 1) < 0.3:
        yield Sign("wrong label", ERROR, f"Only {now['label accuracy']:.0%} of samples show the class asked for.")


def best_of(lines: list[Line]) -> Line:
    """The probe whose samples were nearest to real images."""
    return min(lines, key=lambda line: line["probe"].get("distance", float("inf")))


def advice(sign: str, options: Any, best: int) -> tuple[str, str]:
    """What to try, and its flag, of those a variant with these options has; its samples were best at step `best`."""
    o, usual = options, {f.name: f.default for f in fields(options) if isinstance(f.default, float)}
    d_lr = getattr(o, "d_lr", None) or o.lr
    for name, whose in (("d_lr", "D's steps"), ("lr", "The steps")):  # first, what was made much larger than it is
        mine, before = getattr(o, name, None), usual.get(name) or usual.get("lr", math.inf)
        if isinstance(mine, float) and mine > 2 * before > 0:
            return f"{whose} are {mine / before:.0f} times as long as usual", f"--{name.replace('_', '-')} {before:g}"
    if d_lr > 4 * o.lr:
        return "D's steps are long beside G's", f"--d-lr {d_lr / 4:g}"
    if sign == "worse":
        return "Stop sooner", f"--steps {best}"
    if sign == "G vanishes" and getattr(o, "loss", "") == "saturating":
        return "Try the loss whose slope lasts", "--loss non-saturating"
    if sign in ("D wins", "G vanishes") and hasattr(o, "d_lr"):
        return "Try a slower D", f"--d-lr {d_lr / 2:g}"
    if sign in ("collapse", "narrow", "missing class", "copies", "D memorises") and hasattr(o, "r1"):
        return "Try a stronger R1 penalty", f"--r1 {max(2 * (o.r1 or 0), 0.1):g}"
    return "Try smaller steps", f"--lr {o.lr / 2:g}"


MEANINGS = {  # of what is probed
    "diversity": "how much samples vary, as a share of real images",
    "distance": "from real images; 0 is as they are",
    "label effect": "how much of what tells samples apart the class decides",
    "rarest class": "share of samples that show the class least drawn",
    "label accuracy": "share of samples that show the class asked for",
    "nearest": "how far samples are from training images; 1 is as far as others are",
    "D right": "how often D tells real from drawn; .5 is a guess",
    "memorised": "how far D takes new images for drawn ones; 0 is as it should be",
}


def meaning(name: str) -> str:
    return "how strongly its weights are pulled" if name.endswith(" gradient") else MEANINGS.get(name, "")


def command(variant: str, config: object, flag: str) -> str:
    """The same training again, but for one flag."""
    return f"gantool train {variant} --config {shlex.quote(str(config))} {flag}"
