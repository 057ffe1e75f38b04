"""Faults that an outside author ran into, each mended at its root: what the contract promises, and `check_variant`."""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import torch
from conftest import Gantool, Install
from torch import Tensor, nn
from torch.nn.functional import softplus
from typer import Option

import gantool as library
from gantool.api import DataSpec, Points, Recipe, Turn, Variant, mlp, open_data, weights
from gantool.data.images import ImageData
from gantool.testing import check_variant
from gantool.training import pace
from gantool.training.trainer import Trainer
from gantool.variants.cgan import CGAN
from gantool.variants.gan import GAN

CPU = torch.device("cpu")


class Base(Variant):
    """A small game of MLPs that says as little as it can."""

    recipe = Recipe(steps=10, batch_size=8)

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 8

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        pixels = torch.Size(data.shape).numel()
        ends = [nn.Tanh(), nn.Unflatten(1, data.shape)]
        self.generator = mlp([options.z, 16, pixels], 0.2, lambda n: None, after=ends)
        self.discriminator = mlp([pixels, 16, 1], 0.2, lambda n: None, before=[nn.Flatten()])

    def d_loss(self, batch: Any) -> Any:
        x, *_, fake = batch
        return softplus(-self.discriminator(x)).mean() + softplus(self.discriminator(fake)).mean()

    def g_loss(self, batch: Any) -> Any:
        return softplus(-self.discriminator(batch[-1])).mean()


def trainer_of(kind: type[Variant], size: int = 8, batch: int = 8, **options: Any) -> Trainer:
    recipe = Recipe(size=size, batch_size=batch, steps=4)
    chosen = kind.Options(**options)
    data = kind.dataset(recipe, chosen)
    return Trainer(kind(chosen, data.spec), recipe, data, CPU)


def source(body: str, top: str = "", more: str = "") -> str:
    return f'''"""PLUG: a pretend variant."""
from dataclasses import dataclass
from typing import Annotated, Any
import torch
from torch import nn
from typer import Option
from gantool.api import NoiseOptions, Recipe
from gantool.variants.gan import GAN
{top}
class Mine(GAN):
    recipe = Recipe(steps=2, batch_size=4, size=8)

    @dataclass(kw_only=True)
    class Options(GAN.Options):
        g_layers: str = "4"
        d_layers: str = "4"
{more}
{body}
'''


# B1


class Unsaved(Base):
    """Draws with D, which is not in its model file."""

    def sample(self, n: int, options: Any) -> Tensor:
        x = self.generator(self.latents(n, options))
        return x * self.discriminator(x).mean().sign()


def test_b1_check_variant_sees_a_network_that_is_drawn_with_and_not_saved() -> None:
    with pytest.raises(AssertionError, match="discriminator"):
        check_variant(Unsaved, size=8)


def test_b1_a_model_that_would_draw_with_a_fresh_network_says_so(gantool: Gantool, install: Install) -> None:
    body = (
        "    def sample(self, n, options):\n        x = self.generator(self.latents(n, options))\n"
        "        return x * self.discriminator[1].weight.mean().sign()\n"
    )
    install("plug-mine", source(body), mine="Mine")
    assert gantool("train", "mine", "-q").code == 0
    done = gantool("sample", "mine")
    assert done.code == 1 and "draws with 'discriminator', which its model files do not hold" in done.err
    assert 'ema = ("generator", "discriminator")' in done.err


class Bare(Base):
    """No network at all: pixels that learn."""

    ema = ()

    def __init__(self, options: Any, data: DataSpec) -> None:
        Variant.__init__(self, options, data)
        self.x = nn.Parameter(torch.randn(1, *data.shape) / 9)

    def players(self) -> Any:
        return {"P": torch.optim.Adam([self.x], 0.1)}

    def turns(self, batches: Any) -> Any:
        yield Turn("P", lambda batch: (self.x.tanh() - batch[0]).square().mean(), next(batches))

    def sample(self, n: int, options: Any) -> Tensor:
        return self.x.tanh().expand(n, -1, -1, -1)


def test_b1_weights_that_are_in_no_network_are_in_the_model_file_too() -> None:
    check_variant(Bare, size=8)


# B3, B4


