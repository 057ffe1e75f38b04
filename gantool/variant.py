"""What a GAN is: networks, the players who train them, and the turns they take."""

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, Optimizer, RMSprop
from typer import Option

from gantool.config import options as settings
from gantool.data.images import Data, DataSpec, ImageData
from gantool.data.opening import open_data
from gantool.data.points import Points, viewable
from gantool.errors import USAGE, UserError
from gantool.exported import Exported
from gantool.nn.latents import gaussian
from gantool.runtime.distributed import mean, share
from gantool.viz.rows import Sheet, by_class

Batch = Any  # a tuple of what the data yields, on the device: images in [-1, 1] and their classes
Loss = Tensor | float | Mapping[str, Tensor | float]  # named terms are summed to be minimised, and logged one by one
Weights = nn.Module | nn.Parameter
CLOUD = 1_000  # points in an image of them


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

        d_steps: Annotated[int, Option(min=1, help="Turns of D before each turn of G (the paper's k).")] = 1
        d_lr: Annotated[float | None, Option(min=0, max=100, help="D's own learning rate.", show_default="as --lr")] = (
            None
        )

    @dataclass(kw_only=True)
    class SampleOptions(settings.NoiseOptions):
        """Flags of `sample`: those of noise, unless a subclass starts from others."""

    recipe: ClassVar[settings.Recipe] = settings.Recipe(steps=10_000)
    ema: ClassVar[tuple[str, ...]] = ("generator",)  # submodules kept as a moving average, and sampled from
    no_compile: ClassVar[tuple[str, ...]] = ()  # submodules a loss differentiates twice
    renamed: ClassVar[Mapping[str, str]] = {}  # networks and buffers that earlier versions called otherwise: new names
    probed: ClassVar[bool] = True  # whether the monitor draws samples now and then, to see if it goes wrong

    generator: nn.Module  # of the ordinary two-player game
    discriminator: nn.Module

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__()
        self.options = options
        self.data = data
        self.step, self.progress = 0, 0.0  # steps done, and their share of the whole; the trainer moves both
        self.batch_size = 0  # of this process's part of a batch
        self.logged: dict[str, Tensor] = {}  # of this step, so far: `D/real`, and what `log` was told
        self.measuring = True  # whether what takes time and is only logged is wanted of this step: of one in a few

    def __setattr__(self, name: str, value: Any) -> None:
        """A network under a name of the contract would never be found: Python finds the method first."""
        if isinstance(value, nn.Module) and hasattr(Variant, name):
            raise TypeError(f"a network cannot be called {name!r}, which is a name of gantool.api.Variant")
        super().__setattr__(name, value)

    # What a variant may replace.

    @classmethod
    def dataset(cls, recipe: settings.Recipe, options: Any, train: bool = True) -> Data:
        """What to train on, or what is held out: (image, class) pairs unless overridden."""
        return open_data(recipe, train, of=(ImageData, Points))

    @classmethod
    def resolve(cls, options: Any, data: Data) -> Any:
        """The options of a new training, those left open (None) filled in to suit its data; the run keeps them."""
        return settings.suit(options, len(data))

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

    def before_step(self, player: str, weights: list[nn.Parameter]) -> None:
        """Called between a turn's gradients and its optimiser's step: to clip them, say."""

    def fake(self, batch: Batch) -> Tensor:
        """Give the generator's answer to a batch of data."""
        x: Tensor = self.generator(self.latent(self.noise(len(batch[0]))))
        return x

    def d_loss(self, batch: Batch) -> Loss:
        """What D lowers, given a batch of data and, last, the generator's answer to it."""
        raise NotImplementedError(f"{type(self).__name__} needs d_loss, or turns of its own")

    def g_loss(self, batch: Batch) -> Loss:
        """What G lowers, given the same."""
        raise NotImplementedError(f"{type(self).__name__} needs g_loss, or turns of its own")

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor | None:
        """D's logits of images and their classes, above 0 for real ones, if the monitor may ask for them."""
        return None

    def schedule(self) -> float:
        """Give the factor on every player's learning rate, by steps done: then a run can be made longer."""
        return 1 / (1 + float(self.options.decay) * self.step)

    def latent(self, z: Tensor) -> Tensor:
        """Turn noise into what the generator is given: itself, unless a subclass says otherwise."""
        return z

    def sample(self, n: int, options: Any) -> Tensor | tuple[Tensor, Tensor]:
        """`n` samples, images in [-1, 1] shaped (n, *data.shape); with their classes where it knows them."""
        x: Tensor = self.generator(self.latents(n, options))
        return x

    def sheet(self, options: Any) -> tuple[int, int] | None:
        """Give columns and rows where samples belong in a table; None where each stands for itself."""
        return None

    def translate(self, x: Tensor, options: Any) -> Tensor:
        """Images made of images, where SampleOptions has an `input`; (n x answers, ...) where it gives several."""
        raise NotImplementedError(f"{type(self).__name__} needs translate")

    def encode(self, x: Tensor) -> Tensor:
        """Latents of images, (n, numbers), by a variant that has an encoder."""
        raise NotImplementedError(f"{type(self).__name__} has no encoder")

    def answers(self, options: Any) -> int:
        """Say how many images `translate` makes of each."""
        return 1

    def image(self, samples: Tensor) -> Tensor:
        """Samples as images that can be shown: (n, 1, 3 or 4, H, W) in [-1, 1]."""
        return viewable(samples)

    def preview(self, batch: Batch) -> Tensor | Sheet:
        """What to show while training, given the first batch of data: (n, C, H, W) or (rows, columns, C, H, W).

        A Sheet has names for columns or rows, too. Where classes are drawn in turn and are few, each has its own.
        """
        n, classes = len(batch[0]) if self.data.images else CLOUD, len(self.data.classes)
        samples = self.sample(n, self.SampleOptions())
        images = samples[0] if isinstance(samples, tuple) else samples
        conditional = issubclass(self.SampleOptions, settings.LabelOptions) and images.ndim == 4
        if not (conditional and 0 < classes <= min(20, len(images))):
            return images
        return by_class(images, self.data.classes)

    def exported(self, options: Any) -> Exported | None:
        """What `gantool export` writes: None for what `sample` or `translate` does with what it is given."""
        return None

    def measure(self, held: Data) -> dict[str, float]:
        """Scores of its own, by name, on data held out: those of `dataset(recipe, options, train=False)`."""
        return {}

    # What a variant may call.

    def optimizer(self, *parts: Weights | tuple[Weights, float], lr: float | None = None) -> Optimizer:
        """Make the optimiser that --optimizer names, for these networks; `lr` where it is not the options'.

        A part may come with a factor on its learning rate: `self.optimizer((synthesis, 1.0), (mapping, 0.01))`.
        """
        o, rate = self.options, self.options.lr if lr is None else lr
        groups: list[dict[str, Any]] = []
        for part, factor in (part if isinstance(part, tuple) else (part, 1.0) for part in parts):
            weights = [part] if isinstance(part, nn.Parameter) else list(part.parameters())
            if groups and groups[-1]["lr"] == rate * factor:
                groups[-1]["params"] += weights
            else:
                groups.append({"params": weights, "lr": rate * factor})
        if o.optimizer == "sgd":
            return SGD(groups, rate)
        if o.optimizer == "rmsprop":
            return RMSprop(groups, rate, o.beta2)
        # The fused kernel exists for plain float weights on cpu and cuda.
        fused = True if self.device.type in ("cpu", "cuda") else None
        return Adam(groups, rate, (o.beta1, o.beta2), fused=fused)

    def frozen(self, network: nn.Module) -> Callable[..., Any]:
        """The network for a loss that must not move it: it passes gradients on to its input, and takes none."""
        weights = {name: weight.detach() for name, weight in network.named_parameters()}
        return lambda *args, **kwargs: functional_call(network, weights, args, kwargs)

    def noise(self, n: int) -> Tensor:
        """Draw standard normal noise, `options.z` numbers for each of n samples."""
        return self.random(torch.randn, n, self.options.z)

    def random(self, how: Callable[..., Tensor], n: int, *shape: int) -> Tensor:
        """Draw `how(n, *shape)`; where processes share a batch, this one's share of what one would have drawn."""
        mine = share()
        return mine.of(how(n * mine.among, *shape, device=self.device))

    def mean(self, x: Tensor) -> Tensor:
        """Of each process's x: what a number that is kept, or decided by, must be made of."""
        return mean([x.detach()])[0]

    def latents(self, n: int, options: Any) -> Tensor:
        """Draw the noise to sample from, as `--truncation` and `--interpolate` ask."""
        return gaussian(self.noise, n, options, self.latent)

    def labels_for(self, n: int, options: Any) -> Tensor:
        """Give the classes to draw n samples of: those of `--label` in turn, or all; 0 where there are none."""
        if not self.data.classes and options.label is not None:
            raise UserError("This model knows no classes.", "Leave out --label.", USAGE)
        turn, count = torch.arange(n, device=self.device), max(1, len(self.data.classes))
        if options.label is None:
            return turn % count
        chosen = torch.tensor(self.data.class_indices(options.label), device=self.device)
        return chosen[turn % len(chosen)]

    def compare(self, score: Callable[..., Tensor], real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Tensor]:
        """score(*real) and score(*fake), in one pass: on small networks two take a fifth longer.

        In two where D mixes the images of a batch, or where the slope at the real ones will be asked for.
        """
        if self.mixes or real[0].requires_grad:
            return [score(*real), score(*fake)]
        return list(score(*(torch.cat(pair) for pair in zip(real, fake, strict=True))).chunk(2))

    @cached_property
    def mixes(self) -> bool:
        """Whether D looks at a batch as a whole: it has batch norm, or a layer that says so of itself."""
        layers = self.discriminator.modules()
        return any(isinstance(layer, _BatchNorm) or getattr(layer, "mixes_batch", False) for layer in layers)

    def log(self, **values: Tensor | float) -> None:
        """Log numbers that are not minimised."""
        self.logged.update(
            {
                name: value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value, device=self.device)
                for name, value in values.items()
            }
        )

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def parameters_of(variant: Variant) -> dict[str, int]:
    """The number of parameters of each network; under the variant's own name, of those that are in none."""
    found = {name: sum(p.numel() for p in module.parameters()) for name, module in variant.named_children()}
    found[type(variant).__name__] = sum(p.numel() for p in variant.parameters(recurse=False))
    return {name: count for name, count in found.items() if count}
