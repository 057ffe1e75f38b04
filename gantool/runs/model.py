"""The model file: one .safetensors with everything sampling needs, and no data set."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gantool import __version__
from gantool.config.options import CORE, first_defaults
from gantool.config.packages import Offer, numbers
from gantool.config.schema import Schema
from gantool.config.validate import held_to
from gantool.data.images import DataSpec
from gantool.errors import USAGE, UserError, printable
from gantool.registry import Registry
from gantool.runs import packaged, sealed
from gantool.runtime import device
from gantool.runtime.faults import out_of_memory
from gantool.variant import Variant

if TYPE_CHECKING:
    from gantool.training.trainer import Trainer

MODEL, CHECKPOINT = "model", "checkpoint"
HALF = "float16"  # what a file's facts say of its weights, where these were halved
LONGEST = 4_096  # characters of a setting, which may be a path
LARGEST = 2**20  # numbers along one side of an example
FORMER = {"averages": "ema"}  # parts of a state, as 0.1 called them
SPARE = 64 * 2**20  # numbers that may be in networks which are not in the file, such as a discriminator
_word = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}").fullmatch  # a variant's name, a package's, a version


def describe(offer: Offer, values: dict[str, Any], spec: DataSpec, trainer: "Trainer") -> dict[str, Any]:
    """The facts of a model, and of a checkpoint. No times: the same training makes the same bytes."""
    return {
        "variant": offer.name,
        "package": offer.package,
        "version": offer.version,
        "gantool": __version__,
        "torch": torch.__version__,
        "settings": values,
        "spec": spec._asdict(),
        "image_range": [-1, 1],
        "data": Path(trainer.recipe.data).name,
        "fingerprint": trainer.data.fingerprint(),
        "seed": trainer.recipe.seed,
        "step": trainer.step,
    }


def sealed_of(facts: dict[str, Any], trainer: "Trainer", apart: bool = False) -> sealed.Sealed:
    """A model to be written: the EMA networks, or the live ones of a run that keeps none."""
    variant = trainer.variant
    networks = {n: trainer.ema.copies.get_submodule(n) for n in trainer.ema.copies._modules}
    networks = networks or {name: variant.get_submodule(name) for name in variant.ema}
    held = {name: module.state_dict() for name, module in networks.items()}
    state = {"networks": held, "buffers": own_state(variant)}
    # A model file travels: where this machine keeps its data is nobody's business.
    settings = dict(facts["settings"])
    for name, value in (("data", facts["data"]), ("data_dir", None)):
        settings[f"{CORE}{name}" if f"{CORE}{name}" in settings else name] = value
    return sealed.Sealed(facts | {"kind": MODEL, "settings": settings}, state, apart)


def halve(path: Path, out: Path) -> None:
    """Write a model again with weights of 16 bits: half as large, read like any other, drawing what it draws."""
    facts, state = sealed.load(path)
    check_facts(path, facts, MODEL)
    half = recast(state, torch.float32, torch.float16)
    sealed.save(out, facts | {"weights": HALF}, half)


def recast(tree: Any, of: torch.dtype, to: torch.dtype) -> Any:
    """A state whose numbers of one kind are of another; what does not fit is refused."""
    if isinstance(tree, dict):
        return {key: recast(value, of, to) for key, value in tree.items()}
    if not isinstance(tree, Tensor) or tree.dtype != of:
        return tree
    numbers = tree.to(to)
    if not torch.equal(numbers.isfinite(), tree.isfinite()):
        raise UserError(f"Some weights are too large for {to}.".replace("torch.", ""))
    return numbers


class Opened(NamedTuple):
    """A model ready to draw: its file, the variant with its weights in place, and what the file says of it."""

    path: Path
    variant: Variant
    facts: dict[str, Any]


def open_model(registry: Registry, path: Path, device_name: str) -> Opened:
    """The model in a file."""
    facts, state = read(registry, path)
    if facts.get("kind") == CHECKPOINT:
        raise UserError(f"{path} is a checkpoint, not a model.", "Give its run: --run RUN", USAGE)
    check_facts(path, facts, MODEL)
    check_version(registry, path, facts)
    if facts["variant"] not in registry.offers:
        raise not_installed(path, facts)
    with fitting(path, facts):
        if facts.get("weights") == HALF:
            state = recast(state, torch.float16, torch.float32)
        variant = build(facts, state, registry)
    where = device.choose(device_name)
    return Opened(path, variant.to(where).eval().requires_grad_(False), facts)


def read(registry: Registry, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A file's facts and state, or Damaged. One that a package carries must also be the one that its card is of."""
    offer = packaged.carrier(registry, path)
    try:
        found = sealed.load(path)
        if offer and not packaged.is_measured(path):
            raise sealed.Damaged(f"{path} is damaged: its sha256 is not the one on its card.")
    except sealed.Damaged as error:
        if offer:
            error.hint = packaged.anew(offer)
        raise
    return found