@pytest.mark.parametrize(
    ("top", "option", "words"),
    [
        ("from enum import Enum\nclass Kind(Enum):\n    a = 'a'\n", "kind: Annotated[Kind, Option(help='h')] = Kind.a",
         "a setting is an int, float, bool, str, Path or Literal"),
        ("", "kind: Annotated[tuple[int, int], Option(help='h')] = (1, 2)", "a setting is an int"),
        ("from dataclasses import field", "kinds: Annotated[list[int], Option(help='h')] = field(default_factory=list)",
         "fits on one line of YAML"),
        ("", "kind: int = 3", "needs Annotated"),
        ("", "lr: int = 3", ""),
    ],
)  # fmt: skip
def test_b3_options_that_no_file_could_hold_are_refused_at_once(
    top: str, option: str, words: str, gantool: Gantool, install: Install
) -> None:
    install("plug-mine", source("", top, f"        {option}"), mine="Mine")
    done = gantool("train", "mine", "-q")
    assert "bug in gantool" not in done.err
    assert (done.code, words in done.err) == ((1, True) if words else (0, True)), done.err


def test_b3_check_variant_sees_them_too() -> None:
    class Kinds(Base):
        @dataclass(kw_only=True)
        class Options(Base.Options):
            kinds: Annotated[list[int], Option(help="Some.")] = field(default_factory=list)

    with pytest.raises(AssertionError, match="one line of YAML"):
        check_variant(Kinds, size=8)


# B5, A9: the monitor never ends a training.


def test_b5_a_folder_of_one_image_and_batches_of_one_are_trained_from(gantool: Gantool, images: Any) -> None:
    folder = images({"1.png": "red"})
    mine = ("--g-layers", 4, "--d-layers", 4, "--batch-norm", 0, "-b", 1)
    done = gantool("train", "gan", "--data", folder, *mine, "--steps", 60, "--sample-every", 10, "-q")
    assert done.code == 0, done.err


def test_a9_a_variant_may_ask_not_to_be_probed(gantool: Gantool, install: Install) -> None:
    install("plug-mine", source("    probed = False\n"), mine="Mine")
    assert gantool("train", "mine", "-q", "--sample-every", 1).code == 0
    (run,) = library.runs()
    assert "diversity" not in run.probes


# B6


def test_b6_sample_options_may_be_left_out() -> None:
    check_variant(Base, size=8)
    assert Base.SampleOptions().truncation == 2.0


# B8, B9, B10


def test_b8_labels_of_data_without_classes_are_all_0_and_none_can_be_asked_for() -> None:
    variant = CGAN.__new__(CGAN)
    nn.Module.__init__(variant)
    variant.data, variant.generator = DataSpec((1, 8, 8)), nn.Linear(1, 1)
    assert variant.labels_for(3, CGAN.SampleOptions()).tolist() == [0, 0, 0]
    with pytest.raises(library.UserError, match="knows no classes"):
        variant.labels_for(3, CGAN.SampleOptions(label="7"))


def test_b9_batch_norm_and_a_batch_of_one_are_told_before_anything_is_written(gantool: Gantool) -> None:
    done = gantool("train", "gan", "--g-layers", 4, "--d-layers", 4, "-b", 1, "--steps", 2, "-q")
    assert done.code == 2 and "batch of 1" in done.err and "--batch-size" in done.err, done.err
    assert gantool("runs", "--json").out.strip() == "[]"


# B12


class Floats(Base):
    def d_loss(self, batch: Any) -> Any:
        loss = super().d_loss(batch)
        self.log(item=loss.item(), share=self.progress)
        return {"loss": loss, "none": 0.0}

    def turns(self, batches: Any) -> Any:
        yield from super().turns(batches)
        self.log(after=3)


def test_b12_floats_may_be_terms_of_a_loss_and_logged() -> None:
    check_variant(Floats, size=8)
    trainer = trainer_of(Floats)
    trainer.take_step()
    trainer.read_window()
    assert trainer.metrics["D/none"] == 0 and trainer.metrics["after"] == 3
    assert trainer.metrics["item"] == pytest.approx(trainer.metrics["D/loss"])


class Constant(Base):
    def g_loss(self, batch: Any) -> Any:
        return super().g_loss((batch[-1].detach(),)).detach()


