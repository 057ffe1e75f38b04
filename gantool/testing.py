"""For authors: `check_variant` holds a variant to the contract in a few seconds."""

import dataclasses
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantool.config import presets, yaml
from gantool.config.options import Recipe, draws, plain, takes_input
from gantool.config.packages import VARIANTS, Offer
from gantool.config.schema import REQUIRED, Schema, settings_of
from gantool.config.validate import Wrong, converted, held_to, settle
from gantool.data.images import Data, DataSpec, as_floats
from gantool.data.opening import open_data
from gantool.errors import UserError
from gantool.reading import explaining
from gantool.registry import Registry
from gantool.runs import model, packaged, sealed
from gantool.runtime import device as devices
from gantool.sampling import sampler
from gantool.sampling.encoding import encodes
from gantool.sampling.settings import HowToSample
from gantool.training.session import schema_of
from gantool.training.trainer import PREVIEW_SEED, Trainer
from gantool.variant import Variant

CPU = torch.device("cpu")


def check_variant(cls: type[Variant], options: Mapping[str, Any] | None = None, **recipe: Any) -> None:
    """Raise AssertionError, in words, where the variant breaks the contract.

    `options` are the variant's, `recipe` the trainer's: check_variant(MyGAN, data="folder", size=16).
    """
    recipe = {"batch_size": 4, "steps": 6, "ema_images": 20, **recipe}
    settings, chosen = dataclasses.replace(cls.recipe, **recipe), cls.Options(**(options or {}))
    check_flags(cls)
    check_outline(cls)
    check_explained(cls)
    trainer = start(cls, chosen, settings)
    check_owners(trainer)
    check_moves(trainer)
    check_samples(trainer.variant, trainer)
    check_model(trainer)
    check_shapes(trainer)
    check_measure(trainer)
    check_resume(cls, chosen, settings)


def start(cls: type[Variant], options: Any, recipe: Any) -> Trainer:
    devices.seed_all(recipe.seed)
    data = cls.dataset(recipe, options)
    return Trainer(cls(cls.resolve(options, data), data.spec), recipe, data, CPU)


def check_data(name: str, **recipe: Any) -> None:
    """Raise AssertionError, in words, where a data set breaks the contract: check_data("edges", size=16)."""
    request = Recipe(data=name, **recipe)
    for train in (True, False):
        data, again = (open_data(request, train, of=Data) for _ in "12")  # type: ignore[type-abstract]
        assert len(data) > 0, f"{name} holds nothing"
        assert data.fingerprint() == again.fingerprint(), f"{name} is another each time it is opened"
        index = torch.arange(min(4, len(data)))
        batch, same = (d.batch(index, torch.Generator().manual_seed(1)) for d in (data, again))
        assert isinstance(batch, tuple) and batch, f"a batch of {name} is not a tuple of tensors"
        for x, y in zip(batch, same, strict=True):
            assert isinstance(x, Tensor) and len(x) == len(index), f"a batch of {name} is not one row an example"
            assert torch.equal(x, y), f"a batch of {name} draws at random from elsewhere than rng"


def check_packaged(name: str) -> None:
    """Raise AssertionError, in words, where the model that a package carries for a variant is not as it should be."""
    registry = Registry()
    offer = registry.offer(name)
    path = packaged.path_of(offer)
    assert path.is_file(), f"{offer.package} carries no {path}"
    opened = model.open_model(registry, path, "cpu")
    assert opened.facts["variant"] == name, f"{path} is a {opened.facts['variant']}"
    card = packaged.card_path(path)
    assert packaged.card_of(path).get("sha256"), f"{path} has no card: gantool eval --run {path} --out {card}"
    variant, options = opened.variant, opened.variant.SampleOptions
    devices.seed_all(PREVIEW_SEED)
    with torch.inference_mode():
        if draws(options):
            got = variant.sample(4, options())
            x = got[0] if isinstance(got, tuple) else got
        else:
            shape = variant.data.inputs or variant.data.shape
            x = variant.translate(torch.zeros(1, *shape), options(input=Path()))  # type: ignore[call-arg]
    assert x.isfinite().all() and x.float().std() > 0, f"{path} draws one colour, or none"


def check_flags(cls: type[Variant]) -> None:
    """Every option can be a flag, a default is within its own range."""
    try:
        schemas = schema_of("Variant", cls), Schema({"Sampling": HowToSample, "V": cls.SampleOptions}, own="V")
    except TypeError as error:
        raise AssertionError(f"an option cannot be a flag: {error}") from None
    for setting in (s for schema in schemas for s in schema.all):
        assert setting.help, f"{setting.flag} has no help"
        if setting.default is not REQUIRED and setting.default is not None:
            try:
                converted(setting, setting.default)
            except Wrong as error:
                raise AssertionError(f"the default of {setting.flag}, {setting.default}: {error}") from None
    for setting in schemas[0].of["Variant"]:
        required = f"option {setting.key} needs a default: `gantool train` must work without flags"
        assert setting.default is not REQUIRED, required


