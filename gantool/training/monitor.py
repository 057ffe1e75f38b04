"""Is it going wrong? Cheap probes during training, and what they mean in words. It advises; it never changes a run.

All it remembers are lines of metrics.jsonl, so a resumed run is judged as one that was never stopped.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gantool.config.options import Recipe, draws
from gantool.data import named
from gantool.data.batches import Batches
from gantool.data.catalog import CATALOG
from gantool.data.images import ImageData, as_bytes, shaped
from gantool.errors import UserError
from gantool.hookspecs import hookimpl
from gantool.metrics import measures
from gantool.metrics.judge import Judge, look
from gantool.metrics.judges import ready_judge
from gantool.runs.run import RunFolder
from gantool.training.signs import EARLY, Line, advice, best_of, command, signs
from gantool.training.trainer import Trainer
from gantool.variant import Variant

SAMPLES = 256  # a probe
FEW = 64  # as long as samples are not judged: on slow networks a probe takes longer than a step
COMPARED = 1_250  # training images that samples are held against, a quarter of them at least
SHOWN = 10  # times that each is trained on, at the least, before it can be memorised
AT_ONCE = 128  # images, that the judge looks at: a quarter faster than a thousand
SETTLED = 500  # steps; at first every EMA forgets fast, however slow it is later
VISIBLE = 0.15  # share of the variance between real images that their classes decide, if the judge can see classes


class Monitor:
    """Probes at the steps at which images are drawn; a sign must hold at two probes on end to be told."""

    def __init__(self, run: RunFolder, every: int, say: Callable[[str], object]) -> None:
        self.run, self.every, self.say = run, every, say
        self.judge: Judge | None = None
        self.known: tuple[Tensor, float, float] | None = None  # what `neighbours` found

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        variant, spec = trainer.variant, trainer.data.spec
        if not (variant.probed and draws(variant.SampleOptions)) or trainer.first_batch()[0].ndim != 4:
            return  # it draws no samples, or learns from no images: only gradients can be probed
        self.judge = ready_judge(spec, trainer.recipe.data)
        count = min(SAMPLES, len(trainer.data))
        self.seen = Batches(trainer.data, count, trainer.recipe.seed, trainer.device).first()
        self.real, probabilities = look(self.judge, as_bytes(self.seen[0]), AT_ONCE)
        self.usual = spread(self.real)
        shares = torch.bincount(probabilities.argmax(1), minlength=self.judge.classes) / count
        self.common = shares > 0.02  # a class that is rare in the data may be as rare in samples
        paired = len(self.seen) == 2 and self.seen[1].ndim == 1 and len(spec.classes) > 1
        enough = paired and count >= 4 * len(spec.classes)
        self.visible = enough and label_effect(self.real, self.seen[1].cpu()) > VISIBLE
        self.held = held_out(trainer)

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        if trainer.step % self.every:
            return
        lines = list(self.run.lines())
        before = [line for line in lines if "probe" in line]
        said = {line["sign"] for line in lines if "sign" in line}
        now: Line = {"step": trainer.step, "probe": self.probe(trainer, early=len(before) < EARLY)}
        self.run.append(now)
        settled = settled_at(trainer.recipe)
        last = {sign.name for sign in signs(before[-1], before[:-1], settled)} if before else set()
        for name, grade, words in signs(now, before, settled):
            if name in last and name not in said:
                best = best_of(before[EARLY:] or [now])["step"]
                what, flag = advice(name, trainer.variant.options, best)
                words = f"{words} {what}:"
                self.run.append({"step": trainer.step, "sign": name, "grade": grade, "words": words, "try": flag})
                with suppress(OSError, SystemExit):  # nobody reads it: whoever shows the training ends it in order
                    self.say(f"step {trainer.step}: {grade}: {words}")
                    self.say(f"  {command(self.run.variant, self.run.config, flag)}")

    def probe(self, trainer: Trainer, early: bool) -> dict[str, float]:
        """What can be said of the networks now."""
        found = {
            f"{name} gradient": float(torch.stack([w.grad.norm() for w in owned if w.grad is not None]).norm())
            for name, owned in trainer.owned.items()
            if any(w.grad is not None for w in owned)
        }
        if not all(map(math.isfinite, found.values())):
            trainer.check_weights()  # which ends the training, if they have gone the same way
            found = {name: value for name, value in found.items() if math.isfinite(value)}
        if "D right" in trainer.metrics:
            found["D right"] = trainer.metrics["D right"]
        if self.judge is None:
            return found
        count = SAMPLES if trainer.step >= settled_at(trainer.recipe) else FEW
        with trainer.sampling() as variant:
            got = variant.sample(count, variant.SampleOptions())
            images, labels = got if isinstance(got, tuple) else (got, None)
            if self.held and type(variant).d_logits is not Variant.d_logits:
                known, new = ([t[:count] for t in batch] for batch in (self.seen, self.held))
                found |= d_probes(variant, known, new, images, labels)
        features, probabilities = look(self.judge, as_bytes(images), AT_ONCE)
        found["diversity"] = spread(features) / max(self.usual, 1e-12)
        found["distance"] = measures.frechet(self.real, features)
        if self.visible and labels is not None and bool((labels != labels[0]).any()):
            found["label effect"] = label_effect(features, labels.cpu())
        if self.judge.classes > 1:
            seen = probabilities.argmax(1)
            shares = torch.bincount(seen, minlength=self.judge.classes) / len(seen)
            if self.common.any():
                found["rarest class"] = float(shares[self.common].min())
            if labels is not None:
                found["label accuracy"] = float((seen == labels.cpu()).double().mean())
        if not early and (near := self.neighbours(trainer, self.judge)):
            training, part, usual = near
            found["nearest"] = float(torch.cdist(features, training).amin(1).quantile(part)) / max(usual, 1e-12)
        return found

    def neighbours(self, trainer: Trainer, judge: Judge) -> tuple[Tensor, float, float] | None:
        """Features of training images, of which part of the samples to ask how near they are, and what is usual.

        Of data sets that are small, and shown often enough to be memorised. Copies of a quarter of the images
        would be a quarter of the samples: half of these stand for the median of all.
        """
        data, shown = trainer.data, trainer.step * trainer.recipe.batch_size
        if type(data) is not ImageData or len(data) > 4 * COMPARED or shown < SHOWN * len(data):
            return None
        if self.known is None:
            chosen = Batches(data, 1, trainer.recipe.seed, trainer.device).order(0)[:COMPARED]  # `seen`, and more
            pixels = data.fetch(chosen)[0].cpu()
            training, _ = look(judge, torch.cat([pixels, pixels.flip(-1)]) if data.flip else pixels, AT_ONCE)
            part = len(chosen) / len(data) / 2
            usual = measures.nearest(self.real, training, 2).quantile(part)  # the nearest is itself
            self.known = training, part, float(usual)
        return self.known


def settled_at(recipe: Recipe) -> int:
    """The step from which its EMA is judged by its samples: two half-lives, or when it has forgotten the start."""
    return min(2 * recipe.ema_images // recipe.batch_size, SETTLED)


def spread(features: Tensor) -> float:
    """The mean distance between two."""
    return float(torch.pdist(features.double()).mean())


def label_effect(features: Tensor, labels: Tensor) -> float:
    """The share of the variance that classes decide; the rest is the noise's. 0, but for chance, if they are ignored.

    That of classes' means, less what these vary by chance: an analysis of variance, for which no noise need be fixed.
    """
    features, member = features.double(), one_hot(labels).double()
    member = member[:, member.sum(0) > 0]
    count, (n, k) = member.sum(0), member.shape
    means = member.T @ features / count.unsqueeze(1)
    within = (features - member @ means).square().sum() / (n - k)
    between = (count * (means - features.mean(0)).square().sum(1)).sum() / (k - 1)
    classes = (between - within) / ((n - count.square().sum() / n) / (k - 1))
    return float(classes / (classes + within).clamp_min(1e-12))


def held_out(trainer: Trainer) -> tuple[Any, ...] | None:
    """Test images, made ready as the training's are, if the data set's test split is here: none is downloaded."""
    recipe, spec = trainer.recipe, trainer.data.spec
    as_they_are = type(trainer.variant).dataset.__func__ is Variant.dataset.__func__  # type: ignore[attr-defined]
    if recipe.data not in CATALOG or not as_they_are or not named.here(recipe.data, recipe.data_dir, train=False):
        return None
    try:
        pixels, labels = named.load(recipe.data, recipe.data_dir, train=False)
    except UserError:  # damaged, which is no matter of this training
        return None
    chosen = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(recipe.seed))[:SAMPLES]
    few = ImageData(shaped(pixels[chosen], spec.size, spec.channels), labels[chosen], spec.classes, recipe.flip)
    return Batches(few, len(few), recipe.seed, trainer.device).first()


@torch.no_grad()
def d_probes(variant: Variant, seen: Any, held: Any, images: Tensor, labels: Tensor | None) -> dict[str, float]:
    """What D says of images that it trained on, that it never saw, and that were drawn; nothing if it has no logits."""
    drawn = images, held[1] if labels is None else labels
    scores = [variant.d_logits(*pair) for pair in (seen, held, drawn)]
    if any(s is None for s in scores):
        return {}
    on_seen, on_held, on_drawn = (s.double() for s in scores if s is not None)
    right = torch.cat([on_held > 0, on_drawn < 0]).double().mean()
    gap, chance = on_seen.mean() - on_held.mean(), (on_seen.var() / len(on_seen) + on_held.var() / len(on_held)).sqrt()
    whole = torch.maximum(on_seen.mean() - on_drawn.mean(), gap)
    return {"D right": float(right), "memorised": float(gap / whole) if gap > 3 * chance else 0.0}