def test_b12_a_loss_that_no_weight_can_lower_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="G's loss does not depend on any weight"):
        trainer_of(Constant).take_step()


# B13


class Named(Base):
    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.sizes = [7, 14]


class Hidden(Base):
    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.noise = nn.Linear(3, 3)


class Stepped(Base):
    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.register_buffer("step", torch.zeros(()))


def test_b13_an_attribute_may_have_a_plain_name() -> None:
    check_variant(Named, size=8)


@pytest.mark.parametrize(("kind", "name"), [(Hidden, "noise"), (Stepped, "step")])
def test_b13_a_name_of_the_contract_is_refused_at_once(kind: type[Variant], name: str) -> None:
    with pytest.raises((TypeError, KeyError), match=name):
        kind(kind.Options(), DataSpec((1, 8, 8)))


# Below the list.


def test_a_d_lr_of_0_is_0() -> None:
    trainer = trainer_of(GAN, g_layers="4", d_layers="4", d_lr=0.0)
    assert [group["lr"] for group in trainer.players["D"].param_groups] == [0.0]
    before = [p.clone() for p in trainer.variant.discriminator.parameters()]
    trainer.take_step()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.variant.discriminator.parameters(), strict=True))


class Statistics(nn.Module):
    mixes_batch = True

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


def test_a_d_that_looks_at_a_batch_as_a_whole_sees_real_and_fake_apart() -> None:
    variant = GAN(GAN.Options(g_layers="4", d_layers="4"), DataSpec((1, 8, 8)))
    assert not variant.mixes
    variant = GAN(GAN.Options(g_layers="4", d_layers="4"), DataSpec((1, 8, 8)))
    variant.discriminator.append(Statistics())
    assert variant.mixes
    calls: list[int] = []
    variant.compare(lambda x: calls.append(len(x)) or x, (torch.ones(3),), (torch.ones(3),))
    assert calls == [3, 3]


class Watching(Base):
    seen: list[float]

    def schedule(self) -> float:
        self.__dict__.setdefault("seen", []).append(self.progress)
        return 1.0


def test_progress_never_passes_1_not_even_while_steps_are_timed() -> None:
    trainer = trainer_of(Watching)
    trainer.steps = 0
    pace.seconds_a_step(trainer, 0.01)
    trainer.steps = 4
    for _ in range(4):
        trainer.take_step()
    assert max(trainer.variant.seen) == 0.75 and min(trainer.variant.seen) == 0


# The contract's new parts.


class Two(Base):
    """One player over both networks; what it says of the other must not move it."""

    def players(self) -> Any:
        return {"both": self.optimizer((self.generator, 1.0), (self.discriminator, 0.01))}

    def turns(self, batches: Any) -> Any:
        yield Turn("both", lambda batch: self.frozen(self.discriminator)(self.fake(batch)).mean(), next(batches))