def check_outline(cls: type[Variant]) -> None:
    """What --help reads without torch is what trains."""
    if "<locals>" in cls.__qualname__ or cls.__module__ == "__main__":
        return  # no other process could import it
    done = subprocess.run(
        [sys.executable, "-c", READ, f"{cls.__module__}:{cls.__qualname__}"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode == 0:  # else it is read with torch
        real = [s.described() for s in (*schema_of("Variant", cls).all, *settings_of(cls.SampleOptions, ""))]
        for theirs, mine in zip(json.loads(done.stdout), json.loads(json.dumps(real)), strict=True):
            assert theirs == mine, f"--help shows {theirs}, and what trains is {mine}: let nothing ask torch at import"


READ = """
import json, sys
from importlib.metadata import EntryPoint
from gantool.config.outline import quick
from gantool.config.packages import Offer
from gantool.config.schema import settings_of
from gantool.training.settings import HowToTrain
found = quick(Offer(EntryPoint("Variant", sys.argv[1], "")))
own = list(settings_of(found.Options, "Variant"))
taken = [word for s in own for word in (s.key, *s.flags, *s.off)]
every = [*settings_of(found.recipe, "Training", taken), *own, *settings_of(HowToTrain, "This run", taken)]
print(json.dumps([s.described() for s in (*every, *settings_of(found.SampleOptions, ""))]))
"""


def check_explained(cls: type[Variant]) -> None:
    """What its page of equations quotes, if its package has one, is in the source."""
    for offer in (offer for offers in Registry().offers.values() for offer in offers):
        if offer.entry.value == f"{cls.__module__}:{cls.__qualname__}":
            try:
                explaining.explain(offer, cls)
            except UserError as error:
                raise AssertionError(error.message) from None


def check_ejected(variant: str, steps: int = 20, **settings: Any) -> None:
    """Raise AssertionError unless the variant's plain file, `gantool eject`, trains to the losses that gantool does.

    To the bit, on one thread. `settings` are flags of `train`: check_ejected("my-gan", data="digits", width=4).
    """
    from gantool import library

    how = {"threads": "1", "precision": "fp32", **settings}
    with tempfile.TemporaryDirectory() as folder, devices.undisturbed(), devices.computing(CPU):
        run = library.train(variant, out=Path(folder, "run"), steps=steps, log_every=1, settings=how)
        plain, data = library.eject(run, Path(folder, "plain.py"), with_data=True)
        torch.set_num_threads(1)
        mine, logged = losses_of(plain, data), run.metrics
    assert len(mine) == steps, f"the plain file takes {len(mine)} steps of {steps}"
    minimised = {name for name in logged if name.startswith(("D/", "G/"))}
    assert minimised == {name for losses in mine for name in losses}, "the plain file names other losses"
    for step, losses in enumerate(mine):
        for name, value in losses.items():
            assert logged[name][step] == value, (
                f"at step {step + 1} {name} is {value}, and {logged[name][step]} in gantool"
            )


def losses_of(plain: Path, data: Path) -> list[dict[str, float]]:
    """Of each step of an ejected file, imported here."""
    spec = spec_from_file_location("plain", plain)
    assert spec and spec.loader
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.tune(CPU)
    torch.manual_seed(module.SEED)
    images, labels = module.read(data)
    steps = module.training(*module.networks(), module.batches(images, labels))
    return [{name: loss.item() for name, loss in losses.items()} for losses in steps]


def check_owners(trainer: Trainer) -> None:
    assert trainer.players, "players() is empty: nobody would learn"
    mine = {id(p) for p in trainer.variant.parameters()}
    for name, owned in trainer.owned.items():
        assert owned, f"player {name} owns no parameters"
        assert all(id(p) in mine for p in owned), f"player {name} owns parameters that are not the variant's"
    own = list(trainer.variant.parameters(recurse=False))
    assert trainer.variant.ema or own, "ema is empty: a model file would hold no networks"
    for name in trainer.variant.ema:
        assert hasattr(trainer.variant, name), f"ema names {name!r}, which the variant does not have"


def check_moves(trainer: Trainer) -> None:
    """A turn moves its player's weights and no one else's; losses are finite."""
    variant, moved = trainer.variant, set()
    inner = trainer.play

    def observed(turn: Any) -> dict[str, Tensor]:
        assert turn.player in trainer.players, f"a turn is for {turn.player!r}, which players() does not name"
        loss = turn.loss(turn.batch)
        for name, value in (loss if isinstance(loss, Mapping) else {"loss": loss}).items():
            assert not isinstance(value, Tensor) or value.ndim == 0, (
                f"{turn.player}/{name} has shape {tuple(value.shape)}; a loss is one number"
            )
        before = {name: p.detach().clone() for name, p in variant.named_parameters()}
        terms = inner(turn)
        for name, value in terms.items():
            assert torch.isfinite(value), f"{name} is {value.item()}"
        owned = {id(p) for p in trainer.owned[turn.player]}
        changed = {name for name, p in variant.named_parameters() if not torch.equal(before[name], p)}
        foreign = sorted(n for n, p in variant.named_parameters() if n in changed and id(p) not in owned)
        assert not foreign, f"{turn.player}'s turn moved {foreign[0]}, which it does not own"
        if changed:
            moved.add(turn.player)
        return terms

    trainer.play = observed  # type: ignore[method-assign]
    for _ in range(2):
        trainer.take_step()
    if moved != trainer.players.keys():  # some may come in late
        trainer.step = variant.recipe.steps or trainer.step
        trainer.take_step()
    del trainer.play
    idle = sorted(trainer.players.keys() - moved)
    assert not idle, f"{', '.join(idle)} did not move in two steps, nor at the end of a training"
    trainer.check_weights()


def check_samples(variant: Variant, trainer: Trainer) -> None:
    """Samples have the right shape and range, and so have previews."""
    spec = trainer.data.spec
    with trainer.sampling():
        if takes_input(variant.SampleOptions):
            required = {} if draws(variant.SampleOptions) else {"input": Path()}
            options: Any = variant.SampleOptions(**required)  # type: ignore[arg-type]
            shape = (spec.channels, spec.size, spec.size) if spec.images else spec.shape
            pixels = torch.zeros(1, *shape, dtype=torch.uint8)
            (one,) = as_floats((pixels,), CPU)
            made = variant.translate(one, options)
            assert len(made) == variant.answers(options), f"translate gave {len(made)} images of one"
            x, want = made, len(made)
        if draws(variant.SampleOptions):
            got, want = variant.sample(5, variant.SampleOptions()), 5
            x = got[0] if isinstance(got, tuple) else got
            assert not isinstance(got, tuple) or got[1].shape == (5,), "sample must return one class per image"
    dimensions = 4 if spec.images else 2
    assert x.ndim == dimensions and len(x) == want, f"asked for {want} samples, got shape {tuple(x.shape)}"
    if spec.images:
        assert x.min() >= -1.001 and x.max() <= 1.001, "images leave [-1, 1]: end the generator in tanh"
    preview = trainer.preview().images
    assert preview.ndim in (4, 5), (
        f"preview has shape {tuple(preview.shape)}; give (n, C, H, W) or (rows, cols, C, H, W)"
    )


def check_model(trainer: Trainer) -> None:
    """A model file alone draws what the trainer draws, by what `gantool sample` calls."""
    variant, options = trainer.variant, trainer.variant.SampleOptions
    offer = Offer(EntryPoint("checked", f"{type(variant).__module__}:{type(variant).__qualname__}", VARIANTS))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        schema = Schema({"Options": type(variant).Options})
        values = {s.key: plain(getattr(variant.options, s.name)) for s in schema.all}
        model.sealed_of(model.describe(offer, values, trainer.data.spec, trainer), trainer).write(path)
        facts, state = sealed.load(path)
        config = Path(folder, "config.yaml")
        config.write_text(yaml.write(values, []), encoding="utf-8")
        again = yaml.read(config)
        assert held_to(schema, again)["Options"] == variant.options, "options written to YAML come back as others"
    registry: Any = Named(offer.name, type(variant))
    fresh = model.build(facts, state, registry)
    check_encode(trainer, fresh.eval())
    if not draws(options):
        return
    with trainer.sampling():
        mine = drawn_by(variant, options())
    try:
        devices.seed_all(PREVIEW_SEED)
        theirs = drawn_by(fresh.eval(), options())
    except UserError as error:
        raise AssertionError(f"{error.message} {error.hint}") from None
    for part, other in zip(mine, theirs, strict=True):
        assert np.array_equal(part.images, other.images), (
            "the model file draws other images than the trainer: what `sample` uses is in `ema`, or in a buffer"
        )


def check_encode(trainer: Trainer, fresh: Variant) -> None:
    """Latents are a row for each image; an encoder is kept in the model file."""
    variant = trainer.variant
    if not encodes(type(variant)) or not trainer.data.spec.images:
        return
    x = trainer.variant.random(torch.rand, 3, *trainer.data.spec.shape) * 2 - 1
    with trainer.sampling():
        mine = variant.encode(x)
    assert mine.ndim == 2 and len(mine) == 3, f"encode gave the shape {tuple(mine.shape)} of 3 images"
    with torch.inference_mode():
        assert torch.equal(mine, fresh.encode(x)), "the model file encodes otherwise than the trainer: see `ema`"


def check_shapes(trainer: Trainer) -> None:
    """Images of other sizes, and without classes, are drawn, or refused in a sentence."""
    variant, spec = trainer.variant, trainer.data.spec
    if not (spec.images and draws(variant.SampleOptions)):
        return
    cases = [(28, spec.classes), (30, spec.classes)]
    if type(variant).dataset.__func__ is Variant.dataset.__func__:  # type: ignore[attr-defined]  # else it sees to that
        cases.append((spec.height, ()))
    for size, classes in cases:
        other = spec._replace(shape=(spec.channels, size, size), classes=classes)
        what = f"images {other.shown}" + ("" if classes else " without classes")
        try:
            made = type(variant)(variant.options, other).eval()
            with torch.inference_mode():
                got = made.sample(2, variant.SampleOptions())
        except UserError:
            continue
        except Exception as error:
            raise AssertionError(f"{what} are neither drawn nor refused by a UserError: {error!r}") from error
        x = got[0] if isinstance(got, tuple) else got
        assert x.shape == (2, *other.shape), f"of {what}, samples have the shape {tuple(x.shape[1:])}"


def check_processes(variant: str, *flags: str) -> None:
    """Raise AssertionError unless two processes learn, in steps of plain SGD, what one would. Runs come to lie here."""
    plain = ("--batch-size", "8", "--optimizer", "sgd", "--lr", "0.01", "--log-every", "1", "--steps", "6")
    alone, together = (logged(count, variant, *flags, *plain) for count in (1, 2))
    assert len(alone) == len(together), f"one process logs {len(alone)} steps, two {len(together)}"
    for one, two in zip(alone, together, strict=True):
        near = one.keys() == two.keys() and all(math.isclose(one[k], two[k], rel_tol=1e-4, abs_tol=1e-5) for k in one)
        assert near, f"one process learns {one}, two {two}"


def logged(count: int, *args: str) -> list[dict[str, float]]:
    """What so many processes log that train one run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(count)}
    command = [sys.executable, "-m", "gantool", "train", *args, "--out", f"of-{count}"]
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank), **shared} if count > 1 else {} for rank in range(count)]
    running = [subprocess.Popen(command, env=os.environ | rank) for rank in ranks]
    codes = [process.wait() for process in running]
    assert codes == [0] * count, f"of {count} processes, the exit codes are {codes}"
    lines = [json.loads(line) for line in Path(f"of-{count}/metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_s"} for line in lines if "epoch" in line]


def with_preset(name: str, preset: str, shape: tuple[int, ...], classes: int = 0) -> tuple[Variant, Recipe]:
    """The variant as a preset makes it for data of this shape, and how it is trained: to hold a preset to its paper."""
    registry = Registry()
    offer, cls = registry.offer(name), registry.load(name)
    schema = Schema({"Training": cls.recipe, name: cls.Options}, own=name)
    layers = presets.layers(name, offer.presets(), preset, None)
    recipe, options = settle(schema, layers).sections.values()
    with torch.device("meta"):  # of any size: nothing is computed
        variant = cls(options, DataSpec(shape, tuple(map(str, range(classes)))))
    return variant, recipe


class Named:
    """A registry of one variant."""

    def __init__(self, name: str, variant: type[Variant]) -> None:
        self.offers: dict[str, list[Offer]] = {name: []}
        self.variant = variant

    def load(self, name: str) -> type[Variant]:
        return self.variant


def drawn_by(variant: Variant, options: Any) -> list[Any]:
    with torch.inference_mode():
        return list(sampler.draw(variant, 5, options))


def check_measure(trainer: Trainer) -> None:
    """Scores of its own are numbers, by names that thresholds can use and gantool does not."""
    from gantool.evaluation.evaluation import own_scores
    from gantool.evaluation.held import opened

    variant = trainer.variant
    if type(variant).measure is not Variant.measure:
        with trainer.ema.swapped():
            try:
                own_scores(variant, opened(variant.dataset, trainer.recipe, variant.options).held, trainer.recipe.seed)
            except (UserError, AttributeError, TypeError) as error:
                raise AssertionError(f"measure should give numbers by their names: {error}") from error


def check_resume(cls: type[Variant], options: Any, recipe: Any) -> None:
    """Four steps in one go and two, a restart, and two more give the same bits."""
    whole = start(cls, options, recipe)
    for _ in range(4):
        whole.take_step()
    expected = deepcopy(whole.state())
    first = start(cls, options, recipe)
    for _ in range(2):
        first.take_step()
    saved = deepcopy(first.state())
    second = start(cls, options, recipe)
    second.restore(saved)
    for _ in range(2):
        second.take_step()
    for key, value in second.state().items():
        assert sealed.same(value, expected[key]), (
            f"after a restart, {key} differ: keep what the next step needs in parameters and buffers"
        )
