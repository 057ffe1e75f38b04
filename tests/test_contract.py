"""Tests of gantool.testing: the built-in variants keep the contract, and each way to break it is named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typer import Option

from gantool.api import Data, DataSpec, Recipe, Turn, Variant
from gantool.testing import check_variant
from gantool.variants.cgan import CGAN
from gantool.variants.dcgan import DCGAN
from gantool.variants.gan import GAN

NETS = {"z": 2, "g_layers": "2", "d_layers": "2"}


@pytest.mark.parametrize(
    ("cls", "options", "size"),
    [
        (GAN, NETS, 8),
        (GAN, NETS | {"d_steps": 2, "noise": "uniform", "loss": "saturating", "batch_norm": 0}, 8),
        (CGAN, {"z": 2, "width": 1}, 8),
        (CGAN, NETS | {"networks": "mlp"}, 8),
        (CGAN, NETS | {"networks": "mlp", "mismatch": 0.0}, 8),
        (DCGAN, {"z": 2, "width": 1}, 16),
    ],
)
def test_the_built_in_variants_keep_the_contract(cls: type[Variant], options: dict[str, Any], size: int) -> None:
    check_variant(cls, options, size=size)


def test_dcgan_draws_up_to_256_pixels() -> None:
    variant = DCGAN(DCGAN.Options(width=1, d_width=1, growth=2, components=0), DataSpec((3, 256, 256)))
    x = variant.sample(2, variant.SampleOptions())
    assert isinstance(x, Tensor) and x.shape == (2, 3, 256, 256) and variant.d_logits(x, x).shape == (2,)


class Meddler(GAN):
    """D's turn moves G."""

    def turns(self, batches: Iterator[Any]) -> Iterator[Turn]:
        def d_loss(batch: Any) -> Any:
            with torch.no_grad():
                self.generator[0].weight += 1
            return self.d_loss(batch)

        for turn in super().turns(batches):
            yield turn._replace(loss=d_loss) if turn.player == "D" else turn


class Stranger(GAN):
    """A player owns weights that no checkpoint holds."""

    def players(self) -> dict[str, Optimizer]:
        return super().players() | {"E": self.optimizer(nn.Linear(1, 1))}


class Lazy(GAN):
    """One player never moves."""

    def turns(self, batches: Iterator[Any]) -> Iterator[Turn]:
        yield from (turn for turn in super().turns(batches) if turn.player == "D")


class Infinite(GAN):
    def g_loss(self, batch: Any) -> Any:
        return super().g_loss(batch) / 0


class Shapely(GAN):
    """A loss for each image."""

    def g_loss(self, batch: Any) -> Any:
        return -self.discriminator(batch[-1])


class Bright(GAN):
    """Images beyond [-1, 1]."""

    def sample(self, n: int, options: Any) -> Any:
        return 3 + self.generator(self.latents(n, options))


class Few(GAN):
    def sample(self, n: int, options: Any) -> Any:
        return self.generator(self.latents(n - 1, options))


class Forgetful(GAN):
    """A state between steps that is no buffer."""

    pull = 1.0

    def g_loss(self, batch: Any) -> Any:
        self.pull *= 0.5
        loss: Any = super().g_loss(batch)
        return loss * self.pull


class Remembering(GAN):
    """The same state in a buffer."""

    pull: Tensor

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.register_buffer("pull", torch.ones(()))

    def g_loss(self, batch: Any) -> Any:
        self.pull *= 0.5
        loss: Any = super().g_loss(batch)
        return loss * self.pull


class Misnamed(GAN):
    ema = ("generators",)


class Bare(GAN):
    @dataclass(kw_only=True)
    class Options(GAN.Options):
        must: int


class Mismeasured(GAN):
    def measure(self, held: Any) -> dict[str, float]:
        return {"FD": 1.0}


class Wordy(GAN):
    def measure(self, held: Any) -> dict[str, float]:
        return {"how good": 1.0}


class Numberless(GAN):
    def measure(self, held: Any) -> Any:
        return {"pair": (1, 2)}


class Patient(GAN):
    """G is trained in the second half alone."""

    recipe = Recipe(steps=40)

    def turns(self, batches: Any) -> Any:
        yield from (turn for turn in super().turns(batches) if turn.player == "D" or self.step >= 20)


def test_a_player_may_come_in_late() -> None:
    check_variant(Patient, NETS, size=8)


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (Meddler, "D's turn moved generator.0.weight, which it does not own"),
        (Stranger, "player E owns parameters that are not the variant's"),
        (Lazy, "G did not move in two steps"),
        (Infinite, "G/loss is inf"),
        (Shapely, "a loss is one number"),
        (Bright, r"images leave \[-1, 1\]"),
        (Few, "asked for 5 samples"),
        (Mismeasured, "measure gives FD, a name of gantool's own scores"),
        (Wordy, "thresholds want one word"),
        (Numberless, "measure should give numbers by their names"),
        (Forgetful, "after a restart, .* differ"),
    ],
)
def test_a_broken_contract_is_named(cls: type[Variant], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_variant(cls, NETS | {"loss": "non-saturating"}, size=8)


def test_state_in_a_buffer_survives() -> None:
    check_variant(Remembering, NETS, size=8)


class Fitted(GAN):
    """An option is left open until the data is there."""

    @dataclass(kw_only=True)
    class Options(GAN.Options):
        weight: Annotated[float | None, Option(help="Of G's loss.")] = None

    @classmethod
    def resolve(cls, options: Any, data: Data) -> Any:
        return replace(super().resolve(options, data), weight=1 / len(data))

    def g_loss(self, batch: Any) -> Any:
        return super().g_loss(batch) * self.options.weight * 5_000


def test_an_option_left_open_is_filled_in() -> None:
    check_variant(Fitted, NETS, size=8)


@pytest.mark.parametrize("cls", [Misnamed, Bare])
def test_mistakes_in_what_a_variant_declares_are_not_passed_over(cls: type[Variant]) -> None:
    with pytest.raises((AssertionError, AttributeError, TypeError), match=r"generators|must"):
        check_variant(cls, NETS, size=8)
