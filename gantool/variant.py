"""What a GAN is: networks, the players who train them, and the turns they take."""

from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, Optimizer, RMSprop
from typer import Option

from gantool.config import options as settings
from gantool.data.opening import open_data
from gantool.data.pictures import Data, DataSpec
from gantool.nn.adam import FusedAdam
from gantool.nn.latents import gaussian
from gantool.runtime.distributed import share

Batch = Any  # a tuple of what the data yields, on the device: images in [-1, 1] and their classes
Loss = Tensor | dict[str, Tensor]  # named terms are summed to be minimised, and logged one by one


class Turn(NamedTuple):
    """`player` takes one optimiser step down `loss(batch)`."""

    player: str
    loss: Callable[[Batch], Loss]
    batch: Batch


class Variant(nn.Module, ABC):
    """A two-player game unless a subclass says otherwise.

    The ordinary variant builds `generator` and `discriminator` and writes `d_loss` and `g_loss`, whose batch is that of
    the data and, last, the generator's answer to it. One with other players overrides `players` and `turns`.
    Everything that must survive a restart is a parameter or a buffer.
    """

    @dataclass(kw_only=True)
    class Options(settings.Options):
        """Flags of `train` and keys of its YAML. A variant with turns of its own starts from api.Options instead."""

        d_steps: Annotated[int, Option(min=1, help="Discriminator turns per generator turn (the paper's k).")] = 1
        d_lr: Annotated[float | None, Option(min=0, max=100, help="D's own step size.", show_default="as --lr")] = None

    @dataclass(kw_only=True)
    class SampleOptions(settings.SampleOptions):
        """Flags of `sample`; NoiseOptions and InputOptions are the usual starts."""

    recipe: ClassVar[settings.Recipe] = settings.Recipe(steps=10_000)
    averaged: ClassVar[tuple[str, ...]] = ("generator",)  # submodules kept as a moving average, and sampled from
    eager: ClassVar[tuple[str, ...]] = ()  # submodules a loss differentiates twice: never compiled

    generator: nn.Module  # of the ordinary two-player game
    discriminator: nn.Module

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__()
        self.options = options
        self.data = data
        self.step, self.progress = 0, 0.0  # steps done, and their share of the whole; the trainer moves both
        self.logged: dict[str, Tensor] = {}

    # What a variant may replace.

    @classmethod
    def dataset(cls, recipe: settings.Recipe, train: bool = True) -> Data:
        """What to train on, or what is held out: (image, class) pairs unless overridden."""
        return open_data(recipe, train)

    @classmethod
    def suited(cls, options: Any, data: Data) -> Any:
        """The options of a new training, those left open (None) filled in to suit its data; the run keeps them."""
        return options

    def players(self) -> dict[str, Optimizer]:
        """Who moves: each optimiser holds the parameters its player may change."""
        o = self.options
        return {"D": self.optimizer(self.discriminator, lr=o.d_lr), "G": self.optimizer(self.generator)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        """One step: Algorithm 1 of Goodfellow et al. Code after a `yield` runs once that turn's weights have moved."""
        for k in reversed(range(self.options.d_steps)):
            batch = next(batches)
            with torch.set_grad_enabled(k == 0):  # the last fake serves both players
                fake = self.fake(batch)
            yield Turn("D", self.d_loss, (*batch, fake.detach()))
        yield Turn("G", self.g_loss, (*batch, fake))

    def fake(self, batch: Batch) -> Tensor:
        """The generator's answer to a batch of data."""
        x: Tensor = self.generator(self.coded(self.noise(len(batch[0]))))
        return x

    def d_loss(self, batch: Batch) -> Loss:
        raise NotImplementedError(f"{type(self).__name__} needs d_loss, or turns of its own")

    def g_loss(self, batch: Batch) -> Loss:
        raise NotImplementedError(f"{type(self).__name__} needs g_loss, or turns of its own")

    def opinion(self, x: Tensor, y: Tensor) -> Tensor | None:
        """D's opinion of pictures and their classes, above 0 for real ones, if the monitor may ask for it."""
        return None

    def schedule(self) -> float:
        """Factor on every player's step size. From steps done, not steps planned, so a run can be made longer."""
        return 1 / (1 + float(self.options.decay) * self.step)

    def coded(self, z: Tensor) -> Tensor:
        """Noise as the generator is given it."""
        return z

    def sample(self, n: int, options: Any) -> Tensor | tuple[Tensor, Tensor]:
        """`n` images in [-1, 1], shaped (n, channels, size, size); with their classes where it knows them."""
        x: Tensor = self.generator(self.latents(n, options))
        return x

    def sheet(self, options: Any) -> tuple[int, int] | None:
        """Columns and rows, where samples are laid out by what varies; None where each stands for itself."""
        return None

    def translate(self, x: Tensor, options: Any) -> Tensor:
        """Pictures made of pictures, where SampleOptions is an InputOptions."""
        raise NotImplementedError(f"{type(self).__name__} needs translate")

    def preview(self, batch: Batch) -> Tensor:
        """What to show while training, given the first batch of data: (n, C, H, W) or (rows, columns, C, H, W).

        Where classes are drawn in turn and are few enough to be columns, each has one.
        """
        samples, classes = self.sample(len(batch[0]), self.SampleOptions()), len(self.data.classes)
        images = samples[0] if isinstance(samples, tuple) else samples
        if not issubclass(self.SampleOptions, settings.LabelOptions) or not 0 < classes <= min(20, len(images)):
            return images
        return images[: len(images) // classes * classes].view(-1, classes, *images.shape[1:])

    def measure(self, held: Data) -> dict[str, float]:
        """Scores of its own, by name, on data held out: those of `dataset(recipe, train=False)`."""
        return {}

    # What a variant may call.

    def optimizer(self, *networks: nn.Module, lr: float | None = None) -> Optimizer:
        """As --optimizer says, for these networks; `lr` where it is not the options'."""
        o, weights = self.options, chain.from_iterable(n.parameters() for n in networks)
        if o.optimizer == "sgd":
            return SGD(weights, lr or o.lr)
        if o.optimizer == "rmsprop":
            return RMSprop(weights, lr or o.lr, o.beta2)
        # The fused kernel exists for plain float weights on cpu and cuda.
        kind = FusedAdam if self.device.type in ("cpu", "cuda") else Adam
        return kind(weights, lr or o.lr, (o.beta1, o.beta2))

    def noise(self, n: int) -> Tensor:
        """Gaussian, `options.z` numbers for each of n images."""
        return self.drawn(torch.randn, n, self.options.z)

    def drawn(self, how: Callable[..., Tensor], n: int, *shape: int) -> Tensor:
        """`how(n, *shape)`, random; where processes share a batch, what one alone would have drawn for its share."""
        mine = share()
        return mine.of(how(n * mine.among, *shape, device=self.device))

    def latents(self, n: int, options: Any) -> Tensor:
        """Noise to sample from, as `--truncation` and `--interpolate` ask."""
        return gaussian(self.noise, n, options, self.coded)

    def asked(self, n: int, options: Any) -> Tensor:
        """Classes to draw n samples of: that of `--label`, or all in turn."""
        turn = torch.arange(n, device=self.device) % len(self.data.classes)
        return turn if options.label is None else torch.full_like(turn, self.data.class_index(options.label))

    def compare(self, score: Callable[..., Tensor], real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Tensor]:
        """score(*real) and score(*fake), in one pass: on small networks two take a fifth longer.

        In two where batch norm would mix the pictures, or where the slope at the real ones will be asked for.
        """
        if self.mixes or real[0].requires_grad:
            return [score(*real), score(*fake)]
        return list(score(*(torch.cat(pair) for pair in zip(real, fake, strict=True))).chunk(2))

    @cached_property
    def mixes(self) -> bool:
        """Whether D has batch norm."""
        return any(isinstance(layer, _BatchNorm) for layer in self.discriminator.modules())

    def log(self, **values: Tensor) -> None:
        """Numbers to be logged and not minimised."""
        self.logged |= {name: value.detach() for name, value in values.items()}

    def sizes(self) -> dict[str, int]:
        """The number of parameters of each network."""
        found = {name: sum(p.numel() for p in module.parameters()) for name, module in self.named_children()}
        return {name: count for name, count in found.items() if count}

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device
