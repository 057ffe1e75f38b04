"""What losses can tell, and what they cannot.

Data are two half circles, and the distance of what G draws from points held out is known: W1, over many directions. In
a plain GAN both players get better together, so G's loss stays about where it was while G draws nearer: it says nothing
of how good G is. The difference that WGAN-GP's critic sees is an estimate of a distance, and falls with it. So watch a
distance to data held out, as `gantool eval` does, or a critic. (Arjovsky et al., 2017, section 4.2.)
"""

import math
from statistics import median

import numpy as np
import torch
from torch import Tensor

from gantool.data.points import moons
from gantool.learn.chapter import Check, Found, at_least, at_most
from gantool.learn.games import Critic
from gantool.learn.playing import built, play
from gantool.training.trainer import Trainer
from gantool.variant import Variant
from gantool.viz.plots import Mark, Page, Plot

PLAIN, CRITIC = "G's loss, plain GAN", "critic's difference, WGAN-GP"
STEPS = {PLAIN: 1_000, CRITIC: 600}
BATCH, SEEN, LOOKS, SEEDS = 128, 4_000, 40, 3
WAYS = torch.stack([torch.tensor([math.cos(a), math.sin(a)]) for a in torch.arange(32) * math.pi / 32], 1)
Track = list[tuple[int, float, float]]  # step, what is logged, and the distance


def run(seed: int) -> Found:
    tracks = {PLAIN: [track(PLAIN, SEEDS * seed + other) for other in range(SEEDS)], CRITIC: [track(CRITIC, seed)]}
    found = {name: [correlation(each) for each in several] for name, several in tracks.items()}
    film = [page({name: several[0] for name, several in tracks.items()}, i) for i in range(1, LOOKS + 1)]
    shown = {f"rho, {PLAIN}, seed {SEEDS * seed + k}": rho for k, rho in enumerate(found[PLAIN])}
    return Found(checks(found[PLAIN], found[CRITIC][0]), shown, film)


def game(name: str, seed: int) -> Variant:
    spec = moons().spec
    if name == CRITIC:
        return Critic.seeded(spec, seed, penalty=1.0, d_steps=5, lr=3e-5, d_lr=3e-3, beta1=0.0, beta2=0.9)
    return built("gan", spec, seed, z=2, lr=1e-3, g_layers="64-64", d_layers="64-64", beta1=0.5)


def track(name: str, seed: int) -> Track:
    held = moons(train=False).x[:SEEN]
    noise = torch.randn(SEEN, 2, generator=torch.Generator().manual_seed(seed + 1))
    found: Track = []

    def look(trainer: Trainer) -> None:
        if trainer.step:
            with torch.no_grad():
                far = distance(trainer.variant.generator(noise), held)
            found.append((trainer.step, trainer.metrics["gap" if name == CRITIC else "G/loss"], far))

    play(game(name, seed), moons(), STEPS[name], seed, look, BATCH, looks=LOOKS)
    return found


def distance(x: Tensor, y: Tensor) -> float:
    """W1 of what is seen of two clouds from the side, the mean over many sides (sliced)."""
    return float(((x @ WAYS).sort(0).values - (y @ WAYS).sort(0).values).abs().mean())


def correlation(track: Track) -> float:
    """Of the ranks of what was logged and of the distances (Spearman's rho)."""
    ranks = [torch.tensor(values).argsort().argsort().double() for values in list(zip(*track, strict=True))[1:]]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def checks(plain: list[float], critic: float) -> list[Check]:
    return [
        at_most(f"|rho|, {PLAIN}, median of {len(plain)} seeds", median(map(abs, plain)), 0.5),
        at_least(f"rho, {CRITIC}", critic, 0.7),
    ]


def page(tracks: dict[str, Track], i: int) -> Page:
    plots = []
    for name, track in tracks.items():
        at = np.array(track)
        lines = {"distance": Mark(at[:i, [0, 2]], colour=6), name.partition(",")[0]: Mark(at[:i, [0, 1]], colour=0)}
        high = 1.15 * float(at[:, 1:].max())
        title = f"{name.partition(', ')[2]}: rho {correlation(track):.2f}"
        plots.append(Plot(title, (0, STEPS[name]), (min(0.0, float(at[:, 1].min())), high), lines, "step"))
    return Page(
        tuple(plots), f"step {tracks[PLAIN][i - 1][0]:,} on the left, {tracks[CRITIC][i - 1][0]:,} on the right"
    )
