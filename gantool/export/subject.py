"""What of a model is exported: what its `sample`, or `translate`, makes of noise, classes and images it is given."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gantool.config.options import draws
from gantool.errors import UserError
from gantool.exported import Exported, Input
from gantool.runtime import device
from gantool.variant import Variant

OVERHEARD = ("latents", "labels_for", "noise", "random", "latent")  # what a variant asks of itself while it samples
PROBED = 4  # images that are drawn to hear what it asks


class Draws(NamedTuple):
    """How `sample` comes by its noise: so that a page can come by the same."""

    how: Literal["randn", "rand"]
    scale: float
    offset: float
    size: int
    truncation: float


class Subject(nn.Module):
    """The variant, as a function of its inputs alone: what is traced."""

    def __init__(
        self, variant: Variant, exported: Exported, noise: Draws | None, follows: bool = True, plain: bool = False
    ) -> None:
        super().__init__()
        self.plain = plain  # its noise is as torch draws it: `latent` is done inside
        self.variant, self.inputs, self.noise = variant, exported.inputs, noise
        self.follows = follows  # what `sample` or `translate` does; else what the variant says is exported
        self.__dict__["draw"] = exported.draw
        self.samples = draws(type(variant).SampleOptions)

    def forward(self, *given: Tensor) -> Tensor:
        x: Tensor = self.__dict__["draw"](*given)
        return x

    def example(self, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Inputs of n images, for tracing and for checks."""
        rng = torch.Generator().manual_seed(seed)
        return tuple(example(each, n, rng) for each in self.inputs)


def example(of: Input, n: int, rng: torch.Generator) -> Tensor:
    if of.kind == "noise":
        return torch.randn(n, *of.shape, generator=rng)
    if of.kind == "image":
        return clouds(n, of.shape, rng)
    if of.kind == "number":
        return torch.linspace(of.low, of.high, n + 1)[:n]
    return torch.arange(n) % max(1, len(of.names))


def clouds(n: int, shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """Soft spots of colour: of nobody's, and with more to see than plain noise."""
    coarse = torch.randn(n, shape[0], 5, 5, generator=rng)
    return nn.functional.interpolate(coarse, tuple(shape[1:]), mode="bicubic").clamp(-1, 1)


def subject(variant: Variant, options: Any, plain: bool = False) -> Subject:
    """What the variant says is exported, or what its sampling shows; `plain`: of noise as torch draws it."""
    if own := variant.exported(options):
        return Subject(variant, own, None, follows=False)
    if draws(type(options)):
        return sampling(variant, options, plain)
    return translating(variant, options)


def sampling(variant: Variant, options: Any, plain: bool) -> Subject:
    """`sample(n, options)`, of the noise and the classes that it asks for."""
    with overheard(variant) as heard, torch.inference_mode():
        device.seed_all(0)
        variant.sample(PROBED, options)
    inputs, replaced = list[Input](), list[str]()
    for name in ("latents", "noise"):
        if calls := heard[name]:
            replaced.append(name)
            if len(calls) > 1:
                raise UserError(
                    f"{type(variant).__name__} draws noise {len(calls)} times, and one input is followed.",
                    "Its author can say what to export: see Variant.exported in docs/plugins.md.",
                )
            plain = plain and bool(heard["latent"])
            z = heard["latent"][0][0][0] if plain else calls[0][1]
            inputs.append(Input("z", "noise", tuple(z.shape[1:])))
            break
    if heard["labels_for"]:
        replaced.append("labels_for")
        inputs.append(Input("y", "class", (), variant.data.classes or ("0",)))

    def draw(*given: Tensor) -> Tensor:
        given = (variant.latent(given[0]), *given[1:]) if plain else given
        with answering(variant, dict(zip(replaced, given, strict=True))):
            got = variant.sample(given[0].shape[0], options)  # len() would fix the batch
        x: Tensor = got[0] if isinstance(got, tuple) else got
        return x

    return Subject(variant, Exported(draw, tuple(inputs)), drawn_as(heard), plain=plain)


def translating(variant: Variant, options: Any) -> Subject:
    """`translate(x, options)`, of the image; and of the noise, where it asks for some."""
    shape = variant.data.inputs or variant.data.shape
    if hasattr(options, "answers"):
        options.answers = 1
    with overheard(variant) as heard, torch.inference_mode():
        variant.translate(torch.zeros(1, *shape), options)
    inputs = [Input("x", "image", tuple(shape))]
    noisy = heard["noise"][:1]
    inputs += [Input("z", "noise", tuple(calls[1].shape[1:])) for calls in noisy]

    def draw(x: Tensor, *z: Tensor) -> Tensor:
        with answering(variant, {"noise": z[0]} if z else {}):
            return variant.translate(x, options)

    return Subject(variant, Exported(draw, tuple(inputs)), drawn_as(heard) if noisy else None)


@contextmanager
def overheard(variant: Variant) -> Iterator[Mapping[str, list[tuple[tuple[Any, ...], Tensor]]]]:
    """While this lasts, what it asks of itself, by name: arguments and answers, in order."""
    calls = defaultdict[str, list[tuple[tuple[Any, ...], Tensor]]](list)

    def recorded(name: str, original: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(*args: Any, **keywords: Any) -> Tensor:
            calls[name].append((args, answer := original(*args, **keywords)))
            return answer

        return call

    with replacing(variant, {name: recorded(name, getattr(variant, name)) for name in OVERHEARD}):
        yield calls


@contextmanager
def answering(variant: Variant, answers: Mapping[str, Tensor]) -> Iterator[None]:
    """While this lasts, it is given these in place of what it would draw."""
    with replacing(variant, {name: lambda *_, answer=answer: answer for name, answer in answers.items()}):
        yield


@contextmanager
def replacing(variant: Variant, methods: Mapping[str, Callable[..., Tensor]]) -> Iterator[None]:
    variant.__dict__.update(methods)
    try:
        yield
    finally:
        for name in methods:
            del variant.__dict__[name]


def drawn_as(heard: Mapping[str, list[tuple[tuple[Any, ...], Tensor]]]) -> Draws | None:
    """How its noise is made of torch's, where that is plain: None, where it is not."""
    noises, raw = heard["noise"], heard["random"]
    limits = {getattr(args[1], "truncation", None) for args, _ in heard["latents"] if len(args) > 1}
    if not noises or not raw or len(limits) > 1 or noises[0][1].ndim != 2:
        return None
    how, x, z = raw[0][0][0], raw[0][1], noises[0][1]
    if x.shape != z.shape or any(args[0] is not how for args, _ in raw):
        return None
    scale, offset = (2.0, -1.0) if torch.equal(z, x * 2 - 1) else (1.0, 0.0) if torch.equal(z, x) else (0.0, 0.0)
    if not scale or how not in (torch.randn, torch.rand):
        return None
    limit = next(iter(limits), None)
    return Draws("randn" if how is torch.randn else "rand", scale, offset, x.shape[1], 1e9 if limit is None else limit)