def test_a2_a_frozen_network_passes_gradients_on_and_takes_none() -> None:
    trainer = trainer_of(Two)
    d, g = ([p.clone() for p in n.parameters()] for n in (trainer.variant.discriminator, trainer.variant.generator))
    trainer.take_step()
    assert all(torch.equal(a, b) for a, b in zip(d, trainer.variant.discriminator.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(g, trainer.variant.generator.parameters(), strict=True))


def test_a11_a_player_may_have_several_rates_and_they_follow_the_schedule() -> None:
    trainer = trainer_of(Two, decay=1.0, lr=0.5)
    trainer.step = 1
    trainer.take_step()
    assert [group["lr"] for group in trainer.players["both"].param_groups] == [0.25, 0.0025]


class Newton(Base):
    def players(self) -> Any:
        return {"P": torch.optim.LBFGS(self.generator.parameters(), max_iter=4)}

    def turns(self, batches: Any) -> Any:
        z = self.noise(self.batch_size)
        yield Turn("P", lambda x: (self.generator(z) - x).square().mean(), next(batches)[0])


def test_a11_an_optimiser_that_evaluates_the_loss_itself_is_a_player_too() -> None:
    check_variant(Newton, size=8)
    trainer = trainer_of(Newton)
    losses = []
    for _ in range(3):
        trainer.take_step()
        trainer.read_window()
        losses.append(trainer.metrics["P/loss"])
    assert all(torch.isfinite(torch.tensor(losses)))


class Clipped(Base):
    def before_step(self, player: str, weights: list[nn.Parameter]) -> None:
        norm = nn.utils.clip_grad_norm_(weights, 1e-3)
        self.log(**{f"{player} norm": norm})


def test_a11_gradients_may_be_changed_before_they_are_followed() -> None:
    check_variant(Clipped, size=8)
    trainer = trainer_of(Clipped)
    trainer.take_step()
    norms = [torch.stack([w.grad.norm() for w in owned]).norm() for owned in trainer.owned.values()]
    assert all(norm <= 1.001e-3 for norm in norms)


def test_a12_a_variant_knows_its_batch_size_without_drawing() -> None:
    assert trainer_of(Base, batch=5).variant.batch_size == 5


class Kept(Base):
    """k follows the losses, as BEGAN's."""

    k: Tensor

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.register_buffer("k", torch.zeros(()))

    def turns(self, batches: Any) -> Any:
        yield from super().turns(batches)
        self.k.add_(self.logged["D/loss"] - self.logged["G/loss"])


def test_a3_losses_of_this_step_can_be_read_as_they_were_averaged() -> None:
    trainer = trainer_of(Kept)
    trainer.take_step()
    terms = trainer.window[-1]
    assert float(trainer.variant.k) == pytest.approx(float(terms["D/loss"] - terms["G/loss"]))
    check_variant(Kept, size=8)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 9, 6), (16, 8, 8)])
def test_a6_images_of_any_shape_are_trained_on_and_previewed(shape: tuple[int, ...]) -> None:
    pixels = torch.randint(0, 256, (40, *shape), dtype=torch.uint8)
    data = ImageData(pixels)
    trainer = Trainer(Base(Base.Options(), data.spec), Recipe(batch_size=4, steps=2, grid="2x2"), data, CPU)
    trainer.take_step()
    assert data.spec.shape == shape and trainer.preview().images.shape[1] in (1, 3, 4)


def test_a5_points_are_trained_on_and_previewed() -> None:
    data = open_data(Recipe(data="ring8"), of=Points)
    assert data.spec == DataSpec((2,), tuple("01234567"))
    options = GAN.Options(g_layers="8", d_layers="8", batch_norm=0)
    trainer = Trainer(GAN(options, data.spec), Recipe(data="ring8", batch_size=16, steps=2), data, CPU)
    trainer.take_step()
    assert trainer.preview().images.shape == (1, 1, 192, 192)


class Eights(Base):
    """Draws sides that are multiples of eight, and does not say so."""

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        side = data.height // 8
        layers = [
            nn.Linear(options.z, side**2),
            nn.Unflatten(1, (1, side, side)),
            nn.Upsample(scale_factor=8),
            nn.Tanh(),
        ]
        self.generator = nn.Sequential(*layers)


def test_a8_sizes_that_are_neither_drawn_nor_refused_are_found() -> None:
    with pytest.raises(AssertionError, match="of images 28x28x1, samples have the shape"):
        check_variant(Eights, size=16)


# A13


def test_a13_weights_are_known_by_their_digest_and_come_over_https(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_, **__: pytest.fail("it asked the network"))
    blob = b"some weights"
    digest = hashlib.sha256(blob).hexdigest()
    where = tmp_path / "gantool" / "weights" / digest[:16] / "w.safetensors"
    with pytest.raises(library.UserError, match="it is not https"):
        weights("ftp://example.org/w.safetensors", digest, len(blob))
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(blob)
    assert weights("https://example.org/w.safetensors", digest, len(blob)).read_bytes() == blob


# B15


def test_b15_a_flag_that_is_missing_is_named_as_it_is_typed(gantool: Gantool, install: Install) -> None:
    body = (
        "    @dataclass(kw_only=True)\n    class SampleOptions(NoiseOptions):\n"
        "        kind: Annotated[str, Option(help='Which.')]\n"
    )
    install("plug-mine", source(body), mine="Mine")
    done = gantool("sample", "mine")
    assert done.code == 2 and "--kind is missing: gantool sample mine --kind KIND" in done.err, done.err
