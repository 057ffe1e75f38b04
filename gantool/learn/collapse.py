"""Where G goes when D is slow, and two cures.

Data are eight Gaussians on a circle. A plain GAN whose D learns ten times slower than its G chases: G puts all it has
where D happens to like it, D comes to see that, G moves on. A D that compares pairs and pays for its slope at real and
at generated points (Huang et al., 2024), and a critic with a gradient penalty (Gulrajani et al., 2017), have G meet all
eight, in as many steps. What they still draw on the way from mode to mode goes with more of them, as r3gan's card of
`ring8` has it. The plain game is played from five seeds, as chance has a part in it. Its G is drawn as it is, theirs by
their moving averages.
"""

from statistics import median

import torch
from torch import Tensor

from gantool.data.points import Points, ring8
from gantool.learn.chapter import Check, Found, at_least, at_most
from gantool.learn.games import Critic, Pairs
from gantool.learn.playing import built, play
from gantool.training.trainer import Trainer
from gantool.variant import Variant
from gantool.viz.plots import Mark, Page, Plot

STEPS, BATCH, SEEN = 1_000, 128, 4_000
SEEDS = 5  # of the plain game
NEAR, SHARE = 0.1, 0.01  # a mode is met by so many of the samples as near as a sixth of the way to the next mode
PLAIN, PAIRS, CRITIC = "plain GAN", "pairs, R1 and R2", "WGAN-GP"


def run(seed: int) -> Found:
    data, clouds = ring8(), dict[str, list[tuple[int, Tensor]]]()
    plain = []
    for other in range(SEEDS):
        clouds[PLAIN] = followed(game(PLAIN, data, SEEDS * seed + other), data, SEEDS * seed + other, ema_images=0)
        plain.append(met(clouds[PLAIN][-1][1], data))
    for name in (PAIRS, CRITIC):
        clouds[name] = followed(game(name, data, seed), data, seed, ema_images=10_000)
    cured = {name: met(clouds[name][-1][1], data) for name in (PAIRS, CRITIC)}
    film = [page({name: found[i] for name, found in clouds.items()}, data) for i in range(len(clouds[PLAIN]))]
    shown = {f"modes, {PLAIN}, seed {SEEDS * seed + other}": float(modes) for other, modes in enumerate(plain)}
    shown |= {f"share of samples near a mode, {name}": near_one(clouds[name][-1][1], data) for name in cured}
    return Found(checks(plain, cured), shown, film)


def game(name: str, data: Points, seed: int) -> Variant:
    calm = {"lr": 2e-3, "beta1": 0.0, "beta2": 0.99, "decay": 1e-3}
    if name == PAIRS:
        return Pairs.seeded(data.spec, seed, gamma=0.05, **calm)
    if name == CRITIC:
        return Critic.seeded(data.spec, seed, penalty=1.0, d_steps=3, **calm)
    return built("gan", data.spec, seed, z=2, lr=5e-3, d_lr=5e-4, g_layers="64-64-64", d_layers="64-64-64")


def followed(game: Variant, data: Points, seed: int, ema_images: int) -> list[tuple[int, Tensor]]:
    """What G draws as the game goes on, by its EMA if there is one; of a G that runs in circles, that is the middle."""
    noise = torch.randn(SEEN, 2, generator=torch.Generator().manual_seed(seed + 1))
    found: list[tuple[int, Tensor]] = []

    def look(trainer: Trainer) -> None:
        with trainer.sampling() as drawing:
            found.append((trainer.step, drawing.generator(noise)))

    play(game, data, STEPS, seed, look, BATCH, looks=50, ema_images=ema_images)
    return found


def met(x: Tensor, data: Points) -> int:
    assert data.modes is not None
    distance, which = torch.cdist(x, data.modes).min(1)
    counts = torch.bincount(which[distance < NEAR], minlength=len(data.modes))
    return int((counts >= SHARE * len(x)).sum())


def near_one(x: Tensor, data: Points) -> float:
    """The share of samples that are near some mode; of points all along the circle it would be .32."""
    assert data.modes is not None
    return float((torch.cdist(x, data.modes).min(1).values < NEAR).double().mean())


def checks(plain: list[int], cured: dict[str, int]) -> list[Check]:
    found = [at_most(f"modes of 8, {PLAIN}, median of {len(plain)} seeds", median(plain), 5)]
    return [*found, *(at_least(f"modes of 8, {name}", modes, 8) for name, modes in cured.items())]


def page(clouds: dict[str, tuple[int, Tensor]], data: Points) -> Page:
    assert data.modes is not None
    plots = tuple(
        Plot(
            f"{name}: {met(x, data)} of 8", (-1.2, 1.2), (-1.2, 1.2),
            {"data": Mark(data.modes.numpy(), "dots", 6), "G": Mark(x[:500].numpy(), "dots", k)}, "first number", True,
        ) for k, (name, (_, x)) in enumerate(clouds.items())
    )  # fmt: skip
    return Page(plots, f"step {clouds[PLAIN][0]:,}")