def open_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A checkpoint's facts and state, or sealed.Damaged."""
    facts, state = sealed.load(path)
    check_facts(path, facts, CHECKPOINT)
    counts = [state.get(key) for key in ("step", "drawn")] if isinstance(state, dict) else []
    if counts[:1] != [facts["step"]] or not all(isinstance(n, int) and 0 <= n < 2**62 for n in counts):
        raise sealed.Damaged(f"{path} is damaged: its state is not a checkpoint's.", sealed.OTHER)
    return facts, state


@contextmanager
def fitting(path: Path, facts: dict[str, Any]) -> Iterator[None]:
    """While a file's settings and weights are put to use. They may be anyone's, and name anything."""
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or out_of_memory(error):
            raise
        why = printable(" ".join(str(error).split()))[:200] or type(error).__name__
        made_by = f"It was made by {facts['package']} {facts['version']}."
        raise UserError(f"{path} does not fit this {facts['variant']}: {why}", made_by) from error


def check_facts(path: Path, facts: dict[str, Any], kind: str) -> None:
    """Raise Damaged unless these are such a file's: a right checksum says that it is whole, not whose it is."""
    spec, settings = facts.get("spec"), facts.get("settings")
    if not (
        facts.get("kind") == kind
        and all(isinstance(facts.get(key), str) and _word(facts[key]) for key in ("variant", "package", "version"))
        and isinstance(facts.get("data"), str)
        and isinstance(facts.get("step"), int)
        and isinstance(settings, dict)
        and all(len(str(value)) <= LONGEST for value in settings.values())
        and is_spec(spec)
    ):
        raise sealed.Damaged(f"{path} is damaged: its facts are not a {kind}'s.", sealed.OTHER)


def check_version(registry: Registry, path: Path, facts: dict[str, Any]) -> None:
    """Raise UserError for what a later version of its package made: this one cannot know what that means by it."""
    every = (offer for several in registry.offers.values() for offer in several)
    mine = next((offer.version for offer in every if offer.package == facts["package"]), None)
    if mine and numbers(mine) < numbers(facts["version"]):
        message = f"{path} was made by {facts['package']} {facts['version']}; installed is {mine}, which is too old."
        raise UserError(message, f"pip install -U {facts['package']}")


def not_installed(path: Path, facts: dict[str, Any]) -> UserError:
    variant, package, version = (str(facts.get(key)) for key in ("variant", "package", "version"))
    if not all(map(_word, (variant, package, version))):  # what is printed here, people paste
        return UserError(f"{path} does not say which package made it.", sealed.OTHER)
    made_by = f"{variant!r} of the package {package} {version}"
    return UserError(f"{path} was made by {made_by}, which is not installed.", f"pip install {package}")


def build(facts: dict[str, Any], state: dict[str, Any], registry: Registry) -> Variant:
    """The variant, as a file's facts describe it and with its weights."""
    cls = registry.load(facts["variant"])
    spec, state = spec_of(facts), as_called_now(cls, state)
    (options,) = held_to(Schema({"Options": cls.Options}), first_defaults(cls.Options) | facts["settings"]).values()
    with torch.device("meta"), Unfilled():  # an outline without memory: settings may ask for any amount
        sketch = cls(options, spec)
    check_parts(sketch, state)
    variant: Variant = cls(options, spec)
    for name, weights in state["networks"].items():
        variant.get_submodule(name).load_state_dict(weights)
    with torch.no_grad():
        for name, value in own_state(variant).items():
            value.copy_(state["buffers"][name])
    for name in dict(variant.named_children()).keys() - {name.partition(".")[0] for name in cls.ema}:
        setattr(variant, name, Absent(name, cls.__name__))
    return variant


class Unfilled(TorchFunctionMode):
    """Leaves new weights as they are: an outline has none, and asked to draw some torch imports its compiler first."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def as_called_now(cls: type[Variant], state: dict[str, Any]) -> dict[str, Any]:
    """A state whose parts an earlier version may have called otherwise."""

    def now(key: str) -> str:
        old = next((old for old in cls.renamed if f"{key}.".startswith(f"{old}.")), "")
        return cls.renamed[old] + key[len(old) :] if old else key

    def renamed(part: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in part.items():
            if isinstance(value, dict):  # a model's network, and its weights by their names in it
                value = {now(f"{name}.{key}").removeprefix(f"{now(name)}."): held for key, held in value.items()}
            found[now(name)] = value
        return found

    state = {FORMER.get(part, part): held for part, held in state.items()}
    return state | {part: renamed(state[part]) for part in ("networks", "buffers", "ema") if part in state}


def own_state(variant: Variant) -> dict[str, Tensor]:
    """What is saved of the variant itself, in no network of its."""
    temporary = variant._non_persistent_buffers_set
    buffers = {name: b for name, b in variant.named_buffers(recurse=False) if name not in temporary}
    return buffers | dict(variant.named_parameters(recurse=False))


class Absent(nn.Module):
    """In place of a network that the model file does not hold: whoever would draw with it is told so."""

    def __init__(self, name: str, variant: str) -> None:
        super().__init__()
        self.__dict__["told"] = UserError(
            f"{variant} draws with {name!r}, which its model files do not hold.",
            f'Its author names it in the class: ema = ("generator", "{name}").',
        )

    def refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise self.__dict__["told"]

    forward = __getitem__ = __iter__ = __len__ = refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.__dict__["told"]


def spec_of(facts: dict[str, Any]) -> DataSpec:
    """Of a file's facts; those of 0.1 know of square images alone."""
    spec = facts["spec"]
    square = [spec["size"]] * 2 if spec.get("size", 1) > 1 else []  # points had a side of 1
    shape = spec.get("shape") or [spec["channels"], *square]
    rest = (spec.get(key, ()) for key in ("classes", "words", "inputs"))
    return DataSpec(*map(tuple, (shape, *rest)))


def is_spec(spec: Any) -> bool:
    """Whether a file's facts describe data: they may be anyone's."""
    if not isinstance(spec, dict) or not all(isinstance(spec.get(key, []), list) for key in DataSpec._fields):
        return False
    shape = spec.get("shape", [spec.get("channels"), spec.get("size")])
    names = spec.get("classes", [None]) + spec.get("words", [])
    return (
        len(shape) in (1, 2, 3)
        and all(isinstance(n, int) and 0 < n <= LARGEST for n in [*shape, *spec.get("inputs", [])])
        and all(isinstance(name, str) and name.isprintable() for name in names)
    )


def check_parts(variant: Variant, state: dict[str, Any]) -> None:
    """Raise ValueError unless the file holds just what this variant draws with, and the rest is in proportion."""
    mine = {name: variant.get_submodule(name).state_dict() for name in variant.ema}
    check_shapes({**mine, "": own_state(variant)}, {**state["networks"], "": state["buffers"]})
    held = sum(t.numel() for part in mine.values() for t in part.values())
    if sum(p.numel() for p in variant.parameters()) > SPARE + 16 * held:
        raise ValueError("the networks its settings name are far larger than the one it holds")


def check_networks(cls: type[Variant], options: Any, facts: dict[str, Any], state: dict[str, Any]) -> None:
    """Raise ValueError unless a checkpoint holds the weights of these networks; takes no memory for them."""
    with torch.device("meta"), Unfilled():
        sketch = cls(options, spec_of(facts))
    check_shapes({"": sketch.state_dict()}, {"": state["networks"]})


def check_shapes(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    mine, theirs = shapes(wanted), shapes(found)
    for key in sorted(mine.keys() | theirs.keys()):
        if mine.get(key) != theirs.get(key):
            raise ValueError(f"{key} is {theirs.get(key, 'not there')}, not {mine.get(key, 'part of it')}")


def shapes(parts: dict[str, Any]) -> dict[str, str]:
    """Of each tensor, by network and name: its numbers and shape, in words."""
    found = {f"{part}.{key}".lstrip("."): value for part, held in parts.items() for key, value in held.items()}
    return {k: f"{v.dtype} {tuple(v.shape)}" if isinstance(v, Tensor) else type(v).__name__ for k, v in found.items()}
